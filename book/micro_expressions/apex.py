"""When it happens: the apex of a clip, found without being told."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from book.micro_expressions.optical_flow import displacements
from fer_lib.faces.clips import Clips
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.resampling import bootstrap, cluster_sums
from ferbook.estimate import Estimate

TRAINED, UNTRAINED = "trained CNN", "untrained CNN"
"""The networks whose trajectories are looked at, as ``spotting_errors`` is to call them."""

METHODS = {
    TRAINED: TRAINED,
    UNTRAINED: UNTRAINED,
    "pixels": "pixels",
    "optical flow": "optical flow",
    "middle": "middle of the clip",
    "random": "any frame",
}
"""Networks, and what spots an apex without one: the largest mean difference of pixels to the onset, the
longest mean displacement, the frame nearest to half way from onset to offset, and any frame's mean error.
"""

_REFERENCES = {"onset": "from onset", "both ends": "from both ends", "": ""}

FRAMES_TOLERANCE = 2.0

SMOOTHED_OVER = 3
"""Frames of the moving average that a trajectory is smoothed with: one before and one behind."""

REFERENCES = ("onset", "both ends")
"""What a frame is compared with: the first frame, or the straight line from the first to the last."""


def trajectory(
    features: np.ndarray,
    lengths: np.ndarray,
    frames: np.ndarray | None = None,
    *,
    smoothed_over: int = SMOOTHED_OVER,
) -> np.ndarray:
    """float64 (C, T): how far each frame's features have gone from those of the clip's first frame; NaN
    beyond its end.

    Of ``features`` (C, T, F) each is divided by its standard deviation over all frames of all clips, no label
    and no apex used; one that never changes counts for nothing. The distance is the root of the mean square
    over features, and is smoothed as ``smoothed`` does. With the frame numbers ``frames`` (C, T) it is the
    distance to the straight line in time from a clip's first to its last frame, see ``off_line``.
    """
    features, there = np.asarray(features, np.float64), _there(features, lengths)
    spread = features[there].std(axis=0)
    spread = np.where(spread > 1e-7 * np.abs(features[there]).max(axis=0), spread, np.inf)
    away = (features - features[:, :1]) / spread
    if frames is not None:
        away = off_line(away, frames, lengths)
    return smoothed(np.where(there, np.sqrt((away**2).mean(axis=2)), np.nan), smoothed_over)


def off_line(values: np.ndarray, frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``values`` (C, T, F) less the straight line, over the frame numbers ``frames`` (C, T), from each clip's
    first to its last frame; 0 beyond its end.

    A face rests at the onset and again at the offset: what differs between the two is no expression, but a
    head that has moved.
    """
    values, there = np.asarray(values, np.float64), _there(values, lengths)
    last = (np.asarray(lengths) - 1)[:, None]
    ends = np.take_along_axis(values, last[:, :, None], axis=1)
    span = np.maximum(np.take_along_axis(frames, last, axis=1) - frames[:, :1], 1)
    share = ((frames - frames[:, :1]) / span)[:, :, None]
    return np.where(there[:, :, None], values - (1 - share) * values[:, :1] - share * ends, 0.0)


