"""From a person, an expression and a shot to a grey picture, by ray casting in Warp."""

import math
from dataclasses import dataclass

import numpy as np
import warp as wp

from fer_lib import paths
from fer_lib.errors import ParameterError
from fer_lib.faces.synthetic import facs
from fer_lib.faces.synthetic.assets import EYE, REGIONS, Assets, vertex_normals
from fer_lib.faces.synthetic.paint import CAMERA_DISTANCE, Scene, cast
from fer_lib.faces.synthetic.people import Person

# Height of the eyes above the lips in the template, in metres.
EYES_TO_LIPS = 0.0664
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


class Renderer:
    """Turns people with expressions into grey pictures of ``size`` x ``size`` pixels.

    ``antialias``: rays per pixel and direction. Runs on a CUDA device where Warp finds one, else on
    one CPU core. Building the first one on a machine compiles the kernel (some seconds).
    """

    def __init__(self, assets: Assets, size: int, antialias: int = 2) -> None:
        # Read when Warp starts; it keeps the folder that it started with.
        wp.config.log_level = wp.LOG_WARNING
        wp.config.kernel_cache_dir = str(paths.cache_dir() / "warp")
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
        "forehead": with_rest(pair(("browOuterUp{side}", 0.9)), 0.8),
        "forehead_middle": max(strength * action["browInnerUp"], 0.8 * person.creases),
        "glabella": with_rest(pair(("browDown{side}", 1.0)), 0.5),
        "nose_bridge": pair(("noseSneer{side}", 1.0)),
        "nasolabial": with_rest(
            pair(("mouthSmile{side}", 0.9), ("noseSneer{side}", 0.7), ("mouthUpperUp{side}", 0.7)), 1.0
        ),
        "crows_feet": with_rest(pair(("cheekSquint{side}", 1.0)), 0.6),
        "lower_lid": with_rest(pair(("eyeSquint{side}", 0.9), ("cheekSquint{side}", 0.5)), 0.8),
        "dimple": pair(("mouthDimple{side}", 1.0)),
        "marionette": with_rest(pair(("mouthFrown{side}", 1.0)), 0.6),
        "chin": strength * action["mouthShrugLower"],
    }


def _develop(radiance: np.ndarray, shot: Shot) -> np.ndarray:
    """uint8 picture of linear ``radiance``: exposure, gamma, blur, then sensor noise."""
    picture = (1 - np.exp(-1.45 * radiance.astype(np.float64))) ** (1 / 1.75)
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
