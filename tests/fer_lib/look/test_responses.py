import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from face_sets.faceset import FaceSet
from fer_lib.look.responses import Responses, maximal_responses, rank_filters, top_pictures
from fer_lib.nets.residual import ResidualNet
from fer_lib.nets.zero_bias import ZeroBiasCNN
from ferbook.errors import DataError, ParameterError
from tests.made import made_faces


def face_set(pixels: np.ndarray) -> FaceSet:
    return made_faces(pixels, "dots", subject=[f"dots-{i}" for i in range(len(pixels))])


def noise(n: int = 7, size: int = 16) -> FaceSet:
    return face_set(np.random.default_rng(0).integers(0, 256, (n, size, size), dtype=np.uint8))


def network(seed: int = 0) -> ZeroBiasCNN:
    return ZeroBiasCNN(2, 16, gain=1.0, generator=torch.Generator().manual_seed(seed))


def activations(model: nn.Module, faces: FaceSet, layer: str) -> np.ndarray:
    """All maps of a layer, kept whole: the plain way."""
    seen = []
    handle = model.get_submodule(layer).register_forward_hook(lambda _, __, maps: seen.append(maps.clone()))
    with torch.no_grad():
        model.eval()(torch.tensor(faces.pixels).unsqueeze(1) / 255)
    handle.remove()
    return seen[0].double().numpy()


