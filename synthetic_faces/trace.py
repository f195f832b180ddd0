"""What a sample of the picture shows: how what is seen there is lit, and which action units move it.

``raster`` says which triangle that is; what is none (glasses, hands, bars, the background) meets a ray.
"""

import warp as wp

from synthetic_faces.assets import EYE, LASH, SKIN, TEETH
from synthetic_faces.paint import (
    backdrop,
    behind_lips,
    bent,
    crease,
    eye_albedo,
    eye_direction,
    oily,
    scalp_cover,
    skin_albedo,
    strands_of_hair,
    tooth_albedo,
)
from synthetic_faces.props import (
    FRAME,
    LENS,
    glasses_hit,
    inside_hair,
    lens_glare,
    rod_hit,
    rod_normal,
    strands_cover,
)
from synthetic_faces.raster import HAIR, UNCOVERED, before_light, word_of
from synthetic_faces.uniforms import Spot, Uniforms, step_between, towards, within

# No gradients: half of the code to compile.
wp.set_module_options({"enable_backward": False})

# From this proportion of lost light on, a lens hides what is behind it.
DARK_LENS = 0.5
# Half the width of a shadow's edge, in metres.
SOFT = wp.constant(0.0035)


@wp.struct
class Shapes:
    """Everything that can be seen: head and long hair, with what is known of their vertices, and rods."""

    points: wp.array(dtype=wp.vec3)
    corners: wp.array(dtype=wp.int32)
    groups: wp.array(dtype=wp.uint8)
    rest: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)
    regions: wp.array(dtype=wp.vec4)
    openness: wp.array(dtype=float)
    grown: wp.array(dtype=wp.vec3)
    rods: wp.array(dtype=wp.vec4)
    creases: wp.array(dtype=wp.vec3)
    # What the key light sees first.
    lit: wp.array2d(dtype=wp.uint64)


