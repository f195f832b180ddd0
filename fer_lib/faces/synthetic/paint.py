"""The ray caster's kernel: what a ray hits, how that point is painted, and how it is lit.

The mesh has no brows, wrinkles, irises or scalp hair. They are painted as functions of the point of
the *template* head under a pixel, so they stick to the skin for every person and every expression
without texture images. One thread casts the rays of one sub-pixel.
"""

import warp as wp

from fer_lib.faces.synthetic.assets import EYE, LASH, SKIN, TEETH

# Where things are in the template, in metres.
EYE_X, EYE_Y, EYE_Z = 0.0308, -0.1245, 0.7284
CAMERA_DISTANCE = 1.3


@wp.struct
class Scene:
    """What one launch needs beside the mesh; pairs are (subject's left, subject's right)."""

    eye: wp.vec3
    right: wp.vec3
    up: wp.vec3
    forward: wp.vec3
    window: wp.float32
    size: wp.int32
    light: wp.vec3
    fill_light: wp.vec3
    key: wp.float32
    fill: wp.float32
    ambient: wp.float32
    gloss: wp.float32
    background: wp.vec3
    seed: wp.int32
    # Share of a unit's largest movement from which on skin is in its mask.
    region: wp.float32
    # The person's paint.
    skin: wp.float32
    lips: wp.float32
    stubble: wp.float32
    freckles: wp.float32
    hair: wp.float32
    hair_density: wp.float32
    brow: wp.float32
    brow_height: wp.float32
    brow_arch: wp.float32
    brow_thickness: wp.float32
    iris: wp.float32
    lash: wp.float32
    texture: wp.int32
    # How deep the wrinkles are that actions leave, in [0, 1].
    forehead: wp.vec2
    forehead_middle: wp.float32
    glabella: wp.vec2
    nose_bridge: wp.vec2
    nasolabial: wp.vec2
    crows_feet: wp.vec2
    lower_lid: wp.vec2
    dimple: wp.vec2
    marionette: wp.vec2
    chin: wp.float32


@wp.func
def step_between(low: float, high: float, x: float):
    t = wp.clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def bump(x: float, width: float):
    """1 at 0, falling off over ``width``: the profile of a crease."""
    return wp.exp(-(x * x) / (width * width))


@wp.func
def ridge(x: float, low: float, high: float, soft: float):
    """1 between ``low`` and ``high``, with soft ends."""
    return step_between(low - soft, low + soft, x) * (1.0 - step_between(high - soft, high + soft, x))


@wp.func
def of_side(pair: wp.vec2, x: float):
    """The left or the right value, blended over the 8 mm around the midline."""
    t = step_between(-0.004, 0.004, x)
    return pair[0] * t + pair[1] * (1.0 - t)


@wp.func
def brow_cover(p: wp.vec3, s: Scene):
    """Share in [0, 1] of the skin that is covered by the eyebrow at template point ``p``."""
    t = (wp.abs(p[0]) - 0.011) / 0.042
    if t < -0.1 or t > 1.1 or p[1] > -0.08:
        return 0.0
    arc = wp.sin(3.1416 * (0.12 + 0.8 * t)) - 0.35
    z = 0.7475 + s.brow_height + s.brow_arch * arc - 0.016 * wp.max(t - 0.75, 0.0)
    half = s.brow_thickness * (1.0 - 0.55 * step_between(0.35, 1.0, t)) * step_between(-0.08, 0.1, t)
    state = wp.rand_init(s.texture, 7)
    hairs = wp.noise(state, wp.vec3(p[0] * 900.0, p[1] * 300.0, p[2] * 350.0))
    edge = wp.abs(p[2] - z) / wp.max(half, 1.0e-4) + 0.25 * hairs
    return (1.0 - step_between(0.6, 1.25, edge)) * (1.0 - step_between(0.95, 1.08, t))


