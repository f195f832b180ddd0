import pytest
import torch
from torch.nn import functional as F

from fer_lib.nets.derl import Discriminator, Generator, LocalCNN, ResidueClassifier
from ferbook.errors import ParameterError

NARROW = (3, 4, 5, 6)


def drawn(seed=0):
    return torch.Generator().manual_seed(seed)


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.fixture(params=[False, True], ids=["no skips", "skips"])
def generator(request) -> Generator:
    """In evaluation mode, with weights that are not small and statistics that are not the first ones."""
    model = Generator(32, NARROW, request.param, generator=drawn()).train()
    for name, value in model.named_parameters():
        if name.endswith("conv.weight"):
            value.data *= 10
    for _ in range(3):
        model(torch.rand(4, 1, 32, 32, generator=drawn(1)))
    return model.eval()


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(2, 1, 32, 32, generator=drawn(2))


@pytest.mark.parametrize("skips", [False, True])
def test_parameters_of_the_generator_counted_by_hand(skips):
    encoder = (
        (16 * 32 + 32) + (16 * 32 * 64 + 2 * 64) + (16 * 64 * 128 + 2 * 128) + (16 * 128 * 256 + 2 * 256)
    )
    centre = 9 * 256 * 256 + 2 * 256
    decoder = (16 * 256 * 128 + 2 * 128) + (16 * 128 * 64 + 2 * 64) + (16 * 64 * 32 + 2 * 32)
    given_too = skips * 16 * (128 * 64 + 64 * 32 + 32)
    assert count(Generator(48, skips=skips)) == encoder + centre + decoder + given_too + (16 * 32 + 1)


def test_parameters_of_the_discriminator_counted_by_hand():
    layers = (16 * 2 * 32 + 32) + (16 * 32 * 64 + 64) + (16 * 64 * 128 + 128)
    assert count(Discriminator(48)) == layers + 9 * 128 + 1


def test_parameters_of_the_classifier_counted_by_hand():
    def local(channels):
        convolutions = (channels * 32 + 2 * 32) + 2 * (9 * 32 * 32 + 2 * 32)
        return convolutions + (9 * 32 * 64 + 64) + (64 * 7 + 7)

    model = ResidueClassifier({"pair24": 6, "pair12": 10}, 7)
    assert count(model) == local(6) + local(10) + (2 * 64 * 7 + 7)


@pytest.mark.parametrize(
    ("size", "sides"), [(48, (24, 12, 6, 3)), (32, (16, 8, 4, 2)), (16, (8, 4, 2, 1)), (64, (32, 16, 8, 4))]
)
def test_four_pairs_of_equal_size(size, sides):
    model = Generator(size, NARROW, generator=drawn()).eval()
    assert list(model.pairs) == [f"pair{side}" for side in sides]
    pictures = torch.rand(2, 1, size, size)
    assert model(pictures).shape == pictures.shape
    for residue, side, width in zip(model.residues(pictures).values(), sides, NARROW, strict=True):
        assert residue.shape == (2, 2 * width, side, side)
        assert model.channels[f"pair{side}"] == 2 * width


def test_residues_are_what_hooks_see_on_the_layers_that_pairs_names(generator, pictures):
    seen = {}
    for layers in generator.pairs.values():
        for name in layers:
            generator.get_submodule(name).register_forward_hook(
                lambda _, __, out, name=name: seen.update({name: out})
            )
    generator(pictures)
    seen = dict(seen)
    residues = generator.residues(pictures)
    assert list(residues) == list(generator.pairs) and len(seen) == 8
    for name, (down, up) in generator.pairs.items():
        assert torch.equal(residues[name], torch.cat((seen[down], seen[up]), dim=1))


def test_the_generator_worked_out_from_the_functions_that_its_layers_stand_for(generator, pictures):
    weights = generator.state_dict()

    def normal(values, layer):
        mean, var, gain, bias = (
            weights[f"{layer}.norm.{n}"].view(1, -1, 1, 1)
            for n in ("running_mean", "running_var", "weight", "bias")
        )
        return (values - mean) / (var + 1e-5).sqrt() * gain + bias

    values, encoded = pictures * 2 - 1, {}
    for number, side in enumerate((16, 8, 4, 2)):
        layer = f"encoder.down{side}"
        values = F.conv2d(values, weights[f"{layer}.conv.weight"], weights.get(f"{layer}.conv.bias"), 2, 1)
        values = normal(values, layer) if number else values
        values = encoded[side] = torch.where(values > 0, values, 0.2 * values)
    values = normal(F.conv2d(values, weights["decoder.up2.conv.weight"], padding=1), "decoder.up2").clamp_min(
        0
    )
    for side in (4, 8, 16):
        layer = f"decoder.up{side}"
        values = F.conv_transpose2d(values, weights[f"{layer}.conv.weight"], stride=2, padding=1)
        values = normal(values, layer).clamp_min(0)
        if generator.arguments["skips"]:
            values = torch.cat((values, encoded[side]), 1)
    values = F.conv_transpose2d(values, weights["picture.conv.weight"], weights["picture.conv.bias"], 2, 1)
    assert torch.allclose(generator(pictures), 1 / (1 + torch.exp(-values)), atol=1e-6)


