import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from fer_lib.names import NETWORKS
from fer_lib.nets.build import build_network, network_class
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train import weights
from fer_lib.train.learner import face_learner, fit
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe
from fer_lib.train.weights import load_weights, parameter_count, read_record, save_weights
from ferbook.errors import DataError

SMALL = {"vgg": {"widths": (4, 4, 8, 8)}, "residual": {"widths": (4, 8), "depths": (1, 2)}}


@pytest.fixture
def model() -> ZeroBiasCNN:
    return ZeroBiasCNN(2, 16, dropout=0.25, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def saved(model, tmp_path):
    return save_weights(model, tmp_path / "weights", {"classes": ["neutral", "happiness"]})


def test_what_is_read_is_what_was_written(model, saved):
    again = load_weights(saved)
    assert type(again) is ZeroBiasCNN and again.arguments == model.arguments and not again.training
    assert again.dropout.p == 0.25
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_record_says_what_the_file_is(model, saved):
    record = read_record(saved)
    assert record["architecture"] == "ZeroBiasCNN" and record["classes"] == ["neutral", "happiness"]
    assert record["parameters"] == parameter_count(model) == sum(p.numel() for p in model.parameters())
    assert sorted(p.name for p in saved.parent.iterdir()) == ["weights.json", "weights.safetensors"]


@pytest.mark.parametrize("name", ["fold.1", "fold.1.safetensors", "fold.1.json"])
def test_any_form_of_the_name_means_the_pair(model, tmp_path, name):
    save_weights(model, tmp_path / name, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fold.1.json", "fold.1.safetensors"]
    assert load_weights(tmp_path / name).arguments == model.arguments


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_predicts_the_same_digits_from_its_file(name, faces, classes, tmp_path):
    """Running means of batch normalisation included."""
    generator = torch.Generator().manual_seed(0)
    model = build_network(name, 2, 16, generator=generator, **SMALL.get(name, {}))
    recipe = TrainingRecipe(epochs=1, batch_size=15)
    fit(face_learner(faces, model, classes, recipe, precision="bf16"))
    again = load_weights(save_weights(model, tmp_path / "w", {}))
    assert type(again) is network_class(name) and again.arguments == model.arguments
    assert np.array_equal(predict(model, faces), predict(again, faces))


@pytest.mark.parametrize("name", NETWORKS)
def test_compact_weights_are_off_by_half_a_scale_at_most(name, tmp_path):
    model = build_network(name, 2, 16, generator=torch.Generator().manual_seed(0), **SMALL.get(name, {}))
    with torch.no_grad():
        next(p for p in model.parameters() if p.ndim == 4)[0] = 0  # a dead filter has no largest weight
    whole = save_weights(model, tmp_path / "whole", {})
    compact = save_weights(model, tmp_path / "compact", {}, compact=True)
    sizes = [sum(v.nbytes for v in load_file(f).values()) for f in (whole, compact)]
    assert sizes[1] < 0.45 * sizes[0]
    again = load_weights(compact).state_dict()
    assert list(again) == list(model.state_dict())
    for key, value in model.state_dict().items():
        assert again[key].dtype == value.dtype
        if value.ndim < 2:
            assert torch.allclose(again[key], value, rtol=1e-3)
        else:
            largest = value.flatten(1).abs().amax(1, keepdim=True)
            assert ((again[key] - value).flatten(1).abs() <= largest / 253).all()
    twice = save_weights(load_weights(compact), tmp_path / "twice", {}, compact=True)
    for key, value in load_weights(twice).state_dict().items():
        assert torch.allclose(value, again[key], rtol=1e-5)


def test_what_is_left_out_is_no_number_and_what_lies_before_it_is_as_it_was(tmp_path):
    model = build_network("breuer", 4, 16)
    file = save_weights(model, tmp_path / "small", {}, without=["dense.weight"])
    again, pictures = load_weights(file), torch.rand(2, 1, 16, 16)
    assert torch.equal(again.conv3.weight, model.conv3.weight) and again(pictures).isnan().all()
    assert file.stat().st_size < 4 * (parameter_count(model) - model.dense.weight.numel()) + 4096
    record = json.loads(file.with_suffix(".json").read_text())
    file.with_suffix(".json").write_text(json.dumps(record | {"without": {"dense.weight": [2**40, 2**40]}}))
    with pytest.raises(DataError, match="does not hold the weights of BreuerKimmelCNN"):
        load_weights(file)


def test_reading_does_not_move_the_random_state(saved):
    state = torch.get_rng_state()
    load_weights(saved)
    assert torch.equal(state, torch.get_rng_state())


def test_replacing_is_atomic(model, saved, monkeypatch):
    other = ZeroBiasCNN(3, 16)
    before = saved.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save_weights(other, saved, {})
    monkeypatch.undo()
    assert saved.read_bytes() == before and len(list(saved.parent.iterdir())) == 2
    assert load_weights(saved).arguments == model.arguments


def edit(saved, **changes) -> None:
    record = saved.with_suffix(".json")
    content = json.loads(record.read_text()) | changes
    record.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


@pytest.mark.defect("R2")
def test_refuses_a_flipped_bit(saved):
    content = bytearray(saved.read_bytes())
    content[-5] ^= 1
    saved.write_bytes(content)
    with pytest.raises(DataError, match="does not match the checksum"):
        load_weights(saved)


@pytest.mark.parametrize("length", [0, 7, 8, 100, 1000])
def test_a_file_cut_short_anywhere_is_refused_with_its_length(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    told = rf"weights\.safetensors: its content \({length:,} bytes\).*cut short"
    with pytest.raises(DataError, match=told):
        load_weights(saved)


def test_refuses_the_weights_of_another_architecture(saved):
    other = save_weights(build_network("zhu", 2, 16), saved.with_name("other"), {})
    saved.write_bytes(other.read_bytes())
    with pytest.raises(DataError, match=r"weights\.safetensors: .* belongs to another record"):
        load_weights(saved)
    edit(saved, sha256=hashlib.sha256(saved.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=r"weights\.safetensors: does not hold the weights of ZeroBiasCNN"):
        load_weights(saved)


def test_reads_a_file_that_does_not_name_its_architecture(model, saved):
    """As files did before they named it, and as other programs write them."""
    save_file(model.state_dict(), saved)
    edit(saved, sha256=hashlib.sha256(saved.read_bytes()).hexdigest())
    assert torch.equal(load_weights(saved).output.weight, model.output.weight)


def test_refuses_a_pickle_even_with_the_right_checksum(saved):
    torch.save({"conv1.weight": torch.zeros(1)}, saved)
    edit(saved, sha256=hashlib.sha256(saved.read_bytes()).hexdigest())
    with pytest.raises(DataError, match="does not hold the weights of ZeroBiasCNN"):
        load_weights(saved)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"architecture": "Sequential"}, "unknown architecture 'Sequential'"),
        ({"architecture": ["ZeroBiasCNN"]}, "unknown architecture"),
        ({"architecture": None}, "lacks architecture"),
        ({"sha256": None, "parameters": None}, "lacks parameters, sha256"),
        ({"arguments": {"n_classes": 3, "size": 16}}, "size mismatch"),
        ({"arguments": {"n_classes": 2, "size": 17}}, "multiple of 8"),
        ({"arguments": {"classes": 2}}, "unexpected keyword"),
        ({"arguments": [2]}, r"arguments is \[2\]; expected names with values"),
        ({"arguments": {"n_classes": 2, "size": 10**7}}, r"arguments\.size is 10000000, more than 4,096"),
        ({"arguments": {"n_classes": 2, "size": "16"}}, "does not hold the weights"),
        (
            {"architecture": "ResidualNet", "arguments": {"n_classes": 2, "depths": [2000] * 3}},
            r"arguments\.depths is .*, more than 4,096",
        ),
        ({"architecture": "ResidualNet", "arguments": {"n_classes": 2, "widths": []}}, "does not hold"),
        ({"faces": "<script>"}, "faces: holds '<'"),
        ({"seed": 10**400}, "seed: no finite number"),
    ],
)
def test_refuses_a_record_that_does_not_fit(saved, changes, says):
    edit(saved, **changes)
    with pytest.raises(DataError, match=says):
        load_weights(saved)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_names_the_absent_file(saved, suffix):
    saved.with_suffix(suffix).unlink()
    with pytest.raises(DataError, match=rf"weights\{suffix}: not "):
        load_weights(saved)


