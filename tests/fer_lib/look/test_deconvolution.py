import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fer_lib.look.deconvolution import Projections, project
from fer_lib.nets.build import build_network
from fer_lib.nets.classifier import Classifier
from fer_lib.nets.residual import Sum
from fer_lib.train.weights import compacted, widened
from ferbook.errors import DataError, ParameterError

METHODS = ("deconv", "guided", "gradient")


def network(name: str) -> Classifier:
    narrow = {"residual": {"widths": (3, 4, 5)}}
    return build_network(name, 3, 16, generator=torch.Generator().manual_seed(1), **narrow.get(name, {}))


def noise(count: int, *size: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, *size))


# By hand
# ---------------------------------------------------------------------------------------------------------

HAND = np.array([[1, 0, 2, 0], [0, 3, 0, 1], [2, 0, 1, 0], [0, 1, 0, 4]], np.float32)


def by_hand() -> nn.Sequential:
    """Conv 2×2, rectifier, maximum of 2×2 in steps of one, conv 2×2, rectifier; all weights set."""
    model = nn.Sequential(
        nn.Conv2d(1, 1, 2, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2, 1),
        nn.Conv2d(1, 1, 2, bias=False),
        nn.ReLU(),
    )
    model[0].weight.data = torch.tensor([[[[1.0, -1.0], [0.0, 2.0]]]])
    model[3].weight.data = torch.tensor([[[[1.0, -1.0], [1.0, 2.0]]]])
    return model


@pytest.mark.parametrize("method", METHODS)
def test_the_toy_worked_by_hand(method):
    # conv: a - b + 2d of each 2×2 square [[a, b], [c, d]]: [[ 7, -2,  4],      1-0+6, 0-2+0, 2-0+2 [-3,  5,
    # -1],      0-3+0, 3-0+2, 0-1+0 [ 4, -1,  9]]      2-0+2, 0-1+0, 1-0+8 rectified, maxima of 2×2: [[7, 5],
    # [5, 9]], from (0,0), (1,1), (1,1), (2,2). conv: 7 - 5 + 5 + 18 = 25, rectified 25. Put back: 25 · [[1,
    # -1], [1, 2]] on the maxima, and by the switches (0,0): 25; (1,1): -25 + 25 = 0; (2,2): 50. All three
    # were on and no signal is negative: the methods agree.
    signal = np.zeros((3, 3))
    signal[0, 0], signal[2, 2] = 25, 50
    expected = np.zeros((4, 4))
    for r, c in ((0, 0), (2, 2)):
        expected[r : r + 2, c : c + 2] += signal[r, c] * np.array([[1, -1], [0, 2]])
    found = project(by_hand(), "4", HAND[None], [0], [0], method=method)
    assert found.responses.tolist() == [25] and found.positions.tolist() == [[0, 0]]
    assert found.corners.tolist() == [[0, 0]] and found.size == (4, 4)
    assert np.array_equal(found.maps[0], expected) and np.array_equal(found.whole(0), expected)


def test_the_methods_differ_by_hand_where_a_signal_is_negative_or_a_unit_off():
    # Two filters of one pixel, x and -x, and their weighted sum: of x = 2 the first is 2 and on, the second
    # -2 and off.
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 2, 1, bias=False), nn.ReLU()
    )
    model[0].weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
    model[2].weight.data = torch.tensor([[3.0, 5.0], [1.0, -4.0]]).view(2, 2, 1, 1)
    pictures = np.full((1, 1, 1), 2.0)
    found = {m: project(model, "3", pictures, [0, 0], [0, 1], method=m).maps[:, 0, 0] for m in METHODS}
    # Filter 0 answers 6: down come 18 and 30. Deconvolution lets both pass: 18 - 30; the others only the
    # first. Filter 1 answers 2: down come 2 and -8, of which no method lets the second pass.
    assert found["deconv"].tolist() == [18 - 30, 2]
    assert found["guided"].tolist() == found["gradient"].tolist() == [18, 2]
    model[2].weight.data = torch.tensor([[-1.0, 3.0], [2.0, -1.0]]).view(2, 2, 1, 1)
    model[2].bias = nn.Parameter(torch.tensor([8.0, 0.0]))
    found = {m: project(model, "3", pictures, [0], [0], method=m).maps[:, 0, 0] for m in METHODS}
    # It answers -2 + 8 = 6: down come -6 (its unit on) and 18 (its unit off).
    assert (found["deconv"], found["guided"], found["gradient"]) == ([-18], [0], [-6])


