"""The ray caster's kernels: what a ray meets, how that is lit, and which action units move it.

One thread casts the rays of one sub-pixel (``cast``) or of one pixel (``survey``).
"""

import warp as wp

from fer_lib.faces.synthetic.assets import EYE, LASH, SKIN, TEETH
from fer_lib.faces.synthetic.paint import (
    backdrop,
    behind_lips,
    eye_albedo,
    skin_albedo,
    strands_of_hair,
    tooth_albedo,
)
from fer_lib.faces.synthetic.props import (
    FAR,
    FRAME,
    LENS,
    glasses_hit,
    lens_glare,
    long_hair_hit,
    rod_hit,
    rod_normal,
    strands_cover,
)
from fer_lib.faces.synthetic.scene import Scene, towards

# From this share of lost light on, a lens hides what is behind it.
DARK_LENS = 0.5


@wp.struct
class Shapes:
    """Everything a ray can meet: the head, long hair, and rods, with what is known of their vertices."""

    head: wp.uint64
    corners: wp.array(dtype=wp.int32)
    groups: wp.array(dtype=wp.uint8)
    rest: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)
    regions: wp.array(dtype=wp.vec4)
    grown: wp.array(dtype=wp.vec3)
    hair: wp.uint64
    hair_corners: wp.array(dtype=wp.int32)
    hair_coordinates: wp.array(dtype=wp.vec3)
    hair_normals: wp.array(dtype=wp.vec3)
    rods: wp.array(dtype=wp.vec4)


@wp.func
def lit(shapes: Shapes, p: wp.vec3, n: wp.vec3, s: Scene):
    """1 where the key light reaches the point, less in a shadow; lashes throw none, they are too thin."""
    origin = p + n * 0.0006 + s.light * 0.0008
    if s.rods > 0:
        distance, which = rod_hit(shapes.rods, origin, s.light, s)
        if which >= 0 and distance < 0.4:
            return s.shadow
    reach = wp.float32(1.0)
    start = origin
    for _ in range(4):
        hit = wp.mesh_query_ray(shapes.head, start, s.light, 0.4)
        if not hit.result:
            break
        if shapes.groups[hit.face] != wp.uint8(LASH):
            reach = s.shadow
            break
        start = start + s.light * (hit.t + 1.0e-4)
    if reach == 1.0 and s.long_hair > 0:
        distance, _f, _u, _v, _m = long_hair_hit(
            shapes.hair, shapes.hair_coordinates, shapes.hair_corners, origin, s.light, 0.4, s
        )
        if distance > 0.0:
            reach = s.shadow
    return reach


@wp.func
def shaded(
    albedo: float, shine: float, exponent: float, reach: float, n: wp.vec3, direction: wp.vec3, s: Scene
):
    """Light that a surface with normal ``n`` sends to the camera."""
    facing = wp.dot(n, s.light)
    soft = wp.max((facing + 0.35) / 1.35, 0.0)
    key = s.key * reach * (0.6 * wp.max(facing, 0.0) + 0.4 * soft * soft)
    fill = s.fill * wp.max(wp.dot(n, s.fill_light), 0.0)
    ambient = s.ambient * (0.7 + 0.3 * wp.dot(n, s.up))
    half_way = wp.normalize(s.light - direction)
    mirror = shine * reach * wp.pow(wp.max(wp.dot(n, half_way), 0.0), exponent)
    return albedo * (ambient + key + fill) + 0.35 * s.key * mirror


