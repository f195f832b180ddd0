"""Methods on trial: their files, what they are asked about, the tables beside, and what the command shows."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from book import evaluation
from book.evaluation import (
    CONTROL_MAPS,
    BenchmarkSize,
    baseline_table,
    baselines_page,
    committed_baselines,
    drawn_benchmarks,
    judged_method,
    made_twins,
    read_method,
    verdict,
)
from book.truth import maps
from face_sets.registry import set_name
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.look.judge import MAP_SCORES, MapBenchmark, asked
from fer_lib.nets.build import build_network
from ferbook.errors import DataError
from ferbook.estimate import Estimate

AT = np.array([0, 1]), np.array([0, 3]), np.array([[1, 0], [1, 2]])
METHOD = """
from fer_lib.look.attribution import EXPLAINERS
def explain(network, layer, pictures, rows, filters, positions):
    if layer == "relu3":
        print("working")
        return EXPLAINERS["gradient"](network, layer, pictures, rows, filters, positions)
    if layer == "raises":
        return pictures[99]
    if layer == "changes":
        next(network.parameters()).data += 1
    if layer == "gpu":
        raise AssertionError("Torch not compiled with CUDA enabled")
    if layer == "ends":
        raise SystemExit
    return pictures[:1]
"""
"""Does what the layer is called."""

FAULTS = {
    "raises": r"it raised IndexError: index 99 is out .* \(line 8\)",
    "changes": "changed the network",
    "shape": r"returned uint8 \(1, 16, 16\); expected numbers \(2, 16, 16\)",
    "gpu": "it needs a GPU, and there is none here",
    "ends": r"it raised SystemExit: \(line 14\)",
}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_method_in_a_file_gives_what_it_gives_here_and_its_faults_are_named(tmp_path, capfd):
    (tmp_path / "mine.py").write_text(METHOD)
    network = build_network("zero_bias", 3, 16, generator=torch.Generator().manual_seed(1)).eval()
    given = np.random.default_rng(0).integers(0, 256, (2, 16, 16), dtype=np.uint8), *AT
    method = read_method(tmp_path / "mine.py")
    assert np.array_equal(method(network, "relu3", *given), EXPLAINERS["gradient"](network, "relu3", *given))
    for layer, told in FAULTS.items():
        with pytest.raises(DataError, match=told):
            asked(method, network, layer, *given)
    assert capfd.readouterr().out == "", "what it prints is no answer of the command's"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def explain(network): pass", r"does not take \(network, layer, pictures"),
        ("explain = 3", "defines no function `explain`"),
        ("\n1 / 0", r"it raised ZeroDivisionError: division by zero \(line 2\)"),
        ("def explain(:", "it raised SyntaxError: "),
        ("# tr\xe8s bien", "not UTF-8 at byte 4; save it in UTF-8"),
    ],
)
def test_a_file_without_the_function_is_refused(source, told, tmp_path):
    (tmp_path / "mine.py").write_bytes(source.encode("latin-1"))
    with pytest.raises(DataError, match=rf"mine\.py: .*{told}"):
        read_method(tmp_path / "mine.py")


@pytest.mark.parametrize(("seconds", "neurons"), [(0.01, [2000, 1000]), (1.0, [300, 300])])
def test_a_method_that_takes_long_is_judged_on_a_drawn_sample_and_says_so(monkeypatch, seconds, neurons):
    monkeypatch.setattr(evaluation, "seconds_of", lambda *_: seconds)

    def trial(name, count):
        rows = np.arange(count)
        return MapBenchmark(name, None, None, "relu3", None, rows, rows % 7, np.stack([rows, rows], axis=1))

    told, trials = [], [trial("a", 2000), trial("b", 1000)]
    drawn = drawn_benchmarks(None, trials, 0, told.append)
    assert [len(each.rows) for each in drawn] == neurons
    sample = "a drawn sample: 600 of 3,000 neurons, since all of them take about 200 min; --all asks"
    assert len(told) == (seconds == 1) and all(sample in line for line in told)
    for each, again in zip(drawn, drawn_benchmarks(None, trials, 0, told.append), strict=True):
        assert np.array_equal(each.rows, again.rows) and len(np.unique(each.rows)) == len(each.rows)
        assert np.array_equal(each.filters, each.rows % 7) and (each.positions[:, 1] == each.rows).all()


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.py: no such file"):
        read_method(tmp_path / "absent.py")


def test_what_the_judge_refuses_is_told_with_the_name(monkeypatch):
    def refuse(*_):
        raise DataError("it returned float32 (1,)")

    monkeypatch.setattr(evaluation, "judge_maps", refuse)
    with pytest.raises(DataError, match=r"^mine\.py: it returned float32"):
        judged_method("mine.py", None, [], print)


def test_a_method_on_trial_says_how_many_maps_it_gave(monkeypatch):
    told = []
    counted = contextmanager(lambda *about: (yield lambda count: told.append((*about, count))))
    monkeypatch.setattr(evaluation, "steps", counted)
    monkeypatch.setattr(evaluation, "judge_maps", lambda method, _: method(None, "", None, [3, 4]))
    monkeypatch.setattr(evaluation, "map_estimates", lambda maps: maps)
    assert judged_method("mine.py", lambda *_: "maps", [], print) == "maps" and told == [("maps", 0, 2)]


def test_twins_differ_in_one_unit():
    made = made_twins(BenchmarkSize(1, 2, ("AU4", "AU12")), 77)
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
    monkeypatch.setattr(evaluation, "BASELINES_FILE", tmp_path / "judge.csv")
    baseline_table(FOUND, "small", 3).to_csv(tmp_path / "judge.csv", index=False)
    assert committed_baselines("small", 3) == FOUND
    assert committed_baselines("small", 4) == committed_baselines("whole", 3) == {}


def test_the_verdict_is_of_the_chapters_three_tests():
    found = committed_baselines("small", 0)
    assert {*CONTROL_MAPS} == {*maps.CONTROL_MAPS}, "the chapter's own"
    assert all(verdict(found[name], found).startswith("not believed: ") for name in CONTROL_MAPS)
    best = {s: max(found[name][s].value for name in CONTROL_MAPS) for s in ("correctness", "right_unit")}
    above = {score: Estimate(x + 0.2, x + 0.1, x + 0.3, how="so") for score, x in best.items()}
    assert verdict(above | {"sanity": Estimate(0.8, 0.6, 0.9, how="so")}, found).startswith("believed")
    unsure = above | {"sanity": Estimate(0.6, 0.4, 0.9, how="so")}
    assert verdict(unsure, found) == "not believed: sanity not above 0.50 with its whole interval"


def test_the_committed_table_has_every_method_of_the_faces_of_today():
    found, page = committed_baselines("small", 0), baselines_page({})
    assert found.keys() == EXPLAINERS.keys(), "`python -m book.evaluation`"
    assert all(set(each) - {"seconds"} == set(MAP_SCORES) for each in found.values())
    assert all(f"| `{name}` |" in page for name in found) and set_name("lab") in page
    assert all(found[name]["sanity"].value == 0 for name in ("edges", "centre"))


def test_the_command_shows_a_row_and_its_ranks(tmp_path, monkeypatch, command):
    whole = {score: Estimate(0.5, 0.4, 0.6, how="so") for score in MAP_SCORES}
    whole["seconds"] = Estimate(0.002, why="once", unit="seconds")
    others = {"rival": {score: Estimate(0.7, why="once") for score in MAP_SCORES}}
    seeds = []
    (tmp_path / "mine.py").write_text(METHOD)
    monkeypatch.setattr(evaluation, "made_benchmarks", lambda size, seed, tell: seeds.append(seed) or [])
    monkeypatch.setattr(evaluation, "judged_method", lambda *_: whole)
    monkeypatch.setattr(evaluation, "committed_baselines", lambda *_: others)

    words = "evaluate", tmp_path / "mine.py", "--small"
    code, out, _ = command(*words)
    assert code == 0
    assert "not believed: sanity not above 0.50 with its whole interval" in out
    assert "0.50 (0.40–0.60)" in out and "rival 0.70" in out and "2.0 ms a map" in out
    assert '"low": 0.4' in command(*words, "--seed", "7", "--json")[1]
    assert seeds == [0, 7]
