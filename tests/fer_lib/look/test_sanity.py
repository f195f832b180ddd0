import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.look.deconvolution import project
from fer_lib.look.responses import maximal_responses
from fer_lib.look.sanity import (
    REMAINDER_LIMIT,
    SHIFT_LIMIT,
    cascading_randomisation,
    compare_networks,
    shift_equivariance,
    verdicts,
)
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.residual import ResidualNet
from fer_lib.nets.zero_bias import ZeroBiasCNN
from ferbook.errors import DataError, ParameterError

METHODS = ("deconv", "guided", "gradient")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    """12 pictures of 24 pixels with soft blobs, of six people."""
    noise = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    pixels = nn.functional.interpolate(noise, 24, mode="bicubic").clamp(0, 1)[:, 0] * 255
    columns = {"dataset": "blobs", "sequence": "", "frame": 0, "emotion": "neutral", "split": "train"}
    table = pd.DataFrame({"subject": [f"blobs-{i // 2}" for i in range(12)], **columns})
    return FaceSet("blobs", pixels.numpy().astype(np.uint8), table)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def zero_bias(seed: int = 0) -> ZeroBiasCNN:
    return ZeroBiasCNN(2, 24, gain=1.0, generator=generator(seed))


def residual() -> ResidualNet:
    model = ResidualNet(2, 24, widths=(6,), depths=(1,), generator=generator(0))
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3, generator=generator(1))
                module.weight.uniform_(0.5, 1.5, generator=generator(2))
                module.bias.normal_(0, 0.3, generator=generator(3))
    return model