def smoothed(values: np.ndarray, over: int = SMOOTHED_OVER) -> np.ndarray:
    """The mean of each frame of ``values`` (C, T) and its neighbours, ``over`` (odd) in all; at the ends, and
    before NaN, of those that are there.
    """
    there = ~np.isnan(values)
    reach = ((0, 0), (over // 2, over // 2))
    windows = [
        np.lib.stride_tricks.sliding_window_view(np.pad(part, reach), over, axis=1).sum(axis=2)
        for part in (np.where(there, values, 0.0), there.astype(np.float64))
    ]
    return np.divide(windows[0], windows[1], out=np.full(values.shape, np.nan), where=there)


def spot(trajectory: np.ndarray, frames: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """int64 (C,): the frame number at which each row of ``trajectory`` (C, T) is largest, the first of
    equals.

    ``frames`` (C, T): the frame numbers; what lies beyond ``lengths`` (C,) is not looked at.
    """
    best = np.where(_there(trajectory, lengths), trajectory, -np.inf).argmax(axis=1)
    return np.take_along_axis(frames, best[:, None], axis=1)[:, 0].astype(np.int64)


def pixel_trajectories(clips: Clips, *, smoothed_over: int = SMOOTHED_OVER) -> dict[str, np.ndarray]:
    """Mean absolute difference in grey levels of each frame to each of ``REFERENCES``, smoothed: float64 (C,
    T), NaN beyond a clip's end.
    """

    def changes(pictures: np.ndarray) -> np.ndarray:
        return (pictures.astype(np.float64) - pictures[0]).reshape(len(pictures), -1, 1)

    return _trajectories(clips, changes, smoothed_over)


def flow_trajectories(clips: Clips, *, smoothed_over: int = SMOOTHED_OVER) -> dict[str, np.ndarray]:
    """Mean length in pixels of the displacements from the first frame to each frame, smoothed: float64 (C,
    T), NaN beyond a clip's end.

    By reference: as they are, or of what they differ from displacements that grow steadily to those of the
    last frame.
    """

    def changes(pictures: np.ndarray) -> np.ndarray:
        flow = displacements(np.broadcast_to(pictures[0], pictures.shape), pictures)
        return flow.reshape(len(pictures), -1, 2)

    return _trajectories(clips, changes, smoothed_over)


def _trajectories(
    clips: Clips, changes: Callable[[np.ndarray], np.ndarray], smoothed_over: int
) -> dict[str, np.ndarray]:
    """From the ``changes`` (T, places, directions) of a clip's pictures (T, H, W) since the first, their mean
    length at each frame.
    """
    found = {reference: np.full(clips.rows.shape, np.nan) for reference in REFERENCES}
    for number, length in enumerate(clips.lengths.tolist()):
        changed = changes(clips.faces.gather(clips.rows[number, :length]))
        frames = clips.frames[number : number + 1, :length]
        straight = off_line(changed.reshape(1, length, -1), frames, np.array([length]))
        for reference, away in zip(REFERENCES, (changed, straight.reshape(changed.shape)), strict=True):
            found[reference][number, :length] = np.linalg.norm(away, axis=2).mean(axis=1)
    return {reference: smoothed(values, smoothed_over) for reference, values in found.items()}


def spotting_errors(
    clips: Clips, features: Mapping[str, np.ndarray], *, smoothed_over: int = SMOOTHED_OVER
) -> pd.DataFrame:
    """How far from the true apex each method finds it, one row per method, reference and clip.

    ``features``: the name of a network -> its features (C, T, F) of ``clips``; beside them stand the other
    ``METHODS``. All trajectories are smoothed alike. Columns: ``method``; ``reference``, what each frame is
    compared with: ``onset`` or the line between ``both ends``, empty for ``middle`` and ``random``;
    ``subject``; ``sequence``; ``apex`` and ``spotted``, frame numbers (missing for ``random``); ``error``,
    their distance in frames as filmed; ``milliseconds``, the same in time (NaN without a frame rate);
    ``length``, frames from onset to offset.

    Every method chooses among the frames that were kept, of which the apex is one. ``random`` has the mean
    error over all of them: what guessing costs on average. Both ends being at rest, a line between them draws
    answers towards the middle: ``middle`` is what such a method has to beat.
    """
    ways = {
        name: {
            "onset": trajectory(given, clips.lengths, smoothed_over=smoothed_over),
            "both ends": trajectory(given, clips.lengths, clips.frames, smoothed_over=smoothed_over),
        }
        for name, given in features.items()
    }
    ways["pixels"] = pixel_trajectories(clips, smoothed_over=smoothed_over)
    ways["optical flow"] = flow_trajectories(clips, smoothed_over=smoothed_over)
    tables = []
    for name, by_reference in ways.items():
        for reference, way in by_reference.items():
            found = spot(way, clips.frames, clips.lengths)
            tables.append(_errors(clips, name, reference, found, np.abs(found - clips.apex)))
    half_way = np.abs(2 * clips.frames - (clips.onset + clips.offset)[:, None])
    middle = spot(-half_way, clips.frames, clips.lengths)
    tables.append(_errors(clips, "middle", "", middle, np.abs(middle - clips.apex)))
    away = np.where(clips.inside, np.abs(clips.frames - clips.apex[:, None]), 0)
    tables.append(_errors(clips, "random", "", pd.NA, away.sum(axis=1) / clips.lengths))
    return pd.concat(tables, ignore_index=True)


def _errors(clips: Clips, method: str, reference: str, spotted: object, error: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "method": method,
            "reference": reference,
            "subject": clips.subjects,
            "sequence": clips.sequences,
            "apex": clips.apex,
            "spotted": spotted,
            "error": error.astype(np.float64),
            "milliseconds": 1000 * error / clips.fps,
            "length": clips.offset - clips.onset,
        }
    )
    return table.astype({"spotted": "Int64"})


def _there(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """bool (C, T): which frames of ``values`` (C, T, …) are within their clip."""
    return np.arange(values.shape[1]) < lengths[:, None]


def spotting_metrics(errors: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> dict[str, Estimate]:
    """Mean errors in frames, and by how many frames the trained network is nearer, clip by clip; intervals
    draw people.

    ``spotting_trained``, ``spotting_untrained``, ``spotting_pixels`` and ``spotting_flow`` compare each frame
    with the onset, and with ``_both_ends`` behind their names with the line between both ends;
    ``spotting_middle``, ``spotting_random``. ``spotting_gain_`` before any other name than ``trained``: its
    error less that of the trained network by the same reference, of ``middle`` and ``random`` by either.
    """

    def mean(of: pd.Series) -> Estimate:
        values = of.to_numpy(np.float64)
        sums = cluster_sums(
            np.stack([values, np.ones(len(values))], axis=1),
            of.index.get_level_values("subject").to_numpy(),
        )
        settings = {"n": len(values), "tolerance": FRAMES_TOLERANCE}
        return bootstrap(sums, value=values.mean(), draws=draws, seed=seed, **settings)

    found = {}
    by_clip = {key: part.set_index(["subject", "sequence"])["error"] for key, part in _groups(errors)}
    for (method, reference), error in by_clip.items():
        found[_metric_name(method, reference)] = mean(error)
        if method != TRAINED:
            for own in (reference,) if reference else REFERENCES:
                gain = _metric_name(method, own).replace("spotting_", "spotting_gain_")
                found[gain] = mean(error - by_clip[TRAINED, own])
    return found


def _metric_name(method: str, reference: str) -> str:
    short = {TRAINED: "trained", UNTRAINED: "untrained", "optical flow": "flow"}.get(method, method)
    return f"spotting_{short}" + ("_both_ends" if reference == "both ends" else "")


def spotting_table(errors: pd.DataFrame, means: Mapping[str, Estimate]) -> pd.DataFrame:
    """One row per method and reference of ``spotting_errors``, as ``figures.spotting_dots`` takes it.

    ``method``: for readers; ``clips``; ``mean`` of the error in frames with ``low`` and ``high`` (NaN where
    there is no interval), of ``means``, which ``spotting_metrics`` gives; ``q25``, ``median``, ``q75``.
    """
    rows = []
    for (method, reference), part in _groups(errors):
        mean = means[_metric_name(method, reference)]
        row = {"method": f"{METHODS[method]} {_REFERENCES[reference]}".strip(), "clips": len(part)}
        row |= {"mean": mean.value, "low": mean.low, "high": mean.high}
        quarters = part["error"].quantile([0.25, 0.5, 0.75])
        rows.append(row | dict(zip(("q25", "median", "q75"), quarters, strict=True)))
    return pd.DataFrame(rows).astype({"low": float, "high": float})


def _groups(errors: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """The parts of ``errors`` by method and reference, in the order of ``METHODS``."""
    parts = list(errors.groupby(["method", "reference"], sort=False))
    return sorted(parts, key=lambda part: list(METHODS).index(part[0][0]))


def clearest_clip(clips: Clips) -> FaceSet:
    """The pictures of the clip that shows most: at its apex the largest sum of intensities of action units,
    or, where nobody coded them, the largest mean difference of pixels to its onset; of equals the first."""
    apex = np.take_along_axis(clips.rows, clips.apex_at[:, None], axis=1)[:, 0]
    shown = clips.faces.table[list(clips.faces.aus)].iloc[apex].sum(axis=1).to_numpy()
    if not shown.any():
        change = clips.faces.gather(apex).astype(np.int16) - clips.faces.gather(clips.rows[:, 0])
        shown = np.abs(change).mean(axis=(1, 2))
    chosen = int(shown.argmax())
    return clips.faces.select(clips.rows[chosen, : clips.lengths[chosen]])
