"""How the points of head and background are painted.

The mesh has no brows, wrinkles, irises or scalp hair. They are painted as functions of the point of
the *template* head under a pixel, so they stick to the skin for every person and every expression
without texture images.
"""

import warp as wp

from synthetic_faces.uniforms import EYE_X, EYE_Y, EYE_Z, Uniforms, bump, of_side, ridge, step_between


@wp.func
def brow_cover(p: wp.vec3, s: Uniforms):
    """Share in [0, 1] of the skin that is covered by the eyebrow at template point ``p``."""
    t = (wp.abs(p[0]) - 0.011) / 0.042
    if t < -0.1 or t > 1.1 or p[1] > -0.08:
        return 0.0
    arc = wp.sin(3.1416 * (0.12 + 0.8 * t)) - 0.35
    z = 0.7475 + s.brow_height + s.brow_arch * arc - 0.016 * wp.max(t - 0.75, 0.0)
    half = s.brow_thickness * (1.0 - 0.55 * step_between(0.35, 1.0, t)) * step_between(-0.08, 0.1, t)
    state = wp.rand_init(s.texture, 7)
    hairs = wp.noise(state, wp.vec3(p[0] * 900.0, p[1] * 300.0, p[2] * 350.0))
    edge = wp.abs(p[2] - z) / wp.max(half, 1.0e-4) + 0.25 * s.grain * hairs
    return (1.0 - step_between(0.6, 1.25, edge)) * (1.0 - step_between(0.95, 1.08, t))


@wp.func
def crease_depth(p: wp.vec3, s: Uniforms):
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
    wave = 0.003 * wp.cos(x * 70.0)
    lines = bump(z - 0.763 + wave, 0.0013) + bump(z - 0.770 + wave, 0.0013)
    depth += 0.36 * raised * (lines + 0.8 * bump(z - 0.777 + wave, 0.0012))
    # Glabella: the frown's two upright lines and the fold above the nose root (AU4).
    frown = of_side(s.glabella, p[0])
    upright = bump(x - 0.0065 - 0.10 * (z - 0.75), 0.0016) * ridge(z, 0.741, 0.765, 0.004)
    fold = bump(z - 0.7395, 0.0025) * (1.0 - step_between(0.006, 0.011, x))
    depth += frown * (0.5 * upright + 0.25 * fold)
    # Nose bridge (AU9).
    sneer = of_side(s.nose_bridge, p[0])
    if sneer > 0.0:
        drop = 25.0 * x * x
        lines = bump(z - 0.7345 + drop, 0.0014) + bump(z - 0.7285 + drop, 0.0014)
        lines += bump(z - 0.7225 + drop, 0.0014)
        depth += 0.4 * sneer * lines * (1.0 - step_between(0.008, 0.013, x))
    # Nasolabial fold, from the wing of the nose past the corner of the mouth (AU6, AU9, AU10, AU12).
    fold = of_side(s.nasolabial, p[0])
    t = (0.698 - z) / 0.042
    curve = 0.0185 + 0.0185 * wp.pow(wp.clamp(t, 0.0, 1.0), 0.75)
    depth += 0.42 * fold * bump(x - curve, 0.0022) * ridge(t, 0.08, 0.92, 0.12)
    # Crow's feet, a fan from the outer corner of the eye (AU6).
    smile = of_side(s.crows_feet, p[0])
    dx = x - 0.047
    dz = z - 0.727
    far = wp.sqrt(dx * dx + dz * dz)
    angle = wp.atan2(dz, dx)
    fan = bump(angle - 0.5, 0.12) + bump(angle, 0.12) + bump(angle + 0.5, 0.12)
    depth += 0.4 * smile * fan * ridge(far, 0.006, 0.019, 0.003)
    # Fold below the lower lid (AU6, AU7).
    lid = of_side(s.lower_lid, p[0])
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
    depth += 0.35 * down * bump(x - 0.027 - 0.25 * (0.660 - z), 0.0022) * ridge(z, 0.640, 0.656, 0.004)
    # Fold between lower lip and chin (AU17).
    if s.chin > 0.0:
        line = bump(z - 0.6435 + 4.0 * x * x, 0.0026)
        depth += 0.34 * s.chin * line * (1.0 - step_between(0.012, 0.022, x))
    return wp.min(depth, 0.75)


@wp.func
def strands_of_hair(p: wp.vec3, s: Uniforms):
    """Reflectance of hair that grows at ``p``; ``p`` is stretched so that the pattern runs along the hair."""
    streaks = wp.noise(wp.rand_init(s.texture, 5), p) + 0.5 * wp.noise(wp.rand_init(s.texture, 6), p * 2.7)
    return s.hair * (1.0 + 0.35 * s.grain * streaks)


