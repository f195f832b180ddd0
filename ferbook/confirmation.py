"""The one run that confirms: planned in ``claims.yaml`` before it was made, and kept as it answered.

A claim is confirmed where the run gives the same verdict, and the same answer to each question that decides
or asks of a weak control. What it answered is written once; no later run takes its place.
"""

import json
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from ferbook import paths
from ferbook.book import find_chapter
from ferbook.claims import ConfirmationPlan, Entry, read_claims
from ferbook.errors import DataError, ParameterError, RunStoreError, first_fault
from ferbook.files import write_atomically
from ferbook.questions import claim_digest
from ferbook.request import Request
from ferbook.store import Run, open_run
from ferbook.verdicts import Answered, Judged, evidence_by, judged_claims


class Reply(Entry):
    """The ``answer`` to the question about ``metric``, with what was measured and asked."""

    metric: str
    answer: str
    details: str


class ClaimReply(Entry):
    """The ``verdict`` on a claim, and the replies to its questions, those beside it left out; ``digest``: of
    what decided it. Where that was changed since, it is a reply to an earlier question.
    """

    digest: str
    verdict: str
    replies: tuple[Reply, ...]

    def confirms(self, judgement: Judged) -> bool:
        """Whether verdict and answers are those of ``judgement``, which must be of the same questions."""
        answers = [each.answer for each in decisive_answers(judgement)]
        return self.verdict == judgement.verdict and answers == [each.answer for each in self.replies]


class Confirmation(Entry):
    """``confirmation.json``: the ``day`` of the run, the ``commit`` that made it, and its replies by the
    claims' short names.
    """

    day: date
    commit: str
    claims: dict[str, ClaimReply]


def read_confirmation(file: Path) -> Confirmation | None:
    """What the run answered; None where it was not made yet. Raises DataError that names what is wrong."""
    if not file.is_file():
        return None
    try:
        return Confirmation.model_validate_json(file.read_bytes())
    except ValidationError as fault:
        raise DataError(f"{file}: {first_fault(fault)}") from fault


def write_confirmation(file: Path) -> Confirmation:
    """Write what the planned run answers to each claim whose deciding questions it asks.

    Raises DataError where no run is planned, or one has answered before; RunStoreError where it is not
    there, or is damaged; ParameterError where it was not made as planned.
    """
    claims = read_claims(paths.claims_file())
    plan = claims.confirmation
    if plan is None:
        raise DataError(f"{paths.claims_file()}: no run is planned that confirms")
    if file.exists():
        raise DataError(f"{file}: the run that confirms has answered; the questions are asked of it once")
    run = open_run(plan.run)
    commits = _require_planned(run, plan)
    judgements = [each for _, own in judged_claims(evidence_by(run)) for each in own]
    replies = {
        each.claim.short: ClaimReply(
            digest=claim_digest(each.claim, claims.preconditions),
            verdict=each.verdict,
            replies=tuple(
                Reply(metric=one.question.metric, answer=one.answer, details=one.details)
                for one in decisive_answers(each)
            ),
        )
        for each in judgements
        if all(one.answer != "not asked" for one in decisive_answers(each))
    }
    confirmation = Confirmation(day=date.today(), commit=", ".join(commits), claims=replies)
    content = json.dumps(confirmation.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_atomically(file, f"{content}\n")
    return confirmation


def decisive_answers(judgement: Judged) -> list[Answered]:
    """The answers that confirm: those that decide, and those about weak controls."""
    return [each for each in judgement.answers if not each.question.beside]


def _require_planned(run: Run, plan: ConfirmationPlan) -> list[str]:
    """The commits that made the chapters of ``run``. Raises where one was not made as it was planned."""
    request, commits = Request(plan.profile, plan.parameters), {}
    for chapter in map(find_chapter, plan.chapters):
        if run.result(chapter.name).done() is None:
            raise RunStoreError(f"run {run.name!r} has no finished {chapter.name}: `{plan.command}` makes it")
        summary = run.result(chapter.name).summary()
        settings = chapter.parameters(**summary["parameters"])
        for name, value in request.of_chapter(chapter):
            if getattr(settings, name) != value:
                raise ParameterError(
                    f"run {run.name!r}: {chapter.name} was made with {name}={getattr(settings, name)}, and "
                    f"{name}={value} was planned"
                )
        commits[summary["commit"]] = None
    return list(commits)
