"""Benchmark of methods: their files, samples of neurons, tables, and what the command shows."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from book import evaluation
from book.evaluation import CONTROL_METHODS, committed_baselines, judged_method, read_method, verdict
from book.truth import maps
from face_sets.registry import set_name
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.look.judge import MAP_SCORES, MapBenchmark, checked_maps
from fer_lib.nets.build import build_network
from ferbook.errors import DataError
from ferbook.estimate import Estimate

AT = np.array([0, 1]), np.array([0, 3]), np.array([[1, 0], [1, 2]])
# Does what the layer is called.
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
            checked_maps(method, network, layer, *given)
    assert capfd.readouterr().out == "", "what it prints is no answer of the command's"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def explain(network): pass", r"does not take \(network, layer, pictures"),
        ("explain = 3", "defines no function `explain`"),
        ("\n1 / 0", r"it raised ZeroDivisionError: division by zero \(line 2\)"),
        ("# tr\xe8s bien", "not UTF-8 at byte 4; save it in UTF-8"),
    ],
)
def test_a_file_without_the_function_is_refused(source, told, tmp_path):
    (tmp_path / "mine.py").write_bytes(source.encode("latin-1"))
    with pytest.raises(DataError, match=rf"mine\.py: .*{told}"):
        read_method(tmp_path / "mine.py")
    with pytest.raises(DataError, match=r"absent\.py"):
        read_method(tmp_path / "absent.py")


@pytest.mark.parametrize(("seconds", "neurons"), [(0.001, [2000, 1000]), (0.1, [125, 125]), (9.0, [25, 25])])
def test_a_slow_method_is_scored_on_a_sample_and_says_so(seconds, neurons):
    def benchmark(name, count):
        rows = np.arange(count)
        return MapBenchmark(name, None, None, "relu3", None, rows, rows % 7, np.stack([rows, rows], axis=1))

    told, every = [], [benchmark("a", 2000), benchmark("b", 1000)]
    sampled, again = (evaluation.sampled_benchmarks(every, seconds, 0, told.append) for _ in range(2))
    assert [len(each.rows) for each in sampled] == neurons
    assert all(f"{sum(neurons)} of 3,000" in line for line in told) and bool(told) == (seconds > 0.001)
    for each, same in zip(sampled, again, strict=True):
        assert np.array_equal(each.rows, same.rows) and len(np.unique(each.rows)) == len(each.rows)
        assert np.array_equal(each.filters, each.rows % 7) and (each.positions[:, 1] == each.rows).all()


def test_a_benchmark_counts_maps_and_names_the_method_that_is_refused(monkeypatch):
    told = []
    counted = contextmanager(lambda *about: (yield lambda count: told.append((*about, count))))
    monkeypatch.setattr(evaluation, "steps", counted)
    monkeypatch.setattr(evaluation, "seconds_of", lambda *_: 0.5)
    monkeypatch.setattr(evaluation, "judge_maps", lambda method, _: method(None, "", None, [3, 4]))
    monkeypatch.setattr(evaluation, "map_estimates", lambda maps: maps)
    three = [SimpleNamespace(rows=[0, 1, 2])]
    assert judged_method("mine.py", lambda *_: "maps", three, lambda _: None) == "maps"
    assert told == [("maps", 4 * 3 + 2 * 4, 2)]

    def refuse(*_):
        raise DataError("it returned float32 (1,)")

    monkeypatch.setattr(evaluation, "judge_maps", refuse)
    with pytest.raises(DataError, match=r"^mine\.py: it returned float32"):
        judged_method("mine.py", None, three, print)


def test_registered_methods_share_the_time(monkeypatch):
    shared, sampled = [], []
    monkeypatch.setattr(evaluation, "seconds_of", lambda *_: 0.1)
    monkeypatch.setattr(evaluation, "sampled_benchmarks", lambda *about: shared.append(about[1]) or sampled)
    monkeypatch.setattr(evaluation, "judged_method", lambda name, method, given, tell: given)
    found = evaluation.judged_baselines([None], print, 7)
    assert shared == [pytest.approx(0.1 * len(EXPLAINERS))]
    assert all(each is sampled for each in found.values())


def test_twins_differ_in_one_unit():
    made = evaluation.made_twins(evaluation.BenchmarkSize(1, 2, ("AU4", "AU12")), 77)
    assert made.aus.tolist() == ["AU4", "AU12"] * 2 and len(np.unique(made.people)) == 2
    changed = np.abs(made.on.pixels.astype(int) - made.off.pixels)
    for change, own in zip(changed, made.regions[0], strict=True):
        assert change[own].mean() > change[~own].mean()


ONCE = Estimate(2, why="once", unit="seconds")
FOUND = {
    "one": {"iou": Estimate(0.5, 0.4, 0.6, n=3, how="so"), "seconds": ONCE},
    "two": {"iou": Estimate(0.25, n=3, why="alike")},
}


def test_a_kept_table_is_what_was_found_and_of_no_other_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "BASELINES_FILE", tmp_path / "judge.csv")
    evaluation.baseline_table(FOUND, "small", 3).to_csv(tmp_path / "judge.csv", index=False)
    assert committed_baselines("small", 3) == FOUND
    assert committed_baselines("small", 4) == committed_baselines("whole", 3) == {}


def test_the_verdict_is_of_the_chapters_three_tests():
    found = committed_baselines("small", 0)
    assert {*CONTROL_METHODS} == {*maps.CONTROL_MAPS}, "the chapter's own"
    assert all(verdict(found[name], found).startswith("fails: ") for name in CONTROL_METHODS)
    best = {s: max(found[name][s].value for name in CONTROL_METHODS) for s in ("correctness", "right_unit")}
    above = {score: Estimate(x + 0.2, x + 0.1, x + 0.3, how="so") for score, x in best.items()}
    assert verdict(above | {"sanity": Estimate(0.8, 0.6, 0.9, how="so")}, found).startswith("passes")
    unsure = above | {"sanity": Estimate(0.6, 0.4, 0.9, how="so")}
    assert verdict(unsure, found) == "fails: interval of sanity not above 0.50"


def test_the_committed_table_has_every_method_of_the_faces_of_today():
    found, page = committed_baselines("small", 0), evaluation.baselines_page({})
    assert found.keys() == EXPLAINERS.keys(), "`python -m book.evaluation`"
    assert all(set(each) - {"seconds"} == set(MAP_SCORES) for each in found.values())
    assert all(f"| `{name}`{' (control)' * (name in CONTROL_METHODS)} |" in page for name in found)
    assert set_name("lab") in page
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
    assert "fails: interval of sanity not above 0.50" in out
    assert "0.50 (0.40–0.60)" in out and "rival 0.70" in out and "2.0 ms a map" in out
    assert '"low": 0.4' in command(*words, "--seed", "7", "--json")[1]
    assert seeds == [0, 7]
