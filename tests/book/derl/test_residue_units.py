"""Action units in residues: the features by hand, the components, and a planted unit that one pair keeps."""

import numpy as np
import pandas as pd
import pytest
import torch
from fitted_heads import detect

from book.derl.kept_units import condensed, kept_units, residue_features
from fer_lib.aus.cross_task import CHOSEN, EMOTION, FROZEN, HOG, UNTRAINED, best_layer
from fer_lib.aus.heads import MACRO
from fer_lib.aus.presence import presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.handmade import hog_responses
from fer_lib.nets.derl import Generator
from ferbook.errors import DataError

SIDE, CLASSES = 16, ("neutral", "happiness")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def generator(seed: int) -> Generator:
    return Generator(SIDE, (4, 6), generator=torch.Generator().manual_seed(seed))


def people(count: int = 45, each: int = 4) -> FaceSet:
    """Noisy pictures: AU12 stripes the lower half and mostly comes with happiness, AU1 brightens the upper
    one whatever the emotion.
    """
    rng = np.random.default_rng(0)
    n = count * each
    person = np.arange(n) // each
    brows, mouth = rng.random(n) < 0.4, rng.random(n) < 0.4
    happy = mouth ^ (rng.random(n) < 0.1)
    pixels = rng.integers(60, 160, (n, SIDE, SIDE))
    pixels[brows, :8] += 25
    pixels[mouth, 8:, ::3] += 60
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "subject": [f"s{p:02}" for p in person],
            "sequence": "",
            "frame": 0,
            "emotion": np.where(happy, "happiness", "neutral"),
            "split": np.array(["train", "valid", "test"])[person * 3 // count],
            "AU1": np.where(brows, 0.5, 0.0),
            "AU12": np.where(mouth, 0.5, 0.0),
            "AU4": 0.0,
        }
    )
    return FaceSet("toy", pixels.astype(np.uint8), table)


def test_features_are_means_of_cells_of_both_layers_maps():
    made, faces = generator(0), people(3)
    made.train()
    found = residue_features(made, faces.pixels, cells=2, batch_size=5)
    assert made.training
    made.eval()
    with torch.no_grad():
        maps = made.residues(torch.tensor(faces.pixels)[:, None].float() / 255)
    assert list(found) == ["pair8", "pair4"]
    for pair, layers in maps.items():
        both = layers.numpy()
        half = both.shape[2] // 2
        cells = [
            both[:, :, i : i + half, j : j + half].mean(axis=(2, 3)) for i in (0, half) for j in (0, half)
        ]
        expected = np.stack(cells, axis=2).reshape(len(faces), -1)
        np.testing.assert_allclose(found[pair], expected, rtol=1e-4, atol=1e-8)
    # A map of fewer places than cells stays as it is.
    finer = residue_features(made, faces.pixels, cells=6)
    assert finer["pair4"].shape[1] == 12 * 16 and finer["pair8"].shape[1] == 8 * 36
    np.testing.assert_allclose(finer["pair4"], maps["pair4"].numpy().reshape(12, -1), rtol=1e-4)


def test_components_are_those_of_the_training_pictures():
    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(60, 2)) * (3, 1)
    features = (hidden @ rng.normal(size=(2, 12)) + 0.01 * rng.normal(size=(60, 12))).astype(np.float32)
    train = np.arange(60) < 40
    found = condensed(features, train, 2)
    known = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
    axes = np.linalg.svd(known[train])[2][:2]
    np.testing.assert_allclose(np.abs(found), np.abs(known @ axes.T), rtol=1e-3, atol=1e-4)
    # Whatever the other pictures are, the components are the same.
    changed = features.copy()
    changed[~train] *= 9
    np.testing.assert_array_equal(condensed(changed, train, 2)[train], found[train])
    assert condensed(features, train, 500).shape == (60, 12)
    features[train, 3] = 7
    assert condensed(features, train, 500).shape == (60, 11)
    assert not condensed(np.ones((60, 4)), train).any()
    assert condensed(features, np.arange(5), 500).shape == (60, 4)


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    # With larger weights than any first ones, so that it is another generator in each pair.
    trained = generator(7)
    with torch.no_grad():
        for layer in (trained.encoder.down8.conv, trained.encoder.down4.conv):
            layer.weight.mul_(20)
    return kept_units(
        trained,
        [generator(1), generator(2)],
        people(),
        CLASSES,
        components=12,
        strengths=(0.01, 0.1),
        draws=40,
    )


