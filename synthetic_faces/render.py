"""From a person, an expression and a shot to a grey picture, in Warp."""

import contextlib
import math
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import warp as wp

from synthetic_faces import facs
from synthetic_faces.assets import EYE, LASH, SKIN, Assets, vertex_normals
from synthetic_faces.capture import Capture, Shot
from synthetic_faces.creases import laid
from synthetic_faces.develop import develop
from synthetic_faces.framing import EYES_TO_LIPS
from synthetic_faces.hair import grid_coordinates, grid_triangles
from synthetic_faces.landmarks import INNER_LIPS, landmark_vertices
from synthetic_faces.muscles import Muscles
from synthetic_faces.people import Person, measure_head, upper_teeth
from synthetic_faces.raster import HAIR, UNCOVERED, comb, drape, draw, facing, place
from synthetic_faces.trace import Shapes, cast, flex, look_around
from synthetic_faces.uniforms import CAMERA_DISTANCE, Strands, Uniforms

# The neck turns about here: behind the eyes and below them.
PIVOT = np.array([0.0, 0.09, -0.06])


# Rays that look for the sky from each vertex, and how near things block them, in metres.
SKY_RAYS, SKY_REACH = 96, 0.05
# A pixel that differs from its neighbours by less than this fraction of their mean needs no further samples.
EVEN = 0.08
# Samples across what the key light sees, per pixel of the picture; and how much wider than the picture it is.
LIT_SAMPLES, LIT_REACH = 3.0, 2.2
# The middle of what the light sees, behind the eyes, in metres.
LIT_DEPTH = 0.03
# Fraction of an AU's largest movement above which skin counts as its region.
MASK_THRESHOLD = 0.2

# Wrinkle -> the AUs that make it, and its neutral depth as a fraction of the person's creases.
WRINKLES = {
    "forehead": ({"AU2": 1.2}, 0.8),
    "forehead_middle": ({"AU1": 1.3}, 0.8),
    "glabella": ({"AU4": 1.2, "AU9": 0.3}, 0.5),
    "nose_bridge": ({"AU9": 1.0}, 0.0),
    "nasolabial": ({"AU12": 0.85, "AU9": 0.8, "AU10": 0.8, "AU6": 0.3}, 1.0),
    "crows_feet": ({"AU6": 1.2, "AU7": 0.1}, 0.6),
    "lower_lid": ({"AU7": 0.8, "AU6": 0.8, "AU9": 0.3}, 0.8),
    "dimple": ({"AU14": 1.0}, 0.0),
    "marionette": ({"AU15": 1.0}, 0.6),
    "chin": ({"AU17": 1.0}, 0.0),
}
# Lips that are this far apart, in metres, let all light in.
PARTED = 0.004


class Rendered(NamedTuple):
    """One picture of S x S pixels and what is where in it.

    ``pixels`` uint8 (S, S). ``masks`` uint32 (S, S): bit i is set where the skin seen at a pixel would be
    moved by ``AUS[i]`` at full intensity, on both sides, by more than a fifth of the largest movement of that
    AU; what is in front of the face is in no mask. ``landmarks`` float32 (68, 2): column and row of the
    points of ``landmarks.LANDMARKS``, seen or not; 0 is the picture's left or upper edge, a pixel's centre
    lies at + 0.5.
    """

    pixels: np.ndarray
    masks: np.ndarray
    landmarks: np.ndarray

    def mask(self, au: str) -> np.ndarray:
        """bool (S, S): the skin that ``au`` moves."""
        return (self.masks >> np.uint32(facs.AUS.index(au)) & 1).astype(bool)


