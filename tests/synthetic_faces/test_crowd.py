import numpy as np
import pytest

from face_sets.faceset import EMOTIONS
from synthetic_faces.crowd import VOTERS, Crowd, cast_votes, confusions, majority_emotion, mislabel, seen_as
from synthetic_faces.errors import SettingError

SURE = Crowd(faint=1.0, clear=1.0, agreement=1e6)


def polls(emotion, strength, crowd, number=400):
    return np.array(
        [cast_votes(emotion, strength, crowd, np.random.default_rng((1, k))) for k in range(number)]
    )


def test_confusions_are_shares_of_the_errors():
    table = confusions()
    assert table.shape == (8, 8)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    np.testing.assert_array_equal(np.diag(table), 0)
    # Fear is taken for surprise, sadness for a neutral face.
    assert EMOTIONS[table[EMOTIONS.index("fear")].argmax()] == "surprise"
    assert EMOTIONS[table[EMOTIONS.index("sadness")].argmax()] == "neutral"


def test_what_voters_see_worked_by_hand():
    crowd = Crowd(faint=0.2, clear=0.8)
    odds = dict(zip(EMOTIONS, seen_as("fear", 0.5, crowd), strict=True))
    wrong = dict(zip(EMOTIONS, confusions()[EMOTIONS.index("fear")], strict=True))
    assert odds["fear"] == pytest.approx(0.5)
    assert odds["surprise"] == pytest.approx(0.5 * 0.5 * wrong["surprise"])
    assert odds["neutral"] == pytest.approx(0.5 * (0.5 + 0.5 * wrong["neutral"]))
    # At strength 0 nothing but a neutral face can be taken for what is not seen.
    faint = dict(zip(EMOTIONS, seen_as("fear", 0, crowd), strict=True))
    assert faint == pytest.approx(dict.fromkeys(EMOTIONS, 0) | {"fear": 0.2, "neutral": 0.8})
    for emotion in EMOTIONS:
        assert seen_as(emotion, 0.3, crowd).sum() == pytest.approx(1)
    np.testing.assert_array_equal(seen_as("neutral", 0.1, crowd), seen_as("neutral", 0.9, crowd))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_ten_vote_and_sure_voters_agree(emotion):
    votes = polls(emotion, 0.4, Crowd(), 100)
    assert (votes.sum(axis=1) == VOTERS).all() and votes.min() >= 0
    np.testing.assert_array_equal(votes, polls(emotion, 0.4, Crowd(), 100))
    assert (polls(emotion, 0.4, SURE, 20)[:, EMOTIONS.index(emotion)] == VOTERS).all()


def test_votes_follow_the_strength_and_the_agreement():
    fear, neutral = EMOTIONS.index("fear"), EMOTIONS.index("neutral")
    weak, strong = (polls("fear", s, Crowd()).mean(axis=0) / VOTERS for s in (0.1, 1.0))
    np.testing.assert_allclose(strong, seen_as("fear", 1.0, Crowd()), atol=0.03)
    assert weak[fear] < strong[fear] - 0.3 and weak[neutral] > strong[neutral] + 0.3
    # The same mean, but voters agree the more the smaller the number.
    close, wide = (polls("fear", 0.5, Crowd(agreement=a)) for a in (0.5, 50))
    np.testing.assert_allclose(close.mean(axis=0), wide.mean(axis=0), atol=0.7)
    assert close.max(axis=1).mean() > wide.max(axis=1).mean() + 1


def test_the_majority_wins_and_equals_are_drawn():
    votes = np.array([0, 6, 0, 4, 0, 0, 0, 0])
    assert majority_emotion(votes, np.random.default_rng(0)) == EMOTIONS[1]
    drawn = {
        majority_emotion(np.array([5, 0, 0, 0, 0, 0, 0, 5]), np.random.default_rng(k)) for k in range(20)
    }
    assert drawn == {EMOTIONS[0], EMOTIONS[7]}


def test_labels_are_wrong_at_the_given_rate_and_in_the_ways_of_people():
    among = tuple(e for e in EMOTIONS if e != "contempt")
    labels = [mislabel("fear", 0.3, among, np.random.default_rng((2, k))) for k in range(2000)]
    wrong = [label for label in labels if label != "fear"]
    assert 0.27 < len(wrong) / 2000 < 0.33
    assert "contempt" not in wrong
    assert max(set(wrong), key=wrong.count) == "surprise"
    assert {mislabel("fear", 0.0, among, np.random.default_rng(k)) for k in range(20)} == {"fear"}
    assert "fear" not in {mislabel("fear", 1.0, among, np.random.default_rng(k)) for k in range(20)}


@pytest.mark.parametrize(
    "wrong", [{"faint": 0.95}, {"faint": -0.1}, {"clear": 1.1}, {"agreement": 0}, {"agreement": float("nan")}]
)
def test_bad_crowds_are_refused_by_name(wrong):
    with pytest.raises(SettingError, match=f"{next(iter(wrong))} "):
        Crowd(**wrong)
