"""The training in pieces: whole or not there, read as it was trained, and known by its recipe."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.derl import pieces, two_stages
from book.derl.chapter import DerlParameters
from book.derl.pairs import PairSplits
from book.derl.pieces import Pieces
from book.derl.study import ResidueTask
from book.derl.two_stages import stages_of
from book.population_training import train_member
from book.populations import find_population
from face_sets.faceset import FaceSet
from face_sets.folds import Fold, Protocol
from ferbook.errors import DataError
from tests.book.derl.made_pairs import at_rest_and_happy

CLASSES = ("neutral", "happiness")
TINY = {"size": 16, "gan_epochs": 1, "epochs": 1, "views": 1, "folds": 2, "seeds": 2, "precision": "fp32"}


@pytest.fixture
def parameters() -> DerlParameters:
    return DerlParameters(population="derl", ablation=True, **TINY)


@pytest.fixture
def faces() -> FaceSet:
    """Twelve people, once at rest and once happy, which is bright."""
    pixels = np.random.default_rng(0).integers(0, 100, (24, 16, 16), dtype=np.uint8)
    pixels[1::2, :8] += 100
    return at_rest_and_happy("lab", pixels)


@pytest.fixture
def protocol() -> Protocol:
    rows = np.arange(24)
    folds = Fold(rows[8:], rows[4:8], rows[:4]), Fold(rows[:16], rows[16:20], rows[20:])
    return Protocol("", CLASSES, folds, "")


@pytest.fixture
def splits(faces) -> PairSplits:
    truth = np.repeat(faces.pixels[::2], 2, axis=0)
    pairs = faces.pixels, truth
    return PairSplits(pairs, pairs, faces.table["subject"].to_numpy(str), faces, truth, "")


@pytest.fixture
def population(monkeypatch, tmp_path, parameters, faces, protocol, splits) -> Pieces:
    monkeypatch.setenv("FER_RUNS", str(tmp_path))
    monkeypatch.setattr(pieces, "CHAPTER", SimpleNamespace(resolve=lambda *_: parameters))
    monkeypatch.setattr(two_stages, "open_faces", lambda *_, **__: faces)
    monkeypatch.setattr(two_stages, "protocol_of", lambda _: protocol)
    monkeypatch.setattr(two_stages, "draw_pair_splits", lambda *_: splits)
    return find_population("derl")


@pytest.mark.slow
def test_a_training_is_read_as_it_was_trained(population, parameters, faces, protocol, splits):
    names = [f"{seed}-{what}" for seed in (0, 1) for what in ("generators", 0, 1)]
    assert [member.seed for member in population.members] == names and not population.kept()
    with pytest.raises(DataError, match="a fold starts from its seed's generators"):
        train_member(population.members[1], device="cpu")
    for member in population.members:
        train_member(member, device="cpu")
    assert [member.seed for member in population.kept()] == names
    # The page asks the first seed's generators; of a later one nothing starts any more.
    first, later = population.members[0], population.members[3]
    assert {file.stem for file in first.weights()} == {"trained", "shuffled"} and len(first.weights()) == 4
    assert later.weights() == [] and later.fault() == ""
    read = stages_of(ResidueTask(parameters, faces, protocol, splits))
    assert read.read == {"derl": {"kept": names, "failed": {}}} and "6 of 6 pieces" in read.about
    now = stages_of(ResidueTask(parameters.model_copy(update={"population": ""}), faces, protocol, splits))
    assert now.read == {} and "2 trainings of the generator, each tested in 2 folds" in now.about
    assert read.first.seed == now.first.seed == 0 and len(read.curves) == len(now.curves) == 2
    for mine, other in zip(read.curves, now.curves, strict=True):
        curves = [curve.drop(columns="seconds") for curve in (mine, other)]
        pd.testing.assert_frame_equal(*curves, rtol=1e-4, check_dtype=False)
    for name in ("trained", "untrained", "shuffled"):
        both = (stages.first.generators[name].parameters() for stages in (read, now))
        for one, another in zip(*both, strict=True):
            assert (one - another).abs().max() <= another.abs().max() / 250, name
    columns = ["condition", "seed", "fold", "parameters", "frozen"]
    pd.testing.assert_frame_equal(read.compared.trainings[columns], now.compared.trainings[columns])
    np.testing.assert_array_equal(read.compared.rows, now.compared.rows)
    np.testing.assert_allclose(read.compared.probabilities, now.compared.probabilities, atol=0.05)
    assert set(read.quality["training"]) == {0, 1} and len(read.quality) == len(now.quality)
    # A fold that is damaged later, without the weights of its seed, says how they come back.
    fold = population.members[4]
    (fold.folder / "trainings.csv").unlink()
    assert fold.fault() == "damaged"
    with pytest.raises(DataError, match=r"1-generators is without weights, .*: remove the folder"):
        train_member(fold, device="cpu", replace=True)


@pytest.mark.slow
def test_only_pieces_of_the_recipe_count(population, parameters, faces, protocol, splits, monkeypatch):
    told = "no seed of the population is whole; `ferbook populations train derl`"
    with pytest.raises(DataError, match=told):
        stages_of(ResidueTask(parameters, faces, protocol, splits))
    for member in population.members[:2]:
        train_member(member, device="cpu")
    read = stages_of(ResidueTask(parameters, faces, protocol, splits))
    assert "1 training of the generator, each tested in 1 fold; 2 of 6" in read.about
    other = parameters.model_copy(update={"l1": 10.0})
    live = stages_of(ResidueTask(other.model_copy(update={"seeds": 1, "folds": 1}), faces, protocol, splits))
    assert live.read == {}, "the population is of another recipe"
    monkeypatch.setattr(pieces, "CHAPTER", SimpleNamespace(resolve=lambda *_: other))
    assert [member.fault() for member in population.members[:3]] == ["of another recipe"] * 2 + ["missing"]
