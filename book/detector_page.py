"""The page of ``ferbook detector audit``: one HTML file that needs no other, and no script."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from book.detector_rules import LARGE, Audit, Contrasts, Finding
from book.page_parts import TEMPLATES, markdown_table, picture_address
from ferbook.estimate import Estimate
from ferbook.page.figure import svg_of
from ferbook.page.forest import Axis, forest
from ferbook.page.heat import heat
from ferbook.page.style import BLUE, MUTED, WIDTH, Drawn, listing
from ferbook.steps import steps
from ferbook.store import ChapterResult
from ferbook.text import PERCENT, bounds_text
from synthetic_faces.expressions import EMOTIONS
from synthetic_faces.facs import ACTION_UNITS, AUS, SIDED
from synthetic_faces.stimuli import CHANGES, DOSES, TOGETHER

# What ``ferbook detector audit --json`` found of some detectors, committed.
TRIED = Path(__file__).with_name("detectors.csv")

# What the page says of a fault.
FAULTS = {
    "bias": "{about} raises most outputs, also those that have nothing to do with it{smile}",
    "columns shuffled": "the columns seem shuffled: {about}",
    "no face": "in {about} of the pictures no face was found",
    "same answer": "on {about} of the pictures all outputs say one thing of different units: a wrong crop?",
    "no response": "no output responds to its unit: are these the right pictures, in the right order?",
    "loses": "{about}: at least a quarter of the answers is lost",
    "rises at rest": "{about}: more at rest, though nothing is shown ({output})",
    "falls at rest": "{about}: less at rest, though nothing is shown ({output})",
}


def fault_text(fault: Finding) -> str:
    """A fault of the whole detector in a sentence's words."""
    about, smile = fault.about.replace("%", PERCENT), " (smile bias)" * (fault.about == "AU12")
    return FAULTS[fault.word].format(about=about, output=fault.output, smile=smile)


def verdict_text(verdict: Finding) -> str:
    """A verdict on an output in words."""
    return f"responds to {verdict.about}" if verdict.word == "responds to another" else verdict.word


def verdict_lines(audit: Audit) -> list[str]:
    """What a terminal shows: a line for each output, and one for each fault."""
    lines = [f"{each.output}: {verdict_text(each)}" for each in audit.verdicts]
    return [*lines, *(f"fault: {fault_text(each)}" for each in audit.faults)]


def audit_json(audit: Audit, notes: list[str]) -> dict:
    """The audit as data: verdicts, faults, notes, and every effect with its interval."""
    outputs = {}
    for k, verdict in enumerate(audit.verdicts):
        there = [au for au, effect in zip(AUS, audit.effects[:, k], strict=True) if np.isfinite(effect)]
        effects = {au: effect_of(audit, k, ("effect", au)).to_json() for au in there}
        outputs[verdict.output] = {"verdict": verdict.word, "about": verdict.about, "effects": effects}
    faults = [{"fault": each.word, "output": each.output, "about": each.about} for each in audit.faults]
    return {"outputs": outputs, "faults": faults, "notes": notes, "faceless": audit.faceless}


def effect_of(audit: Audit, k: int, key: tuple[str, ...]) -> Estimate:
    """A contrast of output ``k`` with its own interval over people."""
    contrasts, place = audit.contrasts, audit.contrasts.keys.index(key)
    people, (low, high) = int(contrasts.number[place, k]), contrasts.intervals[:, place, k]
    how = f"95 % expanded percentile bootstrap over {people} people"
    return Estimate.bounded(contrasts.mean[place, k], low, high, how=how, n=people)


def audit_page(audit: Audit, notes: list[str], name: str) -> str:
    """The whole page, HTML."""
    unheard = [au for au in AUS if au not in {each.unit for each in audit.outputs}]
    figures = []
    with steps("figures", 3) as advance:
        for title, figure in _figures(audit):
            figures.append((title, picture_address(svg_of(title, figure).encode(), "svg+xml"), figure))
            advance()
    plt.close("all")
    return TEMPLATES.get_template("detector_audit.html").render(
        name=name,
        truth=audit.truth,
        faults=[fault_text(each) for each in audit.faults],
        notes=notes,
        rows=[_row(audit, k) for k in range(len(audit.outputs))],
        unheard=listing([f"{au} ({ACTION_UNITS[au].name})" for au in unheard]) if unheard else "",
        figures=figures,
        mistaken=[{"unit": au, "raises": raised} for au in unheard if (raised := _raised(audit, au))],
    )


