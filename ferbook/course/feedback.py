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

LONGEST = 20_000  # characters of an answer in words that are shown


def page(
    student: str,
    submissions: Sequence[Submission],
    assignments: Mapping[str, Assignment],
    by_hand: Mapping[str, Mapping[str, str]],
    trusted: bool,
) -> str:
    """A student's feedback: points and messages of each check, what is odd about the notebook, answers in
    words with a person's points and comment where they are graded: ``by_hand``, rows by their keys.
    """

    def hand(each: Submission) -> dict[str, Mapping[str, str]]:
        questions = [one.question for one in each.verdict.written]
        rows = {name: by_hand.get(key_of(each, name), {}) for name in questions}
        return {name: {"points": "", "comment": ""} | {**row} for name, row in rows.items()}

    title = f"Feedback for {student}"
    return _written(title=title, parts=submissions, known=assignments, hand=hand, trusted=trusted)


def to_grade(submissions: Sequence[Submission], assignments: Mapping[str, Assignment], trusted: bool) -> str:
    """All answers in words, by question, under its rubric; the points go into ``by_hand.csv``."""
    answers: dict[tuple[str, str], dict] = {}
    for each in submissions:
        for one in each.verdict.written if each.verdict else ():
            about = assignments[each.assignment]
            title = f"{about.title}: {about.tasks[one.question]}, {one.most:g} points"
            question = {"title": title, "rubric": one.rubric, "given": []}
            cut = f" … ({len(one.answer)} characters)" if len(one.answer) > LONGEST else ""
            given = answers.setdefault((each.assignment, one.question), question)["given"]
            given.append((each.student, one.answer[:LONGEST] + cut))
    return _written(title="Answers in words", answers=[*answers.values()], parts=(), trusted=trusted)


def _written(**places: object) -> str:
    loader = FileSystemLoader(Path(__file__).parent)
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    templates.filters["backticks"] = _with_code
    return templates.get_template("feedback.html").render(places)


def _with_code(text: str) -> Markup:
    """Text as HTML; what stands in backticks as code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))
