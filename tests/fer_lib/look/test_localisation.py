"""Localisation: which pairs and regions are compared, what is chosen on whom, and the intervals."""

import numpy as np
import pytest

from fer_lib.look.localisation import (
    THRESHOLDS,
    area_share,
    control_maps,
    cross_fitted_overlap,
    energy_share,
    overlaps,
    pointing_game,
    scores,
)
from ferbook.errors import DataError

SIZE = 12


def study(people=8, seed=0, skill=1.0):
    """Filter 0 finds its region in the upper left quarter, filter 1 in the lower right; each one's is a wrong
    one of the other, and so are the upper 24 pixels. ``skill`` times more energy inside than outside.
    """
    generator = np.random.default_rng(seed)
    filters = np.tile([0, 1], people)
    subjects = np.repeat([f"s{i:02}" for i in range(people)], 2)
    corners = np.zeros((3, SIZE, SIZE), bool)
    corners[0, :6, :6] = corners[1, 6:, 6:] = corners[2, :2] = True
    own, others = corners[filters], np.stack([corners[1 - filters], corners[2 + 0 * filters]], axis=1)
    maps = generator.normal(size=(2 * people, SIZE, SIZE)) * np.where(own, skill, 1)
    pictures = generator.integers(0, 256, maps.shape, dtype=np.uint8)
    return {
        "maps": maps,
        "region": own,
        "others": others,
        "subjects": subjects,
        "filters": filters,
        "pictures": pictures,
    }


def test_scores_are_those_of_the_placement_of_each_map_in_its_own_region():
    given = study(skill=3)
    fields = np.ones(given["maps"].shape, bool)
    table = scores(**given, fields=fields, seed=4)
    controls = {"other_filter", "field", "field_edges", "edges", "centre", "random"}
    assert set(table["kind"]) == {"ours", "wrong_au"} | controls
    own = given["region"]
    maps = control_maps(given["maps"], given["pictures"], given["filters"], fields=fields, seed=4)
    for kind, its in (maps | {"ours": given["maps"]}).items():
        rows = table[table["kind"] == kind]
        assert rows["pair"].tolist() == list(range(16))
        assert rows["energy_share"].to_numpy() == pytest.approx(energy_share(its, own))
        assert rows["area_share"].to_numpy() == pytest.approx(area_share(own))
        assert rows["pointing_game"].to_numpy() == pytest.approx(pointing_game(its, own))
        cut = np.searchsorted(THRESHOLDS, rows["threshold"].to_numpy())
        assert rows["iou"].to_numpy() == pytest.approx(overlaps(its, own)[np.arange(16), cut])


def test_wrong_regions_are_the_mean_of_those_that_are_not_empty():
    given = study(skill=3)
    given["others"][:4, 1] = False
    given["others"][2] = False
    table = scores(**given)
    wrong = table[table["kind"] == "wrong_au"]["energy_share"].to_numpy()
    share = energy_share(given["maps"], given["others"])
    assert wrong[4:] == pytest.approx(share[4:].mean(axis=1))
    assert wrong[[0, 1, 3]] == pytest.approx(share[[0, 1, 3], 0]) and np.isnan(wrong[2])
    # Cut as for the right region.
    cuts = [table[table["kind"] == kind]["threshold"].to_numpy() for kind in ("ours", "wrong_au")]
    assert (cuts[0] == cuts[1]).all()


def test_the_threshold_is_chosen_on_other_subjects():
    """What happens on a subject's own maps does not move the threshold that they are cut at."""
    given = study(people=6)
    before = scores(**given, seed=2)
    for subject in np.unique(given["subjects"]):
        own = given["subjects"] == subject
        changed = {**given, "maps": given["maps"].copy()}
        changed["maps"][own] = given["region"][own] * 0.06 + 1e-3
        changed["maps"][own, 0, 0] = 1
        after = scores(**changed, seed=2)
        ours = (before["kind"] == "ours") & (before["subject"] == subject)
        assert (before.loc[ours, "threshold"] == after.loc[ours, "threshold"]).all()


def test_the_chosen_threshold_is_the_best_one_of_the_other_half():
    """Energy 1 inside, and outside ever more from subject to subject: above the largest of a half, all its
    maps are cut out rightly.
    """
    given = study(people=6)
    outside = (0.11 + 0.15 * np.arange(6))[np.repeat(np.arange(6), 2)]
    given["maps"] = np.where(given["region"], 1, outside[:, None, None])
    table = scores(**given)
    chosen = table[table["kind"] == "ours"]["threshold"].to_numpy()
    halves = [chosen == threshold for threshold in np.unique(chosen)]
    assert [half.sum() for half in halves] == [6, 6]
    for half in halves:
        best = THRESHOLDS[outside[~half].max() < THRESHOLDS][0]
        assert (chosen[half] == best).all()


def test_maps_that_find_their_region_beat_every_control_and_noise_beats_none():
    def gains(skill):
        means = scores(**study(people=20, skill=skill)).groupby("kind")[["energy_share", "area_share"]].mean()
        concentrations = means["energy_share"] / means["area_share"]
        return concentrations["ours"] - concentrations.drop("ours")

    assert gains(6).min() > 0.3
    assert gains(1).drop("centre").abs().max() < 0.1


def test_uniform_maps_concentrate_nowhere():
    given = study()
    given["maps"] = np.ones((16, SIZE, SIZE))
    table = scores(**given)
    ours = table[table["kind"] == "ours"]
    assert ours["energy_share"].to_numpy() == pytest.approx(ours["area_share"].to_numpy())


def test_empty_regions_and_maps_of_zeros_are_not_scored():
    given = study(skill=2)
    given["region"][0] = False
    given["maps"][3] = 0
    table = scores(**given).set_index(["kind", "pair"])["energy_share"]
    assert table["ours"].index[table["ours"].isna()].tolist() == [0, 3]
    assert table["edges"].index[table["edges"].isna()].tolist() == [0], "of pair 3 edges are defined"


def test_renumbered_pairs_give_the_same_scores():
    given = study(skill=2)
    order = np.random.default_rng(1).permutation(16)
    shuffled = {name: value[order] for name, value in given.items()}
    one, other = (scores(**each).set_index(["kind", "pair"])["iou"] for each in (given, shuffled))
    for kind in ("ours", "wrong_au", "edges", "centre"):
        np.testing.assert_allclose(one[kind].to_numpy()[order], other[kind].to_numpy())


def test_what_does_not_fit_is_refused():
    given = study()
    with pytest.raises(DataError, match="pair 4 has no subject"):
        scores(**{**given, "subjects": np.where(np.arange(16) == 4, "", given["subjects"])})
    with pytest.raises(DataError, match=r"1 subject\(s\); at least 2"):
        scores(**{**given, "subjects": np.full(16, "s")})


def test_an_overlap_s_threshold_is_that_of_the_other_half_of_the_people():
    generator = np.random.default_rng(0)
    maps, region = generator.random((12, 8, 8)), np.zeros((12, 8, 8), bool)
    region[:, 2:6, 2:6] = True
    people = [f"s{n // 2}" for n in range(12)]
    about = (np.zeros(12, int), generator.integers(0, 255, (12, 8, 8), dtype=np.uint8))
    own = scores(maps, region, region[:, None], people, *about)
    found = cross_fitted_overlap(maps, region, people)
    np.testing.assert_allclose(found, own[own["kind"].eq("ours")]["iou"])
    maps[0], region[1] = 0, False
    assert np.isnan(cross_fitted_overlap(maps, region, people)[:2]).all(), "nothing drawn, nothing there"
