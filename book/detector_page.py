"""The page of ``ferbook detector audit``: one HTML file that needs no other, and no script."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from fer_lib.aus.audit import GO_ALONG, LARGE, Audit, Finding
from fer_lib.stats.resampling import bounds, resampled_sums
from ferbook.beside import REFERENCE
from ferbook.errors import FerError
from ferbook.estimate import Estimate
from ferbook.page.figure import svg_of
from ferbook.page.forest import Axis, forest
from ferbook.page.heat import heat
from ferbook.page.style import BLUE, MUTED, WIDTH, Drawn, listing
from ferbook.steps import steps
from ferbook.store import ChapterResult, open_run
from ferbook.text import bounds_text, number_text
from synthetic_faces.expressions import EMOTIONS
from synthetic_faces.facs import ACTION_UNITS, AUS, SIDED
from synthetic_faces.stimuli import CHANGES, DOSES, TOGETHER

AUDIT_TEMPLATE = Path(__file__).with_name("detector_audit.html")

TRIED = Path(__file__).with_name("detectors.csv")
"""What ``ferbook detector audit --json`` found of some detectors, committed."""

FAULTS = {
    "bias": "{about} raises most outputs, also those that have nothing to do with it{smile}",
    "columns shuffled": "the columns seem shuffled: {about}",
    "no face": "in {about} of the pictures no face was found",
    "same answer": "on {about} of the pictures all outputs say the very same: a wrong crop, or a default",
    "hears nothing": "no output answers to its unit: are these the right pictures, in the right order?",
    "loses": "{about}: at least a quarter of the answers is lost",
    "rises at rest": "{about}: more at rest, though nothing is shown ({output})",
    "falls at rest": "{about}: less at rest, though nothing is shown ({output})",
}
"""What the page says of a fault."""


def fault_text(fault: Finding) -> str:
    """A fault of the whole detector in a sentence's words."""
    smile = " (smile bias)" if fault.about == "AU12" else ""
    return FAULTS[fault.word].format(about=fault.about, output=fault.output, smile=smile)


def verdict_text(verdict: Finding) -> str:
    """A verdict on an output in words."""
    return f"answers to {verdict.about}" if verdict.word == "answers to another" else verdict.word


def verdict_lines(audit: Audit) -> list[str]:
    """What a terminal shows: a line for each output, and one for each fault."""
    lines = [f"{each.output}: {verdict_text(each)}" for each in audit.verdicts]
    return [*lines, *(f"fault: {fault_text(each)}" for each in audit.faults)]


def audit_json(audit: Audit, notes: list[str]) -> dict:
    """The audit as data: verdicts, faults, notes, and every effect with its interval."""
    outputs = {}
    for k, verdict in enumerate(audit.verdicts):
        effects = {au: effect_of(audit, k, ("effect", au)).to_json() for au in AUS if _there(audit, k, au)}
        outputs[verdict.output] = {"verdict": verdict.word, "about": verdict.about, "effects": effects}
    faults = [{"fault": each.word, "output": each.output, "about": each.about} for each in audit.faults]
    return {"outputs": outputs, "faults": faults, "notes": notes, "faceless": audit.faceless}


def _there(audit: Audit, k: int, au: str) -> bool:
    return bool(np.isfinite(audit.effects[AUS.index(au), k]))


def effect_of(audit: Audit, k: int, key: tuple[str, ...]) -> Estimate:
    """A contrast of output ``k`` with its own interval over people."""
    contrasts, place = audit.contrasts, audit.contrasts.keys.index(key)
    low, high = (ends[place, k] for ends in contrasts.intervals)
    people = int(np.isfinite(contrasts.table[:, place, k]).sum())
    how = f"95 % expanded percentile bootstrap over {people} people"
    return Estimate.bounded(contrasts.mean[place, k], low, high, how=how, n=people)


