"""Settings of a kernel for one picture, and the small functions that all kernels share."""

from typing import Any

import warp as wp

# Where things are in the template, in metres.
EYE_X, EYE_Y, EYE_Z = 0.0308, -0.1245, 0.7284
CAMERA_DISTANCE = 1.3

# Space for the most strands of hair that a shot has.
Strands = wp.types.matrix(shape=(3, 4), dtype=wp.float32)


@wp.struct
class Uniforms:
    """What one launch needs besides the mesh; pairs are (subject's left, subject's right)."""

    eye: wp.vec3
    right: wp.vec3
    up: wp.vec3
    forward: wp.vec3
    window: wp.float32
    size: wp.int32
    light: wp.vec3
    fill_light: wp.vec3
    # What the key light sees: a square around ``lit_middle``, of ``lit_size`` squared samples, ``lit_reach``
    # metres to either side.
    lit_middle: wp.vec3
    lit_right: wp.vec3
    lit_up: wp.vec3
    lit_reach: wp.float32
    lit_size: wp.int32
    key: wp.float32
    fill: wp.float32
    ambient: wp.float32
    gloss: wp.float32
    # Proportion of the key light that still reaches its shadows.
    shadow: wp.float32
    background: wp.vec3
    seed: wp.int32
    # Proportion of a unit's largest movement from which on skin is in its mask.
    region: wp.float32
    # The person's paint.
    skin: wp.float32
    lips: wp.float32
    stubble: wp.float32
    beard: wp.float32
    moustache: wp.float32
    freckles: wp.float32
    bags: wp.float32
    grain: wp.float32
    eye_shadow: wp.float32
    clothes: wp.float32
    neckline: wp.float32
    hair: wp.float32
    hair_density: wp.float32
    brow: wp.float32
    brow_height: wp.float32
    brow_arch: wp.float32
    brow_thickness: wp.float32
    iris: wp.float32
    lash: wp.float32
    texture: wp.int32
    # Middle of the head at the height of the eyes, and half the head's width.
    middle: wp.vec3
    half_head: wp.float32
    # Long hair leaves a window for the face: (half width, top, slant of the top, flare), in half heads.
    has_hair: wp.int32
    opening: wp.vec4
    roundness: wp.float32
    # How far locks stray over the edge of that window, in half heads; 0: a scarf.
    loose: wp.float32
    # Hair is covered by cloth or is a scarf: 1, else 0.
    cloth: wp.float32
    # Glasses: middle between the lenses, in metres; (lens centre x, half width, half height, rim), in metres.
    has_glasses: wp.int32
    lenses: wp.vec3
    lens: wp.vec4
    squareness: wp.float32
    rim_albedo: wp.float32
    tint: wp.float32
    glare: wp.float32
    # Things before the face: the number of rods, and of strands (place, slant, curve, half width; half
    # windows).
    rod_count: wp.int32
    strand_count: wp.int32
    strand: Strands
    # Things in the background: their strength.
    scenery: wp.float32
    # Creases in the skin: their number.
    crease_count: wp.int32
    # How far the chin is pushed up, in [0, 1]: its skin then has dimples.
    pebbles: wp.float32
    # How far the lips are open, in [0, 1]: whether light falls on the teeth.
    parted: wp.float32


@wp.struct
class Spot:
    """Where a ray meets a mesh, if it does: how far along, which triangle, and the place within it."""

    met: wp.bool
    distance: wp.float32
    face: wp.int32
    u: wp.float32
    v: wp.float32


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
def within(values: wp.array(dtype=Any), corners: wp.array(dtype=wp.int32), at: Spot):
    """The value at a place within a triangle, from ``values`` at its corners."""
    a = values[corners[3 * at.face]]
    b = values[corners[3 * at.face + 1]]
    c = values[corners[3 * at.face + 2]]
    return a * at.u + b * at.v + c * (1.0 - at.u - at.v)


@wp.func
def towards(column: float, row: float, s: Uniforms):
    """Direction, of length 1, from the camera through a place of the picture, in pixels; that place in half
    windows: right, up.
    """
    u = 2.0 * column / float(s.size) - 1.0
    v = 1.0 - 2.0 * row / float(s.size)
    across, height = u * s.window, v * s.window
    direction = wp.normalize(s.forward * CAMERA_DISTANCE + s.right * across + s.up * height)
    return direction, u, v
