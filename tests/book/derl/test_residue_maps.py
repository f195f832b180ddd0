"""Maps of residues: against hooks and a naive loop, and put beside skin that is known."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from book.derl.places import KINDS, PIXELS, changes_by_side, locate_residues, locate_units, residue_maps
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.placement import area_share, energy_share, pointing_game
from fer_lib.nets.derl import Generator
from fer_lib.stats.resampling import bootstrap, cluster_sums, ratio
from ferbook.errors import DataError, ParameterError

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


@pytest.mark.parametrize("side", ["both", "encoder", "decoder"])
def test_maps_are_changes_in_units_of_each_channel(generator, side):
    one, other = pictures(0), pictures(1)
    generator.train()
    found = residue_maps(generator, one, other, side=side, batch_size=2)
    assert generator.training
    assert list(found) == ["pair8", "pair4", PIXELS]
    for pair in ("pair8", "pair4"):
        layers = generator.pairs[pair]
        layers = {"both": layers, "encoder": layers[:1], "decoder": layers[1:]}[side]
        a, b = (
            np.concatenate([activations(generator, layer, shown) for layer in layers], axis=1)
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
    np.testing.assert_allclose(found[PIXELS], np.abs(one / 255 - other / 255), atol=1e-6)


def test_the_dead_filter_is_dead(generator):
    seen = activations(generator, "encoder.down8", pictures(0))
    assert np.ptp(seen[:, 1]) == 0 and np.ptp(seen[:, 0]) > 0


def test_equal_pictures_have_no_map_and_a_change_stays_in_its_place(generator):
    one = pictures(0)
    other = one.copy()
    other[1:, :4, :4] = 255 - other[1:, :4, :4]
    found = residue_maps(generator, one, other, side="encoder")
    for its in found.values():
        assert not its[0].any() and its[1:].any(axis=(1, 2)).all()
    # A 4×4 filter of stride 2 sees one pixel beyond its place; the next map's places are 4 pixels wide and
    # see 3 beyond.
    assert not found["pair8"][:, 8:, :].any() and not found["pair8"][:, :, 8:].any()
    assert found["pair8"][1:, 2, 2].all()
    assert not found["pair4"][:, 14:, :].any()


def test_a_decoder_that_hears_nothing_has_no_change_left(generator):
    one, other, subjects = pictures(0), pictures(1), list("aabbc")
    table = changes_by_side(generator, one, other, subjects, draws=100, seed=2)
    assert table["layer"].tolist() == ["pair8", "pair4"]
    encoder, decoder = (
        residue_maps(generator, one, other, side=side)["pair8"].mean(axis=(1, 2))
        for side in ("encoder", "decoder")
    )
    row = table.iloc[0]
    assert (row["encoder"], row["decoder"]) == pytest.approx((encoder.mean(), decoder.mean()), rel=1e-5)
    assert row["ratio"] == pytest.approx(decoder.mean() / encoder.mean(), rel=1e-5)
    sums = cluster_sums(np.stack([decoder, encoder], axis=1), np.array(subjects))
    interval = bootstrap(sums, draws=100, seed=2)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high), rel=1e-5)
    with torch.no_grad():
        generator.decoder.up4.conv.weight.zero_()
    deaf = changes_by_side(generator, one, other, subjects)
    assert deaf["decoder"].eq(0).all() and deaf["encoder"].gt(0).all() and deaf["ratio"].eq(0).all()
    with pytest.raises(DataError, match="5 values and 4"):
        changes_by_side(generator, one, other, subjects[1:])


def test_what_does_not_fit_is_refused(generator):
    with pytest.raises(ParameterError, match="both, encoder, decoder"):
        residue_maps(generator, pictures(0), pictures(1), side="left")
    for one, other in ((pictures(0), pictures(1, 4)), (pictures(0, 0), pictures(1, 0))):
        with pytest.raises(DataError, match="at least one"):
            residue_maps(generator, one, other)


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


def test_a_map_of_the_moved_skin_is_found_and_its_controls_are_not():
    faces = face_set()
    happy = faces.table["emotion"].eq("happiness").to_numpy()
    rows = np.arange(len(faces))[::-1]
    moved = np.where(happy[:, None, None], faces.mask("AU12"), faces.mask("AU1"))
    moved[0, -1, -1] = True
    weak = moved + 0.5
    table = locate_residues({"moved": moved[rows].astype(float), "weak": weak[rows]}, faces, rows, draws=100)
    assert set(table["kind"]) == set(KINDS) and set(table["layer"]) == {"moved", "weak"}
    cell = table.set_index(["layer", "measure", "kind"]).sort_index()
    share = cell.loc["moved", "energy_share"]
    assert share.loc["ours", "value"] == 1 and share.loc["not_shown", "value"] == 0
    # Other expressions move other skin.
    assert share.loc["other_expression", "value"] == 0
    assert share.loc["edges", "gain"] > 0.3 and share.loc["ours", "undefined"] == 1
    # Half of the pictures have an area of 1/4, the others of 1/2, less the hidden one.
    areas = np.array([1 / 4] * 19 + [1 / 2] * 20)
    assert cell.loc[("moved", "concentration", "ours"), "value"] == pytest.approx(1 / areas.mean())
    weak_share = 1.5 * areas / (1.5 * areas + 0.5 * (1 - areas))
    assert cell.loc[("weak", "energy_share", "ours"), "value"] == pytest.approx(weak_share.mean())
    hits = pointing_game(weak[1:], moved[1:])
    assert cell.loc[("weak", "pointing_game", "ours"), "value"] == pytest.approx(hits.mean())


def test_a_mouth_that_opens_within_moving_skin_belongs_to_it():
    faces = face_set()
    masks = faces.masks.copy()
    # A ring of skin of AU12 with an opening of 4 pixels, and a gap at the picture's edge, narrower, that
    # nothing surrounds.
    masks[:] = 0
    masks[:, 1:13, 3:13] = 4
    masks[:, 6:10, 6:10] = 0
    opened = FaceSet("toy", faces.pixels, faces.table, masks, faces.mask_aus)
    happy = np.flatnonzero(faces.table["emotion"].eq("happiness"))
    hole = np.zeros((len(happy), SIDE, SIDE))
    hole[:, 6:10, 6:10] = 1
    rim = np.zeros_like(hole)
    rim[:, :1] = 1
    rim[:, 5, 5] = 1
    table = locate_residues({"hole": hole, "rim": rim}, opened, happy, draws=20)
    found = table[(table["measure"] == "energy_share") & (table["kind"] == "ours")].set_index("layer")
    assert found.loc["hole", "value"] == 1
    assert found.loc["rim", "value"] == pytest.approx(1 / 17)
    every = np.zeros((len(faces), SIDE, SIDE))
    every[:, 6:10, 6:10] = 1
    units = locate_units({"hole": every}, opened, np.arange(len(faces)), draws=20).set_index("au")
    assert units.loc["AU12", "shown"] == 1 and units.loc["AU12", "area"] == pytest.approx(120 / 256)


def test_pictures_without_an_action_unit_are_left_out():
    faces = face_set()
    rows = np.arange(len(faces))
    # The happy ones, of whom every other picture is, show too little: their maps must not stand for those of
    # the surprised.
    maps = {"brows": np.zeros((len(rows), SIDE, SIDE))}
    maps["brows"][1::2, :8] = 1
    maps["brows"][::2, 8:] = 1
    strong = locate_residues(maps, faces, rows, present_from=0.4, draws=50)
    assert strong["n"].max() == 20
    ours = strong[(strong["measure"] == "energy_share") & (strong["kind"] == "ours")]
    assert ours["value"].item() == 1
    with pytest.raises(DataError, match=r"none of the 40 pictures shows an action unit above 0\.9"):
        locate_residues(maps, faces, rows, present_from=0.9)


def test_each_unit_is_compared_with_the_pictures_that_do_not_show_it(monkeypatch):
    # More pictures than have their masks in memory at a time.
    monkeypatch.setattr("book.derl.places.AT_ONCE", 7)
    faces = face_set()
    # Two pictures are not coded for AU1: they neither show it nor do not.
    faces = faces.assign(AU1=faces.table["AU1"].mask(faces.table.index.isin((2, 3))))
    rows = np.arange(len(faces))[::-1]
    its = np.random.default_rng(2).random((len(rows), SIDE, SIDE))
    table = locate_units({"noise": its, "even": np.ones_like(its)}, faces, rows, draws=100, seed=4)
    # Nobody shows AU4.
    assert table["au"].tolist() == ["AU1", "AU12"] * 2
    for row in table[table["layer"] == "noise"].itertuples():
        skin = faces.mask(row.au)[rows]
        share = energy_share(its, skin)
        codes = faces.table[row.au].to_numpy()[rows]
        state, known = codes > 0, np.isfinite(share) & np.isfinite(codes)
        assert row.shown == pytest.approx(share[state & known].mean())
        assert row.gain == pytest.approx(share[state & known].mean() - share[~state & known].mean())
        assert row.area == pytest.approx(np.nanmean(area_share(skin)))
        assert (row.n_shown, row.n_not_shown) == ((state & known).sum(), (~state & known).sum())
        assert row.subjects == (19 if row.au == "AU1" else 20)
        shared = np.where(known, share, 0)
        sums = cluster_sums(
            np.stack([shared * state, state & known, shared * ~state, ~state & known], axis=1),
            faces.table["subject"].to_numpy(object)[rows],
        )
        interval = bootstrap(sums, lambda t: ratio(t[:, :2]) - ratio(t[:, 2:]), draws=100, seed=4)
        assert (row.low, row.high) == pytest.approx((interval.low, interval.high))
    even = table[table["layer"] == "even"]
    assert even["gain"].to_numpy() == pytest.approx(0) and even["low"].isna().all()


def test_faces_that_cannot_be_located_are_refused():
    faces = face_set()
    rows = np.arange(len(faces))
    maps = {"even": np.ones((len(rows), SIDE, SIDE))}
    with pytest.raises(DataError, match="'even'"):
        locate_units(maps, faces, rows[1:])
    with pytest.raises(DataError, match="by 8 people"):
        locate_units({"even": maps["even"][:10]}, faces, rows[:10])
    bare = FaceSet("bare", faces.pixels, faces.table)
    for locate in (locate_residues, locate_units):
        with pytest.raises(DataError, match="no action units with regions"):
            locate(maps, bare, rows)
