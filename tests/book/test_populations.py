"""Populations of trained networks: what is kept, what is missing, and what cannot be trusted."""

import json
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
import typer

from book import population_training, populations
from book.commands import populations_app, populations_train
from book.deconvolution.chapter import DeconvolutionParameters
from book.population_training import train_member
from book.populations import FAILED, Population
from book.session import open_chapter
from book.suite import FacesRecord
from face_sets.faceset import FaceSet
from face_sets.folds import fold_faces, protocol_of
from face_sets.request import FaceRequest
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import ChapterError, DataError, FerError, ParameterError
from ferbook.store import DONE
from synthetic_faces.errors import RenderError
from synthetic_faces.versions import versioned

TINY = Population(
    name="tiny",
    about="Two networks that learned stripes",
    faces={"name": "lab", "size": 16},
    network="zhu",
    options={"dropout": 0.1},
    recipe=TrainingRecipe(epochs=3, batch_size=8, lr=0.01, augment="none"),
    networks=2,
    core_minutes=0.1,
)


def prepare(patch, folder, faces):
    """Runs of their own, and for the faces of every population the same stripes."""
    patch.setenv("FER_RUNS", str(folder))
    of_lab = FaceSet("lab", faces.pixels, faces.table.assign(dataset="lab"))
    patch.setattr(population_training, "open_faces", lambda *_, **__: of_lab)
    patch.setattr(populations, "populations", lambda: {"tiny": TINY})
    patch.setattr(populations, "find_population", lambda name: TINY)


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch, faces):
    prepare(monkeypatch, tmp_path / "runs", faces)


@pytest.fixture(scope="module")
def learned(tmp_path_factory, striped_faces):
    """The folder of the networks of TINY, trained once."""
    with pytest.MonkeyPatch.context() as patch:
        prepare(patch, tmp_path_factory.mktemp("learned"), striped_faces)
        trained(TINY)
        return TINY.folder


@pytest.fixture
def kept(learned):
    """The networks of TINY, as if they had been trained here."""
    shutil.copytree(learned, TINY.folder)
    return TINY.kept()


def trained(population):
    for member in population.members:
        train_member(member, device="cpu")
    return population.kept()


def changed(**fields):
    return TINY.model_copy(update=fields)


def test_a_network_is_kept_with_all_that_chapters_ask_of_it(kept):
    first, second = kept
    assert len(first.curve()) == 3 and first.done()["faces"] == versioned("lab")
    tested, answers = first.tested(), first.answers()
    assert len(tested) == len(answers) and answers.dtype == np.float16
    accuracy = np.mean(answers.argmax(1) == tested["label"])
    assert accuracy == pytest.approx(first.done()["test_accuracy"])
    by_epoch, chosen = first.answers_by_epoch(), first.done()["best_epoch"]
    assert by_epoch.shape == (3, len(tested))
    same = np.mean(by_epoch[chosen - 1] == answers.argmax(1))
    assert same > 0.9, "the epoch that was kept answers as it did, but for ties in bfloat16"
    assert (by_epoch[0] != by_epoch[2]).any()
    model = first.network()
    assert not model.training
    assert not torch.equal(model.conv1.weight, second.network().conv1.weight)
    (first.folder / "epochs.npy").unlink()
    with pytest.raises(DataError, match=r"tiny/0: no predictions after each epoch"):
        first.answers_by_epoch()


def test_what_is_there_is_not_trained_again(kept, monkeypatch):
    key = TINY.key()
    monkeypatch.setattr(population_training, "fit", None)
    assert trained(TINY) and TINY.key() == key


def test_a_network_from_elsewhere_counts_as_if_it_were_trained_here(kept, tmp_path):
    key = TINY.key()
    shutil.move(TINY.folder / "1", tmp_path / "elsewhere")
    assert [member.seed for member in TINY.kept()] == [0] and TINY.key() != key
    shutil.move(tmp_path / "elsewhere", TINY.folder / "1")
    assert TINY.key() == key


def test_networks_of_later_seeds_are_others_and_without_weights_their_curves_and_answers_are_kept(kept):
    (early, _), (first, second) = kept, trained(changed(first_seed=100, weights=1))
    assert [first.seed, second.seed] == [100, 101] and first.folder.name == "100"
    assert first.has_weights and not second.has_weights
    assert len(second.curve()) == 3 and len(second.answers()) == len(second.tested())
    with pytest.raises(DataError, match=r"weights\.json"):
        second.network()
    assert not torch.equal(early.network().conv1.weight, first.network().conv1.weight)


def wait_in_training(started):
    """Take part, and never come to an end of the first network."""

    def train(*_, **__):
        started.set()
        signal.pause()

    population_training.face_learner = train
    train_member(TINY.members[0], device="cpu")


