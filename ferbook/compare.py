"""Runs side by side: their key metrics, and what differs between two."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from os.path import commonprefix

from ferbook.book import chapters, suite
from ferbook.errors import RunStoreError
from ferbook.estimate import Estimate
from ferbook.inputs import made_otherwise
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
        models = run.parameters().values()
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


def runs_named(names: Sequence[str]) -> list[Run]:
    """The runs that the ``names`` are of, or that they are patterns for (``laptop-seed-*``), each once and in
    the order of the numbers in their names. Raises RunStoreError for one that there is not, and for a pattern
    that fits none.
    """
    runs, every = {}, sorted(all_runs(), key=_by_number)
    for name in names:
        found = [run for run in every if fnmatchcase(run.name, name)]
        if not found and name != name.translate(_PATTERN):
            raise RunStoreError(
                f"no run's name is like {name!r}; there are {', '.join(each.name for each in every)}"
            )
        for run in found or [open_run(name)]:
            run.record()
            runs.setdefault(run.name, run)
    return [*runs.values()]


_PATTERN = str.maketrans("", "", "*?[")


def _by_number(run: Run) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", run.name)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def pattern_of(names: Sequence[str]) -> str:
    """What `ferbook compare` is given for the ``names``: a pattern that they fit, quoted for a shell, or all
    of them where they begin with nothing that they share.
    """
    shared = commonprefix(names)  # noqa: RUF071  letter by letter is what is meant
    return f"'{shared}*'" if shared else " ".join(names)


def compare_runs(first: str, second: str, chapter: str = "") -> dict[str, object]:
    """Parameters that differ, chapters that read other data or other versions of them, in what others were
    ``made`` otherwise, and every metric of the chapters that both runs finished, or of one ``chapter``, that
    differs, those with disjoint intervals first; ``equal``, how many do not, of parameters and of metrics;
    ``alone``, chapters and metrics that one of them lacks.

    Raises RunStoreError where a run does not exist.
    """
    runs = [open_run(first), open_run(second)]
    requests = [run.parameters() for run in runs]
    selection = {chapter: chapters()[chapter]} if chapter else chapters()
    parameters, equal = [], {"parameters": 0, "metrics": 0}
    results = [{each.chapter: each for each in run.results() if each.chapter in selection} for run in runs]
    alone: list[list[str]] = [[], []]
    for name, entry in selection.items():
        for lacking, (here, there) in enumerate((results, results[::-1])):
            if name in here and name not in there:
                alone[lacking].append(name)
        if not all(name in of_run for of_run in requests):
            continue
        for field in entry.parameters.model_fields:
            a, b = (of_run[name].get(field) for of_run in requests)
            equal["parameters"] += a == b
            if a != b:
                parameters.append({"parameter": f"{name}.{field}", "first": a, "second": b})
    data, metrics, made = [], [], {}
    for name in filter(results[1].__contains__, results[0]):
        pair = [of_run[name] for of_run in results]
        a, b = (", ".join(result.record().seen) for result in pair)
        if a != b:
            data.append({"chapter": name, "first": a, "second": b})
        if other := made_otherwise(*(result.done()["inputs"] for result in pair)):
            made[name] = other
        before, after = (result.metrics() for result in pair)
        for side, own, other in ((0, before, after), (1, after, before)):
            alone[side] += [f"{name}.{key}" for key in own if key not in other]
        for key in filter(after.__contains__, before):
            ends = [(m.value, m.low, m.high) for m in (before[key], after[key])]
            equal["metrics"] += ends[0] == ends[1]
            if ends[0] != ends[1]:
                row = {"metric": f"{name}.{key}"}
                for side, metric in (("first", before[key]), ("second", after[key])):
                    row |= {side: metric.to_json(), f"{side}_shown": bounds_text(metric)}
                metrics.append(row | _difference(before[key], after[key]))
    metrics.sort(key=lambda row: ("disjoint", "", "overlap").index(row["intervals"]))  # what differs first
    return dict(parameters=parameters, data=data, made=made, metrics=metrics, equal=equal, alone=alone)
