"""When it happens: the apex of a clip found without being told, and which filters move on the way there."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from torch import nn

from book.micro_expressions.rivals import displacements
from fer_lib.faces.clips import Clips
from fer_lib.look.responses import maximal_responses
from fer_lib.stats.resampling import bounds, cluster_sums, ratio, resampled_sums
from ferbook.errors import DataError, ParameterError

SMOOTHED_OVER = 3
"""Frames of the moving average that a trajectory is smoothed with: one before and one behind."""

RIVALS = {
    "pixels": "the largest mean difference of pixels to the onset",
    "optical flow": "the longest mean displacement from the onset",
    "middle": "the frame nearest to half way from onset to offset, whatever is shown",
    "random": "any frame of the clip: its mean error",
}
"""What spots an apex without a network."""

REFERENCES = ("onset", "both ends")
"""What a frame is compared with: the first frame, or the straight line from the first to the last."""

STEPS = 41
"""Points in progress, from 0 at the onset over 1 at the apex to 2 at the offset."""


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
    features, there = _there(features, lengths)
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
    values, there = _there(values, lengths)
    last = (np.asarray(lengths) - 1)[:, None]
    ends = np.take_along_axis(values, last[:, :, None], axis=1)
    span = np.maximum(np.take_along_axis(frames, last, axis=1) - frames[:, :1], 1)
    share = ((frames - frames[:, :1]) / span)[:, :, None]
    return np.where(there[:, :, None], values - (1 - share) * values[:, :1] - share * ends, 0.0)


def smoothed(values: np.ndarray, over: int = SMOOTHED_OVER) -> np.ndarray:
    """The mean of each frame of ``values`` (C, T) and its neighbours, ``over`` (odd) in all; at the ends, and
    before NaN, of those that are there.

    Raises ParameterError where ``over`` is even or below 1.
    """
    if over < 1 or over % 2 == 0:
        raise ParameterError(f"smoothed_over {over}: give an odd number of frames, at least 1")
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

    ``frames`` (C, T): the frame numbers; what lies beyond ``lengths`` (C,) is not looked at. Raises DataError
    where shapes differ or a value within a clip is NaN.
    """
    values, there = _there(np.asarray(trajectory)[:, :, None], lengths)
    if frames.shape != there.shape:
        raise DataError(
            f"frames of shape {frames.shape} for a trajectory of {there.shape}; expected the same"
        )
    wrong = np.argwhere(there & np.isnan(values[:, :, 0]))
    if len(wrong):
        raise DataError(f"clip {wrong[0, 0]}, frame {wrong[0, 1]} of the trajectory is not a number")
    best = np.where(there, values[:, :, 0], -np.inf).argmax(axis=1)
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

    ``features``: the name of a network -> its features (C, T, F) of ``clips``; beside them stand ``RIVALS``.
    All trajectories are smoothed alike. Columns: ``method``; ``reference``, what each frame is compared with:
    ``onset`` or the line between ``both ends``, empty for ``middle`` and ``random``; ``subject``;
    ``sequence``; ``apex`` and ``spotted``, frame numbers (missing for ``random``); ``error``, their distance
    in frames as filmed; ``milliseconds``, the same in time (NaN without a frame rate); ``length``, frames
    from onset to offset.

    Every method chooses among the frames that were kept, of which the apex is one. ``random`` has the mean
    error over all of them: what guessing costs on average. Both ends being at rest, a line between them draws
    answers towards the middle: ``middle`` is what such a method has to beat. Raises DataError for features of
    other clips, ParameterError for a network with a rival's name.
    """
    taken = [name for name in features if name in RIVALS]
    if taken:
        raise ParameterError(
            f"features are called {taken[0]!r}, which is a method without a network; give another name"
        )
    for name, given in features.items():
        if np.shape(given)[:2] != clips.rows.shape:
            raise DataError(
                f"the features {name!r} have the shape {np.shape(given)} for clips {clips.rows.shape}; "
                "expected (clips, frames, features)"
            )
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


def filter_trajectories(
    model: nn.Module,
    layer: str,
    clips: Clips,
    filters: Sequence[int] | None = None,
    *,
    steps: int = STEPS,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How the maximal responses of ``filters`` (None: all) at ``layer`` change from the onset to the offset,
    one row per filter and step of progress.

    Clips differ in length, so time is progress: 0 at the onset, 1 at the apex, 2 at the offset, straight in
    between; each clip's responses are interpolated at ``steps`` points. ``change``: the mean over clips of
    the response less that at the onset, in standard deviations of the filter's responses over all frames (0
    for a filter that never changes); ``low`` and ``high``: 95 % percentiles over draws of whole subjects, NaN
    for fewer than two. ``clips``: how many there are at that point: one with its apex at an end has no way
    there.

    Raises as ``response_changes``.
    """
    changes = response_changes(model, layer, clips, filters, steps=steps)
    names = range(changes.shape[1]) if filters is None else filters
    return mean_trajectories(changes, clips.subjects, names, draws=draws, seed=seed)


