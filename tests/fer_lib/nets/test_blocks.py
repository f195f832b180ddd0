"""The plain CNNs of blocks: their sizes by hand, their layers in order, and what is dropped."""

import pytest
import torch

from fer_lib.nets.blocks import BreuerKimmelCNN, ZhuCNN

# Filters, side of a filter, dense neurons, and shares that are dropped before the dense layer and after.
BUILT = {BreuerKimmelCNN: ((64, 128, 256), 5, 512, (0.25, 0.5)), ZhuCNN: ((32, 64, 128), 3, 256, (0.5, 0))}


@pytest.mark.parametrize("kind", BUILT)
def test_parameters_counted_by_hand(kind):
    filters, side, dense, _ = BUILT[kind]
    expected = sum(
        width * (before * side**2 + 1) for before, width in zip((1, *filters), filters, strict=False)
    )
    expected += (filters[-1] * 6 * 6 + 1) * dense + (dense + 1) * 7
    assert sum(p.numel() for p in kind(7).parameters()) == expected


@pytest.mark.parametrize("kind", BUILT)
def test_layers_in_order_maps_of_each_block_and_what_is_dropped(kind):
    filters, _, _, dropped = BUILT[kind]
    model, shapes = kind(7).eval(), {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    model(torch.rand(1, 1, 48, 48))
    assert list(shapes) == [
        *("standardise", "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "pool3"),
        *("flatten", "dropout1", "dense", "relu4", "dropout2", "output"),
    ]
    sides = zip(filters, (24, 12, 6), strict=True)
    assert [shapes[f"pool{n}"] for n in (1, 2, 3)] == [(width, side, side) for width, side in sides]
    assert (model.dropout1.p, model.dropout2.p) == dropped