# Properties
# ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layer", ["conv2", "relu2"])
def test_a_unit_that_is_off_projects_to_exact_zeros(layer, method):
    model, pictures = network("zero_bias"), noise(2, 16, 16)
    maps = []
    hook = model.conv2.register_forward_hook(lambda m, given, made: maps.append(made.detach().numpy()))
    model.eval()(torch.tensor(pictures, dtype=torch.float32)[:, None])
    hook.remove()
    off = np.argwhere(maps[0] < 0)[::97]
    on = np.argwhere(maps[0] > 1e-3)[::97]
    for places, answers in ((off, False), (on, True)):
        rows, filters, positions = places[:, 0], places[:, 1], places[:, 2:]
        found = project(model, layer, pictures, rows, filters, positions=positions, method=method)
        assert (found.responses > 0).all() == answers
        assert found.maps.any(axis=(1, 2)).tolist() == [answers] * len(places)


def test_order_and_chunks_of_the_pairs_do_not_matter():
    model, pictures, rng = network("residual"), noise(4, 16, 16), np.random.default_rng(9)
    rows, filters = rng.integers(0, 4, 20), rng.integers(0, 5, 20)
    together = project(model, "stage3.0.relu2", pictures, rows, filters)
    order = rng.permutation(20)
    apart = project(model, "stage3.0.relu2", pictures, rows[order], filters[order], chunk=3)
    for name in ("corners", "positions"):
        assert np.array_equal(getattr(together, name)[order], getattr(apart, name))
    assert np.allclose(together.maps[order], apart.maps, atol=1e-6 * np.abs(together.maps).max())
    assert np.allclose(together.responses[order], apart.responses, atol=1e-6)


def test_without_biases_brighter_pictures_project_proportionally():
    # Layers without biases are homogeneous, and so is the removal of local means.
    model, pictures = network("zero_bias"), noise(2, 16, 16)
    rows, filters = np.repeat([0, 1], 20), np.tile(np.arange(20), 2)
    plain = project(model, "relu3", pictures, rows, filters)
    dark = project(model, "relu3", pictures / 4, rows, filters)
    assert np.array_equal(plain.positions, dark.positions) and (plain.responses > 0).any()
    assert np.allclose(plain.maps / 4, dark.maps, atol=1e-6 * np.abs(plain.maps).max())


def test_the_default_is_the_first_largest_unit_of_the_map():
    model, pictures = network("zhu"), noise(40, 16, 16)  # more pictures than pass at a time
    maps = []
    hook = model.relu2.register_forward_hook(lambda m, given, made: maps.append(made.detach().numpy()))
    model.eval()(torch.tensor(pictures, dtype=torch.float32)[:, None])
    hook.remove()
    rows, filters = np.arange(40)[::-1], np.arange(40) % 64
    found = project(model, "relu2", pictures, rows, filters)
    own = maps[0][rows, filters]
    expected = np.stack(np.unravel_index(own.reshape(40, -1).argmax(1), own.shape[1:]), axis=1)
    assert np.array_equal(found.positions, expected)
    assert np.allclose(found.responses, own.max(axis=(1, 2)), atol=1e-6) and len(found) == 40
    assert np.allclose(
        found.maps, project(model, "relu2", pictures, rows, filters, positions=expected).maps, atol=1e-6
    )