@wp.func
def crease_depth(p: wp.vec3, s: Scene):
    """How much darker wrinkles make the skin at template point ``p``: 0 not at all … 1 black."""
    if p[1] > -0.06:
        return 0.0
    x = wp.abs(p[0])
    z = p[2]
    depth = wp.float32(0.0)
    # Forehead: three lines, in the middle (AU1) and over the brows' outer halves (AU2).
    middle = s.forehead_middle * (1.0 - step_between(0.016, 0.032, x))
    outer = of_side(s.forehead, p[0]) * ridge(x, 0.022, 0.046, 0.008)
    raised = wp.min(middle + outer, 1.0)
    if raised > 0.0:
        wave = 0.003 * wp.cos(x * 70.0)
        lines = bump(z - 0.763 + wave, 0.0013) + bump(z - 0.770 + wave, 0.0013)
        depth += 0.36 * raised * (lines + 0.8 * bump(z - 0.777 + wave, 0.0012))
    # Glabella: the frown's two upright lines and the fold above the nose root (AU4).
    frown = of_side(s.glabella, p[0])
    if frown > 0.0:
        upright = bump(x - 0.0065 - 0.10 * (z - 0.75), 0.0016) * ridge(z, 0.741, 0.765, 0.004)
        fold = bump(z - 0.7395, 0.0025) * (1.0 - step_between(0.006, 0.011, x))
        depth += frown * (0.5 * upright + 0.25 * fold)
    # Nose bridge (AU9).
    sneer = of_side(s.nose_bridge, p[0])
    if sneer > 0.0:
        drop = 25.0 * x * x
        lines = (
            bump(z - 0.7345 + drop, 0.0014)
            + bump(z - 0.7285 + drop, 0.0014)
            + bump(z - 0.7225 + drop, 0.0014)
        )
        depth += 0.4 * sneer * lines * (1.0 - step_between(0.008, 0.013, x))
    # Nasolabial fold, from the wing of the nose past the corner of the mouth (AU6, AU9, AU10, AU12).
    fold = of_side(s.nasolabial, p[0])
    if fold > 0.0:
        t = (0.698 - z) / 0.042
        curve = 0.0185 + 0.0185 * wp.pow(wp.clamp(t, 0.0, 1.0), 0.75)
        depth += 0.42 * fold * bump(x - curve, 0.0022) * ridge(t, 0.08, 0.92, 0.12)
    # Crow's feet, a fan from the outer corner of the eye (AU6).
    smile = of_side(s.crows_feet, p[0])
    if smile > 0.0:
        dx = x - 0.047
        dz = z - 0.727
        far = wp.sqrt(dx * dx + dz * dz)
        angle = wp.atan2(dz, dx)
        fan = bump(angle - 0.5, 0.12) + bump(angle, 0.12) + bump(angle + 0.5, 0.12)
        depth += 0.4 * smile * fan * ridge(far, 0.006, 0.019, 0.003)
    # Fold below the lower lid (AU6, AU7).
    lid = of_side(s.lower_lid, p[0])
    if lid > 0.0:
        dx = x - EYE_X
        curve = 0.7155 + 8.0 * dx * dx
        depth += 0.34 * lid * bump(z - curve, 0.0018) * (1.0 - step_between(0.012, 0.018, wp.abs(dx)))
    # Dimple beside the corner of the mouth (AU14).
    dimple = of_side(s.dimple, p[0])
    if dimple > 0.0:
        bow = 12.0 * (z - 0.663) * (z - 0.663)
        depth += 0.6 * dimple * bump(x - 0.0345 + bow, 0.003) * ridge(z, 0.654, 0.674, 0.004)
    # Line below the corner of the mouth (AU15).
    down = of_side(s.marionette, p[0])
    if down > 0.0:
        depth += 0.35 * down * bump(x - 0.027 - 0.25 * (0.660 - z), 0.0022) * ridge(z, 0.640, 0.656, 0.004)
    # Fold between lower lip and chin (AU17).
    if s.chin > 0.0:
        depth += (
            0.34 * s.chin * bump(z - 0.6435 + 4.0 * x * x, 0.0026) * (1.0 - step_between(0.012, 0.022, x))
        )
    return wp.min(depth, 0.75)