def test_every_condition_is_read_by_the_same_heads(found):
    faces = people()
    split = faces.table["split"].to_numpy(object).astype(str)
    pairs = {
        FROZEN: ["pair8", "pair4", CHOSEN],
        UNTRAINED: ["pair8", "pair4", CHOSEN],
        HOG: [""],
        EMOTION: [""],
    }
    assert {c: list(dict.fromkeys(part["layer"])) for c, part in found.groupby("condition")} == pairs
    features = [
        condensed(residue_features(generator(seed), faces.pixels)["pair4"], split == "train", 12)
        for seed in (1, 2)
    ]
    tables = [
        detect(one, presence(faces), split, strengths=(0.01, 0.1), draws=40).set_index("au")
        for one in features
    ]
    rows = found[(found["condition"] == UNTRAINED) & (found["layer"] == "pair4")].set_index("au")
    for au in ("AU1", "AU12", MACRO):
        assert rows.loc[au, "auroc"] == pytest.approx(np.mean([table.loc[au, "auroc"] for table in tables]))
    own = condensed(hog_responses(faces), split == "train", 12)
    expected = detect(own, presence(faces), split, strengths=(0.01, 0.1), draws=40).set_index("au")
    of_hog = found[found["condition"] == HOG].set_index("au")
    assert of_hog["auroc"].to_numpy() == pytest.approx(expected["auroc"].to_numpy(), nan_ok=True)
    # Nobody shows AU4.
    assert rows.loc["AU4", "too_few"] and np.isnan(rows.loc["AU4", "auroc"])
    # Of the emotion alone the unit that mostly comes with it is known, the other is not.
    emotion = found[found["condition"] == EMOTION].set_index("au")["auroc"]
    assert emotion["AU12"] > 0.8 and abs(emotion["AU1"] - 0.5) < 0.2


def test_the_best_pair_is_chosen_on_the_validation_pictures(found):
    own = found[(found["condition"] == FROZEN) & ~found["au"].isin((MACRO, "AU4"))]
    layers, chosen = own[own["layer"] != CHOSEN], own[own["layer"] == CHOSEN].set_index("au")
    best = best_layer(found).set_index("au")
    assert list(best.index) == ["AU1", "AU12"]
    for au, part in layers.groupby("au"):
        winner = part.loc[part["valid_auroc"].idxmax()]
        assert best.loc[au, "layer"] == chosen.loc[au, "from_layer"] == winner["layer"]
        assert best.loc[au, "auroc"] == chosen.loc[au, "auroc"] == winner["auroc"]
        rival = found[
            (found["condition"] == UNTRAINED) & (found["layer"] == winner["layer"]) & (found["au"] == au)
        ]["auroc"].item()
        assert best.loc[au, "over_untrained"] == pytest.approx(winner["auroc"] - rival)


def test_what_a_generator_does_not_pass_on_no_pair_keeps():
    faces, deaf = people(), generator(3)
    with torch.no_grad():
        deaf.encoder.down8.conv.weight.zero_()
    table = kept_units(deaf, [generator(1)], faces, CLASSES, components=4, strengths=(0.1,), draws=20)
    macro = table[table["au"] == MACRO].set_index(["condition", "layer"])["auroc"]
    assert macro[FROZEN, "pair8"] == macro[FROZEN, "pair4"] == 0.5 < macro[UNTRAINED, "pair8"] - 0.2


def test_bad_input_is_refused():
    faces = people(3)
    with pytest.raises(DataError, match="no picture"):
        residue_features(generator(0), faces.pixels[:0])
    with pytest.raises(DataError, match="at least 2"):
        condensed(np.ones((4, 2)), np.arange(1))
    bare = FaceSet("bare", faces.pixels, faces.table.drop(columns=["AU1", "AU12", "AU4"]))
    with pytest.raises(DataError, match="no action units"):
        kept_units(generator(0), [generator(1)], bare, CLASSES)
