"""What pictures of another set are worth where few of one's own are labelled: tables, metrics, and the answer in words."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fer_lib.faces.leakage import independent_groups
from fer_lib.learn.fine_tuning import STARTS, FineTuning
from fer_lib.report.contrasts import Scored, contrast, difference, score_trainings
from fer_lib.report.evaluation import RERUN_TOLERANCE
from fer_lib.report.metrics import Metric
from fer_lib.report.tables import NO_BREAK
from fer_lib.report.transfer import points_text, share_text

PRETRAINED, SCRATCH = STARTS


def score_tuning(found: FineTuning, *, draws: int = 2000, seed: int = 0) -> dict[int, Scored]:
    """Fraction (per cent) -> the trainings with it, scored on the test pictures.

    Each fraction by itself: draws of few pictures differ more than draws of many, so one spread for all would be too small for the
    first. The luck of the drawn pictures and that of the seed are covered together.
    """
    labels, clusters = found.test.labels(found.classes), independent_groups(found.test)
    scored = {}
    for fraction, rows in found.table.groupby("fraction"):
        keys = rows[["start", "fraction", "draw"]].itertuples(index=False, name=None)
        answers = np.stack([found.answers[key] for key in keys])
        scored[int(fraction)] = score_trainings(
            rows.drop(columns="accuracy"), answers, labels, clusters, ["start"], draws=draws, seed=seed
        )
    return scored


def tuning_null(found: FineTuning) -> float:
    """The share of the commonest class among the test pictures."""
    counts = np.bincount(found.test.labels(found.classes))
    return float(counts.max() / counts.sum())


def _apart(scored: Scored, **settings: object) -> Metric:
    """Pre-trained minus from scratch, in points."""
    start = scored.table["start"]
    return difference(scored, start.eq(PRETRAINED), start.eq(SCRATCH), **settings)


def tuning_table(scored: Mapping[int, Scored]) -> pd.DataFrame:
    """A row per fraction for the page: ``share``, ``pictures`` and ``people`` learned from (means over the draws; a dash where people are unknown), the accuracy of each start, and the difference, all as text."""
    rows = []
    for fraction, own in scored.items():
        table = own.table
        people = table["train_people"].mean()
        row = {"share": f"{fraction}{NO_BREAK}%", "pictures": round(table["train_pictures"].mean())}
        row["people"] = round(people) if people or not fraction else None
        for start, name in ((PRETRAINED, "pre-trained"), (SCRATCH, "from scratch")):
            row[name] = share_text(contrast(own, own.weights(table["start"].eq(start))).to_json())
        rows.append(row | {"difference (points)": _short(_apart(own))})
    return pd.DataFrame(rows)


def _short(metric: Metric) -> str:
    """``17.2 (−0.6 to 34.8)``."""
    bounds = "" if metric.low is None else f" ({metric.low:.1f} to {metric.high:.1f})"
    return f"{metric.value:.1f}{bounds}".replace("-", "−")


def tuning_metrics(scored: Mapping[int, Scored]) -> dict[str, Metric]:
    """Fine-tuning in numbers.

    ``tuning_fraction``: the smallest share of the set that was learned from (a share), and at it ``tuned_accuracy`` and ``scratch_accuracy``, and ``tuning_gain``, the first
    minus the second in points. ``tuning_gain_full``: the same with the largest share. ``zero_shot_accuracy``: the pre-trained network without any picture of the set,
    where it was asked.
    """
    settings = {"tolerance": RERUN_TOLERANCE}
    found = {}
    if 0 in scored:
        own = scored[0]
        weights = own.weights(own.table["start"].eq(PRETRAINED))
        found["zero_shot_accuracy"] = contrast(own, weights, same_networks=True, **settings)
    learned = [fraction for fraction in scored if fraction]
    if learned:
        least, most = scored[min(learned)], scored[max(learned)]
        found["tuning_fraction"] = Metric(min(learned) / 100, unit="share")
        for name, start in (("tuned_accuracy", PRETRAINED), ("scratch_accuracy", SCRATCH)):
            found[name] = contrast(least, least.weights(least.table["start"].eq(start)), **settings)
        found["tuning_gain"] = _apart(least, **settings)
        found["tuning_gain_full"] = _apart(most, **settings)
    return found


def tuning_answer(metrics: Mapping[str, Mapping], source: str, target: str) -> str:
    """What pre-training on ``source`` is worth on ``target``, in words, from ``metrics`` as stored; empty where nothing was tuned."""
    if "tuning_gain" not in metrics:
        return ""
    least = f"{100 * metrics['tuning_fraction']['value']:.0f}{NO_BREAK}%"
    told = (
        f"With {least} of {target}, a network that learned {source} before names {share_text(metrics['tuned_accuracy'])} rightly and one from scratch "
        f"{share_text(metrics['scratch_accuracy'])}, a difference of {points_text(metrics['tuning_gain'])}. With the largest share the difference is "
        f"{points_text(metrics['tuning_gain_full'])}."
    )
    return f"{told} {_verdict(metrics['tuning_gain'], metrics['tuning_gain_full'])}"


def _verdict(least: Mapping, most: Mapping) -> str:
    if least["low"] is None or least["low"] <= 0 <= least["high"]:
        return "Whether pre-training helps where pictures are few, these draws cannot tell."
    if least["value"] < 0:
        return "Here pre-training hurts where pictures are few."
    if most["low"] is not None and most["low"] > 0:
        return "Here pre-training helps with few pictures and with many."
    if most["high"] is not None and most["high"] < 0:
        return "Here pre-training helps where pictures are few and hurts where they are many."
    return "Here pre-training helps where pictures are few; where they are many, no help is shown."