def audit_page(audit: Audit, notes: list[str], name: str) -> str:
    """The whole page, HTML."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    truth, outputs = audit.truth, audit.outputs
    unheard = [au for au in AUS if au not in {each.unit for each in outputs}]
    figures = []
    with steps("figures", 4) as advance:
        for title, about, figure in _figures(audit):
            data = base64.b64encode(svg_of(title, figure).encode()).decode()
            figures.append({"title": title, "about": about, "data": data, "figure": figure})
            advance()
    plt.close("all")
    return environment.from_string(AUDIT_TEMPLATE.read_text(encoding="utf-8")).render(
        name=name,
        outputs=len(outputs),
        pictures=f"{len(truth):,}",
        people=truth["person"].nunique(),
        right=sum(each.word == "answers to its unit" for each in audit.verdicts),
        faults=[fault_text(each) for each in audit.faults],
        notes=notes,
        rows=[_row(audit, k) for k in range(len(outputs))],
        unheard=listing([f"{au} ({ACTION_UNITS[au].name})" for au in unheard]) if unheard else "",
        figures=figures,
        sides=[
            {"output": each.name, "less": bounds_text(effect_of(audit, k, ("side", each.unit)), decimals=2)}
            for k, each in enumerate(outputs)
            if SIDED[AUS.index(each.unit)] and np.isfinite(audit.contrasts.of("side", each.unit)[k])
        ],
        mistaken=[{"unit": au, "raises": raised} for au in unheard if (raised := _raised(audit, au))],
        carries=_carries(),
    )


def _row(audit: Audit, k: int) -> dict[str, object]:
    """What the table says of output ``k``."""
    output, verdict, distance = audit.outputs[k], audit.verdicts[k], audit.distance(k)
    others = np.where([au == output.unit for au in AUS], -np.inf, np.nan_to_num(audit.effects[:, k]))
    most, rest = int(others.argmax()), output.found[audit.truth["part"].eq("rest")]
    alike = " (alike)" if AUS[most] in GO_ALONG.get(output.unit, ()) else ""
    own = _there(audit, k, output.unit)
    return {
        "output": output.name,
        "verdict": verdict_text(verdict),
        "right": verdict.word == "answers to its unit",
        "own": bounds_text(effect_of(audit, k, ("effect", output.unit)), decimals=2) if own else "–",
        "other": f"{AUS[most]} {others[most]:.2f}{alike}" if others[most] > 0 else "–",
        "rest": f"{np.nanmean(rest):.2f}" if np.isfinite(rest).any() else "–",
        "distance": bounds_text(distance, decimals=2) if distance and output.scaled else "–",
    }


def _raised(audit: Audit, au: str) -> str:
    """The outputs that a unit without one raises certainly and much."""
    certain, effects = audit.contrasts.certain("effect", au) > 0, audit.effects[AUS.index(au)]
    raised = [
        k for k in np.argsort(-effects, kind="stable") if certain[k] and effects[k] >= LARGE * audit.reach[k]
    ]
    return ", ".join(f"{audit.outputs[k].name} by {effects[k]:.2f}" for k in raised)


def _carries() -> str:
    """What the reference measured of the suite's own networks."""
    try:
        estimates = open_run(REFERENCE).result("faces").metrics()
        own, other = (number_text(estimates[f"units_{each}"].value, decimals=2) for each in ("own", "other"))
        near, far, photographs = (
            number_text(estimates[f"expressions_{each}"].value, "share")
            for each in ("own", "other", "photographs")
        )
    except (FerError, KeyError):
        return ""
    return (
        f"How far this suite's own networks carry, by its chapter on faces: units are told with an AUROC of "
        f"{own} on people of the same kind of rendered heads and of {other} on another kind; expressions "
        f"with a balanced accuracy of {near}, {far}, and {photographs} on photographs (FER2013)."
    )


def _figures(audit: Audit) -> Iterator[tuple[str, str, Drawn]]:
    """Title, what it is about, and the figure."""
    about = (
        "Each output against the dose of its own unit. A straight rise is best. A curve that is flat "
        "from the start is deaf, one that is flat at the end saturates."
    )
    yield "Dose and response", about, _doses(audit)
    about = (
        "Each column is an output, each row a unit that was shown alone. The cell of a unit's own output "
        "should be the darkest, and the rest white. 100 is the largest effect on that output."
    )
    alone = _cells(audit, dict(zip(AUS, audit.effects, strict=True)), "unit shown alone")
    yield "Which unit raises which output", about, alone
    about = "What the outputs rise by when several units are shown together, and in whole expressions."
    yield "Several units at once", about, _cells(audit, _together(audit), "shown together")
    losses = {condition: audit.lost(condition) for condition in CHANGES}
    rows = [
        {"label": condition, "group": CHANGES[condition][0], "estimate": each}
        for condition, each in losses.items()
        if each is not None
    ]
    if rows:
        chart = forest(
            pd.DataFrame(rows),
            measured="change of the effects, as a share of those without the change",
            axis=Axis(null=0.0),
            alt="Dots with intervals: how much of their effects the outputs lose in each condition.",
            caption="The outputs that answer to their unit, averaged; 95 % intervals over people.",
        )
        about = "The same units and people again, with one thing changed. Left of the line, answers are lost."
        yield "Pose, skin, age and light", about, chart


