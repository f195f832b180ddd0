"""How the points of head and background are painted.

The mesh has no brows, wrinkles, irises or scalp hair. They are painted as functions of the point of
the *template* head under a pixel, so they stick to the skin for every person and every expression
without texture images.
"""

import warp as wp

from synthetic_faces.uniforms import EYE_X, EYE_Y, EYE_Z, Uniforms, bump, step_between


@wp.func
def brow_cover(p: wp.vec3, s: Uniforms):
    """Share in [0, 1] of the skin that is covered by the eyebrow at template point ``p``."""
    t = (wp.abs(p[0]) - 0.011) / 0.042
    if t < -0.1 or t > 1.1 or p[1] > -0.08 or wp.abs(p[2] - 0.7475) > 0.025:
        return 0.0
    arc = wp.sin(3.1416 * (0.12 + 0.8 * t)) - 0.35
    z = 0.7475 + s.brow_height + s.brow_arch * arc - 0.016 * wp.max(t - 0.75, 0.0)
    half = s.brow_thickness * (1.0 - 0.6 * step_between(0.3, 1.0, t)) * step_between(-0.12, 0.15, t)
    far = wp.abs(p[2] - z) / wp.max(half, 1.0e-4)
    if far > 1.8:
        return 0.0
    # Single hairs, upright at the inner end and lying outwards further on.
    lean = wp.sign(p[0]) * (p[2] - z) * (0.3 + 1.2 * t)
    state = wp.rand_init(s.texture, 7)
    hairs = wp.noise(state, wp.vec3((p[0] - lean) * 900.0, p[1] * 300.0, p[2] * 250.0))
    thin = (1.0 - step_between(0.75, 1.08, t)) * (0.6 + 0.4 * step_between(-0.1, 0.25, t))
    return thin * (1.0 - step_between(0.35, 1.45, far + 0.35 * s.grain * hairs))


@wp.func
def crease(creases: wp.array(dtype=wp.vec3), p: wp.vec3, s: Uniforms):
    """How the skin's height changes with the template's x and z at ``p``, and how deep in creases it lies (0
    not at all … 1).
    """
    slope = wp.vec2(0.0, 0.0)
    valley = wp.float32(0.0)
    for i in range(s.crease_count):
        middle = creases[3 * i]
        along = creases[3 * i + 1]
        dx = p[0] - middle[0]
        dz = p[2] - middle[1]
        way = dx * along[0] + dz * along[1]
        if wp.abs(way) < middle[2]:
            shape = creases[3 * i + 2]
            off = dz * along[0] - dx * along[1] - along[2] * way * way
            q = off / shape[0]
            if wp.abs(q) < 2.2:
                far = way / middle[2]
                deep = shape[1] * wp.exp(-q * q) * (1.0 - far * far)
                valley += deep
                turn = 2.0 * along[2] * way
                steep = deep * (2.0 * q + shape[2])
                slope += steep * wp.vec2(
                    -along[1] - turn * along[0],
                    along[0] - turn * along[1],
                )
    return slope, wp.min(valley, 1.0)


@wp.func
def bent(n: wp.vec3, slope: wp.vec2):
    """The normal ``n`` of skin whose height changes by ``slope`` with x and z: bump mapping (Blinn 1978)."""
    up = wp.vec3(slope[0], 0.0, slope[1])
    return wp.normalize(n - up + n * wp.dot(n, up))


@wp.func
def strands_of_hair(p: wp.vec3, s: Uniforms):
    """Reflectance of hair that grows at ``p``; ``p`` is stretched so that the pattern runs along the hair."""
    streaks = wp.noise(wp.rand_init(s.texture, 5), p) + 0.5 * wp.noise(wp.rand_init(s.texture, 6), p * 2.7)
    return s.hair * (1.0 + 0.35 * s.grain * (1.0 - 0.9 * s.cloth) * streaks)


@wp.func
def scalp_cover(p: wp.vec3, region: wp.vec4, grown: wp.vec3, s: Uniforms):
    """Share in [0, 1] of the skin that is covered by hair of the scalp; arguments of ``skin_albedo``."""
    if grown[0] < -0.012:
        return 0.0
    # Strands begin here and there, not along a line.
    rough = wp.noise(wp.rand_init(s.texture, 4), wp.vec3(p[0] * 300.0, p[1] * 120.0, p[2] * 120.0))
    rough *= 0.006 * s.grain * (1.0 - s.cloth)
    cover = step_between(-0.005 + 0.004 * s.cloth, 0.008 - 0.007 * s.cloth, grown[0] + rough) * (
        1.0 - region[2]
    )
    return cover * wp.clamp(s.hair_density, 0.0, 1.0)