@pytest.mark.parametrize("text", ["", "[]", "{", '"a"'])
def test_refuses_a_damaged_record(saved, text):
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(DataError, match=r"weights\.json"):
        load_weights(saved)


@pytest.mark.defect("R4", "R5")
def test_refuses_a_record_that_is_nested_deeply_or_a_pipe(saved):
    record = saved.with_suffix(".json")
    record.write_text("[" * 100_000)
    with pytest.raises(DataError, match="nested too deeply"):
        read_record(saved)
    record.unlink()
    os.mkfifo(record)
    with pytest.raises(DataError, match="not a regular file"):
        read_record(saved)


@pytest.mark.defect("R6")
def test_no_memory_is_taken_before_file_and_record_agree(saved, monkeypatch):
    """A network of some hundred million weights, of which the file has none, is built of shapes alone."""
    arguments = {"n_classes": 2, "size": 16, "widths": [2048, 2048]}
    edit(saved, architecture="VGG", arguments=arguments)
    built = []

    class Watched(network_class("vgg")):
        def __init__(self, *given, **options):
            super().__init__(*given, **options)
            built.extend(parameter.device.type for parameter in self.parameters())

    monkeypatch.setattr("fer_lib.nets.vgg.VGG", Watched)
    with pytest.raises(DataError, match="does not hold the weights of VGG"):
        load_weights(saved)
    assert set(built) == {"meta"}


def test_a_scale_that_is_not_of_its_filters_is_refused_before_it_is_multiplied():
    tensors = {"w": torch.zeros(1, 4, dtype=torch.int8), "w.int8_scale": torch.ones(1000)}
    with pytest.raises(DataError, match="scales do not fit its filters"):
        weights.widened(tensors)


def test_refuses_to_write_what_could_not_be_read(model, tmp_path):
    with pytest.raises(DataError, match="no network called Linear"):
        save_weights(nn.Linear(2, 2), tmp_path / "w", {})
    with torch.no_grad():
        model.dense.bias[3] = float("nan")
    with pytest.raises(DataError, match=r"dense\.bias"):
        save_weights(model, tmp_path / "w", {})
    assert list(tmp_path.iterdir()) == []


def test_reading_imports_no_compiler(saved):
    code = (
        "import sys; from pathlib import Path; from fer_lib.train.weights import load_weights; "
        "load_weights(Path(sys.argv[1])); sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(saved)], check=True)


def test_a_weight_that_half_precision_cannot_hold_is_refused(model, tmp_path):
    with torch.no_grad():
        model.output.bias[0] = 7e4
    save_weights(model, tmp_path / "whole", {})
    with pytest.raises(DataError, match=r"output\.bias holds a weight that is not finite in half precision"):
        save_weights(model, tmp_path / "compact", {}, compact=True)
    assert not (tmp_path / "compact.json").exists()
