"""Methods on trial: what they are asked about, the tables beside, and what the command shows."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from book import entries, evaluation
from book.evaluation import (
    TRIAL_KINDS,
    TrialSize,
    baseline_table,
    baselines_page,
    committed_baselines,
    label_baselines_page,
    made_twins,
    mixed_network,
    standing,
)
from fer_lib.faces.registry import set_name
from fer_lib.look.layers import maps_of, taken_by
from fer_lib.nets.build import build_network
from ferbook import cli
from ferbook.estimate import Estimate


def test_twins_differ_in_one_unit():
    made = made_twins(TrialSize(1, 2, ("AU4", "AU12")), 77)
    assert made.aus.tolist() == ["AU4", "AU12"] * 2 and len(np.unique(made.people)) == 2
    assert (made.on.pixels != made.off.pixels).any((1, 2)).all()
    region, _ = made.regions
    changed = np.abs(made.on.pixels.astype(int) - made.off.pixels)
    inside = [change[own].mean() > change[~own].mean() for change, own in zip(changed, region, strict=True)]
    assert np.mean(inside) > 0.9


FOUND = {
    "one": {
        "iou": Estimate(0.5, 0.4, 0.6, n=3, how="so"),
        "seconds": Estimate(2, why="once", unit="seconds"),
    },
    "two": {"iou": Estimate(0.25, n=3, why="alike")},
}


def test_a_kept_table_is_what_was_found_and_of_no_other_seed(tmp_path, monkeypatch):
    kept = {kind: replace(each, file=tmp_path / f"{kind}.csv") for kind, each in TRIAL_KINDS.items()}
    monkeypatch.setattr(evaluation, "TRIAL_KINDS", kept)
    for kind in kept:
        baseline_table(FOUND, "small", 3).to_csv(tmp_path / f"{kind}.csv", index=False)
        assert committed_baselines("small", 3, kind) == FOUND
        assert committed_baselines("small", 4, kind) == committed_baselines("whole", 3, kind) == {}


def test_ranks_by_hand():
    assert [standing("iou", value, FOUND) for value in (0.6, 0.3, 0.1)] == [1, 2, 3]
    assert standing("seconds", 1, FOUND) == 2


@pytest.mark.parametrize(("kind", "page"), [("maps", baselines_page), ("labels", label_baselines_page)])
def test_the_committed_table_has_every_method_of_the_faces_of_today(kind, page):
    found, contest = committed_baselines("small", 0, kind), TRIAL_KINDS[kind]
    assert found.keys() == contest.registered.keys(), f"`ferbook evaluate baselines --of {kind} --small`"
    assert len(found) >= 12
    assert all(set(each) - {"seconds"} == set(contest.scores) for each in found.values())
    assert all(f"| `{name}` |" in page({}) for name in found) and set_name("lab") in page({})


def test_who_knows_nothing_stands_where_it_is_said():
    maps, labels = (committed_baselines("small", 0, kind) for kind in TRIAL_KINDS)
    assert all(maps[name]["sanity"].value == 0 for name in ("edges", "centre"))
    for name in ("random", "dealt_probe"):
        kappa = labels[name]["kappa"]
        assert kappa.low < 0.05 and kappa.low <= 0 <= kappa.high, name
        assert labels["auroc"]["kappa"].low > kappa.value


def test_filters_that_nobody_has_seen_are_mixtures_of_two():
    network = build_network("zero_bias", 3, 16, generator=torch.Generator().manual_seed(1)).eval()
    mixed = mixed_network(network, 5)
    given = taken_by(network, np.random.default_rng(0).integers(0, 256, (2, 16, 16), dtype=np.uint8))
    assert torch.equal(maps_of(mixed, "relu2", given), maps_of(network, "relu2", given))
    own, new = (
        maps_of(each, "conv3", given).flatten(2).transpose(0, 1).flatten(1) for each in (network, mixed)
    )
    shares = torch.linalg.lstsq(network.conv3.weight.flatten(1).T, mixed.conv3.weight.flatten(1).T).solution.T
    assert torch.allclose(new, shares @ own, atol=1e-3)
    largest = shares.abs().sort(dim=1).values
    both = largest[:, -2] > 0.3  # a filter that met itself is only longer
    assert both.float().mean() > 0.95 and (largest[:, -3] < 0.01).all()
    assert torch.equal(mixed_network(network, 5).conv3.weight, mixed.conv3.weight)
    assert not torch.equal(mixed_network(network, 6).conv3.weight, mixed.conv3.weight)
    assert torch.equal(mixed.conv1.weight, network.conv1.weight)


@pytest.mark.parametrize("kind", TRIAL_KINDS)
def test_the_command_shows_a_row_and_its_ranks(kind, tmp_path, monkeypatch, capsys):
    scores = TRIAL_KINDS[kind].scores
    whole = {score: Estimate(0.5, 0.4, 0.6, how="so") for score in scores}
    others = {"rival": {score: Estimate(0.7, why="once") for score in scores}}
    if kind == "maps":
        whole["seconds"] = Estimate(0.002, why="once", unit="seconds")
    asked = []

    class Stub:
        isolation = "a box"

        def __init__(self, file, kind):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    def trials(size, seed, tell, sealed):
        asked.append((seed, sealed))
        return []

    monkeypatch.setattr(entries, "EntryProcess", Stub)
    monkeypatch.setattr(entries, "SealedEntry", Stub)
    monkeypatch.setattr(evaluation, "TRIAL_KINDS", {kind: replace(TRIAL_KINDS[kind], trials=trials)})
    monkeypatch.setattr(evaluation, "judged_method", lambda *_: whole)
    monkeypatch.setattr(evaluation, "judged_baselines", lambda *_: others)
    monkeypatch.setattr(evaluation, "committed_baselines", lambda *_: others)

    def shown(*more: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ferbook", "evaluate", kind, "mine.py", "--small", *more])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
        return capsys.readouterr().out

    out = shown()
    assert "0.50 [0.40, 0.60]" in out and "2 of 2" in out and "rival 0.70" in out
    assert ("2.0 ms a map" in out) == (kind == "maps")
    assert '"low": 0.4' in shown("--json")
    assert "sealed by a box" in shown("--sealed") and "--sealed" not in shown("--seed", "7")
    (first, _), _, (secret, sealed), (seven, _) = asked
    assert (first, seven, sealed) == (0, 7, True) and secret > 1000
