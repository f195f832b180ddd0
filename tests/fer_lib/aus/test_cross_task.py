"""Across tasks: each condition against an independent way to its numbers, choices on validation pictures
only.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from fitted_heads import detect
from sklearn.metrics import f1_score, roc_auc_score

from fer_lib.aus.cross_task import (
    CHOSEN,
    CONDITIONS,
    EMOTION,
    FROZEN,
    HOG,
    SCRATCH,
    TUNED,
    UNTRAINED,
    best_layer,
    cross_task,
)
from fer_lib.aus.heads import FEATURES, MACRO, best_threshold, fit_heads, layer_features
from fer_lib.aus.presence import presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.handmade import hog_responses
from fer_lib.nets.residual import ResidualNet
from fer_lib.stats.resampling import bounds, cluster_weights
from fer_lib.train.au_heads import unit_detector
from fer_lib.train.controls import untrained_network
from fer_lib.train.features import features_of
from fer_lib.train.recipe import Recipe
from ferbook.errors import DataError

CLASSES = ("neutral", "happiness", "surprise")
RECIPE = Recipe(epochs=1, batch_size=32, lr=0.05, schedule="constant", augment="none")
DRAWS, STRENGTHS = 40, (0.01, 0.1)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def people(count=45, each=4):
    """Noisy pictures of 16 pixels: AU1 brightens the upper half, AU12 stripes the lower; AU6 is coded for
    every second, AU4 shown by nobody.
    """
    rng = np.random.default_rng(0)
    n = count * each
    person = np.arange(n) // each
    brows, mouth = rng.random(n) < 0.4, rng.random(n) < 0.4
    pixels = rng.integers(60, 160, (n, 16, 16))
    pixels[brows, :8] += 25
    pixels[mouth, 8:, ::3] += 60
    table = pd.DataFrame(
        {
            "dataset": "made",
            "subject": [f"made-{i:02d}" for i in person],
            "sequence": "",
            "frame": 0,
            "emotion": np.select([mouth, brows], ["happiness", "surprise"], "neutral"),
            "split": np.select([person % 3 == 1, person % 3 == 2], ["valid", "test"], "train"),
            "AU1": brows.astype(float),
            "AU4": 0.0,
            "AU6": np.where(np.arange(n) % 2, mouth.astype(float), np.nan),
            "AU12": mouth.astype(float),
        }
    )
    return FaceSet("made", pixels.astype(np.uint8), table)


def network(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return ResidualNet(3, 16, dropout=0.0, widths=(3, 4), depths=(1, 1), generator=generator).eval()


def asked(faces, **changes):
    given = {"recipe": RECIPE, "strengths": STRENGTHS, "draws": DRAWS, "precision": "fp32"} | changes
    return cross_task(faces, network(), CLASSES, **given)


@pytest.fixture(scope="module")
def faces():
    return people()


@pytest.fixture(scope="module")
def found(faces):
    return asked(faces, seeds=(0, 1))


def row(table, condition, layer="", au=MACRO):
    (one,) = (
        table[(table.condition == condition) & (table.layer == layer) & (table.au == au)]
        .to_dict("index")
        .values()
    )
    return one


def test_every_condition_scores_every_unit(found):
    layers = ["stage1.0.relu2", "stage2.0.relu2", FEATURES, CHOSEN]
    wanted = {(FROZEN, layer) for layer in layers} | {(UNTRAINED, layer) for layer in layers}
    wanted |= {(condition, "") for condition in (TUNED, SCRATCH, HOG, EMOTION)}
    groups = found.table.groupby(["condition", "layer"])["au"].apply(list)
    assert set(groups.index) == wanted and set(found.table.condition) == set(CONDITIONS)
    assert all(aus == ["AU1", "AU4", "AU6", "AU12", MACRO] for aus in groups)
    assert found.aus == ("AU1", "AU6", "AU12") and found.too_few == ("AU4",)
    few = found.table[found.table.au == "AU4"]
    assert few.too_few.all() and few[["auroc", "valid_auroc", "over_hog"]].isna().all(axis=None)
    for _, part in found.table[~found.table.too_few].groupby(["condition", "layer"]):
        single, macro = part[part.au != MACRO], part[part.au == MACRO].iloc[0]
        for column in ("auroc", "f1", "valid_auroc", "over_untrained"):
            np.testing.assert_allclose(macro[column], single[column].mean(), equal_nan=True)


def test_frozen_features_are_scored_as_heads_are(faces, found):
    split = faces.table["split"].to_numpy(dtype=object).astype(str)
    for layer, features in layer_features(network(), faces).items():
        alone = detect(features, presence(faces), split, strengths=STRENGTHS, draws=DRAWS)
        own = found.table[(found.table.condition == FROZEN) & (found.table.layer == layer)]
        for column in ("auroc", "auroc_low", "auroc_high", "average_precision", "f1", "f1_skew_high", "n"):
            np.testing.assert_allclose(
                own[column].to_numpy(float, na_value=np.nan), alone[column].to_numpy(float, na_value=np.nan)
            )


def test_networks_are_scored_by_their_own_outputs(faces, found):
    coded = presence(faces).only(found.aus)
    test, valid = (faces.table["split"].eq(name).to_numpy() for name in ("test", "valid"))
    for condition in (TUNED, SCRATCH):
        aurocs, f1s = [], []
        for seed in (0, 1):
            with torch.no_grad():
                said = found.networks[condition, seed](torch.from_numpy(faces.pixels)[:, None] / 255)
            said, kept = said.numpy(), ~np.isnan(coded.present[:, 1])
            shown = coded.present[:, 1] == 1
            aurocs.append(roc_auc_score(shown[test & kept], said[test & kept, 1]))
            threshold = best_threshold(said[valid & kept, 1], shown[valid & kept])
            f1s.append(f1_score(shown[test & kept], said[test & kept, 1] >= threshold))
        given = row(found.table, condition, au="AU6")
        assert given["auroc"] == pytest.approx(np.mean(aurocs), abs=1e-6)
        assert given["f1"] == pytest.approx(np.mean(f1s), abs=1e-6)
        assert given["spread"] == pytest.approx(np.std(aurocs, ddof=1), abs=1e-6) and given["seeds"] == 2
        assert not np.isclose(*aurocs)


def test_one_network_goes_on_from_the_expression_network_the_other_from_first_weights(faces, found):
    present = presence(faces).only(found.aus).present
    for condition, keep_body in ((TUNED, True), (SCRATCH, False)):
        wanted, training = unit_detector(
            network(), faces, present, RECIPE, keep_body=keep_body, precision="fp32", seed=1
        )
        given = found.networks[condition, 1].state_dict()
        assert all(torch.equal(value, given[name]) for name, value in wanted.state_dict().items())
        assert found.trainings[condition, 1].best_epoch == training.best_epoch


def test_a_seed_draws_the_untrained_network(faces, found):
    split = faces.table["split"].to_numpy(dtype=object).astype(str)
    aurocs = []
    for seed in (0, 1):
        features = features_of(untrained_network(network(), seed), faces)
        alone = detect(features, presence(faces), split, strengths=STRENGTHS, draws=2)
        aurocs.append(alone["auroc"].iloc[-1])
    given = row(found.table, UNTRAINED, FEATURES)
    assert given["auroc"] == pytest.approx(np.mean(aurocs), abs=1e-6)
    assert given["spread"] == pytest.approx(np.std(aurocs, ddof=1), abs=1e-6)
    assert np.isnan(row(found.table, FROZEN, FEATURES)["spread"])


def test_differences_are_paired_over_people(faces, found):
    split = faces.table["split"].to_numpy(dtype=object).astype(str)
    coded, test = presence(faces), split == "test"
    _, codes = np.unique(coded.subjects[test], return_inverse=True)
    (weights,) = cluster_weights(codes.max() + 1, DRAWS, 0)

    def macro(features):
        heads = fit_heads(features, coded, split, strengths=STRENGTHS)
        drawn = []
        for counts in [np.ones(codes.max() + 1), *weights]:
            rows = np.repeat(np.flatnonzero(test), counts[codes].astype(int))
            said, shown = heads.log_odds(features[rows]), coded.only(heads.aus).present[rows]
            kept = ~np.isnan(shown)
            scores = [roc_auc_score(y[k], s[k]) for y, s, k in zip(shown.T, said.T, kept.T, strict=True)]
            drawn.append(np.mean(scores))
        return np.array(drawn)

    gaps = macro(features_of(network(), faces)) - macro(hog_responses(faces))
    given = row(found.table, FROZEN, FEATURES)
    assert given["over_hog"] == pytest.approx(gaps[0], abs=1e-6)
    low, high = bounds(gaps[1:], codes.max() + 1, gaps[0])
    assert (given["over_hog_low"], given["over_hog_high"]) == pytest.approx((low, high), abs=1e-6)
    rival = row(found.table, UNTRAINED, FEATURES, "AU6")["auroc"]
    own = row(found.table, FROZEN, FEATURES, "AU6")
    assert own["over_untrained"] == pytest.approx(own["auroc"] - rival)
    assert np.isnan(row(found.table, HOG)["over_hog"]) and np.isnan(
        row(found.table, UNTRAINED, CHOSEN)["over_untrained"]
    )
    tuned, rival = row(found.table, TUNED), row(found.table, UNTRAINED, CHOSEN)
    assert tuned["over_untrained"] == pytest.approx(tuned["auroc"] - rival["auroc"])


def test_the_emotion_alone_knows_what_it_implies(found):
    # AU12 is shown on exactly the happy pictures, AU1 on some of them too.
    assert row(found.table, EMOTION, au="AU12")["auroc"] == pytest.approx(1)
    assert 0.6 < row(found.table, EMOTION, au="AU1")["auroc"] < 1


def test_layers_are_chosen_on_validation_pictures(faces, found):
    table = found.table[~found.table.too_few & (found.table.au != MACRO)]
    layers = table[(table.condition == FROZEN) & (table.layer != CHOSEN)]
    for au in found.aus:
        part = layers[layers.au == au].set_index("layer")
        given = row(table, FROZEN, CHOSEN, au)
        assert given["from_layer"] == part["valid_auroc"].idxmax()
        assert given["auroc_low"] == part.loc[given["from_layer"], "auroc_low"]
        best = best_layer(found.table).set_index("au").loc[au]
        assert best["layer"] == given["from_layer"] and best["auroc"] == given["auroc"]
        first, second = part["valid_auroc"].nlargest(2)
        assert best["lead"] == pytest.approx(first - second)
    pixels = faces.pixels.copy()
    test = faces.table["split"].eq("test").to_numpy()
    pixels[test] = np.random.default_rng(1).integers(0, 256, pixels[test].shape)
    changed = asked(FaceSet("made", pixels, faces.table), seeds=(0, 1))
    for column in ("valid_auroc", "from_layer"):
        assert changed.table[column].equals(found.table[column])
    assert not changed.table["auroc"].equals(found.table["auroc"])


def test_what_cannot_be_asked_is_refused(faces):
    with pytest.raises(DataError, match=r"has no action units.*CK"):
        bare = faces.table.drop(columns=["AU1", "AU4", "AU6", "AU12"])
        asked(FaceSet("bare", faces.pixels, bare))
    with pytest.raises(DataError, match="no AU is shown by 8 training subjects"):
        asked(faces.assign(AU1=0.0, AU6=0.0, AU12=0.0))
    with pytest.raises(DataError, match="is in the splits"):
        asked(faces.assign(subject="one"))
