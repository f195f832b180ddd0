"""Controls of clips: sequences of features from which something was taken away, to see whether it was needed.

A network that names a clip as well with its frames shuffled as in order has not used time; one that does as well with random features
has used no picture. The features of an untrained network are a control too: ``learn.features.clip_features`` of a network just built.
"""

from collections.abc import Callable

import numpy as np

from fer_lib.errors import DataError, ParameterError, nearest_name
from fer_lib.faces.clips import Clips

CONTROLS: dict[str, str] = {
    "shuffled": "The frames of each clip in an order drawn at random: what is shown stays, when goes.",
    "reversed": "The frames of each clip from the last to the first: rise and fall change places.",
    "apex_only": "One frame per clip, that nearest to the apex: a picture at the height of the expression.",
    "onset_only": "One frame per clip, the onset: the face at rest, before anything is shown.",
    "random_features": "Normal random numbers, fixed for each picture: nothing of the picture is left.",
}
"""What ``controlled`` can take away, by name, in a sentence."""


def controlled(features: np.ndarray, clips: Clips, name: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The sequences ``features`` (…, C, T, F) of ``clips`` changed as the control ``name`` says, and their lengths: float32 (…, C, T', F), int64 (C,).

    T' is T, or 1 where one frame is kept; beyond a clip's end all is zero. ``features`` are what the classifier would be given: a difference to the onset
    is taken before, so that the onset stays the first frame filmed and not the first one shuffled. As ``control`` of ``learn.clip_study.leave_one_out``
    serves ``functools.partial(controlled, clips=clips, name=name, seed=seed)``. ``seed`` draws the orders, one per clip,
    and the random features, one row per picture of ``clips.faces``: a picture has the same ones wherever it stands. A clip of few frames may be drawn in the
    order it had.

    Raises ParameterError for an unknown name, DataError where ``features`` do not belong to ``clips``.
    """
    if name not in CONTROLS:
        raise ParameterError(
            f"no control {name!r}{nearest_name(name, CONTROLS)}; the controls are {', '.join(CONTROLS)}"
        )
    features, lengths = np.asarray(features, np.float32), clips.lengths
    if features.ndim < 3 or features.shape[-3:-1] != clips.rows.shape:
        raise DataError(
            f"features of shape {features.shape} for {clips.rows.shape[0]} clips of up to {clips.rows.shape[1]} frames; expected (clips, frames, "
            "features) of the same clips"
        )
    return _CHANGES[name](features, clips, np.random.default_rng(seed)), (
        np.ones_like(lengths) if name.endswith("_only") else lengths.copy()
    )


def _reordered(features: np.ndarray, clips: Clips, place: np.ndarray) -> np.ndarray:
    """Frames in ascending order of ``place`` (C, T), those beyond a clip's end behind all others."""
    return _taken(features, np.argsort(np.where(clips.inside, place, np.inf), axis=1, kind="stable"))


def _taken(features: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The frames of ``features`` (…, C, T, F) at ``places`` (C, T')."""
    leading = (1,) * (features.ndim - 3)
    return np.take_along_axis(features, places.reshape(*leading, *places.shape, 1), axis=-2)


def _shuffled(features: np.ndarray, clips: Clips, generator: np.random.Generator) -> np.ndarray:
    return _reordered(features, clips, generator.random(clips.rows.shape))


def _reversed(features: np.ndarray, clips: Clips, _: np.random.Generator) -> np.ndarray:
    return _reordered(features, clips, -clips.frames)


def _apex_only(features: np.ndarray, clips: Clips, _: np.random.Generator) -> np.ndarray:
    return _taken(features, clips.apex_at[:, None])


def _onset_only(features: np.ndarray, _: Clips, __: np.random.Generator) -> np.ndarray:
    return features[..., :1, :].copy()


def _random_features(features: np.ndarray, clips: Clips, generator: np.random.Generator) -> np.ndarray:
    drawn = generator.standard_normal((len(clips.faces), features.shape[-1]), np.float32)
    sequences = np.where(clips.inside[:, :, None], drawn[clips.rows], np.float32(0))
    return np.broadcast_to(sequences, features.shape).copy()


_CHANGES: dict[str, Callable[[np.ndarray, Clips, np.random.Generator], np.ndarray]] = {
    "shuffled": _shuffled,
    "reversed": _reversed,
    "apex_only": _apex_only,
    "onset_only": _onset_only,
    "random_features": _random_features,
}
