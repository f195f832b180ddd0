"""Runs side by side: their key metrics, and what differs between two."""

from ferbook.book import chapters, suite
from ferbook.errors import RunStoreError
from ferbook.estimate import Estimate
from ferbook.store import Run, all_runs, open_run
from ferbook.text import bounds_text, number_text


def _metrics(run: Run) -> dict[str, Estimate]:
    """``chapter.metric`` -> its value, of the finished chapters."""
    return {
        f"{result.chapter}.{name}": metric
        for result in run.results()
        for name, metric in result.metrics().items()
    }


def run_rows() -> list[dict[str, object]]:
    """One row per run: name, profile, what names a run, time of the last change, key metrics (values and as
    shown); of one that cannot be believed its name and the ``fault``.
    """
    keys = [f"{chapter.name}.{name}" for chapter in chapters().values() for name in chapter.key_metrics]
    rows = []
    for run in all_runs():
        try:
            record, every = run.record(), _metrics(run)
        except RunStoreError as fault:
            rows.append({"run": run.name, "fault": str(fault)})
            continue
        metrics = {name: every[name] for name in keys if name in every}
        models = record["request"]["parameters"].values()
        rows.append(
            {
                "run": run.name,
                "profile": record["request"]["profile"],
                **{field: ", ".join(sorted({str(p[field]) for p in models})) for field in suite().named_by},
                "changed": record["changed"],
                "metrics": {name: metric.to_json() for name, metric in metrics.items()},
                "shown": [f"{name} {bounds_text(metric)}" for name, metric in metrics.items()],
            }
        )
    return rows


def _intervals(first: Estimate, second: Estimate) -> str:
    """Whether the two intervals overlap. Disjoint intervals differ; overlapping ones decide nothing."""
    if first.low is None or second.low is None:
        return ""
    return "overlap" if first.low <= second.high and second.low <= first.high else "disjoint"


def _difference(first: Estimate, second: Estimate) -> dict[str, object]:
    by = second.value - first.value
    plain = number_text(abs(by), first.unit)
    text = f"{'−' if by < 0 else '+'}{plain}" if by else "0"
    return {"difference": by, "difference_shown": text, "intervals": _intervals(first, second)}


def compare_runs(first: str, second: str) -> dict[str, list[dict[str, object]]]:
    """Parameters that differ, chapters that read other data or other versions of them, and every metric of
    the chapters that both runs finished, with differences. A chapter that only one of them was asked for is
    one row of the parameters.

    Raises RunStoreError where a run does not exist.
    """
    runs = [open_run(first), open_run(second)]
    records = [run.record() for run in runs]
    requests = [record["request"]["parameters"] for record in records]
    parameters = []
    for chapter, entry in chapters().items():
        there = [chapter in of_run for of_run in requests]
        if not all(there):
            a, b = ("asked for" if asked_for else "absent" for asked_for in there)
            parameters += [{"parameter": chapter, "first": a, "second": b}] * any(there)
            continue
        for name in entry.parameters.model_fields:
            a, b = (of_run[chapter].get(name) for of_run in requests)
            if a != b:
                parameters.append({"parameter": f"{chapter}.{name}", "first": a, "second": b})
    chapter_records = [{result.chapter: result.record() for result in run.results()} for run in runs]
    data = []
    for chapter in filter(chapter_records[1].__contains__, chapter_records[0]):
        a, b = (", ".join(suite().seen(of_run[chapter])) for of_run in chapter_records)
        if a != b:
            data.append({"chapter": chapter, "first": a, "second": b})
    both = set.intersection(*({result.chapter for result in run.results()} for run in runs))
    by_run = [
        {name: metric for name, metric in _metrics(run).items() if name.partition(".")[0] in both}
        for run in runs
    ]
    metrics = []
    for name in {**by_run[0], **by_run[1]}:
        row: dict[str, object] = {"metric": name}
        for side, of_run in zip(("first", "second"), by_run, strict=True):
            metric = of_run.get(name)
            row[side] = metric.to_json() if metric else None
            row[f"{side}_shown"] = bounds_text(metric) if metric else "absent"
        absent = {"difference": None, "difference_shown": "", "intervals": ""}
        pair = [of_run[name] for of_run in by_run if name in of_run]
        metrics.append(row | (_difference(*pair) if len(pair) == 2 else absent))
    return {"parameters": parameters, "data": data, "metrics": metrics}