def test_nothing_passes_by_the_smallest_maps_but_by_skip_connections(generator, pictures):
    """Two faces whose smallest maps are made equal give one picture where there are no skips."""
    assert not torch.allclose(*generator(pictures))
    generator.encoder.down2.register_forward_hook(lambda _, __, out: out[:1].expand_as(out))
    assert torch.allclose(*generator(pictures), atol=1e-6) is not generator.arguments["skips"]


def test_generated_pictures_are_grey_values(generator, pictures):
    generator.picture.conv.weight.data *= 1e3
    made = generator(pictures)
    assert made.min() >= 0 and made.max() <= 1 and made.min() < 0.01 and made.max() > 0.99


def test_first_weights_spread_as_isola_has_them_and_come_from_the_generator():
    for network in (Generator, Discriminator):
        model, again = (network(48, generator=drawn(3)) for _ in range(2))
        for name, value in model.state_dict().items():
            assert torch.equal(value, again.state_dict()[name])
            if value.ndim == 4 and value.numel() > 5000:
                assert value.std().item() == pytest.approx(0.02, rel=0.05), name
            if name.endswith("conv.bias"):
                assert not value.any()
        assert type(model)(**model.arguments).state_dict().keys() == model.state_dict().keys()


def test_a_patch_logit_sees_38_pixels():
    model = Discriminator(64, (3, 4, 5), generator=drawn()).eval()
    pair = torch.rand(1, 2, 64, 64, requires_grad=True)
    logits = model(pair)
    assert logits.shape == (1, 1, 8, 8)
    logits[0, 0, 4, 4].backward()
    rows = pair.grad[0].abs().sum((0, 2)).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 38


def test_every_layer_of_the_discriminator_has_spectral_norm_one():
    """However large the weights are."""
    model = Discriminator(16, (3, 4, 5), generator=drawn())
    for layer in (*(stage.conv for stage in model.layers), model.output):
        layer.parametrizations.weight.original.data *= 50
        for _ in range(30):
            layer.weight  # noqa: B018  each access in training is a step of the power iteration
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=0.02)


def test_the_discriminator_judges_the_pair():
    """Either picture of a pair changes the answer."""
    model = Discriminator(16, (3, 4, 5), generator=drawn()).eval()
    pair = torch.rand(1, 2, 16, 16, generator=drawn(1))
    for channel in (0, 1):
        other = pair.clone()
        other[:, channel] = 1 - other[:, channel]
        assert not torch.allclose(model(pair), model(other))


def test_joint_logits_need_all_pairs_and_local_ones_their_own(generator, pictures):
    model = ResidueClassifier(generator.channels, 3, generator=drawn()).eval()
    residues = generator.residues(pictures)
    joint, local = model(residues)
    assert joint.shape == (2, 3) and list(local) == list(generator.pairs)
    for name in residues:
        changed, answers = model(residues | {name: residues[name].flip(1)})
        assert not torch.equal(changed, joint)
        assert [pair for pair in local if not torch.equal(local[pair], answers[pair])] == [name]


def test_joint_logits_are_of_the_joined_features(generator, pictures):
    model = ResidueClassifier(generator.channels, 3, generator=drawn()).eval()
    residues = generator.residues(pictures)
    features = torch.cat([model.locals[name](residues[name])[1] for name in generator.pairs], dim=1)
    joint, local = model(residues)
    assert torch.equal(joint, F.linear(features, model.output.weight, model.output.bias))
    assert torch.equal(local["pair8"], model.locals["pair8"](residues["pair8"])[0])


def test_a_single_pair_will_do_and_others_are_not_looked_at(generator, pictures):
    model = ResidueClassifier({"pair8": generator.channels["pair8"]}, 3).eval()
    residues = generator.residues(pictures)
    assert torch.equal(model(residues)[0], model({"pair8": residues["pair8"]})[0])


@pytest.mark.parametrize("side", [1, 2, 3, 5, 24])
def test_a_local_cnn_takes_maps_of_any_size(side):
    logits, features = LocalCNN(6, 3).eval()(torch.rand(2, 6, side, side))
    assert logits.shape == (2, 3) and features.shape == (2, 64)


@pytest.mark.parametrize("size", [0, 8, 40, 50])
@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_refuses_a_size_that_cannot_be_halved(network, size):
    with pytest.raises(ParameterError, match=f"size {size}: 4 layers that halve need a multiple of 16"):
        network(size, NARROW)


@pytest.mark.parametrize("shape", [(2, 1, 48, 48), (2, 2, 32, 32), (1, 32, 32)])
def test_refuses_pictures_that_it_was_not_built_for(generator, shape):
    for call in (generator, generator.residues):
        with pytest.raises(ParameterError, match="built for"):
            call(torch.zeros(shape))
    with pytest.raises(ParameterError, match="built for"):
        Discriminator(16, (3,))(torch.zeros(2, 1, 16, 16))
