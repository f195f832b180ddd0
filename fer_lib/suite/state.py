"""Whether a stored result is what its present inputs would give, judged by content and never by time stamps."""

from collections.abc import Mapping
from dataclasses import dataclass

from fer_lib.params import ChapterParameters, resolve
from fer_lib.suite.chapters import CHAPTERS, Chapter
from fer_lib.suite.inputs import chapter_inputs, reasons_out_of_date
from fer_lib.suite.request import Request
from fer_lib.suite.store import ChapterResult, Run, read_json


@dataclass(frozen=True)
class ChapterState:
    """Whether a chapter's stored result is what its present inputs would give."""

    chapter: str
    reasons: tuple[str, ...]
    seconds: float | None = None

    @property
    def up_to_date(self) -> bool:
        """True where nothing speaks against the stored result."""
        return not self.reasons


def states(
    run: Run, chapters: list[Chapter], parameters: Mapping[str, ChapterParameters]
) -> list[ChapterState]:
    """For each chapter, up to date or why not, judged by content and never by time stamps."""
    found: list[ChapterState] = []
    for chapter in chapters:
        result = run.result(chapter.name)
        reasons = _reasons(run, result, chapter, parameters[chapter.name])
        stale = {state.chapter for state in found if not state.up_to_date}
        if result.done() is not None:
            reasons += [f"upstream {name} is out of date" for name in chapter.upstream if name in stale]
        failure = result.failed_folder / "failure.json"
        if failure.exists():
            reasons.append(f"last attempt failed in {read_json(failure)['where']}")
        seconds = None if reasons else result.record()["seconds"]
        found.append(ChapterState(chapter.name, tuple(reasons), seconds))
    return found


def _reasons(run: Run, result: ChapterResult, chapter: Chapter, parameters: ChapterParameters) -> list[str]:
    """What speaks against the stored result by itself."""
    done = result.done()
    if done is None:
        return ["not finished" if result.failed_folder.exists() else "never ran"]
    if faults := result.faults():
        return [f"stored result damaged: {faults[0]}"]
    current = chapter_inputs(chapter, parameters)
    upstream = [run.result(name) for name in chapter.upstream]
    current["upstream"] = {other.chapter: other.checksum() for other in upstream if other.done()}
    return reasons_out_of_date(done["inputs"], current)


def differences(
    before: Mapping[str, Mapping[str, object]], after: Mapping[str, ChapterParameters]
) -> list[str]:
    """``chapter.name old → new`` for each parameter of a chapter in both that differs."""
    return [
        f"{chapter}.{name} {before[chapter].get(name, 'absent')} → {value}"
        for chapter, parameters in after.items()
        if chapter in before
        for name, value in parameters.model_dump().items()
        if before[chapter].get(name) != value
    ]


def run_states(run: Run, request: Request | None = None) -> list[ChapterState]:
    """The state of every chapter in ``run`` against ``request``, or against what the run was asked for."""
    stored = run.record()["request"]
    if request is None:
        parameters = {
            chapter.name: chapter.parameters(**stored["parameters"][chapter.name])
            if chapter.name in stored["parameters"]
            else resolve(chapter.name, chapter.parameters, stored["profile"])
            for chapter in CHAPTERS.values()
        }
    else:
        request.check()
        parameters = {chapter.name: request.of_chapter(chapter) for chapter in CHAPTERS.values()}
    return states(run, list(CHAPTERS.values()), parameters)