def _doses(audit: Audit) -> Drawn:
    """A small panel per output: the mean over people at rest and in each dose, with its interval."""
    across, steps, rows = 3, (0.0, *DOSES), []
    lines = -(-len(audit.outputs) // across)
    figure, grid = plt.subplots(
        lines, across, figsize=(WIDTH, 0.5 + 1.25 * lines), squeeze=False, sharex=True
    )
    for axes, output in zip(grid.flat, audit.outputs, strict=False):
        truth = audit.truth.assign(found=output.found)
        own = truth[truth["part"].eq("rest") | (truth["part"].eq("dose") & truth["unit"].eq(output.unit))]
        people = own.pivot_table(index="person", columns="dose", values="found").reindex(columns=steps)
        means = people.mean().to_numpy()
        filled = people.fillna(people.mean()).fillna(0).to_numpy()
        low, high = bounds(
            resampled_sums(filled, 1000, 0) / len(filled), people.notna().sum().to_numpy(), means
        )
        axes.fill_between(steps, low, high, color=BLUE, alpha=0.25, linewidth=0)
        axes.plot(steps, means, color=BLUE, marker="o", markersize=3)
        axes.plot((0, 1), (0, 1), color=MUTED, linestyle=":", linewidth=1)
        axes.set(title=output.name, xlim=(0, 1), xticks=(0, 1))
        least, most = np.nanmin([low, means]), np.nanmax([high, means])
        axes.set_ylim(least - 0.05 * (most - least) - 0.005, most + 0.05 * (most - least) + 0.005)
        ends = {"low": low, "high": high}
        rows.append(pd.DataFrame({"output": output.name, "dose": steps, "mean": means, **ends}))
    for axes in grid.flat[len(audit.outputs) :]:
        axes.set_axis_off()
    figure.supxlabel("dose of the unit")
    figure.supylabel("output")
    alt = (
        f"{len(audit.outputs)} small line charts: output against dose of its unit. The table has the slopes."
    )
    caption = (
        "Blue: mean over people, with 95 % intervals. Dotted: an output that says the dose itself. Each "
        "panel has a scale of its own."
    )
    return Drawn(figure, pd.concat(rows, ignore_index=True), alt, caption)


def _together(audit: Audit) -> dict[str, np.ndarray]:
    """What was shown together -> (K,): what each output rises by above rest, meaned over people."""
    truth, answers = audit.truth, np.stack([each.found for each in audit.outputs], axis=1)
    names = truth["emotion"].where(truth["part"].eq("emotion"), truth["unit"].str.replace(" ", "+"))
    names = names.where(truth["part"].isin(["together", "emotion"]), "rest").where(
        truth["part"].isin(["together", "emotion", "rest"])
    )
    means = pd.DataFrame(answers).groupby(names.to_numpy(), sort=False).mean()
    order = [each.replace(" ", "+") for each in TOGETHER] + list(EMOTIONS[1:])
    return {name: (means.loc[name] - means.loc["rest"]).to_numpy() for name in order}


def _cells(audit: Audit, effects: dict[str, np.ndarray], label: str) -> Drawn:
    """A heat map of ``effects`` in shares of each output's reach."""
    reach = np.where(audit.reach > 0, audit.reach, np.inf)
    rows = []
    for stimulus, values in effects.items():
        for output, share in zip(audit.outputs, values / reach, strict=True):
            text = "" if not abs(share) >= 0.1 else f"{100 * share:.0f}".replace("-", "−")
            rows.append(
                {"shown": stimulus, "output": output.name.removeprefix("AU"), "share": share, "text": text}
            )
    cells = pd.DataFrame(rows).assign(share=lambda own: own["share"].clip(0, 1))
    return heat(
        cells,
        rows="shown",
        columns="output",
        value="share",
        measured="effect, in per cent of the largest on this output",
        row_label=label,
        column_label="output",
        alt=f"Heat map: what the outputs rise by, by {label}. The table above names the largest.",
        caption="The darker, the more the output rises; numbers below 10 are left out.",
    )


def tried_page(results: Mapping[str, ChapterResult]) -> str:
    """The committed audits, ``TRIED``, as a page shows them: a column per detector, a row per unit."""
    table = pd.read_csv(TRIED, keep_default_na=False)
    table[["unit", "side"]] = table["output"].str.partition(" ")[[0, 2]]
    detectors, outputs = list(table["detector"].unique()), table[table["kind"].eq("output")]
    lines = [f"| unit | {' | '.join(detectors)} |", "|---|" + "---|" * len(detectors)]
    for unit in (au for au in AUS if outputs["unit"].eq(au).any()):
        own = outputs[outputs["unit"].eq(unit)]
        cells = {
            name: "<br>".join(map(_tried_cell, each.itertuples())) for name, each in own.groupby("detector")
        }
        lines.append(f"| {unit} | {' | '.join(cells.get(name, '–') for name in detectors)} |")
    lines += [
        "",
        "In brackets: 95 % intervals over people of what the unit adds, in shares of the full output.",
        "",
    ]
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