@wp.func
def skin_albedo(p: wp.vec3, region: wp.vec4, grown: wp.vec3, scalp: float, valley: float, s: Uniforms):
    """Reflectance of skin with all that grows on it.

    ``region`` in the order of ``assets.REGIONS``; ``grown``: metres inside scalp, beard and moustache;
    ``scalp``: of ``scalp_cover``; ``valley``: how deep in creases.
    """
    albedo = wp.float32(0.0)
    if scalp < 1.0:
        albedo = face_albedo(p, region, grown, valley, s)
    if scalp > 0.0:
        hair = strands_of_hair(wp.vec3(p[0] * 500.0, p[1] * 90.0, p[2] * 90.0), s)
        albedo = albedo * (1.0 - scalp) + hair * scalp
    if p[2] < 0.63:
        collar = s.neckline + 0.5 * wp.abs(p[0])
        cloth = 1.0 - step_between(collar - 0.002, collar + 0.002, p[2])
        albedo = albedo * (1.0 - cloth) + s.clothes * cloth
    return albedo * (1.0 - region[1]) + 0.04 * region[1]


@wp.func
def face_albedo(p: wp.vec3, region: wp.vec4, grown: wp.vec3, valley: float, s: Uniforms):
    """Reflectance of skin with brows, beard and moustache; arguments of ``skin_albedo``."""
    state = wp.rand_init(s.texture, 1)
    albedo = s.skin * (1.0 + 0.035 * s.grain * wp.noise(state, p * 110.0))
    x = wp.abs(p[0])
    front = p[1] < -0.1
    # Lids are thinner and darker, and lashes throw a line along their rim.
    albedo *= 1.0 - (0.18 + 0.45 * s.eye_shadow) * region[3]
    # Light gets lost in the depth of a crease.
    albedo *= 1.0 - 0.35 * valley
    if front:
        if s.freckles > 0.0 and wp.abs(p[2] - 0.706) < 0.035:
            spots = wp.noise(wp.rand_init(s.texture, 2), p * 420.0)
            zone = bump(p[2] - 0.706, 0.02) * (1.0 - step_between(0.045, 0.06, x))
            albedo *= 1.0 - 0.5 * s.freckles * s.grain * zone * step_between(0.25, 0.5, spots)
        dx = x - 0.029
        if s.bags > 0.0 and wp.abs(dx) < 0.02 and wp.abs(p[2] - 0.7155) < 0.02:
            under = bump(p[2] - 0.7155 - 6.0 * dx * dx, 0.005) * (1.0 - step_between(0.008, 0.02, wp.abs(dx)))
            albedo *= 1.0 - 0.3 * s.bags * under
        dx = x - 0.009
        if wp.abs(dx) < 0.007 and wp.abs(p[2] - 0.688) < 0.007:
            # Nostrils.
            albedo *= 1.0 - 0.85 * bump(dx, 0.0038) * bump(p[2] - 0.688, 0.003)
        if s.pebbles > 0.0 and x < 0.025 and wp.abs(p[2] - 0.632) < 0.016:
            dents = wp.noise(wp.rand_init(s.texture, 12), p * 330.0)
            albedo *= 1.0 - 0.3 * s.pebbles * bump(x, 0.015) * bump(p[2] - 0.632, 0.008) * wp.abs(dents)
    lips = step_between(0.2, 0.8, region[0])
    if lips > 0.0:
        # Darker where they meet, and lighter in the middle of the lower lip.
        seam = 1.0 - 0.35 * step_between(0.0, 0.5, region[1])
        albedo = albedo * (1.0 - lips) + s.skin * s.lips * seam * lips
    brow = 0.92 * brow_cover(p, s)
    albedo = albedo * (1.0 - brow) + s.brow * brow
    shaven = wp.max(s.stubble, wp.max(s.beard, s.moustache))
    if shaven > 0.0 and wp.max(grown[1], grown[2]) > -0.012:
        rough = s.grain * wp.noise(wp.rand_init(s.texture, 4), p * 160.0)
        jaw = step_between(-0.006, 0.014, grown[1] + 0.004 * rough)
        lip = step_between(-0.003, 0.005, grown[2] + 0.002 * rough)
        grain = 0.75 + 0.5 * s.grain * wp.noise(wp.rand_init(s.texture, 3), p * 700.0)
        shadow = 0.6 * step_between(-0.008, 0.008, grown[2] + 0.004 * rough)
        stubble = 0.7 * s.stubble * wp.max(jaw, shadow) * grain
        cover = wp.max(s.beard * jaw, s.moustache * lip) * wp.min(grain + 0.35, 1.0)
        bare = (1.0 - lips) * (1.0 - brow)
        albedo *= 1.0 - stubble * bare
        cover *= bare
        if cover > 0.0:
            hair = strands_of_hair(wp.vec3(p[0] * 600.0, p[1] * 300.0, p[2] * 250.0), s)
            albedo = albedo * (1.0 - cover) + cover * hair
    return albedo