@wp.func
def lit(shapes: Shapes, p: wp.vec3, n: wp.vec3, s: Uniforms):
    """1 where the key light reaches the point, less in a shadow."""
    # Far enough off the skin for the flat triangles around the point to throw no shadow on it.
    origin = p + n * 0.002 + s.light * 0.001
    distance, _which = rod_hit(shapes.rods, origin, s.light, s)
    if distance < 0.4:
        return s.shadow
    # Lamps and windows are wide, so shadows have soft edges: four places around the point, on its plane.
    steep = wp.max(wp.dot(n, s.light), 0.25)
    across = SOFT * (s.lit_right - s.light * (wp.dot(n, s.lit_right) / steep))
    down = SOFT * (s.lit_up - s.light * (wp.dot(n, s.lit_up) / steep))
    free = wp.float32(0.0)
    for i in range(4):
        turn = float(2 * (i // 2) - 1)
        near = origin + turn * (across + 0.4 * down)
        if i % 2 == 1:
            near = origin + turn * (down - 0.4 * across)
        there = before_light(near, s)
        column = wp.int32(wp.floor(there[0]))
        row = wp.int32(wp.floor(there[1]))
        outside = wp.min(column, row) < 0 or wp.max(column, row) >= s.lit_size
        if outside or shapes.lit[row, column] >= word_of(there[2], 0):
            free += 0.25
    return s.shadow + (1.0 - s.shadow) * free


@wp.func
def shaded(
    albedo: float,
    shine: float,
    exponent: float,
    reach: float,
    openness: float,
    n: wp.vec3,
    direction: wp.vec3,
    s: Uniforms,
):
    """Light that a surface with normal ``n`` sends to the camera; ``openness``: proportion of the sky that it
    sees.
    """
    facing = wp.dot(n, s.light)
    soft = wp.max((facing + 0.35) / 1.35, 0.0)
    key = s.key * reach * (0.6 * wp.max(facing, 0.0) + 0.4 * soft * soft)
    fill = s.fill * wp.max(wp.dot(n, s.fill_light), 0.0)
    ambient = s.ambient * (0.7 + 0.3 * wp.dot(n, s.up))
    half_way = wp.normalize(s.light - direction)
    mirror = shine * reach * wp.pow(wp.max(wp.dot(n, half_way), 0.0), exponent)
    return albedo * (openness * (ambient + fill) + (0.5 + 0.5 * openness) * key) + 0.5 * s.key * mirror


@wp.func
def head_light(shapes: Shapes, at: Spot, point: wp.vec3, direction: wp.vec3, s: Uniforms):
    """Light that a point of the head's mesh sends to the camera."""
    p = within(shapes.rest, shapes.corners, at)
    n = wp.normalize(within(shapes.normals, shapes.corners, at))
    if wp.dot(n, direction) > 0.0:
        n = -n
    group = shapes.groups[at.face]
    albedo = wp.float32(0.03)
    shine = wp.float32(0.0)
    exponent = wp.float32(12.0)
    inside = wp.float32(0.0)
    if group == wp.uint8(SKIN):
        region = within(shapes.regions, shapes.corners, at)
        grown = within(shapes.grown, shapes.corners, at)
        inside = region[1]
        valley = wp.float32(0.0)
        if s.crease_count > 0 and p[1] < -0.06:
            slope, valley = crease(shapes.creases, p, s)
            n = bent(n, slope)
        scalp = scalp_cover(p, region, grown, s)
        albedo = skin_albedo(p, region, grown, scalp, valley, s)
        shine = s.gloss * (1.0 - region[1]) * (oily(p) + 1.2 * region[0])
        exponent = 14.0 + 20.0 * region[0]
        if scalp > 0.0:
            # Tufts rise from their roots and turn this way and that.
            tuft = wp.noise(wp.rand_init(s.texture, 8), wp.vec3(p[0] * 140.0, p[1] * 60.0, p[2] * 60.0))
            tuft *= s.grain * scalp * (1.0 - s.cloth)
            n = wp.normalize(n + 0.5 * tuft * s.right)
            albedo *= 1.0 + 0.4 * tuft
            shine *= 1.0 - 0.8 * scalp
    elif group == wp.uint8(EYE):
        d = eye_direction(p)
        albedo = eye_albedo(d, s)
        # The mesh is coarse: a window mirrors in a round eye, below the upper lid.
        n = wp.normalize(n + 2.0 * d + 0.3 * s.up)
        shine = 1.6
        exponent = 150.0
    elif group == wp.uint8(TEETH):
        albedo = tooth_albedo(p, within(shapes.regions, shapes.corners, at)[0])
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
    openness = within(shapes.openness, shapes.corners, at)
    let_in = wp.float32(1.0)
    if group == wp.uint8(TEETH):
        reach = 0.5 * (reach + 1.0)
        # Closed lips hide the teeth of the neutral head, not these; no light comes in between them.
        openness = 1.0
        let_in = 0.05 + 0.95 * s.parted
    light = let_in * shaded(albedo, shine, exponent, reach, openness, n, direction, s)
    return light * (1.0 - inside * (1.0 - behind_lips(p)))


@wp.func
def hair_light(shapes: Shapes, strand: Spot, point: wp.vec3, direction: wp.vec3, s: Uniforms):
    """Light that a point of long hair sends to the camera."""
    n = wp.normalize(within(shapes.normals, shapes.corners, strand))
    if wp.dot(n, direction) > 0.0:
        n = -n
    material = within(shapes.rest, shapes.corners, strand)
    albedo = strands_of_hair(wp.vec3(material[0] * 26.0, material[1] * 26.0, material[2] * 4.0), s)
    # Locks lie on locks: normals and depth vary across the hair, not along it.
    lock = wp.noise(
        wp.rand_init(s.texture, 8), wp.vec3(material[0] * 9.0, material[1] * 9.0, material[2] * 2.0)
    )
    normal = wp.normalize(n + 0.6 * s.grain * lock * s.right)
    albedo *= 1.0 + 0.5 * s.grain * lock
    # Towards its edge it gets thin, here more and there less: the skin shines through.
    thin = 1.0 - step_between(0.0, 2.0 * s.loose + 0.001, inside_hair(point, material, s))
    albedo += (s.skin - albedo) * thin * wp.clamp(0.25 + lock, 0.0, 0.6)
    # Hair further back is in the dark of the hair before it.
    away = wp.clamp((s.middle[1] + 0.2 * s.half_head - point[1]) / (0.8 * s.half_head), 0.0, 1.0)
    albedo *= 0.25 + 0.75 * away
    reach = lit(shapes, point, normal, s)
    shine = 0.5 * s.gloss * away * (1.0 + lock) * (1.0 - s.cloth)
    return shaded(albedo, shine, 20.0, reach, 1.0, normal, direction, s)


@wp.func
def met(shapes: Shapes, face: int, origin: wp.vec3, direction: wp.vec3):
    """Where a ray meets the plane of a triangle (Möller & Trumbore 1997)."""
    a = shapes.points[shapes.corners[3 * face]]
    b = shapes.points[shapes.corners[3 * face + 1]]
    c = shapes.points[shapes.corners[3 * face + 2]]
    across = wp.cross(direction, c - a)
    share = 1.0 / wp.dot(b - a, across)
    off = origin - a
    v = share * wp.dot(off, across)
    up = wp.cross(off, b - a)
    w = share * wp.dot(direction, up)
    return Spot(True, share * wp.dot(c - a, up), face, 1.0 - v - w, v)


@wp.kernel
def cast(
    shapes: Shapes,
    movement: wp.array2d(dtype=float),
    unit_bits: wp.array(dtype=wp.uint32),
    samples: wp.array(dtype=wp.int32),
    depths: wp.array2d(dtype=wp.uint64),
    strips: wp.array2d(dtype=wp.int32),
    s: Uniforms,
    radiance: wp.array(dtype=float),
    inside: wp.array(dtype=wp.uint32),
):
    """Light that reaches each of ``samples``, numbers of places of the grid ``depths``, and which units move
    the skin seen there.

    ``strips``: how many strips of lashes lie before it. Bit i of ``inside``: the skin moves by more than
    ``s.region`` of the largest movement of unit i, which ``movement`` has for each vertex, and ``unit_bits``
    as bits; none where something else is seen, or where pixels have several samples. A lash hides no skin.
    """
    i = wp.tid()
    side = depths.shape[0]
    row = samples[i] // side
    column = samples[i] % side
    pixel = float(s.size) / float(side)
    direction, u, v = towards(pixel * (float(column) + 0.5), pixel * (float(row) + 0.5), s)
    origin = s.eye

    limit, rod = rod_hit(shapes.rods, origin, direction, s)
    kind, at_glasses = glasses_hit(origin, direction, s)
    frame = kind == FRAME and at_glasses < limit
    if frame:
        limit = at_glasses
    colour = wp.float32(0.0)
    skin = wp.bool(False)
    spot = Spot()
    word = depths[row, column]
    if word != UNCOVERED:
        spot = met(shapes, wp.int32(word & wp.uint64(0xFFFFFFFF)), origin, direction)
    if spot.met and spot.distance < limit:
        limit = spot.distance
        point = origin + direction * limit
        group = shapes.groups[spot.face]
        if group == wp.uint8(HAIR):
            colour = hair_light(shapes, spot, point, direction, s)
        else:
            skin = group == wp.uint8(SKIN)
            colour = head_light(shapes, spot, point, direction, s)
    elif frame:
        n = wp.normalize(wp.vec3(0.0, -1.0, 0.3))
        colour = shaded(s.rim_albedo, 0.3, 20.0, 1.0, 1.0, n, direction, s)
    elif rod >= 0:
        point = origin + direction * limit
        n = rod_normal(shapes.rods, rod, point)
        colour = shaded(shapes.rods[2 * rod + 1][3], 0.5 * s.gloss, 12.0, 1.0, 1.0, n, direction, s)
    else:
        colour = backdrop(u, v, s)

    if strips[row, column] > 0:
        # Lashes are finer than a pixel: a strip of them lets some light through.
        through = wp.pow(1.0 - s.lash, float(strips[row, column]))
        colour = colour * through + (1.0 - through) * 0.03 * (s.ambient + s.fill)

    if kind == LENS and at_glasses < limit:
        glare = lens_glare(origin + direction * at_glasses, direction, s)
        colour = colour * (1.0 - s.tint) + glare + 0.02 * s.tint
        skin = skin and s.tint <= DARK_LENS
    cover = strands_cover(u, v, s)
    if cover > 0.0:
        colour = colour * (1.0 - cover) + cover * s.hair * (s.ambient + 0.5 * s.key)
        skin = skin and cover <= 0.5
    radiance[i] = colour
    bits = wp.uint32(0)
    # The mask of a pixel is that of its middle.
    if skin and side == s.size:
        a = unit_bits[shapes.corners[3 * spot.face]]
        b = unit_bits[shapes.corners[3 * spot.face + 1]]
        c = unit_bits[shapes.corners[3 * spot.face + 2]]
        bits = a & b & c
        # Units that move some of the corners so far, but not all.
        open = (a | b | c) ^ bits
        if open != wp.uint32(0):
            for unit in range(movement.shape[1]):
                bit = wp.uint32(1) << wp.uint32(unit)
                if (open & bit) != wp.uint32(0) and moves(movement, shapes.corners, unit, spot) > s.region:
                    bits |= bit
    inside[i] = bits


@wp.func
def moves(movement: wp.array2d(dtype=float), corners: wp.array(dtype=wp.int32), unit: int, at: Spot):
    a = movement[corners[3 * at.face], unit]
    b = movement[corners[3 * at.face + 1], unit]
    c = movement[corners[3 * at.face + 2], unit]
    return a * at.u + b * at.v + c * (1.0 - at.u - at.v)


@wp.kernel
def flex(
    ways: wp.array(dtype=wp.vec3),
    vertices: wp.array(dtype=wp.int32),
    start: wp.array(dtype=wp.int32),
    first: wp.array(dtype=wp.int32),
    which: wp.array(dtype=wp.int32),
    weights: wp.array(dtype=float),
    offsets: wp.array2d(dtype=wp.vec3),
    movement: wp.array2d(dtype=float),
):
    """How far each unit moves each vertex, as a proportion of its largest movement; ``offsets`` takes
    the movement, and zeros, as ``movement``.

    Action a moves ``vertices[start[a]:start[a + 1]]`` by ``ways``; unit i takes the actions
    ``which[first[i]:first[i + 1]]`` with their ``weights``.
    """
    unit = wp.tid()
    for k in range(first[unit], first[unit + 1]):
        for j in range(start[which[k]], start[which[k] + 1]):
            offsets[unit, vertices[j]] = offsets[unit, vertices[j]] + weights[k] * ways[j]
    largest = wp.float32(0.0)
    for k in range(first[unit], first[unit + 1]):
        for j in range(start[which[k]], start[which[k] + 1]):
            largest = wp.max(largest, wp.length(offsets[unit, vertices[j]]))
    for k in range(first[unit], first[unit + 1]):
        for j in range(start[which[k]], start[which[k] + 1]):
            movement[vertices[j], unit] = wp.length(offsets[unit, vertices[j]]) / largest


@wp.kernel
def look_around(
    head: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    rays: int,
    reach: float,
    openness: wp.array(dtype=float),
):
    """Proportion of ``rays`` rays into the half space over each vertex of a head that go ``reach`` metres."""
    i = wp.tid()
    n = normals[i]
    free = wp.float32(0.0)
    for k in range(rays):
        # A spiral over the sphere; adding the normal makes it a cosine-weighted half sphere.
        z = 1.0 - 2.0 * (float(k) + 0.5) / float(rays)
        flat = wp.sqrt(1.0 - z * z)
        turn = 2.39996 * float(k)
        direction = wp.normalize(n * 1.001 + wp.vec3(flat * wp.cos(turn), flat * wp.sin(turn), z))
        if not wp.mesh_query_ray_anyhit(head, points[i] + n * 0.0005, direction, reach):
            free += 1.0
    openness[i] = free / float(rays)
