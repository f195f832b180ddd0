"""What can be before the skin: long hair, glasses, hands and bars, single strands of hair."""

import warp as wp

from synthetic_faces.uniforms import Uniforms, step_between

# A ray that meets nothing ends here, in metres.
FAR = 3.0
NOTHING, FRAME, LENS = 0, 1, 2
# More than gradient noise of two octaves, one and 0.7, ever is: each is below sqrt(3) / 2.
RAGGED = 1.5


@wp.func
def inside_hair(p: wp.vec3, coordinates: wp.vec3, s: Uniforms):
    """How far the point ``p`` of long hair's mesh lies from the window for the face, in half heads; negative
    where that leaves it open.
    """
    x = (p[0] - s.middle[0]) / s.half_head
    z = (p[2] - s.middle[2]) / s.half_head
    if p[1] > s.middle[1] + 0.3 * s.half_head:
        return 1.0
    top = s.opening[1] + s.opening[2] * x
    width = s.opening[0] + s.opening[3] * wp.min(z, 0.0)
    margin = z - top
    if margin < 0.0:
        if z > 0.0:
            width *= wp.sqrt(wp.max(1.0 - wp.pow(z / top, s.roundness), 0.0))
        margin = wp.abs(x) - width
    if wp.abs(margin) > RAGGED * s.loose:
        return margin
    # Locks end here and there, not along a line, and single hairs next to them: noise that runs down the
    # hair.
    lock = wp.vec3(coordinates[0] * 9.0, coordinates[1] * 9.0, coordinates[2] * 3.0)
    roughness = wp.noise(wp.rand_init(s.texture, 9), lock)
    roughness += 0.7 * wp.noise(wp.rand_init(s.texture, 10), wp.vec3(lock[0] * 6.0, lock[1] * 6.0, lock[2]))
    return margin - s.loose * s.grain * roughness


@wp.func
def in_opening(p: wp.vec3, coordinates: wp.vec3, s: Uniforms):
    """Whether long hair leaves the point ``p`` of its mesh open, so that the face is seen."""
    return inside_hair(p, coordinates, s) < 0.0


@wp.func
def rod_hit(rods: wp.array(dtype=wp.vec4), origin: wp.vec3, direction: wp.vec3, s: Uniforms):
    """Distance to the first rod on a ray, or ``FAR``, and which.

    Rod i is a capsule between the points of rows 2 i (with its radius) and 2 i + 1 (with its reflectance).
    """
    nearest = wp.float32(FAR)
    which = wp.int32(-1)
    for i in range(s.rod_count):
        first = rods[2 * i]
        second = rods[2 * i + 1]
        a = wp.vec3(first[0], first[1], first[2])
        ba = wp.vec3(second[0], second[1], second[2]) - a
        oa = origin - a
        baba = wp.dot(ba, ba)
        bard = wp.dot(ba, direction)
        baoa = wp.dot(ba, oa)
        rdoa = wp.dot(direction, oa)
        square = baba - bard * bard
        half = baba * rdoa - baoa * bard
        rest = baba * (wp.dot(oa, oa) - first[3] * first[3]) - baoa * baoa
        inner = half * half - square * rest
        if inner >= 0.0 and square > 0.0:
            t = (-half - wp.sqrt(inner)) / square
            along = baoa + t * bard
            if along <= 0.0 or along >= baba:
                # Beyond the cylinder: its round ends.
                cap = oa
                if along > 0.0:
                    cap = origin - a - ba
                half = wp.dot(direction, cap)
                inner = half * half - wp.dot(cap, cap) + first[3] * first[3]
                t = wp.float32(FAR)
                if inner > 0.0:
                    t = -half - wp.sqrt(inner)
            if t > 0.0 and t < nearest:
                nearest = t
                which = i
    return nearest, which


@wp.func
def rod_normal(rods: wp.array(dtype=wp.vec4), which: int, p: wp.vec3):
    """Normal, of length 1, of a rod at its surface point ``p``."""
    first = rods[2 * which]
    second = rods[2 * which + 1]
    a = wp.vec3(first[0], first[1], first[2])
    ba = wp.vec3(second[0], second[1], second[2]) - a
    share = wp.clamp(wp.dot(p - a, ba) / wp.dot(ba, ba), 0.0, 1.0)
    return wp.normalize(p - a - ba * share)


@wp.func
def glasses_hit(origin: wp.vec3, direction: wp.vec3, s: Uniforms):
    """What of the glasses a ray meets first: ``NOTHING``, ``FRAME`` or ``LENS``; and the distance to it."""
    kind = wp.int32(NOTHING)
    distance = wp.float32(FAR)
    if s.has_glasses == 0:
        return kind, distance
    t = (s.lenses[1] - origin[1]) / direction[1]
    p = origin + direction * t
    x = wp.abs(p[0] - s.lenses[0]) - s.lens[0]
    z = p[2] - s.lenses[2]
    rim = s.lens[3]
    # A superellipse: 1 on the lens's edge.
    edge = wp.pow(wp.abs(x) / s.lens[1], s.squareness) + wp.pow(wp.abs(z) / s.lens[2], s.squareness)
    edge = wp.pow(edge, 1.0 / s.squareness)
    outwards = (edge - 1.0) * wp.min(s.lens[1], s.lens[2])
    if outwards < rim:
        distance = t
        kind = LENS
        if outwards > -0.2 * rim:
            kind = FRAME
    elif x < 0.0 and wp.abs(z - 0.25 * s.lens[2]) < 0.7 * rim:
        distance = t
        kind = FRAME
    if kind == NOTHING:
        # The arms, from the outer edge of the frame back to the ears.
        wide = s.lens[0] + s.lens[1] + rim
        for i in range(2):
            side = 1.0 - 2.0 * float(i)
            if wp.abs(direction[0]) > 1.0e-6:
                t = (s.lenses[0] + side * wide - origin[0]) / direction[0]
                p = origin + direction * t
                beside = p[1] > s.lenses[1] and p[1] < s.middle[1]
                level = wp.abs(p[2] - s.lenses[2] - 0.25 * s.lens[2]) < 0.7 * rim
                if beside and level and t > 0.0 and t < distance:
                    distance = t
                    kind = FRAME
    return kind, distance


@wp.func
def lens_glare(p: wp.vec3, direction: wp.vec3, s: Uniforms):
    """Light that a lens mirrors at ``p``: a window somewhere in front, seen in the curved glass."""
    side = wp.sign(p[0] - s.lenses[0])
    across = (p[0] - s.lenses[0] - side * s.lens[0]) / s.lens[1]
    n = wp.normalize(wp.vec3(0.12 * side + 0.25 * across, -1.0, 0.2 * (p[2] - s.lenses[2]) / s.lens[2]))
    mirrored = direction - 2.0 * wp.dot(direction, n) * n
    return s.glare * step_between(0.93, 0.97, wp.dot(mirrored, s.light))


@wp.func
def strands_cover(u: float, v: float, s: Uniforms):
    """Share in [0, 1] of a place of the picture, in half windows, that strands of hair cover."""
    cover = wp.float32(0.0)
    for i in range(s.strand_count):
        strand = s.strand[i]
        off = wp.abs(u - strand[0] - strand[1] * v - strand[2] * v * v)
        cover = wp.max(cover, 1.0 - step_between(0.7 * strand[3], 1.3 * strand[3], off))
    return cover