@contextlib.contextmanager
def _without_driver_warning() -> Iterator[None]:
    """Keep back what Warp's native code writes to stderr on a machine without a GPU, which no setting turns
    off.

    There is nothing to be done about it, on a page or in a terminal. All other lines are passed on.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            log.seek(0)
            for line in log:
                if b"load the NVIDIA CUDA driver" not in line:
                    os.write(2, line)


class Renderer:
    """Turns people with expressions into grey pictures of ``size`` x ``size`` pixels.

    ``antialias``: samples per pixel and direction where one differs from its neighbours; elsewhere one is
    enough. Runs on a CUDA device where Warp finds one, else on one CPU core. Building the first one on a
    machine compiles the kernel (some seconds); it is stored in the folder ``cache``, else where Warp keeps
    its own.
    """

    def __init__(self, assets: Assets, size: int, antialias: int = 2, cache: Path | None = None) -> None:
        # Read when Warp starts; it keeps the folder that it started with, which it then writes in here.
        wp.config.log_level = wp.LOG_WARNING
        if cache is not None and wp.config.kernel_cache_dir is None:
            wp.config.kernel_cache_dir = str(cache / "warp")
        with _without_driver_warning():
            wp.init()
        self.assets, self.size, self.antialias = assets, size, antialias
        self.device = "cuda:0" if wp.is_cuda_available() else "cpu"
        self._names = assets.action_names.tolist()
        head, hair = assets.triangles.astype(np.int32), grid_triangles() + np.int32(len(assets.template))
        corners, along = np.concatenate([head, hair]), grid_coordinates()
        self._heads, self._points = len(head), np.concatenate([assets.template, along])
        first, around = _triangles_around(corners, len(self._points))
        self._first, self._around = self._array(first, wp.int32), self._array(around, wp.int32)
        bare = assets.in_group(SKIN) & (assets.region("inside-mouth") <= 0.5)
        action, vertex = np.nonzero(assets.actions.any(axis=2) & bare)
        start = np.searchsorted(action, np.arange(len(assets.actions) + 1))
        self._actions = (
            self._array(assets.actions[action, vertex], wp.vec3),
            *(self._array(part, wp.int32) for part in (vertex, start)),
        )
        self._lashes = self._array(np.flatnonzero(assets.groups == LASH), wp.int32)

        def beside_hair(values: np.ndarray) -> np.ndarray:
            return np.concatenate([values, np.zeros((len(along), *values.shape[1:]), values.dtype)])

        self._shapes = Shapes()
        self._shapes.points = self._array(self._points, wp.vec3)
        self._shapes.rest = self._array(self._points, wp.vec3)
        self._shapes.corners = self._array(corners.ravel(), wp.int32)
        self._shapes.groups = self._array(
            np.concatenate([assets.groups, np.full(len(hair), HAIR, np.uint8)]), wp.uint8
        )
        # Lips of teeth: the upper row.
        regions = beside_hair(assets.regions)
        regions[: len(assets.template)][upper_teeth(assets), 0] = 1
        self._shapes.regions = self._array(regions, wp.vec4)
        self._shapes.openness = self._array(beside_hair(self._openness()), float)
        self._shapes.normals, self._seen, self._lit = (
            wp.zeros(len(self._points), dtype=wp.vec3, device=self.device) for _ in range(3)
        )
        self._facing = wp.zeros(len(corners), dtype=wp.vec3, device=self.device)
        side = round(LIT_SAMPLES * size)
        self._shapes.lit = wp.empty((side, side), dtype=wp.uint64, device=self.device)
        self._grids = {steps: self._grid(steps) for steps in {1, antialias}}
        self._everywhere = self._array(np.arange(size * size), wp.int32)
        # The samples of each pixel, numbers of places of the finer grid.
        within = np.add.outer(antialias * size * np.arange(antialias), np.arange(antialias))
        rows = np.add.outer(antialias**2 * size * np.arange(size), antialias * np.arange(size))
        self._samples = np.add.outer(rows.ravel(), within.ravel()).astype(np.int32)
        self._person: Person | None = None
        self._eyes = assets.in_group(EYE)
        self._apart = assets.template[self._eyes][:, 0].std(dtype=np.float64)
        self._lips = assets.region("lips") > 0.5
        self._landmarks = landmark_vertices(assets)

    def render(
        self, person: Person, intensities: np.ndarray, shot: Shot, capture: Capture | None = None
    ) -> Rendered:
        """``person`` with AU ``intensities`` (len(AUS), 2) in [0, 1], taken as ``shot``.

        The same arguments give the same bits on the same kind of processor. Raises SettingError for
        intensities out of range.
        """
        capture = capture or Capture()
        weights = facs.action_weights(intensities, person.muscles.units, self._names)
        vertices = self.assets.express(person.vertices, self._add_gaze(weights, person, shot))

        self._seat(person)
        view = self._uniforms(shot, capture)
        depths = _wrinkles(intensities, person, capture.wrinkles)
        creases = laid(person.lines, depths)
        view.crease_count = len(creases) // 3
        view.pebbles = max(depths["chin"])
        view.parted = self._parted(vertices, person)
        self._points[: len(vertices)] = vertices
        shapes = self._shapes
        shapes.points.assign(self._points)
        rods = _rods(shot, person, self._face[0], view)
        shapes.rods = self._array(rods, wp.vec4)
        shapes.creases = self._array(creases, wp.vec3)
        vertices_seen = len(self._points) if view.has_hair else len(vertices)
        triangles = len(self._facing) if view.has_hair else self._heads
        self._launch(facing, triangles, [shapes.points, shapes.corners], [self._facing])
        inputs = [shapes.points, self._facing, self._first, self._around, view]
        self._launch(place, vertices_seen, inputs, [self._seen, self._lit, shapes.normals])
        self._draw(self._lit, 0, 1, view, shapes.lit)
        everywhere = (self.size, self.size)
        radiance, masks = (part.reshape(everywhere) for part in self._cast(self._everywhere, 1, view))
        if self.antialias > 1:
            self._smooth(radiance, view)
        return Rendered(
            pixels=develop(radiance, shot), masks=masks, landmarks=_project(vertices[self._landmarks], view)
        )

    def unit_movements(self, muscles: Muscles) -> np.ndarray:
        """float32 (N, len(AUS)): how far each AU at full intensity moves a vertex in a person with
        ``muscles``, as a fraction of its largest movement.

        Only skin that can be seen moves here: teeth, tongue, lashes, eyes and the inside of the mouth are at
        0.
        """
        weights = muscles.units.sum(axis=1)
        units, which = np.nonzero(weights)
        first = np.searchsorted(units, np.arange(len(weights) + 1))
        shape = len(weights), len(self.assets.template)
        offsets = wp.zeros(shape, dtype=wp.vec3, device=self.device)
        movement = wp.zeros(shape[::-1], dtype=float, device=self.device)
        inputs = [*self._actions, *(self._array(part, wp.int32) for part in (first, which))]
        inputs.append(self._array(weights[units, which], float))
        self._launch(flex, len(weights), inputs, [offsets, movement])
        return movement.numpy()

    def _draw(self, places: wp.array, camera: int, steps: int, view: Uniforms, depths: wp.array) -> None:
        """Fill ``depths`` with what is seen from where ``places`` are."""
        shapes = self._shapes
        depths.fill_(UNCOVERED)
        self._launch(draw, self._heads, [shapes.corners, shapes.groups, places, steps], [depths])
        if view.has_hair:
            inputs = [shapes.points, shapes.rest, shapes.corners, self._heads, places, camera, steps, view]
            self._launch(drape, len(self._facing) - self._heads, inputs, [depths])

    def _cast(self, samples: wp.array, steps: int, view: Uniforms) -> tuple[np.ndarray, np.ndarray]:
        """Light and masks (n,) at ``samples`` (n,), numbers of places of the grid with ``steps`` squared of
        them a pixel.
        """
        depths, strips, radiance, inside = self._grids[steps]
        self._draw(self._seen, 1, steps, view, depths)
        strips.zero_()
        if view.lash > 0:
            inputs = [self._lashes, self._shapes.corners, self._seen, steps, depths]
            self._launch(comb, len(self._lashes), inputs, [strips])
        inputs = [self._shapes, *self._moved, samples, depths, strips, view]
        self._launch(cast, len(samples), inputs, [radiance, inside])
        return radiance.numpy()[: len(samples)].copy(), inside.numpy()[: len(samples)].copy()

    def _smooth(self, radiance: np.ndarray, view: Uniforms) -> None:
        """Replace each pixel of ``radiance`` (S, S) that is unlike its neighbours by the mean of more
        samples.
        """
        rough = np.zeros(radiance.shape, bool)
        for here, there, unlike, unlike_too in (
            (radiance[1:], radiance[:-1], rough[1:], rough[:-1]),
            (radiance[:, 1:], radiance[:, :-1], rough[:, 1:], rough[:, :-1]),
        ):
            edge = np.abs(here - there) >= EVEN * (here + there + 0.05)
            unlike |= edge
            unlike_too |= edge
        if rough.any():
            samples = self._samples[rough.ravel()]
            light, _ = self._cast(self._array(samples.ravel(), wp.int32), self.antialias, view)
            radiance[rough] = light.reshape(samples.shape).mean(axis=1)

    def _grid(self, steps: int) -> tuple[wp.array, ...]:
        """Depths and strips of lashes, and arrays for the light and the masks of as many samples."""
        side = steps * self.size
        kinds = {wp.uint64: (side, side), wp.int32: (side, side), float: side**2, wp.uint32: side**2}
        return tuple(wp.empty(shape, dtype=kind, device=self.device) for kind, shape in kinds.items())

    def _launch(self, kernel: wp.Kernel, threads: int, inputs: list, outputs: list) -> None:
        wp.launch(kernel, threads, inputs, outputs, device=self.device)

    def _array(self, values: np.ndarray, kind: type) -> wp.array:
        return wp.array(values, dtype=kind, device=self.device)

    def _openness(self) -> np.ndarray:
        """float32 (N,): how much of the light from all around reaches each vertex of the template head."""
        template = self.assets.template
        points = self._array(template, wp.vec3)
        normals = self._array(vertex_normals(template, self.assets.triangles), wp.vec3)
        # Lashes are too thin to keep light away.
        solid = self.assets.triangles[self.assets.groups != LASH].astype(np.int32)
        head = wp.Mesh(points, self._array(solid.ravel(), wp.int32))
        openness = wp.zeros(len(template), dtype=float, device=self.device)
        self._launch(look_around, len(template), [head.id, points, normals, SKY_RAYS, SKY_REACH], [openness])
        return openness.numpy()

    def _seat(self, person: Person) -> None:
        """Prepare what does not change from one picture of a person to the next."""
        if person is self._person:
            return
        grown = np.zeros_like(self._points)
        grown[: len(person.grown)] = person.grown
        self._shapes.grown = self._array(grown, wp.vec3)
        if person.long_hair is not None:
            self._points[len(person.vertices) :] = person.long_hair.points
        movement = self.unit_movements(person.muscles)
        bits = np.zeros((len(movement), 4), np.uint8)
        bits[:, : -(-len(facs.AUS) // 8)] = np.packbits(movement > MASK_THRESHOLD, axis=1, bitorder="little")
        self._moved = self._array(movement, float), self._array(bits.view("<u4")[:, 0], wp.uint32)
        eyes = person.vertices[self._eyes]
        apart = eyes[:, 0].std(dtype=np.float64) / self._apart
        eyes = eyes.mean(axis=0, dtype=np.float64)
        lips = person.vertices[self._lips].mean(axis=0, dtype=np.float64)
        # Like a crop that was aligned by eyes and mouth: big faces do not look big.
        self._face = eyes, lips, 0.5 * (eyes[2] - lips[2]) / EYES_TO_LIPS + 0.5 * apart
        self._view = view = Uniforms()
        view.lit_size = self._shapes.lit.shape[0]
        view.size = self.size
        view.region = MASK_THRESHOLD
        view.middle, view.half_head, _top = measure_head(person.vertices, self.assets)
        hair, glasses = person.long_hair, person.glasses
        for source in filter(None, (person, hair, glasses)):
            _set_fields(view, source)
        view.has_hair, view.has_glasses = hair is not None, glasses is not None
        self._person = person

    def _parted(self, vertices: np.ndarray, person: Person) -> float:
        """How far apart the lips are, in [0, 1]; 1 for all that shows more than a gap."""
        upper, lower = (self._landmarks[at] for at in INNER_LIPS)
        gaps = [float(head[upper, 2] - head[lower, 2]) for head in (vertices, person.vertices)]
        return min(max((gaps[0] - gaps[1]) / PARTED, 0), 1)

    def _add_gaze(self, weights: np.ndarray, person: Person, shot: Shot) -> np.ndarray:
        """The action weights with what is no action unit: where the eyes look and how the lids hang."""
        across, up = shot.gaze
        more, actions = {}, dict(zip(self._names, weights, strict=True))
        for side, outwards in zip(facs.SIDES, (across, -across), strict=True):
            more |= {f"eyeLookOut{side}": max(outwards, 0), f"eyeLookIn{side}": max(-outwards, 0)}
            more |= {f"eyeLookUp{side}": max(up, 0), f"eyeLookDown{side}": max(-up, 0)}
            # Two ways to shut an eye shut it no more than one does.
            shut = actions[f"eyeBlink{side}"] + person.droop + shot.lids
            open_ = max(1 - actions.get(f"eye-closure-{side}", 0), 0)
            more[f"eyeBlink{side}"] = min(shut, open_) - actions[f"eyeBlink{side}"]
        return weights + [more.get(name, 0.0) for name in self._names]

    def _uniforms(self, shot: Shot, capture: Capture) -> Uniforms:
        """Settings of the kernels for a shot of the person who sits there."""
        eyes, lips, scale = self._face
        pivot = eyes + PIVOT
        # The camera goes round the resting head instead of the head turning before the camera.
        turn = _rotation(shot.yaw, shot.pitch, shot.roll).T
        height = (1 - capture.centre) * eyes[2] + capture.centre * lips[2]
        centre = np.array([eyes[0], eyes[1], height])
        centre += (shot.shift[0], 0, shot.shift[1])
        aim = pivot + turn @ (centre - pivot)
        azimuth, elevation = shot.key_azimuth, shot.key_elevation

        view = self._view
        view.light = turn @ _towards(azimuth, elevation)
        view.fill_light = turn @ _towards(-0.8 * math.copysign(1, azimuth), 0.1)
        right, forward, up = (turn @ _rotation(0, 0, shot.tilt)).T
        view.window = capture.window * scale * shot.zoom
        # The crop goes partly with the face, then as far off it as the shot says.
        shift = capture.follow * (centre - aim)
        across = shift @ right + view.window * shot.offset[0]
        height = shift @ up + view.window * shot.offset[1]
        view.eye = aim - CAMERA_DISTANCE * forward + across * right + height * up
        view.right, view.forward, view.up = right, forward, up
        aside = np.cross(view.light, up)
        view.lit_right = aside / np.linalg.norm(aside)
        view.lit_up = np.cross(view.lit_right, view.light)
        view.lit_middle = np.array([*view.eye]) + (CAMERA_DISTANCE + LIT_DEPTH) * forward
        view.lit_reach = LIT_REACH * view.window
        _set_fields(view, shot)
        view.rod_count, view.strand_count = len(shot.rods), len(shot.strands)
        view.strand = Strands(*[*shot.strands, *3 * [(0.0, 0.0, 0.0, 0.0)]][:3])
        return view


def _set_fields(view: Uniforms, source: object) -> None:
    """Set those fields of ``view`` that ``source`` has."""
    for name in vars(source).keys() & Uniforms.vars.keys():
        setattr(view, name, getattr(source, name))


def _triangles_around(corners: np.ndarray, vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """int32 (vertices + 1,) and (3 T,): the triangles (T, 3) around vertex i are ``around[first[i]:first[i +
    1]]``.
    """
    order = np.argsort(corners.ravel(), kind="stable")
    first = np.searchsorted(corners.ravel()[order], np.arange(vertices + 1))
    return first.astype(np.int32), (order // 3).astype(np.int32)


def _rods(shot: Shot, person: Person, eyes: np.ndarray, view: Uniforms) -> np.ndarray:
    """float32 (2 R, 4): the rods of a shot as the kernel reads them, in the person's space."""
    front = np.array([view.middle[0], eyes[1], view.middle[2]])
    rows = np.zeros((max(2 * len(shot.rods), 2), 4), np.float32)
    for i, rod in enumerate(shot.rods):
        for j, (right, up, near) in enumerate((rod.start, rod.end)):
            rows[2 * i + j, :3] = front + np.array([right, -near, up])
        rows[2 * i, 3] = rod.radius
        rows[2 * i + 1, 3] = person.skin if rod.albedo is None else rod.albedo
    return rows


