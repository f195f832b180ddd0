import pytest
import torch
from torch.nn import functional as F

from fer_lib.nets.residual import ResidualBlock, ResidualNet, Sum


def test_parameters_counted_by_hand():
    stem = 64 * 25 + 2 * 64
    same = 2 * (64 * 64 * 9 + 2 * 64)
    wider = (128 * 64 * 9 + 2 * 128) + (128 * 128 * 9 + 2 * 128) + (128 * 64 + 2 * 128)
    widest = (256 * 128 * 9 + 2 * 256) + (256 * 256 * 9 + 2 * 256) + (256 * 128 + 2 * 256)
    total = stem + same + wider + widest + 256 * 7 + 7
    assert sum(p.numel() for p in ResidualNet(7).parameters()) == total


def test_maps_of_each_stage_at_48_pixels():
    model, shapes = ResidualNet(7, widths=(4, 6, 8)).eval(), {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    model(torch.rand(1, 1, 48, 48))
    assert list(shapes) == [
        *("standardise", "conv1", "norm1", "relu1", "stage1", "stage2", "stage3"),
        *("pool", "flatten", "dropout", "output"),
    ]
    assert [shapes[f"stage{i}"] for i in (1, 2, 3)] == [(4, 24, 24), (6, 12, 12), (8, 6, 6)]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_is_relu_of_the_sum_of_its_branch_and_its_shortcut(stride):
    """Worked out from the functions that the layers stand for, with weights and statistics that are not the
    first ones.
    """
    torch.manual_seed(0)
    block = ResidualBlock(3, 5, stride).eval()
    for norm in (block.norm1, block.norm2, block.shortcut.norm):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    maps = torch.randn(2, 3, 8, 8)

    def normal(values, norm):
        shape = (1, -1, 1, 1)
        centred = values - norm.running_mean.view(shape)
        return centred / (norm.running_var.view(shape) + norm.eps).sqrt()

    branch = F.conv2d(maps, block.conv1.weight, stride=stride, padding=1)
    branch = F.conv2d(normal(branch, block.norm1).clamp_min(0), block.conv2.weight, padding=1)
    mean = maps.unfold(2, stride, stride).unfold(3, stride, stride).mean((4, 5))
    shortcut = normal(
        torch.einsum("oi,bihw->bohw", block.shortcut.conv.weight[:, :, 0, 0], mean), block.shortcut.norm
    )
    expected = (normal(branch, block.norm2) + shortcut).clamp_min(0)
    assert torch.allclose(block(maps), expected, atol=1e-5)


def test_a_block_that_keeps_the_shape_adds_its_input():
    block = ResidualBlock(4, 4).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    maps = torch.randn(2, 4, 6, 6)
    assert torch.equal(block(maps), maps.clamp_min(0))


def test_the_sum_is_a_module_that_hooks_see():
    model, seen = ResidualNet(3, 16, widths=(4, 8), depths=(2, 1)).eval(), []
    for layer in model.modules():
        if isinstance(layer, Sum):
            layer.register_forward_hook(lambda _, inputs, out: seen.append((*inputs, out)))
    model(torch.rand(2, 1, 16, 16))
    assert len(seen) == 3
    assert all(torch.equal(branch + shortcut, out) for branch, shortcut, out in seen)
