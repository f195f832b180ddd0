"""The paired differences of the ablation, worked out by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from book.training.ablation import Ablated, ablation_effects, ablation_table
from fer_lib.faces.faceset import FaceSet
from fer_lib.train.curve import Training
from fer_lib.train.precision import Precision

CLASSES = ("anger", "fear")
TESTED = FaceSet(
    "hand",
    np.arange(4 * 16, dtype=np.uint8).reshape(4, 4, 4),
    pd.DataFrame({"subject": ["A", "A", "B", "C"], "emotion": "anger"}).assign(
        dataset="hand", sequence="", frame=0, split="test"
    ),
)


def network(biases, dropout, augmented, right):
    answers = np.array([[0.9, 0.1] if named else [0.1, 0.9] for named in right])
    curve = pd.DataFrame({"epoch": [1], "watched_accuracy": [np.mean(right)]})
    return Ablated(
        biases, dropout, augmented, Training(curve, 1, Precision("fp32", channels_last=False)), answers
    )


def networks(right):
    """``right(biases, dropout, augmented)``: which of the four pictures that network names rightly."""
    return tuple(network(*switches, right(*switches)) for switches in product((False, True), repeat=3))


def test_each_switch_is_told_from_the_others():
    # Without biases picture 0 is right; dropout makes 1 right and 2 wrong; augmentation makes 3 right.
    found = ablation_effects(networks(lambda b, d, a: [not b, d, not d, a]), TESTED, CLASSES, draws=500)
    values = {name: effect.value for name, effect in found.items()}
    assert values == pytest.approx(
        {"no_biases_effect": 1 / 4, "dropout_effect": 0, "augmentation_effect": 1 / 4}
    )


def test_the_interval_resamples_people():
    effect = ablation_effects(networks(lambda b, d, a: [not b, not b, d, a]), TESTED, CLASSES, draws=9999)[
        "no_biases_effect"
    ]
    # A, with two pictures, changes by 1; B and C do not: drawn three times A (1 draw in 27) gives 1.
    assert effect.value == pytest.approx(1 / 2) and "3 clusters" in effect.how
    assert (effect.low, effect.high) == (pytest.approx(0), pytest.approx(1))


def test_the_table_has_every_network_with_its_accuracy():
    table = ablation_table(networks(lambda b, d, a: [True, d, a, b]), TESTED, CLASSES, draws=200)
    accuracy = table.set_index(["biases", "variant"])["accuracy"]
    assert accuracy[False, "none"] == pytest.approx(1 / 4) and accuracy[True, "AD"] == pytest.approx(1)
    assert accuracy[False, "D"] == accuracy[True, "none"] == pytest.approx(1 / 2)
    assert pd.isna(table.set_index(["biases", "variant"]).loc[(True, "AD"), "low"]), "all right: no interval"
