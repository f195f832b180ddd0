"""Which triangle is seen where: drawn triangle by triangle into a grid of depths, for the camera and for the
key light.

A grid has one 64-bit word per sample: the depth of the nearest triangle there, then its number, so that the
least word is what is seen, in whatever order triangles are drawn.
"""

import warp as wp

from synthetic_faces.assets import LASH, SKIN
from synthetic_faces.props import in_opening
from synthetic_faces.uniforms import CAMERA_DISTANCE, Spot, Uniforms, within

# No gradients: half of the code to compile.
wp.set_module_options({"enable_backward": False})

# Group of the triangles of long hair, after those of the head.
HAIR = LASH + 1

# What a sample holds that no triangle covers.
UNCOVERED = wp.constant(wp.uint64(0xFFFFFFFFFFFFFFFF))

# Depths lie in [0, 2]; a word keeps them in 32 bits.
DEEP = wp.constant(2147483648.0)
# By this proportion of itself a triangle is drawn larger, so that no gap opens between neighbours.
OVERLAP = wp.constant(1.0e-4)


@wp.func
def before_camera(p: wp.vec3, s: Uniforms):
    """Column and row of a point in the picture, in pixels, and its depth: linear across a triangle."""
    off = p - s.eye
    near = 1.0 / wp.dot(off, s.forward)
    scale = CAMERA_DISTANCE * near / s.window
    half = 0.5 * float(s.size)
    return wp.vec3(
        half + half * scale * wp.dot(off, s.right), half - half * scale * wp.dot(off, s.up), 2.0 - near
    )


@wp.func
def before_light(p: wp.vec3, s: Uniforms):
    """Column and row of a point as the key light sees it, and its depth."""
    off = p - s.lit_middle
    half = 0.5 * float(s.lit_size)
    return wp.vec3(
        half + half * wp.dot(off, s.lit_right) / s.lit_reach,
        half + half * wp.dot(off, s.lit_up) / s.lit_reach,
        1.0 - wp.dot(off, s.light),
    )


@wp.kernel
def facing(
    points: wp.array(dtype=wp.vec3), corners: wp.array(dtype=wp.int32), normals: wp.array(dtype=wp.vec3)
):
    """The normal of each triangle, twice as long as its area is large."""
    i = wp.tid()
    a = points[corners[3 * i]]
    normals[i] = wp.cross(points[corners[3 * i + 1]] - a, points[corners[3 * i + 2]] - a)


@wp.kernel
def place(
    points: wp.array(dtype=wp.vec3),
    facing: wp.array(dtype=wp.vec3),
    first: wp.array(dtype=wp.int32),
    around: wp.array(dtype=wp.int32),
    s: Uniforms,
    views: wp.array(dtype=wp.vec3),
    lit: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
):
    """Where camera and light see each vertex; and its normal: the area-weighted mean of those of the
    triangles ``around[first[i]:first[i + 1]]``, which ``facing`` has.
    """
    i = wp.tid()
    views[i] = before_camera(points[i], s)
    lit[i] = before_light(points[i], s)
    n = wp.vec3(0.0, 0.0, 0.0)
    for k in range(first[i], first[i + 1]):
        n += facing[around[k]]
    normals[i] = wp.normalize(n)


@wp.func
def span(a: float, b: float, c: float, size: int):
    """First and last sample, of ``size`` in a row at k + 0.5, between the least and the largest of three
    places.
    """
    low = wp.int32(wp.ceil(wp.min(wp.min(a, b), c) - 0.5))
    high = wp.int32(wp.floor(wp.max(wp.max(a, b), c) - 0.5))
    return wp.max(low, 0), wp.min(high, size - 1)


@wp.struct
class Footprint:
    """A triangle on a grid of samples: the rectangle around it, and in ``first`` the weights of its three
    corners at the first sample of the rectangle, in ``across`` and ``down`` how they change to the next
    column and row; ``pace`` is one over ``across``.
    """

    left: wp.int32
    right: wp.int32
    top: wp.int32
    bottom: wp.int32
    first: wp.vec3
    across: wp.vec3
    down: wp.vec3
    pace: wp.vec3