@wp.func
def skin_albedo(p: wp.vec3, region: wp.vec4, hair_field: float, s: Scene):
    """Reflectance of skin with all that grows on it; ``region`` in the order of ``assets.REGIONS``."""
    state = wp.rand_init(s.texture, 1)
    blotch = wp.noise(state, p * 90.0) + 0.6 * wp.noise(state, p * 260.0)
    albedo = s.skin * (1.0 + 0.06 * blotch)
    side = wp.abs(p[0]) - 0.038
    cheek = bump(side, 0.016) * bump(p[2] - 0.697, 0.016)
    albedo *= 1.0 - 0.07 * cheek
    if s.freckles > 0.0:
        spots = wp.noise(wp.rand_init(s.texture, 2), p * 420.0)
        zone = bump(p[2] - 0.706, 0.02) * (1.0 - step_between(0.045, 0.06, wp.abs(p[0])))
        albedo *= 1.0 - 0.5 * s.freckles * zone * step_between(0.25, 0.5, spots)
    if s.stubble > 0.0:
        jaw = 1.0 - step_between(0.668, 0.684, p[2] - 0.25 * wp.max(wp.abs(p[0]) - 0.03, 0.0))
        jaw *= step_between(0.604, 0.624, p[2]) * (1.0 - step_between(-0.075, -0.05, p[1]))
        grain = 0.75 + 0.5 * wp.noise(wp.rand_init(s.texture, 3), p * 700.0)
        albedo *= 1.0 - 0.7 * s.stubble * jaw * grain * (1.0 - region[0])
    # Lids are thinner and darker, and lashes throw a line along their rim.
    albedo *= 1.0 - 0.14 * region[3]
    albedo *= 1.0 - crease_depth(p, s)
    lips = step_between(0.25, 0.75, region[0])
    albedo = albedo * (1.0 - lips) + s.skin * s.lips * lips
    brow = 0.92 * brow_cover(p, s)
    albedo = albedo * (1.0 - brow) + s.brow * brow
    rough = wp.noise(wp.rand_init(s.texture, 4), p * 160.0)
    grown = step_between(-0.002, 0.004, hair_field + 0.004 * rough) * (1.0 - region[2])
    if grown > 0.0:
        strands = wp.noise(wp.rand_init(s.texture, 5), wp.vec3(p[0] * 500.0, p[1] * 90.0, p[2] * 90.0))
        hair = s.hair * (1.0 + 0.35 * strands)
        cover = grown * wp.clamp(s.hair_density, 0.0, 1.0)
        albedo = albedo * (1.0 - cover) + hair * cover
    return albedo * (1.0 - region[1]) + 0.04 * region[1]


@wp.func
def eye_albedo(p: wp.vec3, s: Scene):
    centre = wp.vec3(wp.sign(p[0]) * EYE_X, EYE_Y, EYE_Z)
    d = wp.normalize(p - centre)
    angle = wp.acos(wp.clamp(-d[1], -1.0, 1.0))
    white = 0.9 * (1.0 - 0.35 * step_between(0.55, 1.1, angle))
    limbus = s.iris * (1.0 - 0.6 * step_between(0.34, 0.43, angle))
    albedo = limbus * (1.0 - step_between(0.42, 0.48, angle)) + white * step_between(0.42, 0.48, angle)
    return 0.02 + (albedo - 0.02) * step_between(0.16, 0.20, angle)


@wp.func
def behind_lips(p: wp.vec3):
    """Share of light that reaches a point inside the mouth."""
    return 1.0 - 0.93 * step_between(-0.148, -0.108, p[1])


@wp.func
def backdrop(u: float, v: float, s: Scene):
    state = wp.rand_init(s.seed, 11)
    cloud = wp.noise(state, wp.vec2(u * 2.0, v * 2.0)) + 0.5 * wp.noise(
        state, wp.vec2(u * 5.0 + 9.0, v * 5.0)
    )
    return wp.max(s.background[0] + s.background[1] * (u + v) + s.background[2] * cloud, 0.0)


@wp.func
def lit(mesh: wp.uint64, groups: wp.array(dtype=wp.uint8), p: wp.vec3, n: wp.vec3, s: Scene):
    """1 where the key light reaches the point, 0.25 in a shadow; lashes throw none, they are too thin."""
    origin = p + n * 0.0006 + s.light * 0.0008
    reach = wp.float32(1.0)
    for _ in range(4):
        hit = wp.mesh_query_ray(mesh, origin, s.light, 0.4)
        if not hit.result:
            break
        if groups[hit.face] != wp.uint8(LASH):
            reach = 0.25
            break
        origin = origin + s.light * (hit.t + 1.0e-4)
    return reach


@wp.func
def towards(row: int, column: int, s: Scene):
    """Unit vector from the camera through a pixel's centre, and that point in half windows: right, up."""
    u = 2.0 * (float(column) + 0.5) / float(s.size) - 1.0
    v = 1.0 - 2.0 * (float(row) + 0.5) / float(s.size)
    across, height = u * s.window, v * s.window
    direction = wp.normalize(s.forward * CAMERA_DISTANCE + s.right * across + s.up * height)
    return direction, u, v


