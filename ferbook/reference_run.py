"""The reference: the committed run, large enough to answer claims, with which other runs are compared."""

from collections.abc import Iterable, Mapping

from ferbook.book import Chapter, chapters, suite, with_upstream
from ferbook.errors import RunStoreError
from ferbook.request import stored_request
from ferbook.store import REFERENCE, ReferenceMatch, Run, open_run

GET = (
    f"`git checkout -- runs/{REFERENCE}` brings it back where the repository has it, `ferbook run --profile "
    f"{REFERENCE}` makes it"
)


def matching_reference(run: Run, chapter: Chapter, parameters: Mapping[str, object]) -> ReferenceMatch:
    """Return the reference's result with which a chapter of ``run``, made with ``parameters``, may be
    compared.

    Results are compared where they are whole, about data as they are made here, and alike in the
    parameters that the book names, their own and those of the chapters upstream.
    """
    match = usable_reference(run, chapter)
    if match.result is None:
        return match
    differing: dict[str, None] = {}
    for each in with_upstream([chapter.name]):
        here = parameters if each.name == chapter.name else run.result(each.name).parameters
        there = open_run(REFERENCE).result(each.name).parameters
        differing |= dict.fromkeys(_differing(here, there, (*suite().named_by, *suite().must_agree)))
    return _apart(differing, match) if differing else match


def usable_reference(run: Run, chapter: Chapter) -> ReferenceMatch:
    """Return the reference's result of ``chapter`` if it is intact, whatever its parameters."""
    reference = open_run(REFERENCE)
    if run.name == REFERENCE or not reference.exists():
        return ReferenceMatch()
    result = reference.result(chapter.name)
    if result.done() is None:
        return ReferenceMatch(why=f"the run `{REFERENCE}` has no finished {chapter.name}: {GET}")
    try:
        reference.record()
        if faults := result.faults():
            return ReferenceMatch(why=f"the run `{REFERENCE}` is damaged, {faults[0]}: {GET}")
        if other := result.record().outdated:
            return ReferenceMatch(
                why=f"the run `{REFERENCE}` read the data {other}, of another version than is made here"
            )
    except RunStoreError as fault:
        return ReferenceMatch(why=f"the run `{REFERENCE}` is damaged, {fault}: {GET}")
    return ReferenceMatch(result, usable=result)


def _differing(here: Mapping[str, object], there: Mapping[str, object], names: Iterable[str]) -> list[str]:
    """Return what keeps a run with the parameters ``here`` and the reference, with those ``there``, apart."""
    return [
        f"`{name}={here[name]}` in place of `{name}={there[name]}`"
        for name in names
        if name in here and name in there and here[name] != there[name]
    ]


def _apart(differing: Iterable[str], match: ReferenceMatch) -> ReferenceMatch:
    why = f"other parameters than the run `{REFERENCE}` has: {', '.join(differing)}"
    return ReferenceMatch(why=why, usable=match.usable)


def matching_references(run: Run) -> dict[str, ReferenceMatch]:
    """Return every chapter of the book -> the reference's result with which that of ``run`` may be compared,
    or which takes its place where the run lacks it and has the same request.
    """
    results, request = {}, stored_request(run.record()["request"])
    for name, chapter in chapters().items():
        result = run.result(name)
        if result.done():
            results[name] = matching_reference(run, chapter, result.parameters)
            continue
        results[name] = usable_reference(run, chapter)
        if results[name].result:
            parameters = request.of_chapter(chapter).model_dump()
            if differing := _differing(parameters, results[name].result.parameters, suite().named_by):
                results[name] = _apart(differing, results[name])
    return results
