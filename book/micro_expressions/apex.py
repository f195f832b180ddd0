"""Spotting the apex of a clip without labels."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from face_sets.clips import Clips
from face_sets.faceset import FaceSet
from fer_lib.stats.resampling import bootstrap, cluster_sums
from ferbook.errors import require_name
from ferbook.estimate import Estimate

METHODS = {
    "trained": "trained CNN",
    "untrained": "untrained CNN",
    "pixels": "pixels",
    "middle": "middle of the clip",
    "random": "any frame",
}
"""Slug and name of each method: the frame farthest from the onset by a network's features or by pixels, the
frame nearest to the middle between onset and offset, and the mean error of all frames. The page evaluates the
first.
"""

FRAMES_TOLERANCE = 2.0


PLACES = ("spotted", "middle", "apex")
"""A single frame in place of a clip: the one farthest from the onset, the one nearest to the middle between
onset and offset, and the true apex, which needs a label."""


def farthest(features: np.ndarray, clips: Clips) -> np.ndarray:
    """Return the position in its clip of the frame whose ``features`` (…, C, T, F) are farthest from those of
    the first frame (of equals the first), int64 (…, C).
    """
    differences = np.where(clips.inside[..., None], features - features[..., :1, :], 0)
    return np.linalg.norm(differences, axis=-1).argmax(axis=-1)


def frame_places(features: np.ndarray, clips: Clips, which: str) -> np.ndarray:
    """Return the position in its clip of the frame ``which``, one of ``PLACES``, int64 (…, C); ``features``
    (…, C, T, F) decide which is farthest. Raises ParameterError for another name.
    """
    require_name("frame", which, PLACES)
    if which == "spotted":
        return farthest(features, clips)
    half_way = np.abs(2.0 * clips.frames - (clips.onset + clips.offset)[:, None])
    middle = np.where(clips.inside, half_way, np.inf).argmin(axis=1)
    return np.broadcast_to(middle if which == "middle" else clips.apex_at, features.shape[:-2])


def pixels_of(clips: Clips) -> np.ndarray:
    """Return the pixels of every frame, float32 (C, T, H · W), zero beyond a clip's end."""
    return clips.gather().reshape(*clips.rows.shape, -1).astype(np.float32)


def spotting_errors(clips: Clips, features: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return by how many frames, as filmed, each of ``METHODS`` misses the true apex: a row per clip,
    with its ``subject`` as the index. ``features``: by ``METHODS`` those of networks, (C, T, F).

    Every method chooses among the frames that were read, of which the apex is one. ``random`` has the mean
    error over all of them: what guessing costs on average.
    """
    pixels = pixels_of(clips)
    places = {name: farthest(own, clips) for name, own in {**features, "pixels": pixels}.items()}
    places["middle"] = frame_places(pixels, clips, "middle")
    spotted = {name: clips.frames[np.arange(len(clips)), place] for name, place in places.items()}
    errors = {name: np.abs(frame - clips.apex) for name, frame in spotted.items()}
    away = np.where(clips.inside, np.abs(clips.frames - clips.apex[:, None]), 0)
    errors["random"] = away.sum(axis=1) / clips.lengths
    return pd.DataFrame(errors, index=pd.Index(clips.subjects, name="subject"), dtype=np.float64)


def spotting_metrics(errors: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> dict[str, Estimate]:
    """Return ``spotting_<method>``, the mean of the ``errors`` in frames, and for all but the first
    ``spotting_gain_<method>``, its error minus that of the first. Intervals resample people.
    """

    def mean(values: pd.Series) -> Estimate:
        sums = cluster_sums(np.column_stack([values, np.ones(len(values))]), values.index.to_numpy())
        n, tolerance = len(values), FRAMES_TOLERANCE
        return bootstrap(sums, value=values.mean(), draws=draws, seed=seed, n=n, tolerance=tolerance)

    first, *others = METHODS
    means = {f"spotting_{name}": mean(errors[name]) for name in METHODS}
    return means | {f"spotting_gain_{name}": mean(errors[name] - errors[first]) for name in others}


def clearest_clip(clips: Clips) -> FaceSet:
    """Return the pictures of the clip with the largest sum of action-unit intensities at its apex, or, if not
    coded, the largest mean difference of pixels from its onset (of equals the first).
    """
    apex = np.take_along_axis(clips.rows, clips.apex_at[:, None], axis=1)[:, 0]
    strengths = clips.faces.table[list(clips.faces.aus)].iloc[apex].sum(axis=1).to_numpy()
    if not strengths.any():
        change = clips.faces.gather(apex).astype(np.int16) - clips.faces.gather(clips.rows[:, 0])
        strengths = np.abs(change).mean(axis=(1, 2))
    clip = int(strengths.argmax())
    return clips.faces.select(clips.rows[clip, : clips.lengths[clip]])
