"""Maps of residues: against hooks and a naive loop, and put beside skin that is known."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from book.derl import places
from book.derl.places import PIXEL_MAPS, locate_residues, residue_maps
from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.derl import Generator
from fer_lib.stats.resampling import bootstrap, cluster_sums
from ferbook.errors import DataError

SIDE = 16


@pytest.fixture
def generator() -> Generator:
    """Two pairs, of 8 and 4 pixels, with weights large enough to see something; one filter of the encoder is
    dead.
    """
    made = Generator(SIDE, (3, 4), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for weights in made.parameters():
            weights.mul_(10)
        first = made.encoder.down8.conv
        first.weight[1], first.bias[1] = 0, 0.3
    return made


def pictures(seed: int, count: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)


def activations(generator: Generator, layer: str, shown: np.ndarray) -> np.ndarray:
    kept = []
    hook = generator.get_submodule(layer).register_forward_hook(lambda *given: kept.append(given[2]))
    with torch.no_grad():
        generator.eval()(torch.tensor(shown)[:, None].float() / 255)
    hook.remove()
    return kept[0].double().numpy()


def test_maps_are_changes_in_standard_deviations_of_each_channel(generator):
    one, other = pictures(0), pictures(1)
    generator.train()
    found = residue_maps(generator, one, other, batch_size=2)
    assert generator.training
    assert list(found) == ["pair8", "pair4", PIXEL_MAPS]
    for pair in ("pair8", "pair4"):
        a, b = (
            np.concatenate([activations(generator, layer, shown) for layer in generator.pairs[pair]], axis=1)
            for shown in (one, other)
        )
        squares = np.zeros((5, *a.shape[2:]))
        for channel in range(a.shape[1]):
            spread = np.concatenate([a[:, channel], b[:, channel]]).std()
            if spread > 1e-9:
                squares += ((a[:, channel] - b[:, channel]) / spread) ** 2
        expected = np.sqrt(squares / a.shape[1])
        enlarged = [cv2.resize(change, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for change in expected]
        assert found[pair].dtype == np.float32
        np.testing.assert_allclose(found[pair], enlarged, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[PIXEL_MAPS], np.abs(one / 255 - other / 255), atol=1e-6)


def test_the_dead_filter_is_dead(generator):
    seen = activations(generator, "encoder.down8", pictures(0))
    assert np.ptp(seen[:, 1]) == 0 and np.ptp(seen[:, 0]) > 0


def test_equal_pictures_have_no_map_and_a_change_stays_in_its_place(generator):
    one = pictures(0)
    other = one.copy()
    other[1:, :4, :4] = 255 - other[1:, :4, :4]
    with (
        torch.no_grad()
    ):  # the decoder hears everything everywhere: of a deaf one the encoder's maps are left
        generator.decoder.up4.conv.weight.zero_()
    found = residue_maps(generator, one, other)
    for its in found.values():
        assert not its[0].any() and its[1:].any(axis=(1, 2)).all()
    # A 4×4 filter of stride 2 sees one pixel beyond its place; the next map's places are 4 pixels wide and
    # see 3 beyond.
    assert not found["pair8"][:, 8:, :].any() and not found["pair8"][:, :, 8:].any()
    assert found["pair8"][1:, 2, 2].all()
    assert not found["pair4"][:, 14:, :].any()


def face_set(people: int = 20) -> FaceSet:
    """Each person happy and surprised: AU12 moves the lower left quarter, AU1 the upper half, AU4 the lower
    right one and is never shown.
    """
    count = 2 * people
    happy = np.arange(count) % 2 == 0
    masks = np.zeros((count, SIDE, SIDE), np.uint32)
    masks[:, :8] |= 1
    masks[:, 8:, 8:] |= 2
    masks[:, 8:, :8] |= 4
    # Of one person all skin is hidden.
    masks[0] = 0
    table = pd.DataFrame(
        {
            "dataset": "toy",
            "subject": [f"s{i // 2:02}" for i in range(count)],
            "sequence": "",
            "frame": 0,
            "emotion": np.where(happy, "happiness", "surprise"),
            "split": "test",
            "AU1": np.where(happy, 0.0, 0.6),
            "AU4": 0.0,
            "AU12": np.where(happy, 0.3, 0.0),
        }
    )
    return FaceSet("toy", pictures(5, count), table, masks, ("AU1", "AU4", "AU12"))


def test_a_map_of_the_moved_skin_is_found_and_its_controls_are_not(monkeypatch):
    # More pictures than have their masks in memory at a time.
    monkeypatch.setattr("book.derl.places.PICTURES_AT_ONCE", 7)
    faces = face_set()
    happy = faces.table["emotion"].eq("happiness").to_numpy()
    moved = np.where(happy[:, None, None], faces.mask("AU12"), faces.mask("AU1"))
    moved[0, -1, -1] = True
    weak = moved + 0.5
    table = locate_residues({"moved": moved.astype(float), "weak": weak}, faces, draws=100)
    kinds = {"ours", "not_shown", "other_expression", "edges", "centre", "random"}
    assert set(table["kind"]) == kinds and set(table["layer"]) == {"moved", "weak"}
    values = table.set_index(["layer", "kind"])["estimate"].map(lambda estimate: estimate.value)
    # Half of the pictures have an area of 1/4, the others of 1/2, less the hidden one.
    areas = np.array([1 / 4] * 19 + [1 / 2] * 20)
    assert values["moved", "ours"] == pytest.approx(1 / areas.mean()) and values["moved", "not_shown"] == 0
    assert values["moved", "other_expression"] == 0, "other expressions move other skin"
    assert values["moved", "edges"] < 0.7 * values["moved", "ours"]
    assert set(table[table["kind"].eq("ours")]["estimate"].map(lambda estimate: estimate.n)) == {39}
    weak_share = 1.5 * areas / (1.5 * areas + 0.5 * (1 - areas))
    assert values["weak", "ours"] == pytest.approx(weak_share.mean() / areas.mean())
    people = np.delete(faces.table["subject"].to_numpy(), 0)
    energy = np.where(faces.table["emotion"].eq("happiness")[1:], 0.5, 0.75)
    area = np.where(faces.table["emotion"].eq("happiness")[1:], 0.25, 0.5)
    sums = cluster_sums(np.stack([energy, area], axis=1), people)
    interval = bootstrap(sums, draws=100)
    ours = table.set_index(["layer", "kind"])["estimate"]["weak", "ours"]
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high))


def test_a_mouth_that_opens_within_moving_skin_belongs_to_it():
    faces = face_set()
    masks = faces.masks.copy()
    # A ring of skin of AU12 with an opening of 4 pixels, and a gap at the picture's edge, narrower, that
    # nothing surrounds.
    masks[:] = 0
    masks[:, 1:13, 3:13] = 4
    masks[:, 6:10, 6:10] = 0
    opened = FaceSet("toy", faces.pixels, faces.table, masks, faces.mask_aus)
    opened = opened.select(faces.table["emotion"].eq("happiness").to_numpy())
    hole = np.zeros((len(opened), SIDE, SIDE))
    hole[:, 6:10, 6:10] = 1
    rim = np.zeros_like(hole)
    rim[:, :1] = 1
    rim[:, 5, 5] = 1
    table = locate_residues({"hole": hole, "rim": rim}, opened, draws=20)
    ours = table[table["kind"] == "ours"].set_index("layer")["estimate"]
    # A skin of 120 of the 256 pixels, its opening among them.
    assert ours["hole"].value == pytest.approx(256 / 120)
    assert ours["rim"].value == pytest.approx(256 / 120 / 17)


def test_pictures_without_an_action_unit_are_left_out():
    faces = face_set()
    # The happy ones, of whom every other picture is, show nothing: their maps must not stand for those of
    # the surprised.
    maps = {"brows": np.zeros((len(faces), SIDE, SIDE))}
    maps["brows"][1::2, :8] = 1
    maps["brows"][::2, 8:] = 1
    faces = faces.assign(AU12=0.0)
    strong = locate_residues(maps, faces, draws=50)
    ours = strong[strong["kind"] == "ours"]["estimate"].item()
    assert ours.n == 20 and ours.value == pytest.approx(2), "all of it, in half of the picture"
    with pytest.raises(DataError, match="no picture shows an action unit whose place is known"):
        locate_residues(maps, faces.assign(AU1=0.0))


def posed(people: int = 4, *, masks: bool = True) -> FaceSet:
    """Each person happy in two takes; AU12 moves a square."""
    rows = [
        {"subject": f"p{k}", "sequence": f"{k}-{take}", "frame": 0, "emotion": "happiness", "AU12": 1.0}
        for k in range(people)
        for take in range(2)
    ]
    table = pd.DataFrame(rows).assign(dataset="lab", split="test")
    pixels = np.random.default_rng(0).integers(0, 256, (len(rows), 16, 16), dtype=np.uint8)
    square = np.zeros((len(rows), 16, 16), np.uint32)
    square[:, 4:8, 4:8] = 1
    if not masks:
        return FaceSet("lab", pixels, table)
    return FaceSet("lab", pixels, table, masks=square, mask_aus=("AU12",))


def test_where_no_place_is_known_there_is_neither_a_table_nor_a_metric():
    faces = posed(masks=False)
    maps = {"pair8": np.ones((len(faces), 16, 16))}
    assert places.place_residues(maps, maps, faces) is None and places.place_metrics(None) == {}
    assert places.place_residues(maps, maps, posed().assign(AU12=0.0)) is None, "nobody shows a unit"


def test_maps_in_the_moved_skin_beat_those_of_an_untrained_generator():
    faces = posed()
    square = faces.mask("AU12").astype(float)
    flat = np.ones((8, 16, 16))
    maps = {"pair8": square, "pixels": flat}
    located = places.place_residues(maps, {"pair8": flat, "pixels": flat}, faces, draws=50)
    metrics = places.place_metrics(located)
    assert metrics["pair8_concentration"].value == pytest.approx(256 / 16)
    assert metrics["pair8_untrained"].value == pytest.approx(1)
    assert metrics["pixels_concentration"].value == pytest.approx(1)
    assert "pixels_untrained" not in metrics, "it needs no generator"
    assert metrics["edges_concentration"].n == 8
