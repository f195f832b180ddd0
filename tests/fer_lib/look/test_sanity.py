import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from face_sets.faceset import FaceSet
from fer_lib.look.deconvolution import Projections, project
from fer_lib.look.layers import maps_of
from fer_lib.look.responses import maximal_responses
from fer_lib.look.sanity import (
    cascading_randomisation,
    correlation,
    correlations,
    similarities,
    similarities_across_networks,
)
from fer_lib.nets.residual import ResidualNet
from fer_lib.nets.zero_bias import ZeroBiasCNN
from ferbook.errors import DataError, ParameterError

METHODS = ("deconv", "guided", "gradient")
# From 0.1 on, Cohen (1988) calls a correlation small, below it none to speak of.
REMAINDER_LIMIT = 0.1


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
    own = found[found["measure"] == "signed"].groupby("step")["similarity"]
    for step, values in expected.items():
        assert own.count()[step] == len(values) > 0 and own.size()[step] == 6
        assert own.mean()[step] == pytest.approx(np.mean(values), abs=1e-5)


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
            model.get_submodule(name.replace("conv", "norm")).reset_parameters()
    drawn = project(model, layer, faces.pixels, rows, filters, positions=trained.positions, method="gradient")
    expected = [
        spearmanr(trained.maps[p][seen], drawn.maps[p][seen]).statistic
        for p in range(6)
        if drawn.responses[p] > 0
        for seen in [_seen(trained, p)]
    ]
    own = found.loc[(found["measure"] == "signed") & (found["step"] == 3), "similarity"]
    assert own.count() == len(expected) > 0
    assert own.mean() == pytest.approx(np.mean(expected), abs=1e-5)


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
    assert np.allclose(start["similarity"], 1) and len(start) == 12
    assert (first[first["step"] > 0].groupby(["step", "measure"]).size() == 12).all()


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
    left = {}
    for method in METHODS:
        found = cascading_randomisation(model, faces, "relu2", rows, filters, method=method)
        last = found[found["step"] == 2].dropna()
        assert last["measure"].value_counts().min() > 30
        left[method] = (last["similarity"] - last["floor"]).groupby(last["measure"]).mean().max()
    assert left["gradient"] <= REMAINDER_LIMIT < left["deconv"] and left["guided"] > 3 * REMAINDER_LIMIT


def maxima_of(*models: nn.Module, faces: FaceSet) -> tuple[np.ndarray, ...]:
    return tuple(maximal_responses(model, faces, "relu2").maxima for model in models)


def test_a_network_with_its_filters_in_another_order_has_the_same_maps(faces):
    model, other = zero_bias(), zero_bias()
    order = torch.randperm(128, generator=generator(4))
    with torch.no_grad():
        other.conv2.weight.copy_(model.conv2.weight[order])
    rows, filters = pairs(model, faces, "relu2", 8)
    maxima = maxima_of(model, other, faces=faces)
    for method in METHODS:
        found = similarities_across_networks(
            (model, other), faces, "relu2", rows, filters, maxima=maxima, method=method
        )
        assert np.allclose(found["similarity"], 1, atol=1e-4)
        assert len(found) == 16 and (found["floor"] < 0.9).all() and (found["method"] == method).all()


def test_filters_are_matched_by_the_responses_that_are_given(faces):
    """By other pictures than those that are projected, say: here responses of one filter under another's
    number.
    """
    model, other = zero_bias(), zero_bias(1)
    rows, filters = pairs(model, faces, "relu2", 1)
    trained = project(model, "relu2", faces.pixels, rows, filters, method="gradient")
    places = other_maps(other, faces.pixels[rows])[0, :, *trained.positions[0]]
    wanted = int(places.argmax())
    given = np.zeros((5, 128), np.float32)
    theirs = given.copy()
    given[:, filters[0]] = theirs[:, wanted] = range(5)
    found = similarities_across_networks(
        (model, other), faces, "relu2", rows, filters, maxima=(given, theirs), method="gradient"
    )
    maps = project(
        other, "relu2", faces.pixels, rows, [wanted], positions=trained.positions, method="gradient"
    )
    seen = _seen(trained, 0)
    expected = spearmanr(trained.maps[0][seen], maps.maps[0][seen]).statistic
    assert found.set_index("measure").loc["signed", "similarity"] == pytest.approx(expected, abs=1e-5)


def other_maps(model: nn.Module, pictures: np.ndarray) -> np.ndarray:
    return maps_of(model, "relu2", torch.tensor(pictures[:, None]) / 255).numpy()


def test_networks_are_compared_at_one_place_by_filters_that_are_on(faces):
    model, other = zero_bias(), zero_bias(1)
    rows, filters = pairs(model, faces, "relu2", 12)
    arguments = ((model, other), faces, "relu2", rows, filters)
    maxima = maxima_of(model, other, faces=faces)
    found = similarities_across_networks(*arguments, maxima=maxima, method="gradient")
    assert found["similarity"].notna().all() and found["similarity"].mean() < 0.9
    with torch.no_grad():
        other.conv2.weight.copy_(-other.conv2.weight.abs())  # never on
    silent = similarities_across_networks(*arguments, maxima=maxima, method="gradient")
    assert silent["similarity"].isna().all()
    constant = maxima[0], np.ones_like(maxima[1])
    arguments = ((model, zero_bias(1)), faces, "relu2", rows, filters)
    partners = similarities_across_networks(*arguments, maxima=constant, method="gradient")
    assert partners["similarity"].isna().all(), "no filter's responses vary, so none is a partner"


