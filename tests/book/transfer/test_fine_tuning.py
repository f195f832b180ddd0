"""Fine-tuning: two starts, the same pictures, nothing chosen by what is tested; and what is told of it."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from book.transfer import figures
from book.transfer import fine_tuning as tuning
from book.transfer.fine_tuning import FineTuning, fine_tuning
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.build import build_network
from fer_lib.train.predict import predict
from fer_lib.train.recipe import Recipe

RECIPE = Recipe(epochs=2, batch_size=8, lr=0.01, augment="none")
NARROW = {"widths": (4, 4, 4)}


@pytest.fixture(autouse=True)
def narrow_networks(monkeypatch):
    monkeypatch.setattr(tuning, "LEAST_STEPS", 1)
    monkeypatch.setattr(tuning, "RATE_SHARES", (1.0,))
    monkeypatch.setattr(
        tuning, "build_network", lambda *given, **options: build_network(*given, **NARROW, **options)
    )


@pytest.fixture
def trained(monkeypatch) -> list[tuple[FaceSet, Recipe, torch.Tensor]]:
    """Of each training its faces, its recipe and the weights that it started with."""
    seen, train = [], tuning.train

    def noted(faces, model, classes, recipe, **settings):
        seen.append((faces, recipe, model.output.weight.detach().clone()))
        return train(faces, model, classes, recipe, **settings)

    monkeypatch.setattr(tuning, "train", noted)
    return seen


def network(seed):
    return build_network("residual", 2, 16, generator=torch.Generator().manual_seed(seed), **NARROW)


def tuned(faces, classes, pretrained=None, **settings):
    chosen = {"fractions": (0, 20, 100), "draws": 2} | settings
    networks = pretrained or [network(5)]
    return fine_tuning(networks, faces, classes, "residual", RECIPE, precision="fp32", **chosen)


def test_both_starts_meet_every_fraction_in_every_draw_with_the_same_pictures(faces, classes, trained):
    study = tuned(faces, classes)
    keys = {(start, f, d) for start in ("pretrained", "scratch") for f in (0, 20, 100) for d in (0, 1)}
    assert set(study.answers) == keys
    assert set(study.table[["start", "fraction", "draw"]].itertuples(index=False, name=None)) == keys
    assert len(trained) == 8
    for (first, _, _), (second, _, _) in zip(trained[::2], trained[1::2], strict=True):
        assert first.checksum == second.checksum
    small, large, other = (set(trained[k][0].split("train").table["subject"]) for k in (0, 2, 4))
    assert small < large and small != other
    for row in study.table.itertuples():
        answer = study.answers[row.start, row.fraction, row.draw]
        assert row.accuracy == (answer.argmax(1) == study.test.labels(classes)).mean()
        np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)
    sizes = study.table.set_index(["start", "fraction", "draw"])[
        ["train_pictures", "train_people", "valid_pictures"]
    ]
    assert sizes.loc[("scratch", 100, 1)].tolist() == [30, 15, 16]
    assert sizes.loc[("pretrained", 20, 0)].tolist() == [6, 3, 4]
    assert sizes.loc[("pretrained", 0, 0)].tolist() == [0, 0, 0]
    assert study.table["valid_accuracy"].isna().equals(study.table["fraction"].eq(0))


def test_without_a_picture_networks_answer_as_they_are(faces, classes, trained):
    given = [network(5), network(6)]
    study = tuned(faces, classes, given, fractions=(0,), draws=3, seed=9)
    assert trained == []
    test = faces.split("test")
    for draw, model in enumerate([*given, given[0]]):
        np.testing.assert_array_equal(study.answers["pretrained", 0, draw], predict(model, test))
    torch.manual_seed(10)
    untrained = build_network("residual", 2, 16, **NARROW)
    np.testing.assert_array_equal(study.answers["scratch", 0, 1], predict(untrained, test))


def test_a_pretrained_network_is_where_training_starts_and_stays_as_it_was(faces, classes, trained):
    model = network(5)
    before = copy.deepcopy(model.state_dict())
    study = tuned(faces, classes, [model], fractions=(100,), draws=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(trained[0][2], model.output.weight)
    assert not torch.equal(trained[1][2], model.output.weight)
    assert not np.array_equal(study.answers["pretrained", 100, 0], predict(model, study.test))


def test_validation_chooses_the_rate_and_few_pictures_are_shown_for_longer(
    faces, classes, trained, monkeypatch
):
    def tuned_with(*shares):
        monkeypatch.setattr(tuning, "RATE_SHARES", shares)
        return tuned(faces, classes, draws=1)

    monkeypatch.setattr(tuning, "LEAST_STEPS", 9)
    study = tuned_with(1e-6, 1.0)
    rates = [recipe.lr for _, recipe, _ in trained]
    np.testing.assert_allclose(rates, [1e-8, 0.01] * 4)
    # Six pictures are one step of an epoch, thirty are four.
    assert [recipe.epochs for _, recipe, _ in trained] == [9, 9, 9, 9, 3, 3, 3, 3]
    for first, second in zip(trained[::2], trained[1::2], strict=True):
        assert torch.equal(first[2], second[2])
    alone = {share: tuned_with(share) for share in (1.0, 1e-6)}
    columns = ["start", "fraction"]
    reached = {share: one.table.set_index(columns)["valid_accuracy"].dropna() for share, one in alone.items()}
    for row in study.table[study.table["fraction"] > 0].itertuples():
        best = max((1e-6, 1.0), key=lambda share: reached[share][row.start, row.fraction])
        assert row.rate_share == best and row.valid_accuracy == reached[best][row.start, row.fraction]
        expected = alone[best].answers[row.start, row.fraction, 0]
        np.testing.assert_array_equal(study.answers[row.start, row.fraction, 0], expected)
    assert 1.0 in set(study.table["rate_share"])
    trained.clear()
    monkeypatch.setattr(tuning, "LEAST_STEPS", 1)
    tuned_with(1.0)
    assert [recipe.epochs for _, recipe, _ in trained] == [2, 2, 2, 2]


def test_the_test_split_chooses_nothing(faces, classes):
    of_test = faces.table["split"].eq("test").to_numpy()
    pixels = faces.pixels.copy()
    pixels[of_test] = 255 - pixels[of_test]
    swapped = FaceSet(faces.name, pixels, faces.table)
    first, second = (tuned(given, classes, fractions=(100,), draws=1).table for given in (faces, swapped))
    pd.testing.assert_frame_equal(first.drop(columns="accuracy"), second.drop(columns="accuracy"))


CLASSES = ("anger", "happiness")
FEW_HELP = {0: (0.5, 0.3), 10: (0.7, 0.4), 100: (0.9, 0.9)}


@pytest.fixture
def made(blank, answers):
    """200 people with a picture each, three quarters of them happy. Draws of 10 % differ by two points, those
    of other fractions by none.
    """

    def made(shares: dict[int, tuple[float, float]], draws: int = 2) -> FineTuning:
        test = blank([CLASSES[number % 4 > 0] for number in range(200)])
        rows, given = [], {}
        for fraction, pair in shares.items():
            for start, share in zip(("pretrained", "scratch"), pair, strict=True):
                for draw in range(draws):
                    own = share + (0.02 * draw if fraction == 10 else 0)
                    right = (np.arange(200) * 7 + 11 * draw) % 200 < round(own * 200)
                    given[start, fraction, draw] = answers(test, CLASSES, right)
                    people = {"train_pictures": 4 * fraction, "train_people": fraction}
                    rows.append(
                        {"start": start, "fraction": fraction, "draw": draw, "accuracy": own} | people
                    )
        return FineTuning(pd.DataFrame(rows), given, test, CLASSES)

    return made


def metrics_of(found: FineTuning):
    return tuning.fine_tuning_metrics(tuning.score_fine_tuning(found, draws=300))


def test_the_metrics_are_those_of_the_smallest_and_the_largest_fraction(made):
    expected = {"zero_shot_accuracy": 0.5, "tuning_fraction": 0.1, "tuned_accuracy": 0.71}
    expected |= {"scratch_accuracy": 0.41, "tuning_gain": 30, "tuning_gain_full": 0}
    metrics = metrics_of(made(FEW_HELP))
    assert {name: metric.value for name, metric in metrics.items()} == pytest.approx(expected)
    assert set(metrics_of(made({0: (0.5, 0.3)}))) == {"zero_shot_accuracy"}, "nothing was trained"


def test_the_luck_of_the_draws_widens_the_interval_of_their_own_fraction_only(made):
    scored = tuning.score_fine_tuning(made({10: (0.7, 0.4), 100: (0.7, 0.4)}), draws=300)
    assert scored[10].spread["accuracy"] == pytest.approx(0.02 / np.sqrt(2))
    assert scored[100].spread["accuracy"] == 0
    assert scored[10].freedom == 2
    assert "degrees of freedom" in tuning.fine_tuning_metrics(scored)["tuning_gain"].how
    assert "the seeds are not covered" in metrics_of(made(FEW_HELP, draws=1))["tuning_gain"].how


def test_the_table_tells_people_where_they_are_known(made):
    found = made(FEW_HELP)
    table = tuning.fine_tuning_table(tuning.score_fine_tuning(found, draws=100)).data
    assert table["part"].tolist() == [0, 0.1, 1]
    assert table["pictures"].tolist() == [0, 40, 400]
    assert table["people"].tolist() == [0, 10, 100]
    assert table["difference (points)"].iloc[1].value == pytest.approx(30)
    found.table["train_people"] = 0
    assert pd.isna(
        tuning.fine_tuning_table(tuning.score_fine_tuning(found, draws=100)).data["people"].iloc[1]
    )


def test_the_curves_show_every_draw_and_the_null(made):
    drawn = figures.fine_tuning_curves(made(FEW_HELP), "wild", "lab")
    assert len(drawn.data) == 12 and drawn.data["null"].eq(0.75).all()
    assert "learned wild before: 50.0 % at 0 %, 71.0 % at 10 %" in drawn.alt and "75.0 %" in drawn.alt
    assert drawn.figure.axes[0].get_xticklabels()[1].get_text() == "10 %\n40 pictures"
