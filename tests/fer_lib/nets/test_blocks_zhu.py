import torch

from fer_lib.nets.blocks import ZhuCNN


def test_parameters_counted_by_hand():
    convolutions = 32 * 9 + 32 + 64 * 32 * 9 + 64 + 128 * 64 * 9 + 128
    dense = 128 * 6 * 6 * 256 + 256
    assert sum(p.numel() for p in ZhuCNN(7).parameters()) == convolutions + dense + 256 * 7 + 7


def test_layers_in_order_and_maps_of_each_block():
    model, shapes = ZhuCNN(7).eval(), {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    model(torch.rand(1, 1, 48, 48))
    assert list(shapes) == [
        *("standardise", "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "pool3"),
        *("flatten", "dropout1", "dense", "relu4", "dropout2", "output"),
    ]
    assert (
        shapes["pool1"] == (32, 24, 24) and shapes["pool2"] == (64, 12, 12) and shapes["pool3"] == (128, 6, 6)
    )


def test_only_the_maps_are_dropped():
    model = ZhuCNN(7)
    assert (model.dropout1.p, model.dropout2.p) == (0.5, 0)
