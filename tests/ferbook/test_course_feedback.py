"""Pages of feedback: points, a person's points, and nothing of a student's that becomes HTML."""

from pathlib import Path
from types import SimpleNamespace

from ferbook.course import feedback
from ferbook.course.submission import Submission

VERDICT = SimpleNamespace(
    checks=[SimpleNamespace(check="mean", part="`n` < 3", message="got <b>", points=1, most=2)],
    written=[SimpleNamespace(question="why", answer="so <i>", rubric="because", most=3)],
    ended="",
    notes=[("cell 4", "copied & changed")],
)
KNOWN = {
    "dice": SimpleNamespace(title="Dice", points={"mean": 2, "why": 3}, tasks={"mean": "Mean", "why": "Why"})
}
HANDED_IN = [Submission("ada", "dice", Path("dice.ipynb"), verdict=VERDICT)]


def test_points_and_messages_stand_in_the_page_as_text():
    page = feedback.page("ada", HANDED_IN, KNOWN, {}, trusted=False)
    assert "1 of 5 points</strong>; one answer in words is still to be graded." in page
    assert "<td><code>n</code> &lt; 3: got &lt;b&gt;</td>" in page
    assert "… of 3</td><td>graded by a person" in page and "copied &amp; changed" in page
    assert "without isolation" not in page


def test_a_persons_points_and_comment_count():
    by_hand = {("ada", "dice", "why"): {"points": "2", "comment": "nearly"}}
    page = feedback.page("ada", HANDED_IN, KNOWN, by_hand, trusted=True)
    assert "3 of 5 points</strong>." in page and "2 of 3</td><td>nearly" in page
    assert "without isolation" in page


def test_what_is_not_judged_says_why():
    page = feedback.page("ada", [Submission("ada", file=Path("a.txt"), reason="empty")], KNOWN, {}, False)
    assert "Not graded" in page and "&#39;a.txt&#39;: empty." in page


def test_answers_in_words_stand_under_their_rubric():
    page = feedback.to_grade(HANDED_IN, KNOWN)
    assert (
        "Dice: Why, 3 points" in page and "<pre>because</pre>" in page and "<pre>so &lt;i&gt;</pre>" in page
    )