def test_bytes_are_grey_values_of_255():
    model = network("breuer")
    pictures = np.random.default_rng(10).integers(0, 256, (2, 16, 16), dtype=np.uint8)
    bytes_ = project(model, "relu3", pictures, [0, 1], [3, 4])
    floats = project(model, "relu3", pictures / np.float32(255), [0, 1], [3, 4])
    assert np.array_equal(bytes_.maps, floats.maps)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 3e-5), (torch.bfloat16, 0.15)])
def test_other_types_of_numbers(dtype, tolerance):
    model, pictures = network("zero_bias").double(), noise(2, 16, 16)
    given = {"positions": np.array([[1, 2], [3, 0], [2, 2]])}
    exact = project(model, "relu3", pictures, [0, 1, 1], [5, 6, 7], **given)
    found = project(model.to(dtype), "relu3", pictures, [0, 1, 1], [5, 6, 7], **given)
    assert found.maps.dtype == found.responses.dtype == exact.maps.dtype == np.float32
    assert np.abs(found.maps - exact.maps).max() <= tolerance * np.abs(exact.maps).max()
    assert next(model.parameters()).dtype == dtype


def test_maps_lie_in_place_and_are_cut_at_the_borders():
    maps = np.arange(1, 28, dtype=np.float32).reshape(3, 3, 3)
    corners = np.array([[-1, -1], [1, 2], [-1, 3]])
    found = Projections(maps, corners, (4, 5), np.ones(3, np.float32), np.zeros((3, 2), int))
    expected = np.zeros((3, 4, 5), np.float32)
    expected[0, :2, :2] = maps[0, 1:, 1:]
    expected[1, 1:4, 2:5] = maps[1]
    expected[2, :2, 3:5] = maps[2, 1:, :2]
    assert np.array_equal(found.whole(), expected) and np.array_equal(found.whole(2), expected[2])
    beyond = Projections(maps[:1], np.array([[-3, 5]]), (4, 5), np.ones(1, np.float32), np.zeros((1, 2), int))
    assert not beyond.whole().any()


# The network is left as it was
# -----------------------------------------------------------------------------------


def state(model):
    return (
        [module.training for module in model.modules()],
        [(p.requires_grad, p.grad) for p in model.parameters()],
        sum(
            len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
            for m in model.modules()
        ),
    )


def test_the_network_is_left_as_it_was_also_when_it_fails():
    model, pictures = network("residual").train(), noise(2, 16, 16)
    model.stage2.eval()
    model.conv1.weight.requires_grad_(False)
    before, weights = state(model), {k: v.clone() for k, v in model.state_dict().items()}
    project(model, "relu1", pictures, [0], [0])
    assert state(model) == before
    pictures[1, 3, 3] = np.nan
    with pytest.raises(DataError, match="picture 1: filter 2 answers nan"):
        project(model, "stage3.0.relu2", pictures, [0, 1], [2, 2])
    with pytest.raises(ParameterError):
        project(model, "stage3.0.relu2", noise(2, 15, 16), [0], [0])
    assert state(model) == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_it_does_not_matter_whether_gradients_are_wanted_outside():
    model, pictures = network("zero_bias"), noise(1, 16, 16)
    plain = project(model, "relu3", pictures, [0], [9])
    with torch.no_grad():
        assert np.array_equal(project(model, "relu3", pictures, [0], [9]).maps, plain.maps)
    with torch.inference_mode():
        assert np.array_equal(project(model, "relu3", pictures, [0], [9]).maps, plain.maps)


