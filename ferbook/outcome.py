"""What the runs of a sweep found: one table and one figure, of those runs that today's code made."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ferbook.book import suite
from ferbook.page.figure import store_figure
from ferbook.page.forest import NAMED_ROWS, Axis, forest
from ferbook.page.style import Drawn
from ferbook.points import is_seed
from ferbook.sweep import Sweep, places


def outcome_rows(sweep: Sweep) -> tuple[list[dict[str, object]], dict[str, str]]:
    """A row for each run and key metric, with the ``values`` of what varies, and for each setting with
    several seeds a row of their mean, by the rule of the book; and run -> why it is left out, such as that
    it is not there, or that older code made it.
    """
    rows, faults, settings = [], {}, {}
    for point, place in zip(sweep.points, places(sweep, sweep.points), strict=True):
        if place.fault:
            faults[place.run.name] = place.fault
            continue
        metrics = place.run.result(sweep.chapter.name).metrics()
        own = {name: value for name, value in point.values.items() if not is_seed(name)}
        for name in sweep.chapter.key_metrics or metrics:
            if name in metrics:
                row = {
                    "values": point.values,
                    "run": place.run.name,
                    "metric": name,
                    "estimate": metrics[name],
                }
                rows.append(row | {"mean_of": 0})
                settings.setdefault((name, *own.items()), (own, []))[1].append(metrics[name])
    for (name, *_), (own, metrics) in settings.items():
        if len(metrics) > 1:
            mean = {"values": own, "run": "", "metric": name, "estimate": suite().over_seeds(metrics)}
            rows.append(mean | {"mean_of": len(metrics)})
    return rows, faults


def outcome_table(sweep: Sweep, rows: Sequence[Mapping]) -> pd.DataFrame:
    """``rows`` as they are stored: a column for each parameter that varies, empty in a mean over it."""
    names = sweep.points[0].values
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


def outcome_figure(sweep: Sweep, rows: Sequence[Mapping]) -> Drawn:
    """A dot with its interval for each run, below its setting, and a red one for the mean over seeds; of very
    many runs with seeds only their means, with the runs as pale dots below.
    """
    runs, means = len({row["run"] for row in rows} - {""}), any(row["mean_of"] for row in rows)
    many = means and runs > NAMED_ROWS
    averaged = {(row["metric"], _label(row["values"], False)) for row in rows if row["mean_of"]}
    lines, singles = [], []
    for row in rows:
        setting, seed, mean_of = _label(row["values"], False), _label(row["values"], True), row["mean_of"]
        dot = {"panel": row["metric"], "estimate": row["estimate"], "main": bool(mean_of) and not many}
        if many:
            dot |= {"label": setting or "all seeds", "value": row["estimate"].value}
        elif means:
            dot |= {"group": setting, "label": f"mean of {mean_of} seeds" if mean_of else seed}
        else:
            dot["label"] = ", ".join(filter(None, (setting, seed)))
        below_mean = many and not mean_of and (row["metric"], setting) in averaged
        (singles if below_mean else lines).append(dot)
    dots = pd.DataFrame(lines).drop(columns="value", errors="ignore")
    if "group" in dots:
        dots = dots.sort_values(["panel", "group"], kind="stable", key=lambda column: pd.factorize(column)[0])
    words = " Red: the mean over seeds." if means and not many else ""
    return forest(
        dots,
        measured=f"{runs} runs of {sweep.chapter.name}",
        axis={row["metric"]: Axis("share" if row["estimate"].unit == "share" else "") for row in rows},
        singles=pd.DataFrame(singles) if many else None,
        alt=f"Dots with intervals by what varies.{words}",
        caption=f"What {runs} runs of {sweep.chapter.name} found, each with its own interval.{words}",
        data=outcome_table(sweep, rows),
    )


def keep_outcome(sweep: Sweep) -> tuple[list[dict[str, object]], dict[str, str]]:
    """Write ``figures/outcome`` of the sweep, with the table as its CSV; returns ``outcome_rows``. Nothing is
    written where no run is there.
    """
    rows, faults = outcome_rows(sweep)
    if rows:
        store_figure(sweep.folder, "outcome", outcome_figure(sweep, rows))
    return rows, faults