def pairs(model: nn.Module, faces: FaceSet, layer: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Different pictures with filters that are on."""
    maxima = maximal_responses(model, faces, layer).maxima
    rows = np.arange(count) % len(faces)
    order = np.argsort(-maxima[rows], axis=1, kind="stable")
    return rows, order[np.arange(count), np.arange(count) % 5]


def test_a_cascade_is_what_a_plain_loop_finds(faces):
    model = zero_bias()
    rows, filters = pairs(model, faces, "relu2", 6)
    found = cascading_randomisation(model, faces, "relu2", rows, filters, method="guided", seed=3, draws=1)
    assert found["layer"].unique().tolist() == ["", "conv2", "conv1"]
    at = {"method": "guided"}
    trained = project(model, "relu2", faces.pixels, rows, filters, **at)
    numbers, expected = generator(3), {}
    for step, name in enumerate(("conv2", "conv1"), start=1):
        weight = model.get_submodule(name).weight
        with torch.no_grad():
            weight.copy_(torch.randn(weight.shape, generator=numbers) * weight.pow(2).mean().sqrt())
        drawn = project(model, "relu2", faces.pixels, rows, filters, positions=trained.positions, **at)
        expected[step] = [
            # Outside the receptive field and beyond the border both are zero.
            spearmanr(trained.maps[p][seen], drawn.maps[p][seen]).statistic
            for p in range(6)
            if drawn.responses[p] > 0
            for seen in [_seen(trained, p)]
        ]
    own = found[found["measure"] == "signed"].set_index("step")
    for step, values in expected.items():
        assert own.loc[step, "n"] == len(values) > 0 and own.loc[step, "off"] == 6 - len(values)
        assert own.loc[step, "similarity"] == pytest.approx(np.mean(values), abs=1e-5)


def _seen(maps, pair):
    rows, columns = (corner + np.arange(maps.maps.shape[1]) for corner in maps.corners[pair])
    height, width = maps.size
    return ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))


def test_a_cascade_through_batch_normalisation_is_what_a_plain_loop_finds(faces):
    model = residual()
    layer = "stage1.0.relu2"
    rows, filters = pairs(model, faces, layer, 6)
    found = cascading_randomisation(model, faces, layer, rows, filters, method="gradient", draws=1)
    names = ["stage1.0.conv2", "stage1.0.conv1", "conv1"]
    assert found["layer"].unique().tolist() == ["", *names]
    trained = project(model, layer, faces.pixels, rows, filters, method="gradient")
    numbers = generator(0)
    with torch.no_grad():
        for name in names:
            weight = model.get_submodule(name).weight
            weight.copy_(torch.randn(weight.shape, generator=numbers) * weight.pow(2).mean().sqrt())
            norm = model.get_submodule(name.replace("conv", "norm"))
            norm.reset_parameters()
            norm.momentum = 1.0  # a pass in training mode then leaves the statistics of these pictures alone
            model.eval()
            norm.train()
            model(torch.tensor(faces.pixels[:6, None]) / 255)
            model.eval()
    drawn = project(model, layer, faces.pixels, rows, filters, positions=trained.positions, method="gradient")
    expected = [
        spearmanr(trained.maps[p][seen], drawn.maps[p][seen]).statistic
        for p in range(6)
        if drawn.responses[p] > 0
        for seen in [_seen(trained, p)]
    ]
    own = found[(found["measure"] == "signed") & (found["step"] == 3)].iloc[0]
    assert own["n"] == len(expected) > 0
    # torch divides by n - 1 where it keeps the variance, which is a thousandth here.
    assert own["similarity"] == pytest.approx(np.mean(expected), abs=0.02)


def test_a_cascade_leaves_the_network_alone_and_repeats_by_its_seed(faces):
    model = zero_bias().train()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    rows, filters = pairs(model, faces, "relu2", 6)
    arguments = (model, faces, "relu2", rows, filters)
    first = cascading_randomisation(*arguments, method="deconv", seed=1, draws=2)
    again = cascading_randomisation(*arguments, method="deconv", seed=1, draws=2)
    pd.testing.assert_frame_equal(first, again)
    other = cascading_randomisation(*arguments, method="deconv", seed=2, draws=2)
    assert not first["similarity"].equals(other["similarity"])
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert model.training and not any(module._forward_hooks for module in model.modules())
    start = first[first["step"] == 0]
    assert np.allclose(start["similarity"], 1) and (start["n"] == 6).all()
    later = first[first["step"] > 0]
    assert (later["n"] + later["off"] == 12).all()


def test_intervals_resample_people_and_pictures_of_nobody_known_one_by_one(faces):
    model = zero_bias()
    rows, filters = pairs(model, faces, "relu2", 6)
    widths = []
    for subjects in (["one"] * 12, ["one", "two"] * 6, [""] * 12):
        some = faces.assign(subject=subjects)
        found = cascading_randomisation(model, some, "relu2", rows, filters, method="guided", draws=2)
        last = found.iloc[-3]
        widths.append((last["high"] - last["low"], last["excess"]))
    (one, excess), (two, again), (nobody, third) = widths
    assert np.isnan(one) and two > 0 and nobody > 0 and two != nobody
    assert excess == again == third


def test_layers_above_have_no_say(faces):
    model, changed = zero_bias(), zero_bias()
    for name in ("conv3", "dense", "output"):
        nn.init.normal_(changed.get_submodule(name).weight)
    rows, filters = pairs(model, faces, "relu2", 6)
    found = [
        cascading_randomisation(each, faces, "relu2", rows, filters, method="guided", draws=1)
        for each in (model, changed)
    ]
    pd.testing.assert_frame_equal(*found)


def test_guided_backpropagation_and_deconvolution_fail_and_the_gradient_passes(faces):
    """Nie et al. 2018: with random weights the first two still show the picture. No training is needed to see
    it.
    """
    model = zero_bias()
    rows, filters = pairs(model, faces, "relu2", 24)
    cascade = pd.concat(
        cascading_randomisation(model, faces, "relu2", rows, filters, method=method) for method in METHODS
    )
    found = verdicts(cascade).set_index("method")
    assert found["passed"].tolist() == [False, False, True]
    assert found.loc["guided", "value"] > 3 * REMAINDER_LIMIT
    assert "show the picture, not the network" in found.loc["guided", "meaning"]
    assert (found["n"] > 20).all()


def test_a_network_with_its_filters_in_another_order_has_the_same_maps(faces):
    model, other = zero_bias(), zero_bias()
    order = torch.randperm(128, generator=generator(4))
    with torch.no_grad():
        other.conv2.weight.copy_(model.conv2.weight[order])
    rows, filters = pairs(model, faces, "relu2", 8)
    for method in METHODS:
        found = compare_networks(model, other, faces, "relu2", rows, filters, method=method)
        assert np.allclose(found["similarity"], 1, atol=1e-4)
        assert (found["n"] == 8).all() and (found["off"] == 0).all() and (found["excess"] > 0).all()


def test_networks_are_compared_at_one_place_by_filters_that_are_on(faces):
    model, other = zero_bias(), zero_bias(1)
    rows, filters = pairs(model, faces, "relu2", 12)
    arguments = (model, other, faces, "relu2", rows, filters)
    found = compare_networks(*arguments, method="gradient")
    assert (found["n"] == 12).all() and (found["similarity"] < 0.9).all()
    with torch.no_grad():
        other.conv2.weight.copy_(-other.conv2.weight.abs())  # never on
    silent = compare_networks(*arguments, method="gradient")
    assert (silent["n"] == 0).all() and (silent["off"] == 12).all() and silent["excess"].isna().all()
    (verdict,) = verdicts(shuffled=silent).itertuples()
    assert verdict.passed is pd.NA and verdict.n == 0 and "cannot be told" in verdict.meaning


@pytest.mark.parametrize("method", METHODS)
def test_maps_of_convolutions_move_with_the_picture(faces, method):
    model = zero_bias()
    rows, filters = pairs(model, faces, "relu2", 12)
    (row,) = shift_equivariance(model, faces, "relu2", rows, filters, method=method).to_dict("records")
    assert row["shift"] == 2 and row["n"] > 6 and row["n"] + row["off"] == 12
    assert row["correlation"] == pytest.approx(1, abs=1e-4)


class Vignette(nn.Module):
    """Weighs each pixel by its place, as no convolution does."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures * torch.randn(pictures.shape[2:], generator=generator(0))


class Placed(Classifier):
    def __init__(self) -> None:
        super().__init__(2, 24, 0)
        self.standardise = Vignette()
        self.conv1 = nn.Conv2d(1, 8, 5, padding=2, bias=False)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 8, 5, padding=2, bias=False)
        self.relu2 = nn.ReLU()