@wp.kernel(enable_backward=False)
def survey(
    mesh: wp.uint64,
    movement: wp.array2d(dtype=float),
    corners: wp.array(dtype=wp.int32),
    groups: wp.array(dtype=wp.uint8),
    s: Scene,
    inside: wp.array2d(dtype=wp.uint32),
):
    """Bit i of a pixel: the skin seen there moves by more than ``s.region`` of the largest movement of unit i."""
    row, column = wp.tid()
    direction, _u, _v = towards(row, column, s)
    origin = s.eye
    bits = wp.uint32(0)
    for _ in range(8):
        hit = wp.mesh_query_ray(mesh, origin, direction, 3.0)
        if not hit.result:
            break
        group = groups[hit.face]
        if group == wp.uint8(LASH):
            origin = origin + direction * (hit.t + 1.0e-4)
            continue
        if group == wp.uint8(SKIN):
            a = corners[3 * hit.face]
            b = corners[3 * hit.face + 1]
            c = corners[3 * hit.face + 2]
            w = 1.0 - hit.u - hit.v
            for i in range(movement.shape[1]):
                moved = movement[a, i] * hit.u + movement[b, i] * hit.v + movement[c, i] * w
                if moved > s.region:
                    bits |= wp.uint32(1) << wp.uint32(i)
        break
    inside[row, column] = bits


@wp.kernel(enable_backward=False)
def cast(
    mesh: wp.uint64,
    rest: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    regions: wp.array(dtype=wp.vec4),
    hair: wp.array(dtype=float),
    corners: wp.array(dtype=wp.int32),
    groups: wp.array(dtype=wp.uint8),
    s: Scene,
    radiance: wp.array2d(dtype=float),
):
    row, column = wp.tid()
    direction, u, v = towards(row, column, s)
    origin = s.eye
    dice = wp.rand_init(s.seed, row * s.size + column)
    colour = backdrop(u, v, s)
    for _ in range(8):
        hit = wp.mesh_query_ray(mesh, origin, direction, 3.0)
        if not hit.result:
            break
        group = groups[hit.face]
        point = origin + direction * hit.t
        if group == wp.uint8(LASH) and wp.randf(dice) > s.lash:
            origin = point + direction * 1.0e-4
            continue
        a = corners[3 * hit.face]
        b = corners[3 * hit.face + 1]
        c = corners[3 * hit.face + 2]
        w = 1.0 - hit.u - hit.v
        p = rest[a] * hit.u + rest[b] * hit.v + rest[c] * w
        n = wp.normalize(normals[a] * hit.u + normals[b] * hit.v + normals[c] * w)
        if wp.dot(n, direction) > 0.0:
            n = -n
        region = regions[a] * hit.u + regions[b] * hit.v + regions[c] * w
        field = hair[a] * hit.u + hair[b] * hit.v + hair[c] * w

        albedo = wp.float32(0.03)
        shine = s.gloss
        exponent = wp.float32(12.0)
        inside = region[1]
        if group == wp.uint8(SKIN):
            albedo = skin_albedo(p, region, field, s)
            shine = s.gloss * (1.0 - region[1]) * (1.0 + 0.8 * region[0])
        elif group == wp.uint8(EYE):
            albedo = eye_albedo(p, s)
            shine = 0.9
            exponent = 120.0
            inside = 0.0
        elif group == wp.uint8(TEETH):
            albedo = 0.78
            inside = 1.0
        elif group == wp.uint8(LASH):
            shine = 0.0
        else:
            albedo = 0.2
            inside = 1.0

        facing = wp.dot(n, s.light)
        soft = wp.max((facing + 0.35) / 1.35, 0.0)
        reach = wp.float32(0.25)
        if facing > 0.0:
            reach = lit(mesh, groups, point, n, s)
        key = s.key * reach * (0.6 * wp.max(facing, 0.0) + 0.4 * soft * soft)
        fill = s.fill * wp.max(wp.dot(n, s.fill_light), 0.0)
        ambient = s.ambient * (0.7 + 0.3 * wp.dot(n, s.up))
        half_way = wp.normalize(s.light - direction)
        mirror = shine * reach * wp.pow(wp.max(wp.dot(n, half_way), 0.0), exponent)
        colour = albedo * (ambient + key + fill) + 0.35 * s.key * mirror
        colour *= 1.0 - inside * (1.0 - behind_lips(p))
        break
    radiance[row, column] = colour
