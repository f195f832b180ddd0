import numpy as np
import pytest
import torch
from fastai.callback.core import Callback

from fer_lib.aus.nulls import permutation_null
from fer_lib.aus.presence import Presence
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.look.deconvolution import project
from fer_lib.look.responses import maximal_responses
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.clips import ClipRecipe, train_clips
from fer_lib.train.device import Precision, choose_precision
from fer_lib.train.learner import face_learner, fit
from fer_lib.train.predict import features_of, predict
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import ParameterError


@pytest.mark.parametrize(
    ("able", "name"),
    [
        ({"avx512_f": True, "avx512_bf16": True, "cpu_name": "AMD EPYC"}, "bf16"),
        ({"avx512_f": True, "avx512_bf16": True}, "bf16"),
        ({"avx512_bf16": True, "amx_bf16": False, "cpu_name": "Intel Xeon"}, "fp32"),
        ({"avx512_bf16": True, "amx_bf16": True, "cpu_name": "Intel Xeon"}, "bf16"),
        ({"amx_bf16": True}, "bf16"),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, "fp32"),
        ({"neon": True}, "fp32"),
    ],
)
def test_a_cpu_trains_in_bfloat16_where_that_is_faster(monkeypatch, able, name):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert choose_precision() == Precision(name, channels_last=True)
    for request in ("fp32", "bf16"):
        assert choose_precision(request) == Precision(request, True), "what is asked for is not judged"


@pytest.mark.parametrize(("able", "name"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_trains_in_bfloat16_where_it_has_it(monkeypatch, able, name):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able)
    assert choose_precision("auto", "cuda") == Precision(name, True)
    assert choose_precision("fp32", "cuda") == Precision("fp32", True)
    if not able:
        with pytest.raises(ParameterError, match="not offered on the device 'cuda'"):
            choose_precision("bf16", "cuda")


def test_a_precision_goes_through_a_record_and_is_taken_as_it_is():
    chosen = Precision("bf16", channels_last=True)
    assert chosen.to_json() == {"name": "bf16", "channels_last": True}
    assert Precision(**chosen.to_json()) == chosen
    fixed = Precision("fp32", channels_last=False)
    assert choose_precision(fixed) is fixed
    assert choose_precision(chosen, "cpu") is chosen and choose_precision(chosen, "mps").name == "fp32"


def test_refuses_devices_without_bf16():
    with pytest.raises(ParameterError, match="mps"):
        choose_precision("bf16", "mps")
    assert choose_precision("auto", "mps") == Precision("fp32", False)


def _nesting() -> int:
    """How many autocast regions torch counts as open."""
    count = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    return count


@pytest.mark.defect("M2")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_training_neither_feels_nor_spoils_the_autocast_region_around_it(striped_faces, classes, precision):
    recipe = TrainingRecipe(epochs=2, batch_size=8, lr=0.02, schedule="constant", augment="none")

    def losses() -> list[float]:
        torch.manual_seed(0)
        model = ZeroBiasCNN(2, 16, dropout=0)
        curve = fit(face_learner(striped_faces, model, classes, recipe, precision=precision)).curve
        return curve[["train_loss", "valid_loss"]].to_numpy().tolist()

    alone = losses()
    with torch.autocast("cpu", torch.bfloat16):
        within = losses()
        assert torch.is_autocast_enabled("cpu") and _nesting() == 1
    assert _nesting() == 0 and within == losses() == alone


@pytest.mark.defect("M2")
def test_an_interrupted_training_leaves_the_region_around_it_open_and_counted(striped_faces, classes):
    class Interrupt(Callback):
        order = 11  # inside the autocast region

        def before_batch(self):
            raise KeyboardInterrupt

    learner = face_learner(striped_faces, ZeroBiasCNN(2, 16), classes, precision="bf16")
    learner.add_cb(Interrupt())
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(KeyboardInterrupt):
            fit(learner)
        assert torch.is_autocast_enabled("cpu") and _nesting() == 1
    assert not torch.is_autocast_enabled("cpu") and _nesting() == 0


def _asked(faces) -> list[np.ndarray]:
    """What a network, its maps, LSTMs and a permutation test say, all of which multiply matrices."""
    torch.manual_seed(0)
    model = ZeroBiasCNN(2, 16).eval()
    clips = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)
    masks = np.arange(6) < 3, np.arange(6) >= 3
    of_one = {"train": masks[0][None], "valid": masks[1][None], "seeds": (0,)}
    lstm = train_clips(clips, np.full(6, 5), np.arange(6) % 2, 2, ClipRecipe(epochs=2), **of_one)
    shown, names = np.arange(60) % 4 > 1, np.arange(60).astype(str)
    units = Presence(("AU1",), shown[:, None].astype(float), names, names, np.full(60, ""))
    maxima = maximal_responses(model, faces, "relu3").maxima
    return [
        predict(model, faces),
        features_of(model, faces),
        maxima,
        project(model, "relu3", faces.pixels, [1, 3], [0, 1]).maps,
        EXPLAINERS["occlusion"](
            model, "relu3", faces.pixels, np.zeros(2, int), np.arange(2), np.ones((2, 2), int)
        ),
        lstm.probabilities,
        permutation_null(maxima, units, "mean_difference", permutations=20).scores,
    ]


@pytest.mark.defect("M2")
def test_what_networks_are_asked_is_the_same_within_an_autocast_region(striped_faces):
    alone = _asked(striped_faces)
    with torch.autocast("cpu", torch.bfloat16):
        within = _asked(striped_faces)
    for own, other in zip(alone, within, strict=True):
        np.testing.assert_array_equal(own, other)


def test_a_network_is_asked_in_the_format_that_the_caller_names(striped_faces):
    model = ZeroBiasCNN(2, 16)
    plain, half = (predict(model, striped_faces, dtype=t) for t in (None, torch.bfloat16))
    assert 0 < np.abs(plain - half).max() < 0.02