def test_a_network_that_looks_at_places_does_not_pass(faces):
    torch.manual_seed(0)
    model = Placed()
    rows, filters = pairs(model, faces, "relu2", 12)
    shifted = shift_equivariance(model, faces, "relu2", rows, filters, method="gradient")
    (verdict,) = verdicts(shifted=shifted).itertuples()
    assert verdict.n > 6 and verdict.value < SHIFT_LIMIT and not verdict.passed
    assert "do not move with the picture" in verdict.meaning


def test_units_that_see_beyond_the_picture_cannot_tell(faces):
    model = zero_bias()
    rows, filters = pairs(model, faces, "relu3", 6)  # each sees 32 of 24 pixels
    shifted = shift_equivariance(model, faces, "relu3", rows, filters, method="deconv")
    assert shifted["n"].tolist() == [0] and shifted["off"].tolist() == [6]
    (verdict,) = verdicts(shifted=shifted).itertuples()
    assert verdict.passed is pd.NA and np.isnan(verdict.value) and "cannot be told" in verdict.meaning


def rows_of(method: str, step: int, excess: dict[str, float], n: int = 5) -> pd.DataFrame:
    about = {"method": method, "step": step, "low": 0.0, "high": 1.0, "n": n}
    return pd.DataFrame([{"measure": name, "excess": value, **about} for name, value in excess.items()])


def test_verdicts_by_hand():
    cascade = pd.concat(
        [
            rows_of("guided", 0, {"absolute": 1, "signed": 1, "cosine": 1}),
            rows_of("guided", 1, {"absolute": 0.02, "signed": 0.3, "cosine": 0.6}),
            # A cosine, high for any two maps, has no say; nor have the steps before the last.
            rows_of("gradient", 0, {"absolute": 1, "signed": 1, "cosine": 1}),
            rows_of("gradient", 1, {"absolute": 0.1, "signed": -0.2, "cosine": 0.6}),
        ]
    )
    guided, gradient = verdicts(cascade).itertuples()
    assert (guided.value, guided.passed, guided.limit, guided.n) == (0.3, False, REMAINDER_LIMIT, 5)
    assert guided.meaning.startswith("signed maps remain when the weights are random")
    assert (gradient.value, gradient.passed) == (0.1, True)
    shifted = pd.DataFrame(
        [
            {"method": "guided", "correlation": 0.99, "low": 0.98, "high": 1.0, "n": 4},
            {"method": "gradient", "correlation": np.nan, "low": np.nan, "high": np.nan, "n": 0},
        ]
    )
    found = verdicts(cascade, cascade[cascade["step"] == 1], shifted)
    assert found["name"].tolist() == ["random weights"] * 2 + ["shuffled labels"] * 2 + ["shift"] * 2
    assert found["passed"].isna().tolist() == [False] * 5 + [True]
    assert found["passed"].tolist()[:5] == [False, True, False, True, True]
    assert len(verdicts(cascade)) == 2


def test_refusals(faces):
    model = zero_bias()
    check = {"method": "deconv"}
    with pytest.raises(ParameterError, match="networks of one structure"):
        compare_networks(
            model, ResidualNet(2, 24, widths=(6,), depths=(1,)), faces, "relu1", [0], [1], **check
        )
    for function in (cascading_randomisation, shift_equivariance):
        with pytest.raises(DataError, match="index 12 is out of range"):
            function(model, faces, "relu2", [12], [1], **check)
        with pytest.raises(ParameterError, match="relu2"):
            function(model, faces, "relu7", [0], [1], **check)
