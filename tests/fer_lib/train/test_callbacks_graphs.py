"""Recorded passes, with a recorder that needs no GPU: it asks the network itself and counts."""

from dataclasses import replace

import pytest
import torch

from fer_lib.faces.faceset import EMOTIONS
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.nets.build import build_network, network_class
from fer_lib.train.batches import Batches
from fer_lib.train.callbacks import Graphs
from fer_lib.train.learner import Diverged, fit, recipe_learner
from fer_lib.train.recipe import TrainingRecipe

RECIPE = TrainingRecipe(epochs=2, batch_size=32, lr=0.01, mixup=0.2, start_size=16, averaging=0.9)


class Recorder:
    """In the place of ``torch.cuda.make_graphed_callables``: which shapes it was asked for, and how often
    the recording was played.
    """

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.plays = 0

    def __call__(self, model: torch.nn.Module, samples: tuple[torch.Tensor]) -> torch.nn.Module:
        assert torch.is_grad_enabled()
        assert not torch.is_autocast_cache_enabled() or not torch.is_autocast_enabled("cpu")
        self.shapes.append(tuple(samples[0].shape))
        state = torch.random.get_rng_state()
        own = model.forward
        for _ in range(3):
            own(samples[0])  # the warm-up, which moves the running means
        torch.random.set_rng_state(state)

        def play(pictures: torch.Tensor) -> torch.Tensor:
            assert tuple(pictures.shape) == self.shapes[-1]
            self.plays += 1
            return own(pictures)

        model.forward = play
        return model


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", recorder)
    return recorder


def learner_of(recipe: TrainingRecipe, graphs: bool) -> object:
    faces = open_faces(FaceRequest("lab", 6, 24)).labelled()
    torch.manual_seed(0)
    model = build_network("vgg", len(EMOTIONS), 24, dropout=0.2, widths=(8, 8, 8, 8))
    learner = recipe_learner(faces, model, EMOTIONS, recipe, precision="fp32")
    return learner.add_cb(Graphs()) if graphs else learner


def weights_of(recipe: TrainingRecipe, graphs: bool) -> dict[str, torch.Tensor]:
    learner = learner_of(recipe, graphs)
    torch.manual_seed(1)
    fit(learner, recipe)
    assert "forward" not in learner.model.__dict__
    return learner.model.state_dict()


def test_recorded_passes_give_the_weights_that_others_give(recorder: Recorder) -> None:
    ours, others = weights_of(RECIPE, graphs=True), weights_of(RECIPE, graphs=False)
    assert all(torch.equal(ours[name], others[name]) for name in others)


def test_every_size_of_pictures_is_recorded_once_and_a_last_batch_is_computed_as_ever(
    recorder: Recorder,
) -> None:
    weights_of(RECIPE, graphs=True)
    assert recorder.shapes == [(32, 1, 16, 16), (32, 1, 24, 24)]
    learner = learner_of(RECIPE, graphs=False)
    whole, rest = divmod(learner.dls.train.n, 32)
    assert rest >= 2
    assert recorder.plays == 2 * whole


def test_a_loss_that_looks_into_the_network_is_not_recorded(recorder: Recorder) -> None:
    weights_of(replace(RECIPE, loss="centre", mixup=0.0), graphs=True)
    assert recorder.shapes == []


def test_a_training_that_diverges_leaves_no_recording_behind(recorder: Recorder) -> None:
    recipe = replace(RECIPE, lr=1e30, optimiser="sgd")
    learner = learner_of(recipe, graphs=True)
    with pytest.raises(Diverged):
        fit(learner, recipe)
    assert recorder.plays
    assert "forward" not in learner.model.__dict__


def test_an_interrupted_training_leaves_the_network_as_it_computes_ever(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(pictures: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt

    learner = learner_of(RECIPE, graphs=True)
    monkeypatch.setattr(Graphs, "record", lambda graphs: setattr(graphs, "graphed", interrupt))
    with pytest.raises(KeyboardInterrupt):
        fit(learner, RECIPE)
    assert "forward" not in learner.model.__dict__


def test_on_a_gpu_the_networks_of_the_suite_are_recorded_and_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The device is named only: nothing is computed."""

    class Own(network_class("vgg")):
        pass

    def callbacks_of(network: type) -> list[str]:
        model = network(len(EMOTIONS), 24, dropout=0.2, widths=(8, 8, 8, 8))
        monkeypatch.setattr(model, "to", lambda *_, **__: model)
        learner = recipe_learner(faces, model, EMOTIONS, RECIPE, device="cuda")
        return [type(each).__name__ for each in learner.cbs]

    faces = open_faces(FaceRequest("lab", 6, 24)).labelled()
    monkeypatch.setattr(Batches, "to", lambda batches, device: setattr(batches, "device", device))
    monkeypatch.setattr("fer_lib.train.learner._check_fit", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert "Graphs" in callbacks_of(network_class("vgg"))
    assert "Graphs" not in callbacks_of(Own)
