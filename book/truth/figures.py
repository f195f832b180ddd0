"""Figures of the chapter: one neuron and its maps, the tests of every method, and how well filters predict a
unit.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from book.truth.codes import ALL, BASES, EXPLAINED_TOLERANCE, FEW, explained_share
from book.truth.maps import (
    CONTROL_MAPS,
    EVERYBODY,
    MAP_QUESTIONS,
    RANDOM_WEIGHTS,
    SCORE_TOLERANCE,
    answer,
    distinct_methods,
    in_all,
    question_estimate,
)
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.look.judge import MapBenchmark
from ferbook.page.forest import Axis, forest
from ferbook.page.pictures import grey_table, picture_grid, show
from ferbook.page.style import Drawn, listing, percent
from ferbook.page.tables import Table

METHOD_NAMES = {
    "deconv": "deconvolution",
    "guided": "guided backpropagation",
    "gradient_input": "gradient × input",
    "grad_cam": "Grad-CAM",
    "field": "receptive field",
    "edges": "edges",
    "field_edges": "edges in the field",
    "centre": "centre",
    "random": "noise",
}
"""Names of methods and controls where the code's own is not for readers."""

NETWORK_NAMES = {
    "emotions": "zero bias",
    "photographs_zero_bias": "photographs",
    "breuer_emotions": "Breuer",
    "emotions_shuffled": "shuffled",
    RANDOM_WEIGHTS: "untrained",
}

SHOWN_MAPS = ("gradient", "deconv", "guided", "occlusion", "grad_cam", "field_edges")
"""Maps of one neuron that are drawn."""


SCORE_SCALES = {"correctness": "rank corr.", "right_unit": "share of map", "sanity": "1 − corr."}
"""What the axis of each score measures."""


def method_name(method: str) -> str:
    """Name a method for the page."""
    return METHOD_NAMES.get(method, method.replace("_", " "))


def network_name(population: str) -> str:
    """Name a population for the page."""
    return NETWORK_NAMES.get(population, population.replace("_", " ") or "your run")


