"""Fine-tuning in numbers and words, from answers whose accuracy is known."""

import numpy as np
import pandas as pd
import pytest

from book.transfer import figures
from book.transfer import fine_tuning as reports
from book.transfer.fine_tuning import FineTuning
from fer_lib.faces.faceset import FaceSet

CLASSES = ("anger", "happiness")
N = 200
FEW_HELP = {0: (0.5, 0.3), 10: (0.7, 0.4), 100: (0.9, 0.9)}
ALL_HELP = {10: (0.7, 0.4), 100: (0.9, 0.6)}
NO_HELP = {10: (0.5, 0.5), 100: (0.9, 0.9)}
TURNS = {10: (0.7, 0.4), 100: (0.6, 0.9)}
HURTS = {10: (0.4, 0.7), 100: (0.9, 0.9)}


def pictures() -> FaceSet:
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "subject": [f"s{number}" for number in range(N)],
            "sequence": "",
            "frame": 0,
            "emotion": [CLASSES[number % 4 > 0] for number in range(N)],
            "split": "test",
        }
    )
    return FaceSet("toy", np.zeros((N, 8, 8), np.uint8), table)


def made(shares: dict[int, tuple[float, float]], draws: int = 2) -> FineTuning:
    """Draws of 10 % differ by two points, those of other fractions by none."""
    test = pictures()
    labels = test.labels(CLASSES)
    rows, answers = [], {}
    for fraction, pair in shares.items():
        for start, share in zip(("pretrained", "scratch"), pair, strict=True):
            for draw in range(draws):
                own = share + (0.02 * draw if fraction == 10 else 0)
                right = (np.arange(N) * 7 + 11 * draw) % N < round(own * N)
                answers[start, fraction, draw] = np.eye(2, dtype=np.float32)[
                    np.where(right, labels, 1 - labels)
                ]
                people = {"train_pictures": 4 * fraction, "train_people": fraction}
                rows.append({"start": start, "fraction": fraction, "draw": draw, "accuracy": own} | people)
    return FineTuning(pd.DataFrame(rows), answers, test, CLASSES, None)


def stored(shares: dict[int, tuple[float, float]], draws: int = 2) -> dict[str, dict]:
    scored = reports.score_tuning(made(shares, draws), draws=300)
    return {name: metric.to_json() for name, metric in reports.tuning_metrics(scored).items()}


def test_the_metrics_are_those_of_the_smallest_and_the_largest_fraction():
    metrics = stored(FEW_HELP)
    assert metrics["zero_shot_accuracy"]["value"] == pytest.approx(0.5)
    assert metrics["tuning_fraction"]["value"] == 0.1
    assert metrics["tuned_accuracy"]["value"] == pytest.approx(0.71)
    assert metrics["scratch_accuracy"]["value"] == pytest.approx(0.41)
    assert metrics["tuning_gain"]["value"] == pytest.approx(30)
    assert metrics["tuning_gain_full"]["value"] == pytest.approx(0)


def test_the_luck_of_the_draws_widens_the_interval_of_their_own_fraction_only():
    scored = reports.score_tuning(made({10: (0.7, 0.4), 100: (0.7, 0.4)}), draws=300)
    assert scored[10].spread["accuracy"] == pytest.approx(0.02 / np.sqrt(2))
    assert scored[100].spread["accuracy"] == 0
    assert scored[10].freedom == 2
    metrics = reports.tuning_metrics(scored)
    assert "degrees of freedom" in metrics["tuning_gain"].how
    alone = reports.tuning_metrics(reports.score_tuning(made(FEW_HELP, draws=1), draws=300))
    assert "the seeds are not covered" in alone["tuning_gain"].how


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        (FEW_HELP, "where they are many, no help is shown"),
        (ALL_HELP, "with few pictures and with many"),
        (NO_HELP, "cannot tell"),
        (TURNS, "few and hurts where they are many"),
        (HURTS, "hurts"),
    ],
)
def test_the_answer_follows_the_numbers(shares, verdict):
    told = reports.tuning_answer(stored(shares), "wild", "lab")
    assert verdict in told
    assert "10\u00a0% of lab" in told and "learned wild before" in told


def test_without_any_training_there_is_no_answer():
    metrics = stored({0: (0.5, 0.3)})
    assert set(metrics) == {"zero_shot_accuracy"}
    assert reports.tuning_answer(metrics, "wild", "lab") == ""


def test_the_table_tells_people_where_they_are_known():
    found = made(FEW_HELP)
    table = reports.tuning_table(reports.score_tuning(found, draws=100))
    assert table["share"].tolist() == ["0\u00a0%", "10\u00a0%", "100\u00a0%"]
    assert table["pictures"].tolist() == [0, 40, 400]
    assert table["people"].tolist() == [0, 10, 100]
    assert table["difference (points)"].iloc[1].startswith("30.0 (2")
    found.table["train_people"] = 0
    assert pd.isna(reports.tuning_table(reports.score_tuning(found, draws=100))["people"].iloc[1])


def test_the_curves_show_every_draw_and_the_null():
    found = made(FEW_HELP)
    null = reports.tuning_null(found)
    assert null == 0.75
    figure, data, alt = figures.tuning_curves(found.table, "wild", "lab", null)
    assert len(data) == 12 and data["null"].eq(0.75).all()
    assert "learned wild before: 50.0 % at 0 %, 71.0 % at 10 %" in alt and "75.0 %" in alt
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()][1] == "10 %\n40 pictures"