def _project(points: np.ndarray, view: Uniforms) -> np.ndarray:
    """float32 (..., 2): column and row of ``points`` (..., 3) in the picture of ``view``."""
    eye, right, up, forward = (np.array([*v]) for v in (view.eye, view.right, view.up, view.forward))
    away = points.astype(np.float64) - eye
    scale = CAMERA_DISTANCE / (away @ forward) / view.window
    across, height = (away @ right) * scale, (away @ up) * scale
    return (0.5 * view.size * np.stack([1 + across, 1 - height], axis=-1)).astype(np.float32)


def _towards(azimuth: float, elevation: float) -> np.ndarray:
    """Direction, of length 1, from the face to a light; azimuth 0 is the camera's direction, -y."""
    flat = math.cos(elevation)
    return np.array([flat * math.sin(azimuth), -flat * math.cos(azimuth), math.sin(elevation)])


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """(3, 3): roll about y, then pitch about x (positive: face up), then yaw about z (positive: to +x)."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    return about_z @ about_x @ about_y


def _wrinkles(intensities: np.ndarray, person: Person, strength: float) -> dict[str, list[float]]:
    """Depth in [0, 1] of each kind of wrinkle in the subject's left and right half; those of ``person`` at
    rest are never below its creases.
    """
    deep = strength * person.muscles.wrinkling[:, None] * intensities
    depths = {}
    for wrinkle, (terms, rest) in WRINKLES.items():
        least = max(rest * person.creases, person.folds if wrinkle == "nasolabial" else 0)
        halves = sum(share * deep[facs.AUS.index(au)] for au, share in terms.items())
        depths[wrinkle] = np.clip(halves, least, 1).tolist()
    return depths