def response_changes(
    model: nn.Module, layer: str, clips: Clips, filters: Sequence[int] | None = None, *, steps: int = STEPS
) -> np.ndarray:
    """float64 (C, K, ``steps``): what ``filter_trajectories`` is the mean of, clip by clip; NaN where a clip
    has no way there.

    Raises what ``look.responses.maximal_responses`` raises; ParameterError for a filter that the layer does
    not have, or fewer than 3 steps.
    """
    if steps < 3:
        raise ParameterError(f"steps {steps}: give at least 3, for onset, apex and offset")
    shown = np.unique(clips.rows[clips.inside])
    maxima = maximal_responses(model, clips.faces.select(shown), layer).maxima.astype(np.float64)
    chosen = np.arange(maxima.shape[1]) if filters is None else np.asarray(filters, np.int64)
    wrong = [number for number in chosen.tolist() if not 0 <= number < maxima.shape[1]]
    if wrong:
        raise ParameterError(f"filter {wrong[0]}: layer {layer!r} has those from 0 to {maxima.shape[1] - 1}")
    return _changes(maxima[:, chosen], shown, clips, np.linspace(0, 2, steps))


def mean_trajectories(
    changes: np.ndarray,
    subjects: np.ndarray,
    filters: Sequence[int],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """The table of ``filter_trajectories`` from ``changes`` (C, K, steps) of ``response_changes``, of all
    clips or of some; ``filters`` names the K filters.
    """
    grid = np.linspace(0, 2, changes.shape[2])
    known = ~np.isnan(changes)
    sums = cluster_sums(np.where(known, changes, 0), subjects)
    counts = cluster_sums(known[:, 0].astype(np.float64), subjects)
    tables = []
    for column, number in enumerate(filters):
        change, low, high = _mean_change(sums[:, column], counts, draws, seed)
        columns = {"progress": grid, "change": change, "low": low, "high": high}
        clips_there = counts.sum(axis=0).astype(np.int64)
        tables.append(pd.DataFrame({"filter": int(number)} | columns | {"clips": clips_there}))
    return pd.concat(tables, ignore_index=True)


def _changes(maxima: np.ndarray, shown: np.ndarray, clips: Clips, grid: np.ndarray) -> np.ndarray:
    """float64 (C, K, steps): change of each filter since the onset at each progress of ``grid``, NaN where a
    clip has no way there.

    ``maxima`` (M, K): the responses to the pictures ``shown`` (M,), ascending indices into ``clips.faces``.
    """
    spread = maxima.std(axis=0)
    maxima = maxima / np.where(spread > 1e-7 * np.abs(maxima).max(axis=0), spread, np.inf)
    way = progress(clips)
    changes = np.full((len(clips), maxima.shape[1], len(grid)), np.nan)
    for number, length in enumerate(clips.lengths.tolist()):
        responses = maxima[np.searchsorted(shown, clips.rows[number, :length])]
        # Each frame's share in each point of the grid, the same for all filters.
        shares = [np.interp(grid, way[number, :length], frame) for frame in np.eye(length)]
        there = (grid >= way[number, 0]) & (grid <= way[number, length - 1])
        changes[number, :, there] = ((responses - responses[0]).T @ np.array(shares)[:, there]).T
    return changes


def _mean_change(
    sums: np.ndarray, counts: np.ndarray, draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, lower and upper bound (steps,) of changes that add up to ``sums`` over ``counts`` clips of each
    person, both (people, steps).
    """
    total, clips = sums.sum(axis=0), counts.sum(axis=0)
    change, low, high = np.full((3, len(total)), np.nan)
    change[clips > 0] = total[clips > 0] / clips[clips > 0]
    several = (counts > 0).sum(axis=0) > 1
    if several.any():
        drawn = resampled_sums(np.stack([sums[:, several], counts[:, several]], axis=1), draws, seed)
        # A draw may miss everybody who has a way there; what changes in nobody has its value for an interval.
        drawn = ratio(drawn.transpose(0, 2, 1))
        found = bounds(drawn, (counts > 0).sum(axis=0)[several], change[several])
        low[several], high[several] = (np.where(np.isnan(end), change[several], end) for end in found)
    return change, low, high


def progress(clips: Clips) -> np.ndarray:
    """float64 (C, T): where each frame stands between onset (0), apex (1) and offset (2); NaN beyond a clip's
    end.
    """
    onset, apex, offset = (
        np.asarray(at, np.float64)[:, None] for at in (clips.onset, clips.apex, clips.offset)
    )
    frames = clips.frames.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        rising, falling = (frames - onset) / (apex - onset), 1 + (frames - apex) / (offset - apex)
    way = np.where(frames < apex, rising, np.where(frames > apex, falling, 1.0))
    return np.where(clips.inside, way, np.nan)


def _there(features: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``features`` (C, T, F) as float64, and bool (C, T): which frames are within their clip. Raises
    DataError where they do not fit.
    """
    features, lengths = np.asarray(features, np.float64), np.asarray(lengths)
    if features.ndim != 3 or lengths.shape != features.shape[:1]:
        raise DataError(
            f"features of shape {features.shape} and lengths of {lengths.shape}; expected (clips, frames, "
            "features) and one length per clip"
        )
    if lengths.min(initial=1) < 1 or lengths.max(initial=1) > features.shape[1]:
        raise DataError(f"lengths from {lengths.min()} to {lengths.max()}; expected 1 to {features.shape[1]}")
    return features, np.arange(features.shape[1]) < lengths[:, None]
