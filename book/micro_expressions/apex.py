"""The apex of a clip, found without being told: tables and metrics of
``micro_expressions.spotting.spotting_errors``.
"""

import numpy as np
import pandas as pd

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

_REFERENCES = {"onset": "from onset", "both ends": "from both ends", "": ""}

FRAMES_TOLERANCE = 2.0


def spotting_table(errors: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row per method and reference of ``spotting_errors``, as ``figures.spotting_dots`` takes it.

    ``method``: for readers; ``clips``; ``mean`` of the error in frames with ``low`` and ``high`` (drawing
    people; NaN where there is no interval), ``q25``, ``median``, ``q75``.
    """
    rows = []
    for (method, reference), part in _groups(errors):
        mean = _mean(part["error"], part["subject"], draws, seed)
        quarters = part["error"].quantile([0.25, 0.5, 0.75]).to_list()
        rows.append(
            {
                "method": f"{METHODS[method]} {_REFERENCES[reference]}".strip(),
                "clips": len(part),
                "mean": mean.value,
                "low": np.nan if mean.low is None else mean.low,
                "high": np.nan if mean.high is None else mean.high,
                **dict(zip(("q25", "median", "q75"), quarters, strict=True)),
            }
        )
    return pd.DataFrame(rows)


def spotting_metrics(errors: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> dict[str, Estimate]:
    """Mean errors in frames, and by how many frames the trained network is nearer, clip by clip; intervals
    draw people.

    ``spotting_trained``, ``spotting_untrained``, ``spotting_pixels`` and ``spotting_flow`` compare each frame
    with the onset, and with ``_both_ends`` behind their names with the line between both ends;
    ``spotting_middle``, ``spotting_random``. ``spotting_gain_`` before any other name than ``trained``: its
    error less that of the trained network by the same reference, of ``middle`` and ``random`` by either.
    """
    names = {TRAINED: "trained", UNTRAINED: "untrained", "optical flow": "flow"}
    ends = {"onset": "", "both ends": "_both_ends", "": ""}
    by_clip = {key: part.set_index(["subject", "sequence"])["error"] for key, part in _groups(errors)}
    found = {}
    for (method, reference), error in by_clip.items():
        name = names.get(method, method) + ends[reference]
        people = error.index.get_level_values("subject")
        found[f"spotting_{name}"] = _mean(error, people, draws, seed)
        if method != TRAINED:
            for own in (reference,) if reference else ("onset", "both ends"):
                gap = error - by_clip[TRAINED, own]
                found[f"spotting_gain_{names.get(method, method)}{ends[own]}"] = _mean(
                    gap, people, draws, seed
                )
    return found


def _groups(errors: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """The parts of ``errors`` by method and reference, in the order of ``METHODS``."""
    parts = list(errors.groupby(["method", "reference"], sort=False))
    return sorted(parts, key=lambda part: list(METHODS).index(part[0][0]))


def _mean(values: pd.Series, subjects: pd.Series | pd.Index, draws: int, seed: int) -> Estimate:
    """The mean of ``values`` with an interval that draws people."""
    values = values.to_numpy(np.float64)
    sums = cluster_sums(np.stack([values, np.ones(len(values))], axis=1), np.asarray(subjects))
    settings = {"n": len(values), "tolerance": FRAMES_TOLERANCE}
    return bootstrap(sums, value=values.mean(), draws=draws, seed=seed, **settings)


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
