"""From a head to a grey picture: ray casting in Warp, with everything painted in template coordinates.

The mesh has no brows, wrinkles, irises or scalp hair. They are painted as functions of the point of
the *template* head under a pixel, so they stick to the skin for every person and every expression
without texture images. One thread casts the rays of one sub-pixel.
"""

import math
from dataclasses import dataclass

import numpy as np
import warp as wp

from fer_lib import paths
from fer_lib.errors import ParameterError
from fer_lib.faces.synthetic import facs
from fer_lib.faces.synthetic.assets import EYE, LASH, REGIONS, SKIN, TEETH, Assets, vertex_normals
from fer_lib.faces.synthetic.people import Person

wp.config.log_level = wp.LOG_WARNING
wp.config.kernel_cache_dir = str(paths.cache_dir() / "warp")

# Where things are in the template, in metres.
EYE_X, EYE_Y, EYE_Z = 0.0308, -0.1245, 0.7284
LIPS_Z = 0.662
EYES_TO_LIPS = EYE_Z - LIPS_Z
CAMERA_DISTANCE = 1.3
# The neck turns about here: behind the eyes and below them.
PIVOT = np.array([0.0, 0.09, -0.06])


@dataclass(frozen=True)
class Studio:
    """How far the pictures of a set differ in everything but the face.

    ``pose`` and ``light`` scale the spread of head pose and light (1: natural, 0: none); ``blur`` (pixels)
    and ``noise`` (standard deviation, of a full scale of 1) are (low, high) pairs; ``wrinkles`` in [0, 1] scales
    what actions leave in the skin; ``window`` is half the width of the crop of an average face, in metres.
    """

    pose: float = 0.8
    light: float = 0.8
    blur: tuple[float, float] = (0.0, 0.3)
    noise: tuple[float, float] = (0.01, 0.02)
    wrinkles: float = 1.0
    window: float = 0.084

    def __post_init__(self) -> None:
        for name, low, high in (("pose", 0, 3), ("light", 0, 1), ("wrinkles", 0, 1), ("window", 0.05, 0.15)):
            if not low <= getattr(self, name) <= high:
                raise ParameterError(f"{name} is {getattr(self, name)}; it must lie between {low} and {high}")
        for name in ("blur", "noise"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ParameterError(f"{name} is {getattr(self, name)}; it must be a pair 0 <= low <= high")


@dataclass(frozen=True)
class Shot:
    """What is special about one picture beside the face: angles in radians, lengths in metres."""

    yaw: float
    pitch: float
    roll: float
    shift: tuple[float, float]
    zoom: float
    gaze: tuple[float, float]
    lids: float
    key_azimuth: float
    key_elevation: float
    key: float
    fill: float
    ambient: float
    gloss: float
    background: tuple[float, float, float]
    blur: float
    noise: float
    seed: int


def draw_shot(rng: np.random.Generator, studio: Studio) -> Shot:
    """Head pose, gaze, light, background, blur and noise of one picture."""
    pose, light = studio.pose, studio.light
    yaw, pitch, roll = pose * rng.standard_normal(3) * (0.10, 0.06, 0.04)
    return Shot(
        yaw=float(yaw),
        pitch=float(pitch),
        roll=float(roll),
        shift=tuple((0.003 * pose * rng.standard_normal(2)).tolist()),
        zoom=float(1 + 0.06 * pose * rng.uniform(-1, 1)),
        # People look into the camera, more or less, whatever the head does.
        gaze=(
            float(np.clip(-yaw / 0.6 + 0.08 * rng.standard_normal(), -1, 1)),
            float(np.clip(-pitch / 0.6 + 0.06 * rng.standard_normal(), -1, 1)),
        ),
        lids=float(rng.uniform(0, 0.06)),
        key_azimuth=float(light * rng.uniform(-1.1, 1.1)),
        key_elevation=float(0.55 + light * rng.uniform(-0.35, 0.35)),
        key=float(0.95 * (1 + 0.25 * light * rng.uniform(-1, 1))),
        fill=float(0.28 * (1 + 0.5 * light * rng.uniform(-1, 1))),
        ambient=float(0.24 * (1 + 0.4 * light * rng.uniform(-1, 1))),
        gloss=float(rng.uniform(0.08, 0.3)),
        background=(
            float(rng.uniform(0.03, 0.6)),
            float(rng.uniform(-0.12, 0.12)),
            float(rng.uniform(0, 0.12)),
        ),
        blur=float(rng.uniform(*studio.blur)),
        noise=float(rng.uniform(*studio.noise)),
        seed=int(rng.integers(2**31)),
    )


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
    # Forehead: three lines, higher over the brows' arches (AU1, AU2).
    raised = of_side(s.forehead, p[0])
    if raised > 0.0:
        wave = 0.003 * wp.cos(x * 70.0)
        lines = (
            bump(z - 0.763 + wave, 0.0013)
            + bump(z - 0.770 + wave, 0.0013)
            + 0.8 * bump(z - 0.777 + wave, 0.0012)
        )
        depth += 0.36 * raised * lines * (1.0 - step_between(0.030, 0.048, x))
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
        depth += 0.5 * dimple * bump(x - 0.0345 + bow, 0.0024) * ridge(z, 0.654, 0.674, 0.004)
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
    white = 0.8 * (1.0 - 0.45 * step_between(0.55, 1.1, angle))
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
    u = (2.0 * (float(column) + 0.5) / float(s.size) - 1.0) * s.window
    v = (1.0 - 2.0 * (float(row) + 0.5) / float(s.size)) * s.window
    direction = wp.normalize(s.forward * CAMERA_DISTANCE + s.right * u + s.up * v)
    origin = s.eye
    dice = wp.rand_init(s.seed, row * s.size + column)
    colour = backdrop(u / s.window, v / s.window, s)
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


class Renderer:
    """Turns people with expressions into grey pictures of ``size`` x ``size`` pixels.

    ``antialias``: rays per pixel and direction. Runs on a CUDA device where Warp finds one, else on
    one CPU core. Building the first one on a machine compiles the kernel (some seconds).
    """

    def __init__(self, assets: Assets, size: int, antialias: int = 2) -> None:
        wp.init()
        self.assets = assets
        self.size = size
        self.antialias = antialias
        self.device = "cuda:0" if wp.is_cuda_available() else "cpu"
        self._names = assets.action_names.tolist()
        triangles = assets.triangles.astype(np.int32)
        self._triangles = triangles
        self._template = wp.array(assets.template, dtype=wp.vec3, device=self.device)
        self._regions = wp.array(assets.regions, dtype=wp.vec4, device=self.device)
        self._groups = wp.array(assets.groups, dtype=wp.uint8, device=self.device)
        self._corners = wp.array(triangles.ravel(), dtype=wp.int32, device=self.device)
        self._mesh = wp.Mesh(wp.array(assets.template, dtype=wp.vec3, device=self.device), self._corners)
        rays = size * antialias
        self._radiance = wp.zeros((rays, rays), dtype=float, device=self.device)
        self._eyes = np.unique(triangles[assets.groups == EYE])
        self._apart = assets.template[self._eyes][:, 0].std(dtype=np.float64)
        self._lips = assets.regions[:, REGIONS.index("lips")] > 0.5

    def picture(
        self, person: Person, intensities: np.ndarray, shot: Shot, studio: Studio | None = None
    ) -> np.ndarray:
        """uint8 (size, size): ``person`` with AU ``intensities`` (len(AUS), 2), taken as ``shot``.

        The same arguments give the same bits on the same kind of processor. Raises ParameterError for
        intensities out of range.
        """
        studio = studio or Studio()
        weights = facs.action_weights(intensities, self._names)
        wrinkles = _wrinkles(dict(zip(self._names, weights.tolist(), strict=True)), person, studio.wrinkles)
        vertices = self.assets.express(person.vertices, self._add_gaze(weights, person, shot))

        scene = self._scene(person, shot, studio)
        for name, value in wrinkles.items():
            setattr(scene, name, value)
        self._mesh.points.assign(vertices)
        self._mesh.refit()
        inputs = [
            self._mesh.id,
            self._template,
            wp.array(vertex_normals(vertices, self._triangles), dtype=wp.vec3, device=self.device),
            self._regions,
            wp.array(person.hair_field, dtype=float, device=self.device),
            self._corners,
            self._groups,
            scene,
        ]
        wp.launch(cast, self._radiance.shape, inputs, [self._radiance], device=self.device)
        step = self.antialias
        radiance = self._radiance.numpy().reshape(self.size, step, self.size, step).mean(axis=(1, 3))
        return _develop(radiance, shot)

    def _add_gaze(self, weights: np.ndarray, person: Person, shot: Shot) -> np.ndarray:
        """The action weights with what is no action unit: where the eyes look and how the lids hang."""
        across, up = shot.gaze
        more = {
            "eyeLookOutLeft": max(across, 0),
            "eyeLookInRight": max(across, 0),
            "eyeLookInLeft": max(-across, 0),
            "eyeLookOutRight": max(-across, 0),
        }
        for side in facs.SIDES:
            more[f"eyeLookUp{side}"] = max(up, 0)
            more[f"eyeLookDown{side}"] = max(-up, 0)
            more[f"eyeBlink{side}"] = person.droop + shot.lids
        total = weights.copy()
        for name, value in more.items():
            total[self._names.index(name)] += value
        return np.clip(total, 0, 1)

    def _scene(self, person: Person, shot: Shot, studio: Studio) -> Scene:
        eyes = person.vertices[self._eyes].mean(axis=0, dtype=np.float64)
        lips = person.vertices[self._lips].mean(axis=0, dtype=np.float64)
        apart = person.vertices[self._eyes][:, 0].std(dtype=np.float64) / self._apart
        # Like a crop that was aligned by eyes and mouth: big faces do not look big.
        scale = 0.5 * (eyes[2] - lips[2]) / EYES_TO_LIPS + 0.5 * apart
        pivot = eyes + PIVOT
        # The camera goes round the resting head instead of the head turning before the camera.
        turn = _rotation(shot.yaw, shot.pitch, shot.roll).T
        centre = np.array([0.5 * (eyes[0] + lips[0]), eyes[1], 0.55 * eyes[2] + 0.45 * lips[2]])
        centre += (shot.shift[0], 0, shot.shift[1])
        camera = pivot + turn @ (centre - (0, CAMERA_DISTANCE, 0) - pivot)
        azimuth, elevation = shot.key_azimuth, shot.key_elevation

        scene = Scene()
        scene.eye, scene.right, scene.forward, scene.up = (wp.vec3(*v) for v in (camera, *turn.T))
        scene.window = studio.window * scale * shot.zoom
        scene.size = self.size * self.antialias
        scene.light = wp.vec3(*(turn @ _towards(azimuth, elevation)))
        scene.fill_light = wp.vec3(*(turn @ _towards(-0.8 * math.copysign(1, azimuth), 0.1)))
        for name in ("key", "fill", "ambient", "gloss", "seed"):
            setattr(scene, name, getattr(shot, name))
        scene.background = wp.vec3(*shot.background)
        for name in _PAINT:
            setattr(scene, name, getattr(person, name))
        return scene


_PAINT = (
    "skin",
    "lips",
    "stubble",
    "freckles",
    "hair",
    "hair_density",
    "brow",
    "brow_height",
    "brow_arch",
    "brow_thickness",
    "iris",
    "lash",
    "texture",
)


def _towards(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector from the face to a light; azimuth 0 is the camera's direction, -y."""
    flat = math.cos(elevation)
    return np.array([flat * math.sin(azimuth), -flat * math.cos(azimuth), math.sin(elevation)])


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """(3, 3): roll about y, then pitch about x (positive: face up), then yaw about z (positive: to +x)."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    return about_z @ about_x @ about_y


def _wrinkles(action: dict[str, float], person: Person, strength: float) -> dict[str, object]:
    """Depth in [0, 1] of each kind of wrinkle; those of ``person`` at rest are never below its creases."""

    def pair(*terms: tuple[str, float]) -> wp.vec2:
        sides = []
        for side in facs.SIDES:
            depth = sum(share * action[name.format(side=side)] for name, share in terms)
            sides.append(strength * min(max(depth, 0), 1))
        return wp.vec2(*sides)

    def with_rest(depth: wp.vec2, share: float) -> wp.vec2:
        return wp.vec2(*(max(float(d), share * person.creases) for d in depth))

    return {
        "forehead": with_rest(pair(("browInnerUp", 0.6), ("browOuterUp{side}", 0.6)), 0.8),
        "glabella": with_rest(pair(("browDown{side}", 1.0)), 0.5),
        "nose_bridge": pair(("noseSneer{side}", 1.0)),
        "nasolabial": with_rest(
            pair(("mouthSmile{side}", 0.9), ("noseSneer{side}", 0.7), ("mouthUpperUp{side}", 0.7)), 1.0
        ),
        "crows_feet": with_rest(pair(("cheekSquint{side}", 1.0)), 0.6),
        "lower_lid": with_rest(pair(("eyeSquint{side}", 0.9), ("cheekSquint{side}", 0.5)), 0.8),
        "dimple": pair(("mouthDimple{side}", 1.0)),
        "marionette": with_rest(pair(("mouthFrown{side}", 1.0)), 0.6),
        "chin": strength * min(action["mouthShrugLower"], 1),
    }


def _develop(radiance: np.ndarray, shot: Shot) -> np.ndarray:
    """uint8 picture of linear ``radiance``: exposure, gamma, blur, then sensor noise."""
    picture = (1 - np.exp(-1.45 * radiance.astype(np.float64))) ** (1 / 1.9)
    if shot.blur > 0.05:
        picture = _blurred(picture, shot.blur)
    noise = np.random.default_rng(shot.seed).standard_normal(picture.shape)
    return np.round(255 * np.clip(picture + shot.noise * noise, 0, 1)).astype(np.uint8)


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur with ``sigma`` in pixels; edges are repeated."""
    radius = max(1, math.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(picture, [(radius, radius) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        length = picture.shape[axis]
        picture = sum(
            weight * np.take(padded, range(i, i + length), axis=axis) for i, weight in enumerate(kernel)
        )
    return picture