def one_neuron(benchmark: MapBenchmark, pair: int) -> Drawn:
    """Draw the face of the ``pair``-th neuron, its twin, the skin that the unit moves, what each part of the
    face contributes to the response, and the neuron's maps by ``SHOWN_MAPS``. Data: ``shown``, ``mean_grey``,
    ``contrast``.
    """
    row, unit = benchmark.rows[pair], benchmark.twins.aus[benchmark.rows[pair]]
    at = benchmark.rows[[pair]], benchmark.filters[[pair]], benchmark.positions[[pair]]
    on, off = (faces.pixels[row] for faces in (benchmark.twins.on, benchmark.twins.off))
    falls = np.nan_to_num(benchmark.parts[pair])
    ends = [np.minimum(np.arange(side) * len(falls) // side, len(falls) - 1) for side in on.shape]
    pictures = {
        f"with {unit}": on,
        "without": off,
        f"skin of {unit}": np.where(benchmark.twins.regions[0][row], 255, 0),
        "ground truth": _signed(falls[np.ix_(*ends)]),
    }
    for method in SHOWN_MAPS:
        values = EXPLAINERS[method](benchmark.network, benchmark.layer, benchmark.twins.on.pixels, *at)[0]
        pictures[method_name(method)] = _signed(values)
    across = 5
    figure, grid = picture_grid(-(-len(pictures) // across), across)
    for axes, (name, picture) in zip(grid.flat, pictures.items(), strict=False):
        show(
            axes, picture, {"guided backpropagation": "guided", "edges in the field": "edges"}.get(name, name)
        )
    data = grey_table(np.stack(list(pictures.values()))).assign(shown=list(pictures))
    return Drawn(
        figure,
        data[["shown", "mean_grey", "contrast"]],
        f"{len(pictures)} small pictures of one face and one filter: the face with and without {unit}, the "
        f"skin that it moves, the effect of each of {benchmark.parts[pair].size} parts of the face on the "
        f"response, and maps of that filter by {len(SHOWN_MAPS)} methods, light and dark.",
        "One filter, one face, and the ground truth. Grey: no effect; light parts raise the response, dark "
        "ones lower it. The last map only draws the edges of the picture, and still looks convincing.",
        tolerance={"mean_grey": 20, "contrast": 40},
    )


def _signed(values: np.ndarray) -> np.ndarray:
    """Scale values (H, W) to grey levels, 0 in the middle."""
    most = np.abs(values).max() or 1
    return 127.5 + 127.5 * np.sign(values) * np.sqrt(np.abs(values) / most)


def verdict_dots(table: pd.DataFrame) -> Drawn:
    """Draw what decides about every method for the first population of ``maps.judged_maps``: its lead over
    the best control in correctness and in right unit, and its sanity. Data: ``label``, ``panel``, ``value``,
    ``low``, ``high``, ``note`` (questions passed).
    """
    own = table[table["population"].eq(table["population"].iloc[0])]
    means = own.groupby("method")["correctness"].mean().sort_values(ascending=False, kind="stable")
    methods = [name for name in means.index if name in distinct_methods(own) and name not in CONTROL_MAPS]
    rows, axis, passed = [], {}, dict.fromkeys(methods, 0)
    for question in MAP_QUESTIONS:
        panel = question.score.replace("_", " ") + ", lead" * question.ahead
        axis[panel] = Axis("", question.bound, label=SCORE_SCALES[question.score])
        for method in methods:
            estimate = question_estimate(own, method, question)
            passed[method] += answer(estimate, question.bound) == "yes"
            if estimate is not None:
                rows.append({"label": method, "panel": panel, "estimate": estimate})
    data, count = pd.DataFrame(rows), len(MAP_QUESTIONS)
    last = data["panel"].eq(data["panel"].iloc[-1])
    data["note"] = np.where(last, data["label"].map(passed).astype(str) + f" of {count}", "")
    data["main"] = data["label"].map(passed).eq(count)
    data["label"] = data["label"].map(method_name)
    winners = listing([method_name(name) for name in methods if passed[name] == count] or ["none"])
    controls = listing([method_name(name) for name in CONTROL_MAPS])
    return forest(
        data,
        measured="",
        axis=axis,
        noted="passed",
        alt="Dots with intervals by method, a panel for each of three tests with a dashed line at its bound.",
        caption=f"Lead over the best of {len(CONTROL_MAPS)} controls ({controls}), and sanity; intervals are "
        f"over networks and people. A method passes a test if its whole interval lies right of the dashed "
        f"line. Of {len(methods)} methods pass all {count}: {winners}.",
        tolerance={name: SCORE_TOLERANCE for name in ("value", "low", "high")},
        data=data.drop(columns=["note", "main"]),
    )


def code_dots(read: pd.DataFrame) -> Drawn:
    """Draw how much of the units one, few and all directions explain, by basis, for the first population of
    ``codes.read_networks``.
    """
    own = read[read["population"].eq(read["population"].iloc[0])]
    names = {size: f"best {size}" for size in FEW} | {ALL: "all"}
    rows = [
        {"label": label, "series": basis, "estimate": explained_share(own, basis, size)}
        for size, label in names.items()
        for basis in BASES
    ]
    by_basis = [
        f"{basis.capitalize()}: "
        + listing(
            [f"{row['label']} {percent(row['estimate'].value)}" for row in rows if row["series"] == basis]
        )
        for basis in BASES
    ]
    return forest(
        pd.DataFrame(rows),
        measured="share of a unit that is explained, in people of another family",
        axis=Axis(),
        alt="Dots with intervals by number of directions, for filters and for random directions.",
        caption="How much of a unit its best filter, a few and all filters explain; control: random "
        f"directions. {'. '.join(by_basis)}. Below 0: worse than a constant guess.",
        tolerance={name: EXPLAINED_TOLERANCE for name in ("value", "low", "high")},
    )


def conclusions_table(answers: Mapping[str, pd.DataFrame]) -> Table:
    """List the answer to every question for the first population, with each family held out, and for all
    populations: ``open`` where these differ. ``answers``: subject -> rows with ``population``, ``without``,
    ``question`` and ``answer``.
    """
    rows = []
    for about, table in answers.items():
        first = table["population"].iloc[0]
        for question, own in table.groupby("question", sort=False):
            main = own[own["population"].eq(first)]
            rows.append(
                {
                    "about": about,
                    "question": question,
                    network_name(first): main.loc[main["without"].eq(EVERYBODY), "answer"].item(),
                    "each family held out": in_all(list(main["answer"])),
                    "all networks": in_all(list(own["answer"])),
                }
            )
    data = pd.DataFrame(rows)
    return Table(
        data, "Answers, and whether they hold with each family held out and in all networks", tolerance=None
    )