def test_refusals(faces):
    model = zero_bias()
    maxima = maxima_of(model, faces=faces) * 2
    small = ResidualNet(2, 24, widths=(6,), depths=(1,))
    with pytest.raises(ParameterError, match="networks of one structure"):
        similarities_across_networks((model, small), faces, "relu1", [0], [1], maxima=maxima, method="deconv")
    with pytest.raises(DataError, match="index 12 is out of range"):
        cascading_randomisation(model, faces, "relu2", [12], [1], method="deconv")
    with pytest.raises(ParameterError, match="relu2"):
        cascading_randomisation(model, faces, "relu7", [0], [1], method="deconv")


SIDE = 6


def projections(maps: np.ndarray, corners: list[tuple[int, int]] | None = None) -> Projections:
    count = len(maps)
    places = np.zeros((count, 2), np.int64)
    corners = places if corners is None else np.array(corners)
    return Projections(maps.astype(np.float32), corners, (SIDE, SIDE), np.ones(count, np.float32), places)


def drawn(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4, 4))


def table(ours: Projections, theirs: Projections, pictures: list[int]) -> pd.DataFrame:
    names = np.array([f"person {i}" for i in range(len(ours))])
    long = similarities(ours, theirs, np.array(pictures), names)
    assert long.groupby("cluster", sort=False).size().tolist() == [2] * len(ours)
    return long.set_index(["cluster", "measure"]).unstack()


def test_measures_are_those_of_scipy_and_by_hand():
    one, other = drawn(2), drawn(2, seed=1)
    found = table(projections(one), projections(other), [0, 1])
    for pair in range(2):
        for kind, with_which in (("similarity", pair), ("floor", 1 - pair)):
            a, b = one[pair].ravel(), other[with_which].ravel()
            row = found.loc[f"person {pair}", kind]
            assert row["signed"] == pytest.approx(spearmanr(a, b).statistic, abs=1e-6)
            assert row["absolute"] == pytest.approx(spearmanr(abs(a), abs(b)).statistic, abs=1e-6)


def test_pixels_beyond_the_picture_are_not_compared():
    one, other = drawn(2), drawn(2, seed=1)
    corners = [
        (-1, 4),
        (4, 0),
    ]  # of the first, rows 1 to 3 and columns 0 and 1 are inside; of the second, rows 0 and 1
    found = table(projections(one, corners), projections(other, corners), [0, 1])
    inside = (slice(1, 4), slice(0, 2))
    row = found.loc["person 0"]
    expected = spearmanr(one[0][inside].ravel(), other[0][inside].ravel()).statistic
    assert row["similarity", "signed"] == pytest.approx(expected, abs=1e-6)
    # The floor is taken where both maps are inside.
    both = (slice(1, 2), slice(0, 2))
    expected = spearmanr(one[0][both].ravel(), other[1][both].ravel()).statistic
    assert row["floor", "signed"] == pytest.approx(expected, abs=1e-6)


def test_the_floor_is_that_of_another_picture_and_of_units_that_are_on():
    one, other = drawn(4), drawn(4, seed=1)
    other[3] = 0
    found = table(projections(one), projections(other), [0, 0, 7, 8])
    # The next pair of another picture whose map is not zero; behind the last the first.
    for pair, beside in ((0, 2), (1, 2), (2, 0)):
        expected = spearmanr(one[pair].ravel(), other[beside].ravel()).statistic
        assert found.loc[f"person {pair}", ("floor", "signed")] == pytest.approx(expected, abs=1e-6)
    assert found.loc["person 3"].isna().all()
    three = table(projections(one), projections(one), [0, 1, 2, 3])["floor", "signed"]
    expected = [spearmanr(one[pair].ravel(), one[(pair + 1) % 4].ravel()).statistic for pair in range(4)]
    assert np.allclose(three, expected, atol=1e-6)
    alone = table(projections(one), projections(other), [5, 5, 5, 5])
    assert alone["floor"].isna().all(axis=None) and alone["similarity"].notna().sum().eq(3).all()


def test_correlations_are_those_of_numpy():
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=(10, 3)), generator.normal(size=(10, 4))
    other[:, 2] = 0.1  # its mean is not 0.1 in floating point
    assert other.mean(axis=0)[2] != 0.1
    found = correlations(one, other)
    expected = np.corrcoef(np.c_[one, other[:, [0, 1, 3]]].T)[:3, 3:]
    assert np.allclose(found[:, [0, 1, 3]], expected, atol=1e-6) and np.isnan(found[:, 2]).all()
    assert correlation(one, -one) == pytest.approx(-1)
    assert np.isnan(correlation(np.full((2, 2), 0.1), one[:2, :2]))
