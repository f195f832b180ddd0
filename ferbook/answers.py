"""What a run says of the papers' claims: for the terminal, and as the page "What is true" of the book."""

from collections.abc import Mapping, Sequence

from ferbook import paths
from ferbook.book import chapters
from ferbook.claims import Answered, Judged, Metrics, Paper, judge, read_claims
from ferbook.errors import RunStoreError
from ferbook.reported import CERTAINTIES
from ferbook.store import Run

PLACE = "<!-- claims -->"
"""The line of a page in whose place ``claims_text`` is put."""

_BADGES = {
    **{"holds here": "success", "yes": "success"},
    **{"does not hold here": "danger", "no": "danger"},
    **{"holds in part": "warning", "not settled here": "muted", "open": "muted"},
    **{"not asked here": "light", "not asked": "light"},
}


def judged_claims(run: Run) -> list[tuple[Paper, list[Judged]]]:
    """Each paper with its claims of ``claims.yaml``, judged by the finished chapters of ``run``; what an
    unfinished one would answer is not asked.

    Raises DataError for a damaged ``claims.yaml`` and RunStoreError for a damaged result.
    """
    if not run.exists():
        raise RunStoreError(f"there is no run {run.name!r}; `ferbook runs` lists them")
    finished = {result.chapter: result.metrics() for result in run.results()}
    metrics: Metrics = {name: finished.get(name, {}) for name in chapters()}
    return [
        (paper, [judge(claim, metrics) for claim in paper.claims]) for paper in read_claims(paths.claims())
    ]


def faces_of(run: Run) -> dict[str, str]:
    """Chapter -> name of the face set that it was about."""
    asked = run.record()["request"]["parameters"]
    return {name: str(parameters["faces"]) for name, parameters in asked.items() if "faces" in parameters}


def _cell(text: str) -> str:
    """``text`` in a table of Markdown, where a bar would end the cell."""
    return text.replace("|", "\\|")


def _badge(text: str) -> str:
    return f"{{bdg-{_BADGES[text]}}}`{text}`"


def _overview(judged: Sequence[tuple[Paper, Sequence[Judged]]]) -> list[str]:
    rows = ["| Verdict | Claim | Paper |", "|---|---|---|"]
    for paper, claims in judged:
        for each in claims:
            rows.append(f"| {_badge(each.verdict)} | {_cell(each.claim.claim)} | {paper.name} |")
    return rows


def _question(each: Answered, faces: Mapping[str, str]) -> str:
    question = each.question
    measured = f"{each.measured}; asked: {question.side} {each.bound}" if each.measured else each.why
    where = f"[{chapters()[question.chapter].title}]({question.chapter}/{question.chapter}.ipynb)"
    if question.chapter in faces:
        where += f", on `{faces[question.chapter]}`"
    asks = f"*Beside it:* {question.asks}" if question.beside else question.asks
    return f"| {' | '.join(_cell(cell) for cell in (_badge(each.answer), asks, measured, where))} |"


def claims_text(judged: Sequence[tuple[Paper, Sequence[Judged]]], faces: Mapping[str, str]) -> str:
    """The claims as MyST Markdown: an overview, then paper by paper each claim with its questions, numbers
    and answers.

    ``faces``: chapter -> name of the face set that it was about.
    """
    lines = [*_overview(judged), ""]
    for paper, claims in judged:
        lines += [f"## {paper.name}", "", f"{{cite:t}}`{paper.paper}`.", ""]
        for each in claims:
            claim = each.claim
            sure = f"[{claim.certainty}]{{.certainty}} {CERTAINTIES[claim.certainty]}"
            lines += [
                *(f"**{claim.claim}** {_badge(each.verdict)}", ""),
                *(f"Reported: {claim.reported or 'no number'}. {sure}.", ""),
                *("| Answer | Asked here | Measured | Where |", "|---|---|---|---|"),
                *(_question(one, faces) for one in each.answers),
                "",
            ]
    return "\n".join(lines)
