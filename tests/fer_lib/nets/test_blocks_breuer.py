import torch

from fer_lib.nets.blocks import BreuerKimmelCNN


def test_parameters_counted_by_hand():
    convolutions = 64 * 25 + 64 + 128 * 64 * 25 + 128 + 256 * 128 * 25 + 256
    dense = 256 * 6 * 6 * 512 + 512
    assert sum(p.numel() for p in BreuerKimmelCNN(8).parameters()) == convolutions + dense + 512 * 8 + 8


def test_layers_in_order_and_maps_of_each_block():
    model, shapes = BreuerKimmelCNN(7).eval(), {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    model(torch.rand(1, 1, 48, 48))
    assert list(shapes) == [
        *("standardise", "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "pool3"),
        *("flatten", "dropout1", "dense", "relu4", "dropout2", "output"),
    ]
    assert (
        shapes["pool1"] == (64, 24, 24)
        and shapes["pool2"] == (128, 12, 12)
        and shapes["pool3"] == (256, 6, 6)
    )


def test_maps_are_dropped_half_as_often_as_dense_neurons():
    model = BreuerKimmelCNN(7)
    assert (model.dropout1.p, model.dropout2.p) == (0.25, 0.5)