@wp.func
def oily(p: wp.vec3):
    """How much more than elsewhere skin shines at ``p``: on the nose, the forehead and the cheekbones."""
    x = wp.abs(p[0])
    if p[1] > -0.09 or p[2] < 0.685:
        return 0.5
    middle = 1.0 - step_between(0.006, 0.03 + 0.4 * wp.max(p[2] - 0.745, 0.0), x)
    return 0.6 + 0.9 * middle


@wp.func
def eye_direction(p: wp.vec3):
    """From the middle of its eyeball to the point ``p`` of the template, of length 1."""
    return wp.normalize(p - wp.vec3(wp.sign(p[0]) * EYE_X, EYE_Y, EYE_Z))


@wp.func
def eye_albedo(d: wp.vec3, s: Uniforms):
    """Reflectance of an eyeball in the direction ``d`` from its middle."""
    angle = wp.acos(wp.clamp(-d[1], -1.0, 1.0))
    # Not pure white: seldom much lighter than light skin, and redder in its corners.
    albedo = 0.82 * (1.0 - 0.3 * step_between(0.5, 1.0, angle))
    if angle < 0.5:
        # Darkest at its rim and behind the upper lid; light gathers opposite to where it comes in.
        depth = wp.max(1.1 - step_between(0.27, 0.39, angle) - 1.2 * d[2], 0.1)
        iris = 0.02 + (s.iris * depth - 0.02) * step_between(0.14, 0.19, angle)
        albedo = iris + (albedo - iris) * step_between(0.37, 0.44, angle)
    # In the shadow of the upper lid and its lashes.
    return albedo * (1.0 - 0.35 * step_between(0.2, 0.42, d[2]))


@wp.func
def behind_lips(p: wp.vec3):
    """Proportion of light that reaches a point inside the mouth."""
    return 1.0 - 0.93 * step_between(-0.148, -0.108, p[1])


@wp.func
def tooth_albedo(p: wp.vec3, upper: float):
    """Reflectance of teeth and of the gums that hold them; ``upper``: 1 in the upper row, 0 in the lower."""
    # The way around the arch: 0 between the incisors … 1.6 at the last molar.
    turn = wp.atan2(wp.abs(p[0]), -(p[1] + 0.1))
    # Widths of incisors, canine, premolars: where one tooth ends and the next one starts.
    start = wp.float32(0.0)
    wide = wp.float32(0.105)
    if upper > 0.5:
        wide = 0.165
    if turn > wide:
        start = wide
        wide = 0.14
    if turn > start + wide:
        start = start + wide
        wide = 0.19
    if turn > start + wide:
        start = start + wide
        wide = 0.25
    if turn > start + wide:
        start = start + wide
    place = wp.abs(2.0 * (turn - start) / wide - 1.0)
    gap = step_between(0.72, 1.0, place)
    # Gums reach down between the teeth; their edges are rounded.
    root = 0.6715 - p[2]
    edge = p[2] - 0.660
    if upper < 0.5:
        root = p[2] - 0.6605
        edge = 0.671 - p[2]
    tooth = step_between(-0.0006, 0.0006, root - 0.0022 * place * place)
    bite = step_between(-0.0004, 0.0006, edge - 0.0014 * place * place * place)
    # Each further back is darker, and the back teeth are in the dark of the mouth.
    tone = 0.72 * (1.0 - 0.35 * wp.min(turn, 1.2)) * (0.82 + 0.18 * upper)
    albedo = 0.24 + (tone * (1.0 - 0.45 * gap) - 0.24) * tooth
    return albedo * (0.15 + 0.85 * bite) * (1.0 - 0.85 * step_between(-0.142, -0.105, p[1]))


@wp.func
def backdrop(u: float, v: float, s: Uniforms):
    """Light of the background at a place of the picture, in half windows."""
    state = wp.rand_init(s.seed, 11)
    cloud = wp.noise(state, wp.vec2(u * 2.0, v * 2.0))
    cloud += 0.5 * wp.noise(state, wp.vec2(u * 5.0 + 9.0, v * 5.0))
    light = s.background[0] + s.background[1] * (u + v) + s.background[2] * cloud
    if s.scenery > 0.0:
        # Edges of furniture, windows, other people: half planes and discs, each lighter or darker.
        for i in range(5):
            dice = wp.rand_init(s.seed, 20 + i)
            angle = 6.2832 * wp.randf(dice)
            place = 1.8 * wp.randf(dice) - 0.9
            amount = s.scenery * (wp.randf(dice) - 0.5)
            soft = 0.01 + 0.15 * wp.randf(dice)
            if i < 3:
                light += amount * step_between(-soft, soft, wp.cos(angle) * u + wp.sin(angle) * v - place)
            else:
                away = wp.length(wp.vec2(u - 1.1 * wp.cos(angle), v - place))
                light += amount * (1.0 - step_between(0.35 - soft, 0.35 + soft, away))
    return wp.max(light, 0.0)
