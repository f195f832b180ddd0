"""What students read about their work, and what a teacher reads to grade answers in words: a page each, which
loads nothing. No check's code stands there.
"""

import re
from html import escape
from typing import TYPE_CHECKING

from ferbook.course.source import Assignment

if TYPE_CHECKING:
    from ferbook.course.grade import Submission

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --good: #17693b; --bad: #a3222a; }
@media (prefers-color-scheme: dark) { :root { --good: #6fd39a; --bad: #ff9a9f; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0; }
tr { border-top: 1px solid var(--line); }
td:nth-child(2) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .bad { color: var(--bad); }
@media (max-width: 36rem) {
  thead { display: none; }
  tr { display: grid; grid-template-columns: 1fr auto; padding: .4rem 0; }
  td { padding: .1rem .6rem .1rem 0; }
  td:nth-child(3) { grid-column: 1 / -1; overflow-wrap: anywhere; }
}
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid #8886; padding-left: 1rem; }
.note { border: 1px solid var(--line); border-radius: 6px; padding: .6rem 1rem; }
"""


def _html(title: str, body: list[str]) -> str:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    text = "\n".join(body)
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n{text}\n</body></html>\n'


def _points(points: float, most: float) -> str:
    mark, kind = ("✓", "good") if points == most else ("✗", "bad") if not points else ("◐", "bad")
    return f'<span class="{kind}" aria-hidden="true">{mark}</span> {points:g} of {most:g}'


def _row(name: str, points: str, told: str) -> str:
    return f"<tr><td>{_text(name)}</td><td>{points}</td><td>{_text(told)}</td></tr>"


def _text(told: str) -> str:
    """Text as HTML; what stands in backticks as code."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(told))


def page(
    student: str,
    submissions: "list[Submission]",
    known: dict[str, Assignment],
    by_hand: dict[tuple[str, str, str], dict],
    trusted: bool,
) -> str:
    """A student's feedback: points and messages of each check, what is odd about the notebook, answers in
    words with a person's points and comment where they are graded.
    """
    body = [f"<h1>Feedback for {escape(student)}</h1>"]
    if trusted:
        body.append('<p class="note">Graded without isolation: the students were trusted.</p>')
    for each in submissions:
        title = known[each.assignment].title if each.assignment else "Not graded"
        body.append(f"<h2>{escape(title)}</h2>")
        if each.reason:
            file = each.file.name if each.file else ""
            body.append(
                f'<p class="note bad">{escape(f"{file!a}: " if file else "")}{escape(each.reason)}.</p>'
            )
        if each.verdict is None:
            continue
        verdict = each.verdict
        hand = {
            one.question: by_hand.get((each.student, each.assignment, one.question), {})
            for one in verdict.written
        }
        points = sum(one.points for one in verdict.checks)
        points += sum(float(one.get("points") or 0) for one in hand.values())
        waiting = sum(not one.get("points") for one in hand.values())
        most = sum(known[each.assignment].points.values())
        answers = "one answer in words is" if waiting == 1 else f"{waiting} answers in words are"
        later = f"; {answers} still to be graded" if waiting else ""
        body.append(f"<p><strong>{points:g} of {most:g} points</strong>{later}.</p>")
        if verdict.ended:
            told = "What was delivered until then counts; what came after it could not be checked."
            body.append(f'<p class="note bad">The notebook was stopped: {escape(verdict.ended)}. {told}</p>')
        rows = ["<table><thead><tr><th>Task</th><th>Points</th><th>What was found</th></tr></thead><tbody>"]
        tasks = known[each.assignment].tasks
        for one in verdict.checks:
            told = f"{one.part}: {one.message}" if one.message else "as it should be"
            rows.append(_row(tasks[one.check], _points(one.points, one.most), told))
        for one in verdict.written:
            mark = hand[one.question]
            given = _points(float(mark["points"]), one.most) if mark.get("points") else f"… of {one.most:g}"
            told = mark.get("comment") or ("" if mark.get("points") else "graded by a person")
            rows.append(_row(f"{tasks[one.question]} (in words)", given, told))
        body += [*rows, "</tbody></table>"]
        if notes := each.notes + verdict.notes:
            body.append("<h3>About the notebook</h3><ul>")
            body += [f"<li><code>{escape(cell)}</code>: {_text(what)}</li>" for cell, what in notes]
            body.append("</ul>")
    return _html(f"Feedback for {student}", body)


def to_grade(submissions: "list[Submission]", known: dict[str, Assignment]) -> str:
    """All answers in words, by question, under its rubric; the points go into ``by_hand.csv``."""
    answers: dict[tuple[str, str], list[str]] = {}
    for each in submissions:
        for one in each.verdict.written if each.verdict else ():
            place = answers.setdefault((each.assignment, one.question), [])
            if not place:
                assignment = known[each.assignment]
                title = f"{assignment.title}: {assignment.tasks[one.question]}, {one.most:g} points"
                place += [f"<h2>{escape(title)}</h2>"]
                place += [f'<div class="note"><pre>{escape(one.rubric)}</pre></div>']
            place += [f"<h3>{escape(each.student)}</h3><pre>{escape(one.answer)}</pre>"]
    told = "<p>Points and comments go into <code>by_hand.csv</code>; then grade again.</p>"
    return _html(
        "Answers in words",
        ["<h1>Answers in words</h1>", told, *(text for place in answers.values() for text in place)],
    )