def _row(audit: Audit, k: int) -> dict[str, object]:
    """What the table says of output ``k``."""
    output, verdict, distance = audit.outputs[k], audit.verdicts[k], audit.distance(k)
    others = np.where([au == output.unit for au in AUS], -np.inf, np.nan_to_num(audit.effects[:, k]))
    most, rest = int(others.argmax()), output.found[audit.truth["part"].eq("rest")]
    alike = "" if audit.foreign[most, k] else " (alike)"

    def cell(*key: str) -> str:
        there = np.isfinite(audit.contrasts.of(*key)[k])
        return bounds_text(effect_of(audit, k, key), decimals=2) if there else "–"

    return {
        "output": output.name,
        "verdict": verdict_text(verdict),
        "right": verdict.word == "responds to its unit",
        "own": cell("effect", output.unit),
        "other": f"{AUS[most]} {others[most]:.2f}{alike}" if others[most] > 0 else "–",
        "sides": cell("side", output.unit) if SIDED[AUS.index(output.unit)] else "–",
        "rest": f"{np.nanmean(rest):.2f}" if np.isfinite(rest).any() else "–",
        "distance": bounds_text(distance, decimals=2) if distance and output.scaled else "–",
    }


def _raised(audit: Audit, au: str) -> str:
    """The outputs that a unit without one raises certainly and much."""
    effects, raised, much = audit.effects[AUS.index(au)], audit.raised[AUS.index(au)], LARGE * audit.reach
    order = [k for k in np.argsort(-effects, kind="stable") if raised[k] and effects[k] >= much]
    return ", ".join(f"{audit.outputs[k].name} by {effects[k]:.2f}" for k in order)


def _figures(audit: Audit) -> Iterator[tuple[str, Drawn]]:
    """Titles and figures."""
    yield "Dose and response", _doses(audit)
    yield "What raises which output", _cells(audit)
    rows = [
        {"label": condition, "group": kind, "estimate": lost}
        for condition, (kind, _) in CHANGES.items()
        if (lost := audit.lost(condition)) is not None
    ]
    if rows:
        chart = forest(
            pd.DataFrame(rows),
            measured="change of the effects, as a share of those without the change",
            axis=Axis(null=0.0),
            alt="Dots with intervals: how much of their effects the outputs lose in each condition.",
            caption="The same units and people again, with one thing changed; the outputs that respond to "
            "their unit, averaged, with 95 % intervals over people. Left of the line, answers are lost.",
        )
        yield "Pose, skin, age and light", chart


