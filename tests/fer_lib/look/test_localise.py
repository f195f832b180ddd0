"""Localisation: which pairs and regions are compared, what is chosen on whom, and the intervals."""

import numpy as np
import pandas as pd
import pytest

from fer_lib.look.controls import control_maps
from fer_lib.look.localisation import (
    KINDS,
    MEASURES,
    best_regions,
    concentrations,
    scores,
    summarise,
)
from fer_lib.look.placement import THRESHOLDS, area_share, energy_share, overlaps, pointing_game
from fer_lib.stats.resampling import bootstrap, cluster_sums
from ferbook.errors import DataError

SIZE = 12
AUS = ("AU1", "AU2", "AU4")


def study(people=8, seed=0, skill=1.0):
    """Filter 0 finds AU1 (upper left quarter), filter 1 finds AU4 (lower right); AU2 is nearly AU1. ``skill``
    times more energy inside than outside.
    """
    generator = np.random.default_rng(seed)
    filters = np.tile([0, 1], people)
    targets = np.array(["AU1", "AU4"], dtype=object)[filters]
    subjects = np.repeat([f"s{i:02}" for i in range(people)], 2)
    regions = np.zeros((2 * people, 3, SIZE, SIZE), bool)
    regions[:, 0, :6, :6] = True
    regions[:, 1, :6, 1:6] = True
    regions[:, 2, 6:, 6:] = True
    own = regions[np.arange(2 * people), 2 * filters]
    maps = generator.normal(size=(2 * people, SIZE, SIZE)) * np.where(own, skill, 1)
    pictures = generator.integers(0, 256, maps.shape, dtype=np.uint8)
    return {
        "maps": maps,
        "regions": regions,
        "aus": AUS,
        "targets": targets,
        "subjects": subjects,
        "filters": filters,
        "pictures": pictures,
    }


def cell(table, measure, kind):
    (row,) = table[(table["measure"] == measure) & (table["kind"] == kind)].to_dict("records")
    return row


def test_scores_are_those_of_the_placement_of_each_map_in_its_own_region():
    given = study(skill=3)
    fields = np.ones(given["maps"].shape, bool)
    table = scores(**given, fields=fields, seed=4)
    assert set(table["kind"]) == set(KINDS)
    own = given["regions"][np.arange(16), 2 * given["filters"]]
    maps = control_maps(given["maps"], given["pictures"], given["filters"], fields=fields, seed=4)
    for kind, its in (maps | {"ours": given["maps"]}).items():
        rows = table[table["kind"] == kind]
        assert rows["pair"].tolist() == list(range(16))
        assert rows["energy_share"].to_numpy() == pytest.approx(energy_share(its, own))
        assert rows["area_share"].to_numpy() == pytest.approx(area_share(own))
        assert rows["pointing_game"].to_numpy() == pytest.approx(pointing_game(its, own))
        cut = np.searchsorted(THRESHOLDS, rows["threshold"].to_numpy())
        assert rows["iou"].to_numpy() == pytest.approx(overlaps(its, own)[np.arange(16), cut])


def test_wrong_regions_leave_out_the_right_one_and_the_same_skin():
    given = study(skill=3)
    table = scores(**given)
    wrong = table[table["kind"] == "wrong_au"]["energy_share"].to_numpy()
    share = energy_share(given["maps"], given["regions"])
    first = given["filters"] == 0
    # AU2 is 30 of AU1's 36 pixels: for AU1 only AU4 is wrong; for AU4 both others are.
    assert wrong[first] == pytest.approx(share[first, 2])
    assert wrong[~first] == pytest.approx(share[~first, :2].mean(axis=1))
    # Cut as for the right region.
    cuts = [table[table["kind"] == kind]["threshold"].to_numpy() for kind in ("ours", "wrong_au")]
    assert (cuts[0] == cuts[1]).all()
    given["targets"] = np.where(first, "AU1", "AU2").astype(object)
    alone = {**given, "regions": given["regions"][:, :2], "aus": AUS[:2]}
    table = scores(**alone)
    assert table[table["kind"] == "wrong_au"]["energy_share"].isna().all()
    assert cell(summarise(table), "iou", "wrong_au")["n"] == 0


def test_the_threshold_is_chosen_on_other_subjects():
    """What happens on a subject's own maps does not move the threshold that they are cut at."""
    given = study(people=6)
    before = scores(**given, seed=2)
    for subject in np.unique(given["subjects"]):
        own = given["subjects"] == subject
        changed = {**given, "maps": given["maps"].copy()}
        changed["maps"][own] = given["regions"][own, 2 * given["filters"][own]] * 0.06 + 1e-3
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
    own = given["regions"][np.arange(12), 2 * given["filters"]]
    given["maps"] = np.where(own, 1, outside[:, None, None])
    table = scores(**given)
    chosen = table[table["kind"] == "ours"]["threshold"].to_numpy()
    halves = [chosen == threshold for threshold in np.unique(chosen)]
    assert [half.sum() for half in halves] == [6, 6]
    for half in halves:
        best = THRESHOLDS[outside[~half].max() < THRESHOLDS][0]
        assert (chosen[half] == best).all()


