"""Ablation: the network as it was afterwards, and losses that follow from which filter carries what."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from book.au_verification.silence import (
    ACCURACY,
    OWN_HEAD,
    filters_to_silence,
    matched,
    mean_activation,
    silence,
    silencing_metrics,
    subject_wins,
)
from fer_lib.aus.heads import Heads
from fer_lib.aus.presence import Presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.classifier import Classifier
from ferbook.errors import DataError, ParameterError
from tests.book.au_verification.toy_effects import effects_of_size

PIXELS = 6
CLASSES = ("neutral", "anger")


class Columns(Classifier):
    """Six filters of which filter k answers to the brightness of column k of 8 × 8 pictures; features are
    their means.

    The class is ``anger`` where column 0 is bright.
    """

    def __init__(self, nested: bool = False) -> None:
        super().__init__(2, 8, 0.0)
        self.standardise = nn.Identity()
        conv = nn.Conv2d(1, PIXELS, (1, 8), bias=False)
        conv.weight.data.zero_()
        for k in range(PIXELS):
            conv.weight.data[k, 0, 0, k] = 1
        if nested:
            self.block = nn.Sequential(conv, nn.ReLU())
        else:
            self.conv, self.relu = conv, nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.output = nn.Linear(PIXELS, 2)
        self.output.weight.data = torch.tensor([[0.0] * PIXELS, [1.0] + [0.0] * (PIXELS - 1)])
        self.output.bias.data = torch.tensor([0.3, 0.0])


def scene(people=8, each=4, seed=0):
    """Faces whose column 0 is bright with AU1, column 1 with AU2; heads that read just these; anger goes with
    AU1.
    """
    rng = np.random.default_rng(seed)
    n = people * each
    present = (rng.random((n, 2)) < 0.5).astype(np.float32)
    pixels = rng.integers(50, 80, (n, 8, 8)).astype(np.uint8)
    pixels[:, :, :2] = np.where(present == 1, 120, 40)[:, None] + rng.integers(-20, 20, (n, 1, 2))
    subjects = np.repeat([f"S{i}" for i in range(people)], each)
    emotions = np.where(present[:, 0] == 1, "anger", "neutral")
    table = pd.DataFrame(
        {
            "dataset": "x",
            "subject": subjects,
            "sequence": subjects,
            "frame": 0,
            "emotion": emotions,
            "split": "test",
        }
    )
    faces = FaceSet("x", pixels, table)
    presence = Presence(("AU1", "AU2"), present, subjects, subjects, emotions)
    weights = np.zeros((2, PIXELS))
    weights[0, 0] = weights[1, 1] = 1
    heads = Heads(("AU1", "AU2"), weights, np.zeros(2), np.ones(2), ())
    return faces, presence, heads


def run(model=None, layer="relu", filters=None, **given):
    faces, presence, heads = scene()
    filters = {"AU1": (0,), "AU2": (1,)} if filters is None else filters
    table = silence(
        model or Columns(),
        layer,
        faces,
        presence,
        heads,
        filters,
        CLASSES,
        **{"draws": 200, "repeats": 6} | given,
    )
    return table.set_index(["au", "outcome"])


def test_silencing_the_filter_that_carries_a_unit_takes_that_unit_away():
    table = run()
    own = table.loc["AU1", OWN_HEAD]
    assert own["intact"] == 1 and own["silenced"] == 0.5
    # Controls for AU1 are drawn among five others, of which only one carries anything, and nothing of AU1.
    assert own["random"] == own["random_low"] == own["random_high"] == 1
    assert own["difference"] == 0.5 and np.isnan(own["low"]), "every draw gives the same"
    # Anger is read from column 0: without it all is neutral.
    assert table.loc[("AU1", ACCURACY), "intact"] == 1
    assert table.loc[("AU2", ACCURACY), "silenced"] == 1


def test_a_layer_inside_a_block_gives_the_same():
    pd.testing.assert_frame_equal(run(), run(Columns(nested=True), "block.1"))
    # Brightness is never negative: the ReLU changes nothing.
    pd.testing.assert_frame_equal(run(), run(layer="conv"))


def test_intact_and_silenced_are_those_of_a_network_run_by_hand():
    faces, presence, heads = scene()
    model = Columns()
    # A head that reads a bit of everything.
    heads = Heads(heads.aus, np.random.default_rng(1).normal(size=(2, PIXELS)), *([np.zeros(2)] * 2), ())
    table = silence(
        model, "relu", faces, presence, heads, {"AU2": (1, 3)}, CLASSES, repeats=2, draws=50
    ).set_index(["au", "outcome"])
    for column, filters in (("intact", ()), ("silenced", (1, 3))):
        features = faces.pixels[:, :, :PIXELS].mean(axis=1) / 255
        features[:, filters] = 0
        log_odds = features @ heads.weights.T
        shown = presence.present == 1
        wanted = roc_auc_score(shown[:, 1], log_odds[:, 1])
        assert table.loc[("AU2", OWN_HEAD), column] == pytest.approx(wanted)
    row = table.loc["AU2", OWN_HEAD]
    # The controls take something too: the difference is to them, not to the intact network.
    assert row["random"] != row["intact"] and row["n"] == len(faces)
    assert row["difference"] == pytest.approx(row["random"] - row["silenced"])
    activation = mean_activation(model, "relu", faces)
    np.testing.assert_allclose(activation, faces.pixels[:, :, :PIXELS].mean(axis=(0, 1)) / 255, rtol=1e-5)


def test_unknown_units_and_emotions_do_not_count():
    faces, presence, heads = scene()
    present = presence.present.copy()
    present[:4, 0] = np.nan
    emotions = np.where(np.arange(len(faces)) < 8, "", faces.table["emotion"])
    part = Presence(presence.aus, present, presence.subjects, presence.sequences, emotions)
    table = silence(
        Columns(),
        "relu",
        faces.assign(emotion=emotions),
        part,
        heads,
        {"AU1": (0,)},
        CLASSES,
        repeats=2,
        draws=20,
    ).set_index("outcome")
    assert table.loc[OWN_HEAD, "n"] == len(faces) - 4 and table.loc[ACCURACY, "n"] == len(faces) - 8
    unlabelled = faces.assign(emotion="")
    none = silence(Columns(), "relu", unlabelled, part, heads, {"AU1": (0,)}, CLASSES, repeats=2, draws=20)
    assert none["outcome"].tolist() == [OWN_HEAD]


def test_wins_make_the_area_under_the_curve_of_every_draw():
    rng = np.random.default_rng(2)
    scores, codes = rng.integers(0, 6, 40).astype(float), rng.integers(0, 5, 40)
    present = rng.choice([0, 1, np.nan], 40, p=(0.5, 0.4, 0.1))
    wins, positives, negatives = subject_wins(scores, present, codes, 5)
    for _ in range(10):
        weights = rng.integers(0, 3, 5) + 0.0
        weights[0] = 1
        counted = np.nan_to_num(weights[codes]) * ~np.isnan(present)
        kept = counted > 0
        wanted = roc_auc_score(present[kept] == 1, scores[kept], sample_weight=counted[kept])
        assert weights @ wins @ weights / (weights @ positives) / (weights @ negatives) == pytest.approx(
            wanted
        )


def test_the_interval_is_that_of_drawn_subjects():
    # A filter that carries AU1 in half of the subjects: the loss depends on who is drawn.
    faces, presence, heads = scene(people=12, seed=3)
    pixels = faces.pixels.copy()
    pixels[: len(pixels) // 2, :, 0] = np.random.default_rng(4).integers(40, 120, (len(pixels) // 2, 8))
    faces = FaceSet("x", pixels, faces.table)
    row = (
        silence(Columns(), "relu", faces, presence, heads, {"AU1": (0,)}, CLASSES, repeats=3, draws=500)
        .set_index("outcome")
        .loc[OWN_HEAD]
    )
    assert row["low"] < row["difference"] - 0.03 and row["high"] > row["difference"] + 0.03


def test_the_network_is_left_as_it_was():
    model = Columns().train()
    model.relu.eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    run(model)
    assert model.training and not model.relu.training and not model.relu._forward_hooks
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    broken = Columns()
    broken.pool.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(broken)
    assert not broken.relu._forward_hooks


def test_controls_are_near_in_activation_and_never_the_filters_themselves():
    activation = np.concatenate([np.arange(20.0), 1000 + np.arange(20.0)])
    rng = np.random.default_rng(5)
    drawn = [matched((3, 30, 31), activation, rng) for _ in range(50)]
    for three in drawn:
        assert len(set(three)) == 3 and not {3, 30, 31} & set(three)
        # The strongest come first; each stands near what it stands for.
        assert all(k >= 20 for k in three[:2]) and three[2] < 15
    assert len(set(drawn)) > 20
    # All of the ten nearest of filter 0 occur: 1 to 10.
    singles = {matched((0,), activation, rng)[0] for _ in range(300)}
    assert singles == set(range(1, 11))


def test_the_filters_to_silence_are_those_that_a_unit_raises_most():
    effects = effects_of_size([[0.3, -1.0, 0.0], [0.9, -2.0, 0.0], [0.0, 0.0, -3.0], [0.3, 0.1, 0.0]])
    assert filters_to_silence(effects, 2) == {"AU1": (1, 0), "AU2": (3,)}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"filters": {"AU1": (0, 1, 2, 3)}}, ParameterError, "no more than half"),
        ({"filters": {"AU9": (0,)}}, DataError, "no AU has both"),
        ({"filters": {}}, DataError, "filters: none"),
        ({"layer": "relu9"}, ParameterError, "relu9"),
    ],
)
def test_what_cannot_be_silenced_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        run(**given)


def test_what_silencing_costs_in_a_few_numbers():
    table = pd.DataFrame(
        {
            "outcome": [OWN_HEAD, OWN_HEAD, ACCURACY, "other heads"],
            "difference": [0.2, -0.1, 0.03, 9.0],
            "low": [0.1, -0.2, 0.0, 9.0],
        }
    )
    found = {name: metric.value for name, metric in silencing_metrics(table).items()}
    assert found == {"heads": 2, "heads_hurt": 1, "head_loss": pytest.approx(0.05), "accuracy_loss": 0.03}