def _doses(audit: Audit) -> Drawn:
    """A small panel per output: the mean over neutral people and in each dose, with its interval."""
    across, doses, rows = 3, (0.0, *DOSES), []
    lines = -(-len(audit.outputs) // across)
    size = (WIDTH, 0.5 + 1.25 * lines)
    figure, grid = plt.subplots(lines, across, figsize=size, squeeze=False, sharex=True)
    for k, (axes, output) in enumerate(zip(grid.flat, audit.outputs, strict=False)):
        own = audit.dosed(k).pivot_table(index="person", columns="dose", values="found")
        shown = Contrasts([("dose",)] * len(doses), own.reindex(columns=doses).to_numpy()[:, :, None])
        means, (low, high) = shown.mean[:, 0], shown.intervals[:, :, 0]
        axes.fill_between(doses, low, high, color=BLUE, alpha=0.25, linewidth=0)
        axes.plot(doses, means, color=BLUE, marker="o", markersize=3)
        axes.margins(y=0.1)
        axes.autoscale(False)
        axes.plot((0, 1), (0, 1), color=MUTED, linestyle=":", linewidth=1)
        axes.set(title=output.name, xlim=(-0.05, 1.05), xticks=(0, 1))
        rows.append(pd.DataFrame({"output": output.name, "dose": doses, "mean": means}))
    for axes in grid.flat[len(audit.outputs) :]:
        axes.set_axis_off()
    figure.supxlabel("dose of the unit")
    figure.supylabel("output")
    alt = "Small line charts: each output against the dose of its unit. The table has the slopes."
    caption = (
        "Each output against the dose of its own unit: the mean over people, with 95 % intervals; each panel "
        "has a scale of its own. A straight rise is best. A curve that is flat from the start is deaf, one "
        "that is flat at the end saturates. Dotted: an output that says the dose itself."
    )
    return Drawn(figure, pd.concat(rows, ignore_index=True), alt, caption)


def _cells(audit: Audit) -> Drawn:
    """A heat map of what the outputs rise by, as proportions of each one's reach: units alone and together,
    and emotions.
    """
    truth, names = audit.truth, [each.name.removeprefix("AU") for each in audit.outputs]
    shown = truth["unit"].map(_numbered) + truth["emotion"]
    answers = pd.DataFrame(audit.answers, columns=names)
    means = answers.groupby(shown.where(truth["part"].isin(["rest", "together", "emotion"]))).mean()
    together = (means - means.loc[""]).loc[[*(_numbered(each) for each in TOGETHER), *EMOTIONS[1:]]]
    alone = pd.DataFrame(audit.effects, index=[_numbered(au) for au in AUS], columns=names)
    shares = pd.concat([alone, together]) / np.where(audit.reach > 0, audit.reach, np.inf)
    cells = shares.rename_axis("shown").rename_axis("output", axis=1).stack().rename("share").reset_index()
    texts = [f"{100 * each:.0f}".replace("-", "−") * (0.1 <= abs(each) < 0.995) for each in cells["share"]]
    return heat(
        cells.assign(text=texts, share=cells["share"].clip(0, 1)),
        rows="shown",
        columns="output",
        value="share",
        measured="effect, in per cent of the largest of a unit alone",
        row_label="units that are shown, alone and together, and emotions",
        column_label="output",
        alt="Heat map: what the outputs rise by, by what is shown. The table above names the largest.",
        caption="Of a unit alone the cell of its own output should be the darkest of the column, and all "
        "others white. Numbers are left out below 10, and from 100 on.",
    )


def _numbered(units: str) -> str:
    """``AU1 AU2`` as FACS writes it, ``1+2``."""
    return units.replace("AU", "").replace(" ", "+")


def tried_page(results: Mapping[str, ChapterResult]) -> str:
    """The committed audits, ``TRIED``, as a page shows them: a column per detector, a row per unit."""
    table = pd.read_csv(TRIED, keep_default_na=False)
    table[["unit", "side"]] = table["output"].str.partition(" ")[[0, 2]]
    outputs = table[table["kind"].eq("output")]
    texts = pd.Series(map(_tried_cell, outputs.itertuples()), outputs.index)
    cells = texts.groupby([outputs["unit"], outputs["detector"]]).agg("<br>".join).unstack(fill_value="–")
    cells = cells.loc[[au for au in AUS if au in cells.index], table["detector"].unique()]
    about = "In brackets: 95 % intervals over people of what the unit adds, in shares of the full output."
    lines = [markdown_table(["unit", *cells], cells.itertuples()), "", about, ""]
    for detector, own in table.groupby("detector", sort=False):
        alike = own[own["kind"].eq("fault")].groupby(["word", "output"], sort=False)["about"]
        faults = [fault_text(Finding(output, word, ", ".join(each))) for (word, output), each in alike]
        deaf = own["unit"][own["word"].isin(["deaf", "silent", "says one value"])].unique()
        deaf_to = listing(list(deaf)) if len(deaf) else "none"
        about, wrong = own["about_it"].iloc[0], "; ".join(faults) or "nothing"
        lines.append(f"- **{detector}** ({about}). Deaf to: {deaf_to}. What is wrong as a whole: {wrong}.")
    return "\n".join(lines)


def _tried_cell(row: tuple) -> str:
    """Side, verdict and effect of an output."""
    effect = Estimate.bounded(float(row.effect), float(row.low), float(row.high), how="over people")
    verdict = verdict_text(Finding(row.output, row.word, row.about))
    return f"{row.side}{': ' * bool(row.side)}{verdict}, {bounds_text(effect, decimals=2)}"
