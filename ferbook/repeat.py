"""A run made again from its record, as a run of its own, and whether the numbers agree."""

import os
from collections.abc import Callable
from itertools import groupby

from ferbook.book import with_upstream
from ferbook.check import compare_metrics, compare_shown, exact_metrics
from ferbook.errors import RunStoreError
from ferbook.inputs import reasons_out_of_date
from ferbook.request import stored_request
from ferbook.run import run_chapters
from ferbook.store import ChapterResult, Run, open_run

CIRCUMSTANCES = ("device", "threads", "precision")
"""What a chapter's record says of the machine, beside the versions of packages."""


def repeat_run(
    run: Run, names: list[str], copy: str, *, watch: Callable[..., None]
) -> list[dict[str, object]]:
    """Make ``run`` again as the run ``copy``, with the parameters of its results: the named chapters, or all
    that it finished, each with as many threads as then. One row a chapter: ``metrics``, how many there are;
    ``exact``, how many came out the same to the last digit; ``faults``, what differs by more than its
    tolerance; ``other``, what was not the same: versions, code, data, device, threads.

    A copy that was interrupted is gone on with. Raises RunStoreError where ``run`` is damaged, lacks a
    chapter that is named, or where ``copy`` is ``run`` or was asked for otherwise; and as ``run_chapters``.
    """
    results = {result.chapter: result for result in run.results()}
    selection = [chapter.name for chapter in with_upstream(names or list(results))]
    if absent := [name for name in selection if name not in results]:
        raise RunStoreError(
            f"run {run.name!r} has no finished {', '.join(absent)}, so nothing can be compared"
        )
    if copy == run.name:
        raise RunStoreError(f"{copy!r} is the run itself; give the copy another name: --keep NAME")
    for name in selection:
        results[name].require_whole()
    request = stored_request(run.record()["request"] | {"parameters": run.parameters()})
    # Sums in another order differ in their last digits, which training makes larger.
    for threads, group in groupby(selection, lambda name: results[name].record().get("threads", 1)):
        cores = max(threads, os.cpu_count() or 1)
        run_chapters(request, list(group), copy, cores=cores, threads=threads, current=False, watch=watch)
    again = open_run(copy)
    return [_row(results[name], again.result(name)) for name in selection]


def _row(result: ChapterResult, again: ChapterResult) -> dict[str, object]:
    before, after = result.metrics(), again.metrics()
    records = result.record(), again.record()
    other = reasons_out_of_date(result.done()["inputs"], again.done()["inputs"])
    other += [
        f"{name} {records[0].get(name)} → {records[1].get(name)}"
        for name in CIRCUMSTANCES
        if records[0].get(name) != records[1].get(name)
    ]
    return {
        "chapter": result.chapter,
        "metrics": len(before),
        "exact": exact_metrics(before, after),
        "faults": compare_metrics(before, after) + compare_shown(result, again.folder),
        "other": other,
    }
