"""The reference: a run that is large enough to answer and is committed, beside the runs that one makes."""

from collections.abc import Mapping
from dataclasses import dataclass

from ferbook.book import Chapter, chapters, suite, with_upstream
from ferbook.errors import RunStoreError
from ferbook.store import ChapterResult, Run, open_run

REFERENCE = "reference"
"""The name of the run."""

GET = (
    f"`git checkout -- runs/{REFERENCE}` brings it back where the repository has it, `ferbook run --profile "
    f"{REFERENCE}` makes it"
)


@dataclass(frozen=True)
class Beside:
    """The reference's ``result`` of a chapter, where it may stand beside a run's; else ``why`` it does not,
    empty for the reference itself. ``there``: whether there is a reference.
    """

    result: ChapterResult | None = None
    why: str = ""
    there: bool = True


def reference_beside(run: Run, chapter: Chapter, parameters: Mapping[str, object] | None) -> Beside:
    """What stands beside a chapter that ``run`` makes, or made, with ``parameters`` (None: it has not made
    it, and whatever the reference has may stand in its place).

    Results stand together where they are whole, about data as they are made here, and alike in the
    parameters that the book names, their own and those of the chapters upstream.
    """
    if run.name == REFERENCE:
        return Beside(there=False)
    reference = open_run(REFERENCE)
    if not reference.exists():
        return Beside(why=f"there is no run `{REFERENCE}` here: {GET}", there=False)
    result = reference.result(chapter.name)
    if result.done() is None:
        return Beside(why=f"the run `{REFERENCE}` has no finished {chapter.name}: {GET}")
    try:
        reference.record()
        if faults := result.faults():
            return Beside(why=f"the run `{REFERENCE}` is damaged, {faults[0]}: {GET}")
        if other := suite().outdated(result.record()):
            return Beside(why=f"the run `{REFERENCE}` saw the data {other}, which are not made here any more")
        if parameters is not None:
            differing = _differing(run, reference, chapter, parameters)
            if differing:
                return Beside(
                    why=f"it has other parameters than the run `{REFERENCE}`: {', '.join(differing)}"
                )
    except RunStoreError as fault:
        return Beside(why=f"the run `{REFERENCE}` is damaged, {fault}: {GET}")
    return Beside(result)


def _differing(run: Run, reference: Run, chapter: Chapter, own: Mapping[str, object]) -> list[str]:
    """``name `here`, there `there` `` for each parameter that keeps the two from standing together."""
    told: dict[str, None] = {}
    for each in with_upstream([chapter.name]):
        here = own if each.name == chapter.name else _parameters(run.result(each.name))
        there = _parameters(reference.result(each.name))
        for name in (*suite().named_by, *suite().alike):
            if name in here and name in there and here[name] != there[name]:
                told[f"`{name}={here[name]}` in place of `{name}={there[name]}`"] = None
    return list(told)


def _parameters(result: ChapterResult) -> Mapping[str, object]:
    done = result.done()
    return done["inputs"].get("parameters", {}) if done else {}


def standing_beside(run: Run) -> dict[str, Beside]:
    """Every chapter of the book -> what stands beside that of ``run``, or in place of one that it lacks."""
    found = {}
    for name, chapter in chapters().items():
        done = run.result(name).done()
        found[name] = reference_beside(run, chapter, done and done["inputs"].get("parameters", {}))
    return found
