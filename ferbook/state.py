"""Whether a stored result is what its present inputs would give, judged by content and never by time
stamps.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ferbook.beside import reference_beside
from ferbook.book import Chapter, chapters
from ferbook.environment import DIRTY
from ferbook.errors import RunStoreError
from ferbook.inputs import chapter_inputs, code_inputs, reasons_out_of_date
from ferbook.parameters import Parameters
from ferbook.records import read_json
from ferbook.request import stored_request
from ferbook.steps import steps
from ferbook.store import REFERENCE, Run


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


def states(run: Run, selection: list[Chapter], parameters: Mapping[str, Parameters]) -> list[ChapterState]:
    """For each chapter, up to date or why not, judged by content and never by time stamps."""
    chapter_states: list[ChapterState] = []
    with steps("chapters compared", len(selection)) as advance:
        for chapter in selection:
            result = run.result(chapter.name)
            current = chapter_inputs(chapter, parameters[chapter.name])
            upstream = [run.result(name) for name in chapter.upstream]
            current["upstream"] = {other.chapter: other.handed_on() for other in upstream if other.done()}
            reasons = reasons_against(run, chapter, current)
            stale = {state.chapter for state in chapter_states if not state.up_to_date}
            if result.done() is not None:
                reasons += [f"upstream {name} is out of date" for name in chapter.upstream if name in stale]
            if (failure := result.failed_folder / "failure.json").exists():
                reasons.append(_failure_reason(failure))
            seconds = None if reasons else result.record().seconds
            chapter_states.append(ChapterState(chapter.name, tuple(reasons), seconds))
            advance()
    return chapter_states


def _failure_reason(failure: Path) -> str:
    # What a failed attempt left behind is only told; damaged, it must not keep the chapter from running.
    with suppress(RunStoreError):
        return f"last attempt failed in {read_json(failure).get('where', 'an unknown place')}"
    return "last attempt failed"


def reasons_against(run: Run, chapter: Chapter, current: Mapping[str, object]) -> list[str]:
    """What speaks against the stored result of ``chapter`` by itself, where its inputs, those of upstream
    among them, would now be the ``current`` ones.
    """
    result = run.result(chapter.name)
    manifest = result.done()
    if manifest is None:
        begun = result.failed_folder.exists() or result.folder.exists()
        return ["not finished" if begun else "never ran"]
    if faults := result.faults():
        return [f"stored result damaged: {faults[0]}"]
    before = manifest["inputs"]
    reasons = reasons_out_of_date(before, {**current, "code": code_inputs(chapter, before)["code"]})
    record = result.record()
    if run.name == REFERENCE and record.commit.endswith(DIRTY):
        reasons.append(f"made of changes that no commit has ({record.commit})")
    if "reference" in record.model_fields_set:
        beside = reference_beside(run, chapter, current["parameters"]).result
        if record.reference != (beside and beside.shown_numbers()):
            reasons.append("the reference beside it changed")
    return reasons


def differences(before: Mapping[str, Mapping[str, object]], after: Mapping[str, Parameters]) -> list[str]:
    """``chapter.name old → new`` for each parameter of a chapter in both that differs."""
    return [
        f"{chapter}.{name} {before[chapter].get(name, 'absent')} → {value}"
        for chapter, parameters in after.items()
        if chapter in before
        for name, value in parameters.model_dump().items()
        if before[chapter].get(name) != value
    ]


def run_states(run: Run) -> list[ChapterState]:
    """The state of every chapter in ``run`` against what the run was asked for."""
    request = stored_request(run.record()["request"])
    request.check()
    all_chapters = list(chapters().values())
    return states(run, all_chapters, {chapter.name: request.of_chapter(chapter) for chapter in all_chapters})