def test_a_kill_loses_the_network_that_was_being_trained_and_others_take_part_meanwhile():
    fork = multiprocessing.get_context("fork")
    started = fork.Event()
    other = fork.Process(target=wait_in_training, args=(started,), daemon=True)
    other.start()
    assert started.wait(60)
    assert train_member(TINY.members[0], device="cpu") is None, "another process is at it"
    assert train_member(TINY.members[1], device="cpu")["seed"] == 1
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    assert [member.fault() for member in TINY.members] == ["missing", ""]
    left = TINY.folder / f".0.{32 * 'a'}"
    left.mkdir()
    assert train_member(TINY.members[0], device="cpu")["seed"] == 0
    assert len(TINY.kept()) == 2 and not left.exists()


def test_another_recipe_is_named_and_replaced_only_on_demand(kept):
    other = changed(recipe=TrainingRecipe(epochs=1, batch_size=8, lr=0.01, augment="none"))
    assert {member.fault() for member in other.members} == {"of another recipe"} and not other.kept()
    with pytest.raises(DataError, match="of another recipe; --replace trains it anew"):
        train_member(other.members[0], device="cpu")
    train_member(other.members[0], device="cpu", replace=True)
    assert [member.seed for member in other.kept()] == [0]


@pytest.mark.parametrize("name", ["weights.safetensors", "curve.csv", "test.npy", DONE])
def test_a_damaged_network_is_not_used(kept, name):
    first, _ = kept
    file = first.folder / name
    file.write_bytes(file.read_bytes()[:-10])
    assert first.fault() == "damaged" and [member.seed for member in TINY.kept()] == [1]
    with pytest.raises(DataError, match="damaged; --replace"):
        train_member(first, device="cpu")


def test_networks_of_another_version_of_the_faces_are_not_used(kept, monkeypatch):
    monkeypatch.setattr(populations, "set_name", lambda name: f"{name}/99")
    assert TINY.members[0].fault() == f"of the faces {versioned('lab')}; lab/99 are made here"
    assert not TINY.kept()


def test_a_training_that_diverges_is_counted_and_named(monkeypatch):
    wild = changed(recipe=TrainingRecipe(epochs=9, batch_size=2, lr=10, schedule="constant", augment="none"))
    with pytest.raises(ParameterError, match="training diverged"):
        train_member(wild.members[0], device="cpu")
    assert (wild.members[0].folder / FAILED).is_file() and not wild.kept()
    assert list(wild.failed()) == [0] and "failed: training diverged" in wild.failed()[0]
    with pytest.raises(DataError, match=r"failed: training diverged.*--replace"):
        train_member(wild.members[0], device="cpu")
    assert TINY.members[0].fault() == "of another recipe" and not TINY.failed()


@pytest.mark.parametrize("fault", [RenderError("ended"), OSError(28, "full"), torch.OutOfMemoryError("full")])
def test_one_network_that_fails_is_named_and_the_others_are_trained(monkeypatch, capsys, fault):
    def train(member, **_):
        if member.seed == 0:
            raise fault
        return {"seed": member.seed, "seconds": 1}

    monkeypatch.setattr(population_training, "train_member", train)
    with pytest.raises(typer.Exit):
        populations_train(["tiny"])
    out, err = capsys.readouterr()
    assert "tiny 1: 1 s" in out and f"tiny 0: {fault}" in " ".join(err.split())


def test_what_is_kept_and_what_is_missing_is_listed(capsys):
    train_member(TINY.members[1], device="cpu")
    populations_app(["--json"], standalone_mode=False)
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["networks"], told["kept"], told["faults"]) == (2, 1, {"missing": 1})
    assert told["core_hours_planned"] == round(2 * 0.1 / 60, 2) and len(told["test_accuracy"]) == 1
    populations_app([], standalone_mode=False)
    assert "runs, which FER_RUNS names\ntiny: 1 of 2 (1 missing)" in capsys.readouterr().out


def test_a_seed_that_is_not_asked_for_is_named():
    assert [each.seed for each in populations.requested_members(["tiny"], only="1")] == [1]
    assert len(populations.requested_members(["tiny"], 1)) == 1
    with pytest.raises(ParameterError, match="population tiny has no network 99; it has 0, 1"):
        populations.requested_members(["tiny"], only="99")
    with pytest.raises(ParameterError, match="population tiny has no network 1 among its first 1; it has 0"):
        populations.requested_members(["tiny"], 1, "1")


def test_answers_of_people_drawn_anew_are_kept_where_they_are_asked_for(faces):
    asks = changed(fresh=FaceRequest("lab", size=16, face_seed=1))
    (member, _) = trained(asks)
    answers = np.load(member.folder / "fresh.npy")
    known = predict(member.network(), faces.labelled()).astype(np.float16)
    assert np.allclose(answers, known, atol=0.02), "the fixture opens the same stripes for everybody"
    assert len((member.folder / "fresh.csv").read_text().splitlines()) == len(answers) + 1
    other = asks.model_copy(update={"fresh": FaceRequest("lab", size=16, face_seed=7)})
    assert {each.fault() for each in other.members} == {"answered by another fresh"}
    flipped = asks.model_copy(update={"test_time": "flip"})
    assert {each.fault() for each in flipped.members} == {"answered by another test_time"}
    (without, _) = trained(changed(name="plain"))
    assert not (without.folder / "fresh.npy").exists()


