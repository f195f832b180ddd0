"""What the page of answers needs to judge the claims anew in the browser, by bounds that a reader moves.

``book/_static/claims.js`` asks by the rules of ``ferbook.verdicts``.
"""

import json
from collections.abc import Mapping, Sequence

from ferbook.claims import Fact
from ferbook.verdicts import Answered, Judged


def _row(each: Answered, role: str, names: dict[tuple, str]) -> dict[str, object]:
    """A question as a row of its claim's table: what answers it, and by what ``name`` its bound is moved.

    Questions of one metric and bound are moved as one.
    """
    question = each.question
    if isinstance(question, Fact) or each.estimate is None:
        return {"role": role, "answer": each.answer}
    key = (question.metric, question.side, each.limit)
    same = sum(metric == question.metric for metric, *_ in names)
    name = names.setdefault(key, f"{question.metric}~{same + 1}" if same else question.metric)
    return {
        "role": role,
        "answer": each.answer,
        "name": name,
        "asks": question.asks,
        "metric": question.metric,
        "side": question.side,
        "limit": each.limit,
        "margin": question.margin,
        "counts": question.counts,
        "unit": question.unit,
        "kind": each.estimate.unit,
        **{end: getattr(each.estimate, end) for end in ("value", "low", "high")},
    }


def claims_data(
    judgements: Sequence[Judged], colours: Mapping[str, str], forms: Sequence[tuple[str, str, str]]
) -> str:
    """The claims of ``judgements`` in their order as an element of JSON: of each its ``verdict``, whether
    what was planted is found (``control``), and the ``rows`` of its table in theirs. ``colours`` of the words
    of answers and verdicts, and the ``forms`` in which a sentence counts each verdict.

    A question asked elsewhere has its bound moved with the one asked here.
    """
    names: dict[tuple, str] = {}
    claims = []
    for each in judgements:
        rows = [_row(one, "required", names) for one in each.required.values()]
        own = {one.question: _row(one, _role(one), names) for one in each.answers}
        there = []
        for question, answer in each.again.items():
            elsewhere = _row(answer, "again", {})
            there.append(elsewhere | ({"name": own[question]["name"]} if "name" in elsewhere else {}))
        control = each.control and each.control.finds
        claims.append({"verdict": each.verdict, "control": control, "rows": [*rows, *own.values(), *there]})
    content = json.dumps({"claims": claims, "colours": colours, "counted": forms}, ensure_ascii=False)
    content = content.replace("<", "\\u003c")
    return f'<div><script type="application/json" id="claims-data">{content}</script></div>'


def _role(answer: Answered) -> str:
    return "weak" if answer.question.weak else "beside" if answer.question.beside else "own"
