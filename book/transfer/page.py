"""What networks know of faces from elsewhere: the matrix of a cross-dataset study, and its answer in words."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from book.transfer.drops import Drops
from book.transfer.study import TransferStudy, all_but
from fer_lib.faces.faceset import SPLITS, FaceSet
from fer_lib.stats.contrasts import POINTS
from fer_lib.stats.resampling import RERUN_TOLERANCE
from ferbook.estimate import Estimate, Unit
from ferbook.text import NO_BREAK, number_text

OTHERS = "all others"
"""In the column ``trained_on``: learned from all sets but the one that is tested."""

COMMONEST = "commonest class"
"""In the column ``trained_on``: the null, always naming the commonest class of the test pictures."""


def matrix_table(study: TransferStudy, found: Drops) -> pd.DataFrame:
    """One row per cell of the matrix, in the order of the sets, for ``figures.transfer_matrix``.

    ``trained_on`` (a set, then ``OTHERS`` where there are such networks, then ``COMMONEST``), ``tested_on``,
    ``accuracy``, ``low``, ``high`` (shares; NaN where there is no interval), ``pictures`` tested. ``found``:
    the drops of ``study`` in accuracy.
    """
    columns = {"value": "accuracy", "n": "pictures"}
    cells = found.cells.rename(columns=columns)
    cells["trained_on"] = _renamed(cells)
    nulls = [{"trained_on": COMMONEST, "tested_on": name} | _commonest(study, name) for name in study.sets]
    rows = pd.concat([cells, pd.DataFrame(nulls)], ignore_index=True)
    order = {name: place for place, name in enumerate((*study.sets, OTHERS, COMMONEST))}
    rows = rows.sort_values("trained_on", key=lambda names: names.map(order), kind="stable")
    return rows[["trained_on", "tested_on", "accuracy", "low", "high", "pictures"]].reset_index(drop=True)


def _renamed(cells: pd.DataFrame) -> list[str]:
    pairs = zip(cells["trained_on"], cells["tested_on"], strict=True)
    return [OTHERS if trained == all_but(tested) else trained for trained, tested in pairs]


def _commonest(study: TransferStudy, name: str) -> dict[str, float | int]:
    counts = np.bincount(study.tests[name].labels(study.classes))
    return {"accuracy": float(counts.max() / counts.sum()), "pictures": int(counts.sum())}


def drop_table(found: Drops) -> pd.DataFrame:
    """What a network from elsewhere loses against the network of the tested set, paired on its test pictures,
    a row per pair.

    ``trained_on`` (a set or ``OTHERS``), ``tested_on``, ``difference``, ``low``, ``high`` in points of
    accuracy; below zero is a loss.
    """
    cells = found.cells.assign(trained_on=_renamed(found.cells)).dropna(subset="drop")
    # What is lost becomes a difference below zero, so the bounds change sides.
    ends = {"difference": "drop", "low": "drop_high", "high": "drop_low"}
    return pd.DataFrame(
        {name: cells[name] for name in ("trained_on", "tested_on")}
        | {name: -POINTS * cells[column] for name, column in ends.items()}
    ).reset_index(drop=True)


def matrix_metrics(study: TransferStudy, found: Drops) -> dict[str, Estimate]:
    """The matrix in numbers.

    ``sets``, ``classes``, ``trainings``; ``in_dataset_accuracy``: mean over the sets of learning from and
    being tested on the same one; ``cross_dataset_accuracy``: mean over all pairs of different sets;
    ``transfer_drop``: how much the second lies below the first, each pair on the same pictures, in points;
    ``commonest_accuracy``: mean over the sets of always naming the commonest class. Where there are networks
    of all sets but one: ``left_out_accuracy`` and ``left_out_drop``; with several seeds:
    ``transfer_seed_spread``, the standard deviation between two trainings of one cell, in points.
    """
    means = found.means.set_index("mean")
    pictures = sum(len(test) for test in study.tests.values())

    def metric(name: str, unit: Unit = "share") -> Estimate:
        row, scale = means.loc[name], 1 if unit == "share" else POINTS
        ends = (scale * row[name] for name in ("value", "low", "high"))
        settings = {"n": pictures, "unit": unit, "tolerance": scale * RERUN_TOLERANCE}
        return Estimate.bounded(*ends, how=found.method, **settings)

    nulls = [_commonest(study, name)["accuracy"] for name in study.sets]
    metrics = {
        "sets": Estimate(len(study.sets), unit="count"),
        "classes": Estimate(len(study.classes), unit="count"),
        "trainings": Estimate(len(study.networks), unit="count"),
        "in_dataset_accuracy": metric("in_dataset"),
        "cross_dataset_accuracy": metric("across"),
        "transfer_drop": metric("drop", ""),
        "commonest_accuracy": Estimate(np.mean(nulls), n=pictures, unit="share"),
    }
    if "left_one_out" in means.index:
        metrics |= {
            "left_out_accuracy": metric("left_one_out"),
            "left_out_drop": metric("left_one_out_drop", ""),
        }
    cells = study.table.groupby(["trained_on", "tested_on"])["accuracy"]
    freedom = len(study.table) - cells.ngroups
    if freedom:
        within = ((study.table["accuracy"] - cells.transform("mean")) ** 2).sum()
        why = f"pooled over all cells, {freedom} degrees of freedom"
        metrics["transfer_seed_spread"] = Estimate(
            POINTS * np.sqrt(within / freedom), why=why, tolerance=POINTS * RERUN_TOLERANCE
        )
    return metrics


def set_table(study: TransferStudy) -> pd.DataFrame:
    """What was compared, a row per set: ``faces``, pictures learned from (``train``), chosen by (``valid``)
    and tested on (``test``), and what is ``left out``.
    """
    rows = []
    for name, faces in study.faces.items():
        gone = study.dropped[study.dropped["faces"].eq(name)]
        said = [f"{row.pictures:,} {row.emotion or 'without emotion'}" for row in gone.itertuples()]
        counts = {split: int(faces.table["split"].eq(split).sum()) for split in SPLITS}
        rows.append({"faces": name} | counts | {"left out": ", ".join(said) or "nothing"})
    return pd.DataFrame(rows)


def said_to_share(study: TransferStudy) -> str:
    """Whether a set shares people or pictures with another that is tested, and what was done about it, in a
    sentence.
    """
    pairs = study.shared[study.shared["left_out"].gt(0)]
    if pairs.empty:
        return "No person known by name and no picture is learned from in one set and tested in another."
    said = [f"{row.left_out:,} of {row.tested_on} (also in {row.trained_on})" for row in pairs.itertuples()]
    return (
        f"{pairs['left_out'].sum():,} test pictures are in another set, or show its people. They are left "
        "out for all networks: "
        f"{', '.join(said)}."
    )


def said_of_absent(names: Mapping[str, FaceSet | None]) -> str:
    """Which of the sets that the parameters name are not on this machine, in a sentence; empty where all are."""
    absent = [name for name, faces in names.items() if faces is None]
    return f"Not on this machine, and left out: {', '.join(absent)}." if absent else ""


def matrix_answer(study: TransferStudy, metrics: Mapping[str, Mapping]) -> str:
    """What the matrix says, in words, from its ``metrics`` as stored."""
    told = (
        f"On the set that they learned from, networks name {share_text(metrics['in_dataset_accuracy'])} "
        "rightly, on another set "
        f"{share_text(metrics['cross_dataset_accuracy'])}: a drop of "
        f"{points_text(metrics['transfer_drop'])}. Always naming the commonest class gives "
        f"{share_text(metrics['commonest_accuracy'])}."
    )
    if len(study.sets) > 2:
        told += f" What was learned from {_travels_best(study)} loses least elsewhere, in the mean over the others."
    if "left_out_accuracy" in metrics:
        told += (
            " Those that learned from all other sets, and from no more pictures than the largest of them "
            f"has, reach {share_text(metrics['left_out_accuracy'])} on the one left out, "
            f"a drop of {points_text(metrics['left_out_drop'])}."
        )
    return told


def _travels_best(study: TransferStudy) -> str:
    """The set whose networks lose least on other sets, in the mean, each against the networks of the tested
    set: some sets are harder than others.
    """
    cells = study.table.groupby(["trained_on", "tested_on"])["accuracy"].mean()
    lost = {
        name: np.mean([cells[other, other] - cells[name, other] for other in study.sets if other != name])
        for name in study.sets
    }
    return min(lost, key=lost.__getitem__)


def share_text(metric: Mapping) -> str:
    """``61.2 %``."""
    return number_text(metric["value"], "share")


def points_text(metric: Mapping) -> str:
    """``5.1 points (95 % interval 2.0 to 8.1)``."""
    said = "no interval"
    if metric["low"] is not None:
        said = f"95{NO_BREAK}% interval {metric['low']:.1f} to {metric['high']:.1f}"
    return f"{metric['value']:.1f} points ({said})".replace("-", "−")