def test_summary_is_the_mean_over_pairs_and_its_interval_that_of_the_shared_bootstrap():
    given = study(skill=2)
    table = scores(**given)
    summary = summarise(table, draws=300, seed=5)
    assert list(summary["measure"].unique()) == list(MEASURES)
    ours = table[table["kind"] == "ours"]
    edges = table[table["kind"] == "edges"]
    row = cell(summary, "pointing_game", "edges")
    assert row["value"] == pytest.approx(edges["pointing_game"].mean())
    assert row["gain"] == pytest.approx(ours["pointing_game"].mean() - edges["pointing_game"].mean())
    row = cell(summary, "concentration", "ours")
    assert row["value"] == pytest.approx(ours["energy_share"].mean() / ours["area_share"].mean())
    assert np.isnan([row["gain"], row["gain_low"], row["gain_high"]]).all()
    sums = cluster_sums(ours[["energy_share", "area_share"]].to_numpy(), ours["subject"])
    expected = bootstrap(sums, draws=300, seed=5)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    difference = ours["energy_share"].to_numpy() - edges["energy_share"].to_numpy()
    sums = cluster_sums(np.stack((difference, np.ones(16)), axis=1), ours["subject"])
    expected = bootstrap(sums, draws=300, seed=5)
    row = cell(summary, "energy_share", "edges")
    assert (row["gain_low"], row["gain_high"]) == pytest.approx((expected.low, expected.high))


