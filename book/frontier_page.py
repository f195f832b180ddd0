"""How accurately one network names FER2013's expressions after so many minutes of training: the populations
that are trained for that, drawn and as a table.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib import ticker

from book.populations import Member, find_population
from fer_lib.stats.contrasts import mean_score, score_trainings
from ferbook import paths
from ferbook.claims import read_claims
from ferbook.estimate import Estimate
from ferbook.page.figure import unstored_figure
from ferbook.page.style import BLUE, INK, MUTED, VERMILION, WIDTH, Drawn
from ferbook.store import ChapterResult
from ferbook.text import bounds_text, number_text

FRONTIER = {"minute_1": 1, "minutes_4": 4, "minutes_15": 15, "muon_light": 15, "muon_full_size": 15}
"""Population -> minutes that a training of it may take on two cores."""

GOAL = 0.68
"""Mean accuracy after a quarter of an hour, written down before any of it was trained."""

GOAL_NETWORKS = 3
"""Of so many networks at the least."""

THREADS = 2
"""Minutes are told of trainings with so many threads."""

GPU_FRONTIER = {
    "gpu_plain": "plain stack",
    "gpu_mixed": "plain stack, mixed pictures",
    "gpu_wide": "wider stack, mixed pictures",
    "gpu_residual": "residual network, mixed pictures",
    "gpu_sgd": "plain stack, mixed pictures, by SGD",
    "gpu_seconds": "plain stack, mixed pictures in batches of 512, by SGD, five in turn",
}
"""Population trained on a GPU -> what it is. All but the last were trained side by side, before passes were
recorded.
"""

GPU_GOAL = 0.74
"""Mean accuracy of the last of ``GPU_FRONTIER``, written down before any of them was trained."""

OPTIMISERS = {"sgd": "SGD", "muon": "Muon"}
"""As readers see them."""

_LOOKS = {"sgd": (BLUE, "o"), "muon": (VERMILION, "s")}
"""Colour and marker of each."""

_DRAWS = 2000

LABEL_HEIGHT = 0.03
"""How far apart, in accuracy, the names of others stand at the least."""


def frontier_text(results: Mapping[str, ChapterResult]) -> str:
    """What is kept of ``FRONTIER`` as a page shows it, and what is not there yet."""
    members = {name: find_population(name).kept() for name in FRONTIER}
    there = {name: networks for name, networks in members.items() if networks}
    absent = ", ".join(f"{FRONTIER[name]} ({_taught_by(name)})" for name in members if name not in there)
    parts = [_measured(there)] if there else []
    parts += [f"**Not measured here yet, so not in the table:** {absent} minutes."] if absent else []
    return "\n\n".join(parts)


def _taught_by(name: str) -> str:
    return OPTIMISERS[find_population(name).recipe.optimiser]


def frontier_table(members: Mapping[str, Sequence[Member]]) -> pd.DataFrame:
    """One row per population: ``limit`` (minutes; 0 where none was set), ``optimiser``, ``minutes`` that the
    trainings of its networks that are ``timed`` took on average, ``most`` of one (NaN where none is),
    ``networks``, ``epochs``, ``valid`` (mean accuracy on PublicTest, share), and estimates of ``test``, the
    accuracy on PrivateTest, and of ``without``, that on its pictures that equal none of Training. Timed are
    those that had ``THREADS`` threads, or a GPU.
    """
    rows = []
    for name, networks in members.items():
        timed = [network for network in networks if _timed(network.done())]
        minutes = pd.Series([network.curve()["seconds"].sum() / 60 for network in timed], dtype=float)
        rows.append(
            {
                "limit": FRONTIER.get(name, 0),
                "optimiser": networks[0].population.recipe.optimiser,
                "minutes": minutes.mean(),
                "most": minutes.max(),
                "timed": len(timed),
                "networks": len(networks),
                "epochs": networks[0].population.recipe.epochs,
                "valid": np.mean([network.done()["valid_accuracy"] for network in networks]),
                "test": _accuracy(networks, np.ones(len(networks[0].tested()), bool)),
                "without": _accuracy(networks, ~networks[0].learned_before()),
            }
        )
    return pd.DataFrame(rows)


def _timed(record: Mapping) -> bool:
    return not record["device"].startswith("CPU") or record["threads"] == THREADS


def _accuracy(networks: Sequence[Member], pictures: np.ndarray, together: bool = False) -> Estimate:
    """That of the ``networks`` on these ``pictures``, on average, or of the mean of their answers."""
    table = networks[0].tested()[pictures]
    answers = np.stack([network.answers()[pictures] for network in networks])
    if together:
        answers = answers.astype(np.float64).mean(axis=0, keepdims=True)
    rows = pd.DataFrame({"population": networks[0].population.name}, index=range(len(answers)))
    labels, groups = (table[name].to_numpy() for name in ("label", "group"))
    scores = score_trainings(rows, answers, labels, groups, ["population"], draws=_DRAWS)
    return mean_score(scores, np.ones(len(answers), bool))


def _measured(members: Mapping[str, Sequence[Member]]) -> str:
    table = frontier_table(members)
    lines = [
        unstored_figure("frontier", frontier_figure(table)),
        "",
        "| limit | by | took | epochs | networks | PublicTest | PrivateTest | without the copies |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in table.itertuples():
        took = f"{number_text(row.minutes, decimals=2)} min" if row.timed else "not timed"
        networks = f"{row.networks}" + f", {row.timed} timed" * (row.timed < row.networks)
        shares = " | ".join(bounds_text(estimate) for estimate in (row.test, row.without))
        lines.append(
            f"| {row.limit} min | {OPTIMISERS[row.optimiser]} | {took} | {row.epochs} | {networks} | "
            f"{number_text(row.valid, 'share')} | {shares} |"
        )
    longest = table[table["limit"].eq(max(FRONTIER.values()))]
    if len(longest):
        best = longest.loc[longest["valid"].idxmax()]  # by what chooses, not by what is asked
        accurate = best["test"].value >= GOAL
        reached = "reached" if accurate and best["most"] <= best["limit"] else "missed"
        if best["networks"] < GOAL_NETWORKS:
            reached = f"open, with {best['networks']} of {GOAL_NETWORKS} networks"
        elif not best["timed"]:
            reached = "open, none of its networks is timed" if accurate else reached
        elif best["timed"] < best["networks"]:
            reached += f"; the time is that of {best['timed']} of the {best['networks']} networks"
        lines += ["", f"Goal, written before: {number_text(GOAL, 'share')} on average: {reached}."]
    return "\n".join([*lines, "", _trained_on(members)])


def _trained_on(members: Mapping[str, Sequence[Member]]) -> str:
    records = [network.done() for own in members.values() for network in own]
    devices = {
        each["device"]
        + f", {each['threads']} thread{'s' * (each['threads'] > 1)}" * each["device"].startswith("CPU")
        for each in records
    }
    return f"Trained on {'; '.join(sorted(devices))}."


def gpu_text(results: Mapping[str, ChapterResult]) -> str:
    """What is kept of ``GPU_FRONTIER`` as a page shows it, and what is not there."""
    members = {name: find_population(name).kept() for name in GPU_FRONTIER}
    there = {name: networks for name, networks in members.items() if networks}
    absent = ", ".join(GPU_FRONTIER[name] for name in members if name not in there)
    lines = [
        "| network | took | epochs | networks | PublicTest | PrivateTest | without the copies |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in zip(there, frontier_table(there).itertuples(), strict=True):
        shares = " | ".join(bounds_text(estimate) for estimate in (row.test, row.without))
        seconds = row.timed and f"{number_text(60 * row.minutes, decimals=0)}\N{NO-BREAK SPACE}s"
        took = seconds or "not timed"
        lines.append(
            f"| {GPU_FRONTIER[name]} | {took} | {row.epochs} | {row.networks} | "
            f"{number_text(row.valid, 'share')} | {shares} |"
        )
    *_, networks = members.values()
    if networks:
        every, new = np.ones(len(networks[0].tested()), bool), ~networks[0].learned_before()
        shares = " | ".join(bounds_text(_accuracy(networks, pictures, True)) for pictures in (every, new))
        lines.append(f"| the mean of the {len(networks)} answers above | | | | | {shares} |")
        accuracy = _accuracy(networks, every).value
        reached = "reached" if accuracy >= GPU_GOAL else "missed"
        if len(networks) < GOAL_NETWORKS:
            reached = f"open, with {len(networks)} of {GOAL_NETWORKS} networks"
        lines += ["", f"Goal, written before: {number_text(GPU_GOAL, 'share')} on average: {reached}."]
    parts = ["\n".join([*lines, "", _trained_on(there)])] if there else []
    parts += [f"**Not measured here yet, so not in the table:** {absent}."] if absent else []
    return "\n\n".join(parts)


def frontier_figure(table: pd.DataFrame) -> Drawn:
    """Accuracy on PrivateTest against minutes of training, by optimiser, and what others report, at their
    height: none of them says how long it took.
    """
    table = table[table["timed"] > 0]
    estimates = list(table["test"])
    data = table[["limit", "optimiser", "minutes"]].assign(
        accuracy=[each.value for each in estimates],
        low=[each.low for each in estimates],
        high=[each.high for each in estimates],
    )
    figure, axes = plt.subplots(figsize=(WIDTH, 3), layout="constrained")
    for name, own in data.groupby("optimiser", sort=False):
        bars, (colour, marker) = (own["accuracy"] - own["low"], own["high"] - own["accuracy"]), _LOOKS[name]
        look = {"color": colour, "marker": marker, "linewidth": 1.5, "label": OPTIMISERS[name]}
        axes.errorbar(own["minutes"], own["accuracy"], yerr=bars, **look)
    if len(data):
        axes.legend(loc="lower right")
    height, across = 0.0, ("axes fraction", "data")
    for name, share in sorted(reported_accuracies().items(), key=lambda pair: pair[1]):
        axes.axhline(share, color=MUTED, linestyle=":", linewidth=1)
        height = max(share, height + LABEL_HEIGHT)
        axes.annotate(
            name,
            (1, share),
            (1.05, height),
            xycoords=across,
            textcoords=across,
            va="center",
            color=INK,
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.7, "relpos": (0, 0.5)},
        )
    axes.set(xscale="log", xlabel="minutes of training on two cores", ylabel="accuracy on PrivateTest")
    axes.xaxis.set_major_locator(ticker.FixedLocator(sorted(set(FRONTIER.values()))))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    axes.set_xlim(0.7, 22)
    points = ", ".join(
        f"{row.minutes:.1f} minutes by {OPTIMISERS[row.optimiser]} {number_text(row.accuracy, 'share')}"
        for row in data.itertuples()
    )
    return Drawn(
        figure,
        data,
        alt=f"Dots with intervals: accuracy after {points}. Dotted lines: what others report.",
        caption="Mean of the networks with 95 % intervals over pictures and networks. Dotted lines are what "
        "others report, without the time that it took.",
    )


def reported_accuracies() -> dict[str, float]:
    """Paper -> accuracy of one network on PrivateTest, of those that ``claims.yaml`` has beside structure and
    loss.
    """
    numbers = read_claims(paths.claims_file()).reported["structure_and_loss"].numbers
    return {each.paper: each.accuracy for each in numbers if each.accuracy}