@wp.func
def head_light(shapes: Shapes, face: int, u: float, v: float, point: wp.vec3, direction: wp.vec3, s: Scene):
    """Light that a point of the head's mesh sends to the camera."""
    a = shapes.corners[3 * face]
    b = shapes.corners[3 * face + 1]
    c = shapes.corners[3 * face + 2]
    w = 1.0 - u - v
    p = shapes.rest[a] * u + shapes.rest[b] * v + shapes.rest[c] * w
    n = wp.normalize(shapes.normals[a] * u + shapes.normals[b] * v + shapes.normals[c] * w)
    if wp.dot(n, direction) > 0.0:
        n = -n
    group = shapes.groups[face]
    albedo = wp.float32(0.03)
    shine = wp.float32(0.0)
    exponent = wp.float32(12.0)
    inside = wp.float32(0.0)
    if group == wp.uint8(SKIN):
        region = shapes.regions[a] * u + shapes.regions[b] * v + shapes.regions[c] * w
        grown = shapes.grown[a] * u + shapes.grown[b] * v + shapes.grown[c] * w
        inside = region[1]
        albedo = skin_albedo(p, region, grown, s)
        shine = s.gloss * (1.0 - region[1]) * (1.0 + 0.8 * region[0])
    elif group == wp.uint8(EYE):
        albedo = eye_albedo(p, s)
        shine = 0.9
        exponent = 120.0
    elif group == wp.uint8(TEETH):
        albedo = tooth_albedo(p)
        # The strips are coarse; light wanders inside teeth, so they look evenly lit.
        n = wp.normalize(0.35 * n + wp.vec3(0.0, -1.0, 0.15))
        shine = 0.1
        exponent = 30.0
    elif group != wp.uint8(LASH):
        albedo = 0.2
        shine = 0.1
        inside = 1.0
    reach = s.shadow
    if wp.dot(n, s.light) > 0.0:
        reach = lit(shapes, point, n, s)
    if group == wp.uint8(TEETH):
        reach = 0.5 * (reach + 1.0)
    return shaded(albedo, shine, exponent, reach, n, direction, s) * (1.0 - inside * (1.0 - behind_lips(p)))


@wp.kernel(enable_backward=False)
def cast(shapes: Shapes, s: Scene, radiance: wp.array2d(dtype=float)):
    """Light that reaches each sub-pixel."""
    row, column = wp.tid()
    direction, u, v = towards(row, column, s)
    origin = s.eye
    dice = wp.rand_init(s.seed, row * s.size + column)
    colour = wp.float32(-1.0)

    # What is before the skin first: it may end the ray early.
    limit = wp.float32(FAR)
    rod = wp.int32(-1)
    if s.rods > 0:
        limit, rod = rod_hit(shapes.rods, origin, direction, s)
    lens = wp.bool(False)
    frame = wp.bool(False)
    lens_distance = wp.float32(FAR)
    if s.glasses > 0:
        kind, distance = glasses_hit(origin, direction, s)
        if kind == LENS:
            lens = True
            lens_distance = distance
        elif kind == FRAME and distance < limit:
            frame = True
            limit = distance
    strand = wp.int32(-1)
    strand_u = wp.float32(0.0)
    strand_v = wp.float32(0.0)
    material = wp.vec3(0.0, 0.0, 0.0)
    if s.long_hair > 0:
        distance, face, hair_u, hair_v, at = long_hair_hit(
            shapes.hair, shapes.hair_coordinates, shapes.hair_corners, origin, direction, limit, s
        )
        if distance > 0.0:
            limit = distance
            strand = face
            strand_u = hair_u
            strand_v = hair_v
            material = at

    gone = wp.float32(0.0)
    start = origin
    for _ in range(8):
        hit = wp.mesh_query_ray(shapes.head, start, direction, limit - gone)
        if not hit.result:
            break
        gone += hit.t
        point = start + direction * hit.t
        if shapes.groups[hit.face] == wp.uint8(LASH) and wp.randf(dice) > s.lash:
            start = point + direction * 1.0e-4
            gone += 1.0e-4
            continue
        colour = head_light(shapes, hit.face, hit.u, hit.v, point, direction, s)
        limit = gone
        break

    if colour < 0.0:
        if strand >= 0:
            point = origin + direction * limit
            a = shapes.hair_corners[3 * strand]
            b = shapes.hair_corners[3 * strand + 1]
            c = shapes.hair_corners[3 * strand + 2]
            n = shapes.hair_normals[a] * strand_u + shapes.hair_normals[b] * strand_v
            n = wp.normalize(n + shapes.hair_normals[c] * (1.0 - strand_u - strand_v))
            if wp.dot(n, direction) > 0.0:
                n = -n
            albedo = strands_of_hair(wp.vec3(material[0] * 26.0, material[1] * 26.0, material[2] * 4.0), s)
            # Locks lie on locks: normals and depth vary across the hair, not along it.
            lock = wp.noise(
                wp.rand_init(s.texture, 8), wp.vec3(material[0] * 9.0, material[1] * 9.0, material[2] * 2.0)
            )
            n = wp.normalize(n + 0.6 * s.grain * lock * s.right)
            albedo *= 1.0 + 0.5 * s.grain * lock
            # Hair further back is in the dark of the hair before it.
            away = wp.clamp((s.middle[1] + 0.2 * s.half_head - point[1]) / (0.8 * s.half_head), 0.0, 1.0)
            albedo *= 0.25 + 0.75 * away
            reach = lit(shapes, point, n, s)
            colour = shaded(albedo, 0.5 * s.gloss * away, 8.0, reach, n, direction, s)
        elif frame:
            n = wp.normalize(wp.vec3(0.0, -1.0, 0.3))
            colour = shaded(s.frame, 0.3, 20.0, 1.0, n, direction, s)
        elif rod >= 0:
            point = origin + direction * limit
            n = rod_normal(shapes.rods, rod, point)
            colour = shaded(shapes.rods[2 * rod + 1][3], 0.5 * s.gloss, 12.0, 1.0, n, direction, s)
        else:
            colour = backdrop(u, v, s)

    if lens and lens_distance < limit:
        at_lens = origin + direction * lens_distance
        colour = colour * (1.0 - s.tint) + lens_glare(at_lens, direction, s) + 0.02 * s.tint
    cover = strands_cover(u, v, s)
    if cover > 0.0:
        colour = colour * (1.0 - cover) + cover * s.hair * (s.ambient + 0.5 * s.key)
    radiance[row, column] = colour