def test_groups_are_scored_each_by_itself():
    given = study(skill=2)
    table = scores(**given)
    apart = summarise(table, ("filter", "au"), draws=50)
    assert apart[["filter", "au"]].drop_duplicates().to_numpy().tolist() == [[0, "AU1"], [1, "AU4"]]
    alone = summarise(table[table["filter"] == 1], draws=50)
    one = apart[apart["filter"] == 1].drop(columns=["filter", "au"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(one, alone)


def test_maps_that_find_their_region_beat_every_control_and_noise_beats_none():
    table = summarise(scores(**study(people=20, skill=6)), draws=200)
    noise = summarise(scores(**study(people=20, skill=1)), draws=200)
    for kind in ("wrong_au", "other_filter", "edges", "centre", "random"):
        assert cell(table, "concentration", kind)["gain_low"] > 0.3, kind
    for kind in ("wrong_au", "other_filter", "edges", "random"):
        row = cell(noise, "concentration", kind)
        assert row["gain_low"] < 0.1 and row["gain_high"] > -0.1, kind


def test_uniform_maps_concentrate_nowhere():
    given = study()
    given["maps"] = np.ones((16, SIZE, SIZE))
    row = cell(summarise(scores(**given), draws=20), "concentration", "ours")
    assert row["value"] == pytest.approx(1)
    # All draws give the same: no interval rather than one of no width.
    assert np.isnan(row["low"]) and np.isnan(row["high"])


def test_empty_regions_and_maps_of_zeros_are_counted_not_scored():
    given = study(skill=2)
    whole = summarise(scores(**given), draws=20)
    given["regions"][0, 0] = False
    given["maps"][3] = 0
    table = scores(**given)
    summary = summarise(table, draws=20)
    row = cell(summary, "concentration", "ours")
    assert (row["n"], row["undefined"], row["subjects"]) == (14, 2, 8)
    assert (cell(whole, "iou", "ours")["n"], cell(whole, "iou", "ours")["undefined"]) == (16, 0)
    ours = table[(table["kind"] == "ours") & ~table["pair"].isin([0, 3])]
    assert row["value"] == pytest.approx(ours["energy_share"].mean() / ours["area_share"].mean())
    # The gain is over the pairs that both have: edges are defined for pair 3, ours not.
    row = cell(summary, "energy_share", "edges")
    edges = table[(table["kind"] == "edges") & ~table["pair"].isin([0, 3])]
    assert row["n"] == 15
    assert row["gain"] == pytest.approx(ours["energy_share"].mean() - edges["energy_share"].mean())


def test_one_subject_in_a_group_has_no_interval():
    table = scores(**study())
    row = cell(summarise(table[table["subject"] == "s00"], draws=20), "energy_share", "ours")
    assert row["subjects"] == 1 and np.isfinite(row["value"]) and np.isnan(row["low"])


def test_renumbered_pairs_give_the_same_summary():
    given = study(skill=2)
    order = np.random.default_rng(1).permutation(16)
    shuffled = {name: value if name == "aus" else value[order] for name, value in given.items()}
    one, other = summarise(scores(**given), draws=50), summarise(scores(**shuffled), draws=50)
    same = ["ours", "wrong_au", "edges", "centre"]
    for table in (one, other):
        assert set(same) < set(table["kind"])
    columns = ["value", "low", "high", "n"]
    np.testing.assert_allclose(
        one[one["kind"].isin(same)][columns].to_numpy(float),
        other[other["kind"].isin(same)][columns].to_numpy(float),
    )


def test_concentrations_of_filters_in_regions_by_hand():
    maps = np.zeros((3, 2, 2))
    maps[0, 0] = 1
    maps[1] = [[3, 0], [0, 1]]
    regions = np.zeros((3, 2, 2, 2), bool)
    regions[:, 0, 0] = True
    regions[:, 1, 0, 0] = True
    table = concentrations(maps, regions, ("AU1", "AU2"), np.array([5, 5, 7]))
    # A map of zeros takes no part, nor does the area of its region.
    regions[2] = True
    with_zeros = concentrations(maps, regions, ("AU1", "AU2"), np.array([5, 5, 5]))
    assert with_zeros.loc[5].tolist() == pytest.approx(table.loc[5].tolist())
    assert table.index.tolist() == [5, 7] and table.columns.tolist() == ["AU1", "AU2"]
    # Filter 5: shares 1 and 3/4 in half of the picture, 1/2 and 3/4 in a quarter.
    assert table.loc[5].tolist() == pytest.approx([1.75, 2.5])
    assert table.loc[7].isna().all()


def test_the_best_region_is_judged_on_the_other_half():
    given = study(skill=4)
    asked = {name: given[name] for name in ("maps", "regions", "aus", "filters", "subjects")}
    found = best_regions(**asked)
    assert set(found[given["filters"] == 1]) == {"AU4"}
    assert set(found[given["filters"] == 0]) <= {"AU1", "AU2"}
    # One subject's own maps decide for the others, not for itself.
    for subject in np.unique(given["subjects"]):
        own = given["subjects"] == subject
        changed = {**asked, "maps": np.where(own[:, None, None], 100 * given["regions"][:, 2], given["maps"])}
        assert (best_regions(**changed)[own] == found[own]).all()


def test_a_filter_without_a_map_in_the_other_half_has_no_best_region():
    given = study(skill=4)
    asked = {name: given[name] for name in ("maps", "regions", "aus", "filters", "subjects")}
    asked["maps"] = np.where((given["filters"] == 0)[:, None, None], 0, given["maps"])
    found = best_regions(**asked)
    assert set(found[given["filters"] == 0]) == {""} and set(found[given["filters"] == 1]) == {"AU4"}


def test_without_targets_filters_and_controls_are_held_to_their_own_best_regions():
    given = {**study(skill=4), "targets": None}
    asked = {name: given[name] for name in ("regions", "aus", "filters", "subjects")}
    table = scores(**given, seed=3)
    maps = {"ours": given["maps"], **control_maps(given["maps"], given["pictures"], given["filters"], seed=3)}
    best = {kind: best_regions(its, **asked, seed=3) for kind, its in maps.items()}
    assert any((best[kind] != best["ours"]).any() for kind in maps)
    # Other filters' maps are asked about this filter's region.
    best["other_filter"] = best["ours"]
    for kind, its in maps.items():
        rows = table[table["kind"] == kind]
        assert (rows["held_to"] == best[kind]).all() and (rows["au"] == best["ours"]).all()
        own = given["regions"][np.arange(16), [AUS.index(au) for au in best[kind]]]
        assert rows["energy_share"].to_numpy() == pytest.approx(energy_share(its, own))
        assert rows["pointing_game"].to_numpy() == pytest.approx(pointing_game(its, own))
    pd.testing.assert_frame_equal(
        table[table["kind"].isin(["ours", "wrong_au"])],
        scores(**{**given, "targets": best["ours"]}, seed=3).query("kind in ['ours', 'wrong_au']"),
    )


def test_a_filter_without_a_best_region_is_counted_not_scored():
    given = {**study(skill=4), "targets": None}
    # Of filter 0 there is one map: the other half of the subjects cannot say to what it is to be held, and
    # all others are zero.
    given["maps"][(given["filters"] == 0) & (given["subjects"] != "s03")] = 0
    table = scores(**given)
    assert table[table["kind"].eq("wrong_au") & table["filter"].eq(0)]["energy_share"].isna().all()
    ours = table[table["kind"] == "ours"].set_index("filter")
    assert (ours.loc[0].query("subject == 's03'")["held_to"] == "").all() and ours.loc[
        0, "energy_share"
    ].isna().all()
    row = cell(summarise(table, draws=20), "concentration", "ours")
    assert (row["n"], row["undefined"]) == (8, 8)


def test_what_does_not_fit_is_refused():
    given = study()
    with pytest.raises(DataError, match="pair 4 has no subject"):
        scores(**{**given, "subjects": np.where(np.arange(16) == 4, "", given["subjects"])})
    with pytest.raises(DataError, match=r"1 subject\(s\); at least 2"):
        scores(**{**given, "subjects": np.full(16, "s")})