class Brightness(nn.Module):
    """Filter 0 is the picture, filter 1 its negative plus a half."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.relu = nn.ReLU()
        self.drop = nn.Dropout(0.5)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.conv.bias.copy_(torch.tensor([0.0, 0.5]))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.drop(self.relu(self.conv(pictures)))


def test_maxima_and_positions_by_hand():
    pixels = np.full((2, 2, 3), 51, np.uint8)  # 0.2
    pixels[0, 1, 2] = 255
    pixels[1] = 255
    pixels[1, 0, 1] = 0
    found = maximal_responses(Brightness(), face_set(pixels), "relu")
    assert found.layer == "relu" and found.map_size == (2, 3)
    assert found.maxima.dtype == np.float32 and found.positions.dtype == np.int16
    assert np.allclose(found.maxima, [[1, 0.3], [1, 0.5]])
    # Of equal values the first in reading order.
    assert found.positions.tolist() == [[[1, 2], [0, 0]], [[0, 0], [0, 1]]]
    # A filter that is off everywhere answers nothing, at the first place.
    off = maximal_responses(Brightness(), face_set(np.full((1, 2, 3), 255, np.uint8)), "relu")
    assert off.maxima[0, 1] == 0 and off.positions[0, 1].tolist() == [0, 0]


@pytest.mark.parametrize("batch_size", [1, 3, 128])
def test_maxima_are_those_of_maps_that_are_kept_whole(batch_size):
    model, faces = network(), noise()
    for layer in ("relu1", "relu3", "conv2"):
        some = maximal_responses(model, faces, layer, batch_size=batch_size)
        assert some.layer == layer
        maps = activations(model, faces, some.layer)
        assert some.map_size == maps.shape[2:]
        assert np.allclose(some.maxima, maps.max(axis=(2, 3)), rtol=1e-5, atol=1e-6)
        at = np.take_along_axis(
            maps.reshape(*maps.shape[:2], -1),
            (some.positions[..., :1].astype(int) * maps.shape[3] + some.positions[..., 1:]),
            axis=2,
        )
        assert np.allclose(at[..., 0], some.maxima, rtol=1e-5, atol=1e-6)


def test_layers_inside_residual_blocks_are_found():
    model = ResidualNet(2, 16, widths=(4, 6), depths=(1, 2), generator=torch.Generator().manual_seed(0))
    faces = noise(3)
    for layer in ("stage2.1.relu1", "stage2.0.shortcut.norm"):
        some = maximal_responses(model, faces, layer)
        maps = activations(model, faces, some.layer)
        assert np.allclose(some.maxima, maps.max(axis=(2, 3)), rtol=1e-5, atol=1e-6)


def test_permuted_filters_and_pictures_permute_the_responses():
    model, faces = network(), noise()
    before = maximal_responses(model, faces, "relu3")
    filters, rows = np.random.default_rng(1).permutation(256), np.array([4, 1, 1, 6])
    with torch.no_grad():
        model.conv3.weight.copy_(model.conv3.weight[torch.as_tensor(filters)].clone())
    after = maximal_responses(model, faces.select(rows), "relu3")
    assert np.allclose(after.maxima, before.maxima[rows][:, filters], rtol=1e-5, atol=1e-6)
    assert np.array_equal(after.positions, before.positions[rows][:, filters])


def test_the_network_is_left_as_it_was():
    model = network().train()
    model.relu1.eval()
    modes = {name: module.training for name, module in model.named_modules()}
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    maximal_responses(model, noise(), "relu3")
    broken = noise()
    with torch.no_grad():
        model.conv2.weight[5] = torch.nan
    with pytest.raises(DataError):
        maximal_responses(model, broken, "relu2")
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    unchanged = [name for name in weights if name != "conv2.weight"]
    assert all(torch.equal(model.state_dict()[name], weights[name]) for name in unchanged)


def test_dropout_is_off_and_a_fault_inside_the_network_leaves_no_hook():
    model = Brightness().train()
    found = maximal_responses(model, noise(), "drop")
    assert np.allclose(found.maxima[:, 0], noise().pixels.max(axis=(1, 2)) / 255)
    assert model.drop.training
    fixed = network()
    with pytest.raises(ParameterError, match="built for pictures"):
        maximal_responses(fixed, noise(2, 24), "relu3")
    assert not any(module._forward_hooks for module in fixed.modules())


def test_nothing_behind_the_last_wanted_layer_is_computed():
    model, calls = network(), []
    model.conv3.register_forward_hook(lambda *_: calls.append(1))
    maximal_responses(model, noise(), "relu1", batch_size=1)
    assert len(calls) == 1, "once, to list the layers"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_networks_of_other_types_are_asked_in_their_own(dtype):
    plain = maximal_responses(network(), noise(), "relu3")
    other = network().to(dtype)
    found = maximal_responses(other, noise(), "relu3", device="cpu")
    assert found.maxima.dtype == np.float32 and other.conv1.weight.dtype == dtype
    close = 1e-5 if dtype == torch.float64 else 0.05
    assert np.allclose(found.maxima, plain.maxima, rtol=close, atol=close)


def test_refusals_name_layer_filter_and_picture():
    model, faces = network(), noise()
    with pytest.raises(ParameterError, match=r"relu9.*relu3"):
        maximal_responses(model, faces, "relu9")
    with pytest.raises(ParameterError, match="batch_size 0"):
        maximal_responses(model, faces, "relu1", batch_size=0)
    with pytest.raises(DataError, match="'dots' holds no picture"):
        maximal_responses(model, faces.select(np.zeros(7, bool)), "relu1")
    shared = nn.Sequential(nn.Conv2d(1, 2, 3), relu := nn.ReLU(), nn.Conv2d(2, 2, 3), relu)
    with pytest.raises(ParameterError, match="'1' of Sequential works 2 times"):
        maximal_responses(shared, faces, "1")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_response_that_is_no_number_is_refused_with_its_picture(value):
    model = Brightness()
    with torch.no_grad():
        model.conv.bias[1] = value
    told = r"'relu', filter 1: the response to picture 0 of face set 'dots' is (nan|inf)"
    with pytest.raises(DataError, match=told):
        maximal_responses(model, noise(), "relu", batch_size=2)

    class Poisoned(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return torch.where(pictures == 1, value, pictures)

    pixels = np.zeros((5, 8, 8), np.uint8)
    pixels[3, 2, 2] = 255
    late = nn.Sequential(Poisoned(), Brightness())
    with pytest.raises(DataError, match=r"filter 0: the response to picture 3"):
        maximal_responses(late, face_set(pixels), "1.relu", batch_size=2)


def responses(maxima: list[list[float]]) -> Responses:
    values = np.array(maxima, np.float32)
    return Responses("relu", values, np.zeros((*values.shape, 2), np.int16), (4, 4))


def test_top_pictures_take_one_of_each_subject():
    found = responses([[3, 0], [5, 0], [5, 0], [4, 0], [0, 0], [1, 2]])
    subjects = np.array(["a", "a", "b", "", "c", ""])
    top = top_pictures(found, subjects, 4)
    assert top.dtype == np.int64
    # 1 and 2 are equally strong, so in their order; 0 is the same person as 1; 4 does not drive the filter.
    assert top.tolist() == [[1, 2, 3, 5], [5, -1, -1, -1]]
    assert top_pictures(found, pd.Series(subjects), 2).tolist() == [[1, 2], [5, -1]]
    assert top_pictures(found, np.full(6, ""), 5)[0].tolist() == [1, 2, 3, 0, 5]


def test_top_pictures_are_those_of_a_plain_search():
    generator = np.random.default_rng(3)
    found = responses(generator.integers(-2, 6, (60, 5)).tolist())  # with many ties, and negative ones
    subjects = generator.choice(["a", "b", "c", "d", ""], 60)
    top = top_pictures(found, subjects, 6)
    for number in range(5):
        wanted, seen = [], set()
        for row in sorted(range(60), key=lambda row, number=number: (-found.maxima[row, number], row)):
            if found.maxima[row, number] > 0 and subjects[row] not in seen:
                wanted.append(row)
                seen |= {subjects[row]} - {""}
        assert top[number].tolist() == (wanted + [-1] * 6)[:6]


def test_ranking_by_hand():
    found = responses([[1, 0, 4, -1], [1, 0, 0, -2], [1, 0, 0, -3], [1, 0, 0, -4]])
    table = rank_filters(found, top_pictures(found, np.array(["a", "a", "b", "c"]), 2)).set_index("filter")
    assert table.index.tolist() == [2, 0, 1, 3]  # the dead filter is listed
    assert table["strongest"].tolist() == [4, 1, 0, -1]
    assert table["pictures"].tolist() == [1, 2, 0, 0]
    assert table["mean"].tolist() == [1, 1, 0, -2.5]
    assert table["share_active"].tolist() == [0.25, 1, 0, 0]
    assert np.allclose(table["mean_top"], [4, 1, np.nan, np.nan], equal_nan=True)
    # (1 - 1²/4) / (1 - 1/4) = 1 for a response to one picture of four; equal responses to all: 0.
    assert np.allclose(table["selectivity"], [1, 0, np.nan, np.nan], equal_nan=True)
