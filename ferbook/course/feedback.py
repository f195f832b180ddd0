"""What students read about their work, and what a teacher reads to grade answers in words: a page each, which
loads nothing. No check's code stands there.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ferbook.course.source import Assignment
from ferbook.course.submission import Submission, key_of

ByHand = Mapping[str, Mapping[str, str]]
"""The rows of ``by_hand.csv``, by their keys."""
LONGEST = 20_000
"""Characters of an answer in words that are shown."""


def page(
    student: str,
    submissions: Sequence[Submission],
    assignments: Mapping[str, Assignment],
    by_hand: ByHand,
    trusted: bool,
) -> str:
    """A student's feedback: points and messages of each check, what is odd about the notebook, answers in
    words with a person's points and comment where they are graded.
    """
    parts = [_part(each, assignments, by_hand) for each in submissions]
    return _written(title=f"Feedback for {student}", parts=parts, trusted=trusted)


def _part(each: Submission, assignments: Mapping[str, Assignment], by_hand: ByHand) -> dict[str, object]:
    """What the page says of one submission."""
    assignment = assignments.get(each.assignment)
    file = f"{each.file.name!a}: " if each.file else ""
    part = {
        "title": assignment.title if assignment else "Not graded",
        "reason": f"{file}{each.reason}" if each.reason else "",
        "verdict": each.verdict,
    }
    if each.verdict is None:
        return part
    questions = [one.question for one in each.verdict.written]
    hand = {question: by_hand.get(key_of(each, question), {}) for question in questions}
    points = [float(one.get("points") or 0) for one in hand.values()]
    return part | {
        "points": each.verdict.points + sum(points),
        "most": sum(assignment.points.values()),
        "waiting": sum(not one.get("points") for one in hand.values()),
        "tasks": assignment.tasks,
        "by_hand": hand,
        "notes": each.notes + each.verdict.notes,
    }


def to_grade(submissions: Sequence[Submission], assignments: Mapping[str, Assignment], trusted: bool) -> str:
    """All answers in words, by question, under its rubric; the points go into ``by_hand.csv``."""
    answers: dict[tuple[str, str], dict] = {}
    for each in submissions:
        for one in each.verdict.written if each.verdict else ():
            assignment = assignments[each.assignment]
            title = f"{assignment.title}: {assignment.tasks[one.question]}, {one.most:g} points"
            question = {"title": title, "rubric": one.rubric, "given": []}
            place = answers.setdefault((each.assignment, one.question), question)
            cut = f" … ({len(one.answer)} characters)" if len(one.answer) > LONGEST else ""
            place["given"].append((each.student, one.answer[:LONGEST] + cut))
    return _written(title="Answers in words", answers=list(answers.values()), parts=(), trusted=trusted)


def _written(**places: object) -> str:
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    templates.filters["backticks"] = _with_code
    return templates.get_template("feedback.html").render(places)


def _with_code(text: str) -> Markup:
    """Text as HTML; what stands in backticks as code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))