@wp.kernel(enable_backward=False)
def survey(shapes: Shapes, movement: wp.array2d(dtype=float), s: Scene, inside: wp.array2d(dtype=wp.uint32)):
    """Bit i of a pixel: the skin seen there moves by more than ``s.region`` of the largest movement of unit i."""
    row, column = wp.tid()
    direction, u, v = towards(row, column, s)
    bits = wp.uint32(0)
    start = s.eye
    gone = wp.float32(0.0)
    for _ in range(8):
        hit = wp.mesh_query_ray(shapes.head, start, direction, FAR)
        if not hit.result:
            break
        gone += hit.t
        group = shapes.groups[hit.face]
        if group == wp.uint8(LASH):
            start = start + direction * (hit.t + 1.0e-4)
            gone += 1.0e-4
            continue
        if group == wp.uint8(SKIN):
            a = shapes.corners[3 * hit.face]
            b = shapes.corners[3 * hit.face + 1]
            c = shapes.corners[3 * hit.face + 2]
            w = 1.0 - hit.u - hit.v
            for i in range(movement.shape[1]):
                moved = movement[a, i] * hit.u + movement[b, i] * hit.v + movement[c, i] * w
                if moved > s.region:
                    bits |= wp.uint32(1) << wp.uint32(i)
        break
    if bits != wp.uint32(0):
        # Skin that moves: does anything hide it?
        hidden = strands_cover(u, v, s) > 0.5
        if s.rods > 0 and not hidden:
            distance, _which = rod_hit(shapes.rods, s.eye, direction, s)
            hidden = distance < gone
        if s.glasses > 0 and not hidden:
            kind, distance = glasses_hit(s.eye, direction, s)
            hidden = distance < gone and (kind == FRAME or (kind == LENS and s.tint > DARK_LENS))
        if s.long_hair > 0 and not hidden:
            distance, _f, _u, _v, _m = long_hair_hit(
                shapes.hair, shapes.hair_coordinates, shapes.hair_corners, s.eye, direction, gone, s
            )
            hidden = distance > 0.0
        if hidden:
            bits = wp.uint32(0)
    inside[row, column] = bits