@wp.func
def skin_albedo(p: wp.vec3, region: wp.vec4, grown: wp.vec3, s: Uniforms):
    """Reflectance of skin with all that grows on it.

    ``region`` in the order of ``assets.REGIONS``; ``grown``: metres inside scalp, beard and moustache.
    """
    state = wp.rand_init(s.texture, 1)
    blotch = wp.noise(state, p * 90.0) + 0.6 * wp.noise(state, p * 260.0)
    albedo = s.skin * (1.0 + 0.06 * s.grain * blotch)
    side = wp.abs(p[0]) - 0.038
    cheek = bump(side, 0.016) * bump(p[2] - 0.697, 0.016)
    albedo *= 1.0 - 0.07 * cheek
    if s.freckles > 0.0:
        spots = wp.noise(wp.rand_init(s.texture, 2), p * 420.0)
        zone = bump(p[2] - 0.706, 0.02) * (1.0 - step_between(0.045, 0.06, wp.abs(p[0])))
        albedo *= 1.0 - 0.5 * s.freckles * s.grain * zone * step_between(0.25, 0.5, spots)
    # Lids are thinner and darker, and lashes throw a line along their rim.
    albedo *= 1.0 - (0.14 + 0.5 * s.eye_shadow) * region[3]
    if s.bags > 0.0:
        dx = wp.abs(p[0]) - 0.029
        under = bump(p[2] - 0.7155 - 6.0 * dx * dx, 0.005) * (1.0 - step_between(0.012, 0.02, wp.abs(dx)))
        albedo *= 1.0 - 0.3 * s.bags * under * (1.0 - step_between(-0.1, -0.08, p[1]))
    albedo *= 1.0 - crease_depth(p, s)
    lips = step_between(0.25, 0.75, region[0])
    albedo = albedo * (1.0 - lips) + s.skin * s.lips * lips
    brow = 0.92 * brow_cover(p, s)
    albedo = albedo * (1.0 - brow) + s.brow * brow
    rough = s.grain * wp.noise(wp.rand_init(s.texture, 4), p * 160.0)
    shaven = wp.max(s.stubble, wp.max(s.beard, s.moustache))
    if shaven > 0.0:
        jaw = step_between(-0.004, 0.008, grown[1] + 0.004 * rough)
        lip = step_between(-0.003, 0.003, grown[2] + 0.002 * rough)
        grain = 0.75 + 0.5 * s.grain * wp.noise(wp.rand_init(s.texture, 3), p * 700.0)
        shadow = 0.6 * step_between(-0.008, 0.008, grown[2] + 0.004 * rough)
        stubble = 0.7 * s.stubble * wp.max(jaw, shadow) * grain
        cover = wp.max(s.beard * jaw, s.moustache * lip) * wp.min(grain + 0.35, 1.0)
        bare = (1.0 - lips) * (1.0 - brow)
        albedo *= 1.0 - stubble * bare
        cover *= bare
        hair = strands_of_hair(wp.vec3(p[0] * 600.0, p[1] * 300.0, p[2] * 250.0), s)
        albedo = albedo * (1.0 - cover) + cover * hair
    scalp = step_between(-0.002, 0.004, grown[0] + 0.004 * rough) * (1.0 - region[2])
    if scalp > 0.0:
        cover = scalp * wp.clamp(s.hair_density, 0.0, 1.0)
        hair = strands_of_hair(wp.vec3(p[0] * 500.0, p[1] * 90.0, p[2] * 90.0), s)
        albedo = albedo * (1.0 - cover) + hair * cover
    if p[2] < 0.63:
        collar = s.neckline + 0.5 * wp.abs(p[0])
        dressed = 1.0 - step_between(collar - 0.002, collar + 0.002, p[2])
        albedo = albedo * (1.0 - dressed) + s.clothes * dressed
    return albedo * (1.0 - region[1]) + 0.04 * region[1]


@wp.func
def eye_albedo(p: wp.vec3, s: Uniforms):
    centre = wp.vec3(wp.sign(p[0]) * EYE_X, EYE_Y, EYE_Z)
    d = wp.normalize(p - centre)
    angle = wp.acos(wp.clamp(-d[1], -1.0, 1.0))
    # Not as white as it is said to be: seldom much lighter than light skin.
    white = 0.7 * (1.0 - 0.35 * step_between(0.5, 1.0, angle))
    limbus = s.iris * (1.0 - 0.6 * step_between(0.34, 0.43, angle))
    albedo = limbus * (1.0 - step_between(0.42, 0.48, angle)) + white * step_between(0.42, 0.48, angle)
    return 0.02 + (albedo - 0.02) * step_between(0.16, 0.20, angle)


@wp.func
def behind_lips(p: wp.vec3):
    """Share of light that reaches a point inside the mouth."""
    return 1.0 - 0.93 * step_between(-0.148, -0.108, p[1])


@wp.func
def tooth_albedo(p: wp.vec3):
    """Reflectance of teeth, with the dark gaps between them; incisors are the widest."""
    gap = wp.abs(wp.sin(3.1416 * wp.abs(p[0]) / 0.0082))
    # The back teeth are in the dark of the mouth.
    deep = step_between(-0.142, -0.105, p[1])
    return 0.85 * (1.0 - 0.3 * (1.0 - step_between(0.0, 0.22, gap))) * (1.0 - 0.85 * deep)


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