@wp.func
def turned(a: wp.vec3, b: wp.vec3, c: wp.vec3):
    """Twice the area of a triangle of three places, negative where its front is seen."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])


@wp.func
def drawn(a: wp.vec3, b: wp.vec3, c: wp.vec3, steps: int, size: int):
    """The triangle of three places, in pixels, on a grid of ``size`` squared samples, ``steps`` squared a
    pixel.

    Edge-on it covers nothing.
    """
    t = Footprint()
    scale = float(steps)
    left, right = span(scale * a[0], scale * b[0], scale * c[0], size)
    top, bottom = span(scale * a[1], scale * b[1], scale * c[1], size)
    area = turned(a, b, c)
    t.left = left
    t.right = right
    t.top = top
    t.bottom = bottom
    # Most triangles of a small picture lie between its samples.
    if area == 0.0 or left > right or top > bottom:
        t.bottom = top - 1
        return t
    share = 1.0 / area
    x = (float(left) + 0.5) / scale
    y = (float(top) + 0.5) / scale
    u = ((b[0] - x) * (c[1] - y) - (c[0] - x) * (b[1] - y)) * share
    v = ((c[0] - x) * (a[1] - y) - (a[0] - x) * (c[1] - y)) * share
    t.first = wp.vec3(u, v, 1.0 - u - v)
    t.across = wp.vec3(b[1] - c[1], c[1] - a[1], a[1] - b[1]) * (share / scale)
    t.pace = wp.vec3(inverse(t.across[0]), inverse(t.across[1]), inverse(t.across[2]))
    t.down = wp.vec3(c[0] - b[0], a[0] - c[0], b[0] - a[0]) * (share / scale)
    return t


@wp.func
def inverse(x: float):
    """1 / ``x``, or what is as good as infinite."""
    return 1.0 / wp.where(wp.abs(x) < 1.0e-12, 1.0e-12, x)


@wp.func
def stretch(t: Footprint, start: wp.vec3):
    """First and last column of a row, as far as the rectangle's first, that lie within a triangle; ``start``:
    the weights of its corners at that first one.
    """
    low = wp.float32(0.0)
    high = float(t.right - t.left)
    for k in range(3):
        place = (-OVERLAP - start[k]) * t.pace[k]
        if t.pace[k] > 0.0:
            low = wp.max(low, place)
        else:
            high = wp.min(high, place)
    return wp.int32(wp.ceil(wp.min(low, float(t.right - t.left + 1)))), wp.int32(wp.floor(wp.max(high, -1.0)))


@wp.func
def word_of(depth: float, face: int):
    return (wp.uint64(wp.clamp(depth, 0.0, 1.99) * DEEP) << wp.uint64(32)) | wp.uint64(face)


@wp.kernel
def draw(
    corners: wp.array(dtype=wp.int32),
    groups: wp.array(dtype=wp.uint8),
    places: wp.array(dtype=wp.vec3),
    steps: int,
    depths: wp.array2d(dtype=wp.uint64),
):
    """Draw the head's triangles, but for lashes, as camera or key light see them, with ``steps`` squared
    samples a pixel.
    """
    i = wp.tid()
    if groups[i] == wp.uint8(LASH):
        return
    a = places[corners[3 * i]]
    b = places[corners[3 * i + 1]]
    c = places[corners[3 * i + 2]]
    # The head's skin is closed: its inner side is never seen.
    if groups[i] == wp.uint8(SKIN) and turned(a, b, c) > 0.0:
        return
    t = drawn(a, b, c, steps, depths.shape[0])
    near = wp.vec3(a[2], b[2], c[2])
    step = wp.dot(t.across, near)
    for row in range(t.top, t.bottom + 1):
        start = t.first + float(row - t.top) * t.down
        low, high = stretch(t, start)
        for k in range(low, high + 1):
            wp.atomic_min(depths, row, t.left + k, word_of(wp.dot(start, near) + float(k) * step, i))


@wp.kernel
def drape(
    points: wp.array(dtype=wp.vec3),
    rest: wp.array(dtype=wp.vec3),
    corners: wp.array(dtype=wp.int32),
    heads: int,
    places: wp.array(dtype=wp.vec3),
    camera: int,
    steps: int,
    s: Uniforms,
    depths: wp.array2d(dtype=wp.uint64),
):
    """Draw what the opening leaves of the triangles of long hair, which come after the ``heads`` of the head,
    as the ``camera`` sees it (1) or the key light (0).
    """
    i = heads + wp.tid()
    a = places[corners[3 * i]]
    b = places[corners[3 * i + 1]]
    c = places[corners[3 * i + 2]]
    t = drawn(a, b, c, steps, depths.shape[0])
    near = wp.vec3(a[2], b[2], c[2])
    step = wp.dot(t.across, near)
    for row in range(t.top, t.bottom + 1):
        start = t.first + float(row - t.top) * t.down
        low, high = stretch(t, start)
        for k in range(low, high + 1):
            deep = wp.dot(start, near) + float(k) * step
            word = word_of(deep, i)
            if word < depths[row, t.left + k]:
                share = start + float(k) * t.across
                if camera == 1:
                    share = wp.cw_mul(share, wp.vec3(2.0, 2.0, 2.0) - near) / (2.0 - deep)
                at = Spot(True, deep, i, share[0], share[1])
                if not in_opening(within(points, corners, at), within(rest, corners, at), s):
                    wp.atomic_min(depths, row, t.left + k, word)


@wp.kernel
def comb(
    lashes: wp.array(dtype=wp.int32),
    corners: wp.array(dtype=wp.int32),
    places: wp.array(dtype=wp.vec3),
    steps: int,
    depths: wp.array2d(dtype=wp.uint64),
    strips: wp.array2d(dtype=wp.int32),
):
    """Number of the triangles ``lashes`` that lie before what is seen at each sample."""
    i = lashes[wp.tid()]
    a = places[corners[3 * i]]
    b = places[corners[3 * i + 1]]
    c = places[corners[3 * i + 2]]
    t = drawn(a, b, c, steps, depths.shape[0])
    near = wp.vec3(a[2], b[2], c[2])
    for row in range(t.top, t.bottom + 1):
        start = t.first + float(row - t.top) * t.down
        low, high = stretch(t, start)
        for k in range(low, high + 1):
            if word_of(wp.dot(start + float(k) * t.across, near), i) < depths[row, t.left + k]:
                wp.atomic_add(strips, row, t.left + k, 1)
