"""Runs side by side: their key metrics, and what differs between two."""

from collections.abc import Mapping

from ferbook.book import chapters, suite
from ferbook.store import all_runs, open_run
from ferbook.text import metric_text


def run_rows() -> list[dict[str, object]]:
    """One row per run: name, profile, what names a run, time of the last change, key metrics (values and as
    shown).
    """
    rows = []
    for run in all_runs():
        record = run.record()
        metrics = {
            f"{result.chapter}.{name}": result.metrics()[name]
            for result in run.results()
            for name in chapters()[result.chapter].key_metrics
            if name in result.metrics()
        }
        asked = record["request"]["parameters"].values()
        named = {field: ", ".join(sorted({str(p[field]) for p in asked})) for field in suite().named_by}
        rows.append(
            {
                "run": run.name,
                "profile": record["request"]["profile"],
                **named,
                "changed": record["changed"],
                "metrics": metrics,
                "shown": [f"{name} {_shown(metric)}" for name, metric in metrics.items()],
            }
        )
    return rows


def _shown(metric: Mapping[str, object]) -> str:
    """The value, with the bounds of its interval behind it where it has one."""
    if metric.get("low") is None:
        return metric_text(metric)
    return f"{metric_text(metric)} ({metric_text(metric, 'low')} – {metric_text(metric, 'high')})"


def _intervals(first: Mapping[str, object], second: Mapping[str, object]) -> str:
    """Whether the two intervals overlap. Disjoint intervals differ; overlapping ones decide nothing."""
    limits = [metric.get(name) for metric in (first, second) for name in ("low", "high")]
    if any(limit is None for limit in limits):
        return ""
    low_a, high_a, low_b, high_b = limits
    return "overlap" if low_a <= high_b and low_b <= high_a else "disjoint"


def compare_runs(first: str, second: str) -> dict[str, list[dict[str, object]]]:
    """Parameters that differ, and every metric that both runs or one of them has, with differences.

    Raises RunStoreError where a run does not exist.
    """
    runs = [open_run(first), open_run(second)]
    asked = [run.record()["request"]["parameters"] for run in runs]
    names = [f"{c}.{p}" for c, made in chapters().items() for p in made.parameters.model_fields]

    def parameter(side: int, name: str) -> object:
        chapter, _, field = name.partition(".")
        return asked[side].get(chapter, {}).get(field)

    found = [
        {
            f"{result.chapter}.{name}": metric
            for result in run.results()
            for name, metric in result.metrics().items()
        }
        for run in runs
    ]
    metrics = []
    for name in {**found[0], **found[1]}:
        a, b = found[0].get(name), found[1].get(name)
        difference = b["value"] - a["value"] if a and b else None
        shown = ""
        if difference is not None:
            plain = metric_text({"value": abs(difference), "unit": a.get("unit", "")})
            shown = f"{'−' if difference < 0 else '+'}{plain}" if difference else "0"
        metrics.append(
            {
                "metric": name,
                "first": a,
                "second": b,
                "difference": difference,
                "first_shown": _shown(a) if a else "absent",
                "second_shown": _shown(b) if b else "absent",
                "difference_shown": shown,
                "intervals": _intervals(a, b) if a and b else "",
            }
        )
    return {
        "parameters": [
            {"parameter": name, "first": parameter(0, name), "second": parameter(1, name)}
            for name in names
            if parameter(0, name) != parameter(1, name)
        ],
        "metrics": metrics,
    }
