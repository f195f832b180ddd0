"""What the page of answers needs to judge claims in the browser."""

import json
import re

from ferbook.claims import Control, Fact, PaperClaim, Question
from ferbook.estimate import Estimate
from ferbook.explorer import claims_data
from ferbook.verdicts import Evidence, judge

AHEAD = Question(asks="Ahead, 1 < 2?", metric="a.ahead", above=0, margin=1, unit="points")
FARTHER = Question(asks="By 5?", metric="a.ahead", above=5, beside=True)
FOUND = Question(asks="Found?", metric="a.count", above=2, counts=True, weak=True)
TAUGHT = Fact(asks="Taught?", noted="a.taught", equals=True)
METRICS = {"ahead": Estimate(3, 2, 4), "count": Estimate(1, unit="count")}


def packed(*claims):
    results = {"a": Evidence(METRICS, {"taught": True})}
    required = {"taught": TAUGHT, "ahead": AHEAD}
    controls = {"planted": Control(plants="it", test="a", finds=False)}
    judged = [judge(claim, results, required, controls) for claim in claims]
    text = claims_data(judged, {"holds": "success"}, [("holds", "holds", "hold")])
    assert text.count("<") == 4, "nothing in it ends the element"
    return json.loads(re.search(r">(\{.*\})<", text)[1])


def claim(*questions, **rest):
    return PaperClaim(claim="?", short="?", certainty="N", questions=questions, **rest)


def test_each_row_has_what_decides_and_moves_with_its_bound():
    data = packed(
        claim(AHEAD, FARTHER, FOUND, requires=("taught",)),
        claim(AHEAD, requires=("ahead",), control="planted"),
    )
    first, second = data["claims"]
    fact, ahead, farther, found = first["rows"]
    assert fact == {"role": "required", "answer": "yes"}
    assert (ahead["role"], ahead["name"], ahead["answer"]) == ("own", "a.ahead", "yes")
    assert [ahead[key] for key in ("side", "limit", "margin", "low", "high")] == ["above", 0, 1, 2, 4]
    assert (farther["role"], farther["name"], farther["answer"]) == ("beside", "a.ahead~2", "no")
    assert (found["role"], found["counts"], found["low"], found["answer"]) == ("weak", True, None, "no")
    assert [row["name"] for row in second["rows"]] == ["a.ahead", "a.ahead"], "one bound, moved as one"
    assert (first["control"], second["control"]) == (None, False)
    assert (first["verdict"], second["verdict"]) == ("holds", "cannot be asked here")
    assert data["colours"] == {"holds": "success"} and data["counted"] == [["holds", "holds", "hold"]]


def test_what_was_not_asked_has_no_bound_to_move():
    absent = Question(asks="?", metric="a.absent", above=0)
    (row,) = packed(claim(absent))["claims"][0]["rows"]
    assert row == {"role": "own", "answer": "not asked"}
