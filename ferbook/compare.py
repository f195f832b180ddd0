"""Runs side by side: their key metrics, and what differs between two."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from os.path import commonprefix

from ferbook.book import chapters, suite
from ferbook.errors import RunStoreError
from ferbook.estimate import Estimate
from ferbook.inputs import provenance_diff
from ferbook.request import varied_parameters
from ferbook.store import Run, all_runs, open_run
from ferbook.text import MINUS, bounds_text, number_text


def run_rows() -> list[dict[str, object]]:
    """Return a row for each run: name, profile, what names a run, and time of the last change; for one whose
    record is damaged its name and the ``fault``.
    """
    rows = []
    for run in all_runs():
        try:
            record, models = run.record(), run.parameters().values()
        except RunStoreError as fault:
            rows.append({"run": run.name, "fault": str(fault)})
            continue
        named = {field: ", ".join(sorted({str(p[field]) for p in models})) for field in suite().named_by}
        about = {"run": run.name, "profile": record["request"]["profile"]}
        rows.append(about | named | {"changed": record["changed"]})
    return rows


def _row(name: str, first: Estimate, second: Estimate) -> dict[str, object]:
    """Return two values of a metric, their difference, and whether their intervals overlap: disjoint ones
    differ, overlapping ones decide nothing.
    """
    by, intervals = second.value - first.value, ""
    if None not in (first.low, second.low):
        intervals = "overlap" if first.low <= second.high and second.low <= first.high else "disjoint"
    size = number_text(abs(by), first.unit)
    if first.unit == "share":
        size = f"{number_text(100 * abs(by), 'points').lstrip('+')} percentage points"
    shown = f"{MINUS if by < 0 else '+'}{size}" if by else "0"
    return {
        "metric": name,
        **{"first": first.to_json(), "first_shown": bounds_text(first)},
        **{"second": second.to_json(), "second_shown": bounds_text(second)},
        **{"difference": by, "difference_shown": shown, "intervals": intervals},
    }


def runs_named(names: Sequence[str]) -> list[Run]:
    """Return the runs that the ``names`` are of, or that they are patterns for (``laptop-seed-*``), each once
    and in the order of the numbers in their names. Raises RunStoreError for one that there is not, and for a
    pattern that fits none.
    """
    runs, every = {}, sorted(all_runs(), key=_by_number)
    for name in names:
        found = [run for run in every if fnmatchcase(run.name, name)]
        if not found and set(name) & {*"*?["}:
            raise RunStoreError(
                f"no run's name is like {name!r}; there are {', '.join(each.name for each in every)}"
            )
        for run in found or [open_run(name)]:
            run.record()
            runs.setdefault(run.name, run)
    return [*runs.values()]


def _by_number(run: Run) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", run.name)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def pattern_of(names: Sequence[str]) -> str:
    """Return what `ferbook compare` is given for the ``names``: a pattern that they fit, quoted for a shell,
    or all of them where they begin with nothing that they share.
    """
    shared = commonprefix(names)  # noqa: RUF071  letter by letter is what is meant
    return f"'{shared}*'" if shared else " ".join(names)


def compare_runs(first: str, second: str, chapter: str = "") -> dict[str, object]:
    """Parameters that differ, in what chapters were ``made`` otherwise, which of them evaluate
    ``stored`` networks, and every metric of the chapters that
    both runs finished, or of one ``chapter``, that differs, those with disjoint intervals first; ``equal``,
    how many metrics do not; ``alone``, chapters and metrics that one of them lacks.

    Raises RunStoreError where a run does not exist.
    """
    runs, selection = [open_run(first), open_run(second)], [chapter] if chapter else [*chapters()]
    requests = [{name: of for name, of in run.parameters().items() if name in selection} for run in runs]
    values = varied_parameters(requests)
    parameters = [
        {"parameter": name, "first": values[0][name], "second": values[1][name]} for name in values[0]
    ]
    results = [{each.chapter: each for each in run.results() if each.chapter in selection} for run in runs]
    alone = [[name for name in here if name not in there] for here, there in (results, results[::-1])]
    metrics, made, equal, stored = [], {}, 0, {}
    for name in filter(results[1].__contains__, results[0]):
        pair = [of_run[name] for of_run in results]
        if other := provenance_diff(*(result.done()["inputs"] for result in pair)):
            made[name] = other
        networks = [result.record().stored_networks for result in pair]
        if any(networks):
            stored[name] = "the same stored networks" if networks[0] == networks[1] else "stored networks"
        before, after = (result.metrics() for result in pair)
        for side, own, other in ((0, before, after), (1, after, before)):
            alone[side] += [f"{name}.{key}" for key in own if key not in other]
        for key in filter(after.__contains__, before):
            ends = [(metric.value, metric.low, metric.high) for metric in (before[key], after[key])]
            equal += ends[0] == ends[1]
            if ends[0] != ends[1]:
                metrics.append(_row(f"{name}.{key}", before[key], after[key]))
    metrics.sort(key=lambda row: ("disjoint", "", "overlap").index(row["intervals"]))  # what differs first
    found = {"parameters": parameters, "made": made, "stored": stored, "metrics": metrics}
    return found | {"equal": equal, "alone": alone}
