"""Figures of the chapter: one neuron and its maps, what is answered about every method, and what few filters
tell of a unit.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from book.truth.codes import ALL, BASES, EXPLAINED_TOLERANCE, FEW, explained_share
from book.truth.maps import (
    EVERYBODY,
    IGNORANT_MAPS,
    MAP_QUESTIONS,
    RANDOM_WEIGHTS,
    SCORE_TOLERANCE,
    believed,
    in_all,
    map_score,
)
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.look.judge import MapBenchmark
from ferbook.page.forest import Axis, forest
from ferbook.page.heat import heat
from ferbook.page.pictures import grey_table, picture_grid, show
from ferbook.page.style import Drawn, listing
from ferbook.page.tables import Table

METHOD_NAMES = {
    "deconv": "deconvolution",
    "guided": "guided backpropagation",
    "gradient_input": "gradient × input",
    "grad_cam": "Grad-CAM",
    "field": "(field)",
    "edges": "(edges)",
    "field_edges": "(edges in the field)",
    "centre": "(centre)",
    "random": "(noise)",
}
"""Those whose name is not what the code calls them; controls stand in brackets."""

NETWORK_NAMES = {
    "emotions": "zero bias",
    "photographs_zero_bias": "photographs",
    "breuer_emotions": "Breuer",
    "emotions_shuffled": "shuffled",
    RANDOM_WEIGHTS: "untrained",
}

SHOWN_MAPS = ("gradient", "deconv", "guided", "occlusion", "grad_cam", "field_edges")
"""The maps of one neuron that are drawn."""


def method_name(method: str) -> str:
    """How the page calls a method."""
    return METHOD_NAMES.get(method, method.replace("_", " "))


def network_name(population: str) -> str:
    """How the page calls a population."""
    return NETWORK_NAMES.get(population, population.replace("_", " ") or "your run")


def _family_name(family: str) -> str:
    """``narrow-faceunits`` as ``narrow, Face Units``: the shape of the faces, and what moves their units."""
    return family.replace("-", ", ").replace("faceunits", "Face Units").replace("makehuman", "MakeHuman")


def one_neuron(trial: MapBenchmark, pair: int) -> Drawn:
    """The face of the ``pair``-th neuron of ``trial``, its twin, the skin that the unit moves, what each part
    makes of the answer, and the neuron's maps by ``SHOWN_MAPS``. Data: ``shown``, ``mean_grey``,
    ``contrast``.
    """
    row, unit = trial.rows[pair], trial.twins.aus[trial.rows[pair]]
    at = trial.rows[[pair]], trial.filters[[pair]], trial.positions[[pair]]
    on, off = (faces.pixels[row] for faces in (trial.twins.on, trial.twins.off))
    falls = np.nan_to_num(trial.parts[pair])
    ends = [np.minimum(np.arange(side) * len(falls) // side, len(falls) - 1) for side in on.shape]
    pictures = {
        f"with {unit}": on,
        "without": off,
        "its skin": np.where(trial.twins.regions[0][row], 255, 0),
        "what counts": _signed(falls[np.ix_(*ends)]),
    }
    for method in SHOWN_MAPS:
        values = EXPLAINERS[method](trial.network, trial.layer, trial.twins.on.pixels, *at)[0]
        pictures[method_name(method)] = _signed(values)
    across = 5
    figure, grid = picture_grid(-(-len(pictures) // across), across)
    for axes, (name, picture) in zip(grid.flat, pictures.items(), strict=False):
        words = {"guided backpropagation": "guided", "(edges in the field)": "(edges)"}
        show(axes, picture, words.get(name, name))
    data = grey_table(np.stack(list(pictures.values()))).assign(shown=list(pictures))
    return Drawn(
        figure,
        data[["shown", "mean_grey", "contrast"]],
        f"Ten small pictures of one face and one filter: the face with and without {unit}, the skin that it "
        "moves, how far the filter's answer falls when each of 36 parts is taken from the other face, and "
        f"maps of that filter by {len(SHOWN_MAPS)} methods, light and dark where they see a cause.",
        "One filter, one face, and the truth above: light parts of “what counts” raised the answer. The last "
        "map only draws the edges of the picture, and still looks convincing.",
        tolerance={"mean_grey": 20, "contrast": 40},
    )


def _signed(values: np.ndarray) -> np.ndarray:
    """Values (H, W) of any scale as grey levels, 0 in the middle."""
    most = np.abs(values).max() or 1
    return 127.5 + 127.5 * np.sign(values) * np.sqrt(np.abs(values) / most)


def verdict_cells(answers: pd.DataFrame) -> Drawn:
    """Of each method in ``answers`` (from ``maps.map_answers``) how many questions are answered with yes:
    about each population, and about the first with each family held out. Data: ``method``, ``asked``,
    ``share``.
    """
    first = answers["population"].iloc[0]
    about = np.where(
        answers["without"].eq(EVERYBODY),
        answers["population"].map(network_name),
        np.where(answers["population"].eq(first), "no " + answers["without"].map(_family_name), ""),
    )
    rows = answers.assign(asked=about)[about != ""]
    yes = rows["answer"].eq("yes").groupby([rows["method"], rows["asked"]], sort=False).mean()
    cells = yes.rename("share").reset_index()
    order = [*rows["asked"][rows["without"].eq(EVERYBODY)].unique()]
    order += [name for name in cells["asked"].unique() if name not in order]
    cells = cells.set_index("asked").loc[order].reset_index()
    count = rows["score"].nunique()
    cells["text"] = [f"{round(count * share)}" for share in cells["share"]]
    cells["method"] = cells["method"].map(method_name)
    main = believed(answers[answers["population"].eq(first)])
    names = listing([method_name(name) for name in main.index[main]] or ["none"])
    return heat(
        cells[["method", "asked", "share", "text"]],
        rows="method",
        columns="asked",
        value="share",
        measured=f"questions answered with yes (% of {count})",
        alt=(
            f"Heat map of {cells['method'].nunique()} methods by {len(order)} ways to ask: populations of "
            f"networks, and the first of them with a family of faces held out. Of {count} questions the "
            f"whole interval says yes to all, with every family held out, for: {names}."
        ),
        caption=(
            f"Methods that are believed of {network_name(first)} networks, whichever family is "
            f"held out: {names}. Each number is how many of {count} questions are answered with yes."
        ),
        tolerance={"share": 1.0},
    )


def score_dots(table: pd.DataFrame) -> Drawn:
    """The deciding scores of every method and control about the first population of ``table``, which is from
    ``maps.judged_maps``.
    """
    own = table[table["population"].eq(table["population"].iloc[0])]
    rows = [
        {
            "label": method_name(method),
            "panel": question.score.replace("_", " "),
            "estimate": map_score(own, method, question.score),
            "minor": method in IGNORANT_MAPS,
            "kind": "control" if method in IGNORANT_MAPS else "method",
        }
        for method in _in_order(own)
        for question in MAP_QUESTIONS
    ]
    marks = pd.DataFrame([row for row in rows if row["estimate"] is not None])
    return forest(
        marks,
        measured="",
        axis={
            "correctness": Axis("", limits=(None, 1), label="rank corr."),
            "right unit": Axis("", 0.0, label="energy"),
            "sanity": Axis("", MAP_QUESTIONS[-1].bound, label="1 − corr."),
        },
        alt="Dots with intervals, by method, controls in grey below: three scores of their maps.",
        caption=(
            "What decides, over networks and people. Grey are maps that know nothing of the network: a "
            "method has to be ahead of the best of them, and of half in sanity."
        ),
        tolerance={name: SCORE_TOLERANCE for name in ("value", "low", "high")},
    )


def _in_order(table: pd.DataFrame) -> list[str]:
    """Methods, those of higher correctness first, then the controls."""
    means = table.groupby("method")["correctness"].mean().sort_values(ascending=False, kind="stable")
    return sorted(means.index, key=lambda name: name in IGNORANT_MAPS)


def code_dots(read: pd.DataFrame) -> Drawn:
    """What one, few and all directions explain of the units, by basis; a panel for each population of
    ``read``, which is from ``codes.read_networks``.
    """
    names = {size: f"best {size}" for size in FEW} | {ALL: "all"}
    rows = [
        {
            "label": label,
            "panel": network_name(population),
            "series": basis,
            "estimate": explained_share(own, basis, size),
        }
        for population, own in read.groupby("population", sort=False)
        for size, label in names.items()
        for basis in BASES
    ]
    return forest(
        pd.DataFrame(rows),
        measured="explained of a unit, in people of another family",
        axis=Axis(limits=(None, 1)),
        alt="Dots with intervals by the number of directions, for filters and directions at random.",
        caption=(
            "How well a unit is told from all others by its best filter, by a few, and by all; beside them "
            "as many directions that are of no filter."
        ),
        tolerance={name: EXPLAINED_TOLERANCE for name in ("value", "low", "high")},
    )


def conclusions_table(answers: Mapping[str, pd.DataFrame]) -> Table:
    """Every question: its answer about the first population, whether it is the same with every family held
    out, and whether it is also the same in every other population. ``answers``: what is asked about -> rows
    with ``population``, ``without``, ``question`` and ``answer``.
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
    return Table(data, "What is answered, and in how many ways of asking it stays", tolerance=None)