def test_pictures_that_had_been_learned_are_known_and_answers_may_be_of_mirrored_ones_too(faces, monkeypatch):
    set_ = FaceSet("lab", faces.pixels.copy(), faces.table.assign(dataset="lab")).labelled()
    split = fold_faces(set_, protocol_of(set_), 0).table["split"]
    tested, learned = (np.flatnonzero(split.eq(name)) for name in ("test", "train"))
    set_.pixels[tested[1]] = set_.pixels[learned[0]]
    monkeypatch.setattr(population_training, "open_faces", lambda *_, **__: set_)
    (plain, _), (flipped, _) = trained(TINY), trained(changed(name="flipped", test_time="flip"))
    assert flipped.done()["copies"] == [1]
    known = predict(flipped.network(), set_.select(tested), test_time="flip")
    assert np.allclose(flipped.answers(), known, atol=0.02)
    assert not np.allclose(plain.answers(), known, atol=0.02)


def test_what_shuffled_labels_taught_is_kept_as_it_was_at_the_end(faces, monkeypatch):
    population = changed(labels="shuffled", recipe=TINY.recipe.model_copy(update={"epochs": 4, "lr": 0.02}))
    build, seen = population_training.face_learner, []

    def noted(faces, *given, **further):
        seen.append(faces.split("train"))
        return build(faces, *given, **further)

    monkeypatch.setattr(population_training, "face_learner", noted)
    (member,) = (m for m in population.members if m.seed == 0)
    done = train_member(member, device="cpu")
    (learned,) = seen
    assert done["best_epoch"] == 4
    right = predict(member.network(), learned).argmax(1) == learned.labels(tuple(done["classes"]))
    assert right.mean() == pytest.approx(done["train_accuracy"], abs=0.02)


def test_a_chapter_reads_the_populations_that_it_declares(output, monkeypatch, learned):
    monkeypatch.setattr("book.session.find_population", lambda name: {"tiny": TINY}[name])
    run = open_chapter("deconvolution", DeconvolutionParameters(device="cpu", population="tiny").model_dump())
    told = "no network of the population 'tiny' is stored; `ferbook populations"
    with pytest.raises(ChapterError, match=told):
        run.networks()
    shutil.copytree(learned, TINY.folder)
    shutil.rmtree(TINY.folder / "1")
    (TINY.folder / "1").mkdir()
    failure = {"taught": TINY.settings.model_dump(mode="json"), "failed": "failed: training diverged"}
    failure |= {"faces": "lab/2"}
    (TINY.folder / "1" / FAILED).write_text(json.dumps(failure))
    (network,) = run.networks()
    assert network.record.seed == 0 and network.record.faces == TINY.faces
    made = FacesRecord.model_validate_json((output / "record.json").read_bytes())
    assert made.network == TINY.network and made.extent == "1 network"
    (_, told), *_ = made.provenance
    assert told == "population `tiny`, 1 networks (seeds 0); seed 1 failed: training diverged"
    (TINY.folder / "1" / FAILED).write_text(json.dumps(failure | {"faces": "lab/1"}))
    assert TINY.failed() == {}, "on other faces it is trained anew"
    with pytest.raises(ChapterError, match="does not declare the population 'other'; it declares tiny"):
        run.population("other")


def test_every_population_of_the_book_can_be_built(monkeypatch):
    monkeypatch.undo()
    from fer_lib.nets.build import build_network

    found = [each for each in populations.populations().values() if isinstance(each, Population)]
    assert len(found) > 10
    for population in found:
        build_network(population.network, 7, population.faces.size, **population.options)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tiny: {network: zhu, faces: {name: lab}, recipe: {}}", r"populations\.yaml: tiny\.about: Field"),
        ("tiny: [1]", r"populations\.yaml: .*tiny"),
        ("tiny: {", "not YAML"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused(tmp_path, monkeypatch, text, told):
    monkeypatch.undo()
    (tmp_path / "populations.yaml").write_text(text)
    monkeypatch.setattr(populations.paths, "root", lambda: tmp_path)
    with pytest.raises(FerError, match=told):
        populations.populations()


def test_a_device_that_there_is_not_is_told_also_where_no_network_is_missing(kept):
    with pytest.raises(ParameterError, match="device = 'nosuch' is not available"):
        populations_train(["tiny"], device="nosuch")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("recipe", TINY.recipe.model_copy(update={"epochs": 5}), "has recipe.epochs 5, and 'tiny'"),
        ("faces", replace(TINY.faces, face_seed=7), "has faces lab"),
        ("faces", replace(TINY.faces, subjects=30), "has faces lab 30"),
    ],
)
def test_a_role_of_another_recipe_or_of_other_people_is_refused_by_name(field, value, told):
    populations.require_matched([TINY, changed(name="control", labels="units")], but=["labels"])
    other = changed(name="control", labels="units", **{field: value})
    if field == "recipe":
        populations.require_matched([TINY, other], but=["labels", "recipe.epochs"])
    with pytest.raises(DataError, match=rf"population 'control' {told}.* differ in labels only"):
        populations.require_matched([TINY, other], but=["labels"])