# Bad input
# -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "fault", "message"),
    [
        ({"layer": "relu4"}, ParameterError, r"no layer 'relu4'.*conv1, relu1"),
        ({"filters": [0, 256]}, ParameterError, "filters 256 of pair 1: .* below 256"),
        ({"filters": [0, -1]}, ParameterError, "filters -1 of pair 1"),
        ({"filters": [0]}, ParameterError, r"filters int64 \(1,\): give whole numbers \(2,\)"),
        ({"filters": [0.0, 1.0]}, ParameterError, "filters float64"),
        ({"rows": [0, 2]}, ParameterError, "rows 2 of pair 1: .* below 2"),
        ({"rows": [-1, 0]}, ParameterError, "rows -1 of pair 0"),
        ({"rows": [], "filters": []}, DataError, "no pair"),
        ({"positions": [[0, 0], [4, 0]]}, ParameterError, r"positions \[4, 0\] of pair 1.*\(4, 4\)"),
        ({"positions": [[0, 0]]}, ParameterError, r"give whole numbers \(2, 2\)"),
    ],
)
def test_bad_arguments_are_refused(change, fault, message):
    given = {"layer": "relu3", "pictures": noise(2, 16, 16), "rows": [0, 1], "filters": [0, 1]} | change
    with pytest.raises(fault, match=message):
        project(network("zero_bias"), **given)


class Plain(nn.Module):
    """Two convolutions with a rectifier that is, or is not, a module."""

    def __init__(self, rectify):
        super().__init__()
        self.conv1, self.conv2, self.relu = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.ReLU()
        self.rectify = rectify

    def forward(self, pictures):
        return self.relu(self.conv2(self.rectify(self.conv1(pictures))))


@pytest.mark.parametrize("method", METHODS)
def test_never_a_silent_plain_gradient(method):
    pictures = noise(1, 8, 8)
    with pytest.raises(ParameterError, match=r"'conv2' of Plain.*is given what a function made"):
        project(Plain(F.relu), "relu", pictures, [0], [0], method=method)
    with pytest.raises(ParameterError, match=r"'rectify', LeakyReLU.*no rule"):
        project(Plain(nn.LeakyReLU()), "relu", pictures, [0], [0], method=method)
    assert len(project(Plain(nn.ReLU(inplace=True)), "relu", pictures, [0], [0], method=method)) == 1


def test_a_hook_that_changes_the_maps_is_noticed():
    model, pictures = network("zero_bias"), noise(2, 16, 16)
    model.relu2.register_forward_hook(lambda m, given, made: made * 0.5)
    with pytest.raises(ParameterError, match=r"layer 'relu3' of ZeroBiasCNN says.*such as a forward hook"):
        project(model, "relu3", pictures, [1, 0], [3, 3])


def test_sums_over_one_map_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.sum = nn.Conv2d(1, 1, 1, bias=False), Sum()

        def forward(self, pictures):
            maps = self.conv(pictures)
            return self.sum(maps, maps)

    model = Twice()
    model.conv.weight.data.fill_(3.0)
    # 3·2 + 3·2 = 12 comes down both ways: 12·3 + 12·3.
    assert project(model, "sum", np.full((1, 1, 1), 2.0), [0], [0]).maps.item() == 72


@pytest.mark.defect("M3")
def test_equal_values_are_told_apart_by_their_place_and_not_by_the_last_bit():
    """Weights of 8 bits, and pictures whose pixels come in squares of four: many values are equal."""
    model = network("breuer")
    generator = np.random.default_rng(4)
    model.load_state_dict(widened(compacted(model.state_dict())), strict=False)
    pictures = np.kron(32 * generator.integers(0, 8, (6, 8, 8)), np.ones((1, 2, 2))).astype(np.uint8)
    rows, filters = generator.integers(0, 6, 40), generator.integers(0, 32, 40)
    single = {m: project(model, "relu3", pictures, rows, filters, method=m) for m in ("gradient", "deconv")}
    model.double()
    for method, own in single.items():
        exact = project(model, "relu3", pictures, rows, filters, method=method)
        largest = np.abs(exact.maps).max(axis=(1, 2))
        assert (largest > 0).sum() > 10 and np.array_equal(own.positions, exact.positions)
        assert (np.abs(own.maps - exact.maps).max(axis=(1, 2)) <= 1e-3 * largest).all()
