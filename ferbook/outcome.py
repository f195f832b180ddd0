"""What several runs found: one table and one figure of their key metrics, by the parameters in which they
differ.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from ferbook.book import chapters
from ferbook.errors import RunStoreError
from ferbook.estimate import Estimate, mean_over_seeds
from ferbook.inputs import provenance_diff
from ferbook.page.forest import Axis, forest
from ferbook.page.style import Drawn
from ferbook.request import varied_parameters
from ferbook.store import ChapterResult, Run

# The parameter whose values are repetitions, not settings.
SEED_FIELD = "seed"

# Parameters that a row names; runs that differ in more are called by their names.
MOST_VARIED = 3


def is_seed(name: str) -> bool:
    """Return whether the parameter, perhaps of one chapter only, is a seed."""
    return name.rpartition(".")[2] == SEED_FIELD


def outcome_rows(runs: Sequence[Run], chapter: str = "") -> tuple[list[dict[str, object]], list[str]]:
    """Return a row for each run and key metric, of one chapter or of all in which the ``runs`` differ, with
    the ``values`` of what varies, and for each setting with several seeds a row of their mean; and what is
    left out and why.

    A mean is of results that the same code made from the same data. Raises RunStoreError where nothing is
    left.
    """
    results, notes = _differing_results(runs, chapter)
    requests = [run.parameters() for run in runs]
    varied = varied_parameters([{name: own[name] for name in own if name in chapters()} for own in requests])
    every = [{key: "–" if value is None else value for key, value in row.items()} for row in varied]
    if many := len([name for name in every[0] if not is_seed(name)]) > MOST_VARIED:
        notes.append(f"the runs differ in {len(every[0])} parameters; `ferbook compare A B` shows them")
    rows: list[dict[str, object]] = []
    settings: dict[tuple, list[Estimate]] = {}
    for name, of_runs in results.items():
        last = sorted(of_runs.values(), key=lambda each: each.done()["finished"])[-1].done()["inputs"]
        for run, values in zip(runs, every, strict=True):
            if run.name not in of_runs:
                continue
            if other := provenance_diff(of_runs[run.name].done()["inputs"], last):
                notes.append(f"{name} in {run.name}: {other}; no mean takes it in")
            metrics = of_runs[run.name].metrics()
            setting = tuple((key, value) for key, value in values.items() if not is_seed(key))
            for key in filter(metrics.__contains__, chapters()[name].key_metrics or metrics):
                title = key if len(results) == 1 else f"{name}.{key}"
                row = {"values": {} if many else values, "run": run.name, "metric": title, "mean_of": 0}
                rows.append(row | {"estimate": metrics[key]})
                if not other and len(setting) < len(values):
                    settings.setdefault((title, setting), []).append(metrics[key])
    if not rows:
        raise RunStoreError("; ".join(["no chapter of these runs differs", *notes]))
    for (title, setting), metrics in settings.items():
        if len(metrics) > 1:
            row = {"values": {} if many else dict(setting), "run": "", "metric": title}
            rows.append(row | {"estimate": mean_over_seeds(metrics), "mean_of": len(metrics)})
    return rows, notes


def _differing_results(
    runs: Sequence[Run], chapter: str
) -> tuple[dict[str, dict[str, ChapterResult]], list[str]]:
    """By chapter and run what is finished, but of chapters that are one result in all runs, where none is
    named; and what is left out.
    """
    results, notes = {}, []
    for name in [chapter] if chapter else chapters():
        there = {run.name: result for run in runs if (result := run.result(name)).done()}
        first = next((result.done() for result in there.values()), None)
        if not chapter and len(there) == len(runs) and all(r.done() == first for r in there.values()):
            notes.append(f"{name}: all runs show one result")
        elif there:
            results[name] = there
            absent = [run.name for run in runs if run.name not in there]
            notes += [f"{name}: not finished in {', '.join(absent)}"] * bool(absent)
    return results, notes


def outcome_table(rows: Sequence[Mapping]) -> pd.DataFrame:
    """``rows`` as they are stored: a column for each parameter that varies, empty in a mean over it."""
    names = [*dict.fromkeys(name for row in rows for name in row["values"])]
    table = [
        {name: row["values"].get(name, "") for name in names}
        | {"run": row["run"] or f"mean of {row['mean_of']} seeds", "metric": row["metric"]}
        | {name: getattr(row["estimate"], name) for name in ("value", "low", "high", "unit")}
        | {"about": row["estimate"].how or row["estimate"].why}
        for row in rows
    ]
    return pd.DataFrame(table).astype({"low": float, "high": float})


def _label(values: Mapping[str, object], seeds: bool) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if is_seed(name) is seeds)


def outcome_figure(rows: Sequence[Mapping]) -> Drawn:
    """Draw a dot with its interval for each run, below its setting, and a red one for the mean over seeds."""
    runs, means = len({row["run"] for row in rows} - {""}), any(row["mean_of"] for row in rows)
    lines = []
    for row in rows:
        setting, seed = (_label(row["values"], seeds) for seeds in (False, True))
        dot = {"panel": row["metric"], "estimate": row["estimate"], "main": bool(row["mean_of"])}
        if means:
            own = f"mean of {row['mean_of']} seeds" if row["mean_of"] else seed or row["run"]
            dot |= {"group": setting, "label": own}
        else:
            dot["label"] = ", ".join(filter(None, (setting, seed))) or row["run"]
        lines.append(dot)
    dots = pd.DataFrame(lines)
    if means:
        dots = dots.sort_values(["panel", "group"], kind="stable", key=lambda column: pd.factorize(column)[0])
    words = " Red: the mean over seeds." if means else ""
    return forest(
        dots,
        measured=f"{runs} runs",
        axis={row["metric"]: Axis("share" if row["estimate"].unit == "share" else "") for row in rows},
        alt=f"Dots with intervals by what varies.{words}",
        caption=f"What {runs} runs found, each with its own interval.{words}",
        data=outcome_table(rows),
    )
