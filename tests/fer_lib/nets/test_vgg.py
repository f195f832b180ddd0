from fer_lib.nets.vgg import VGG

PAIRS = [(1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
# 3×3 filters without biases, and two numbers per map of batch normalisation.
STAGES = sum(9 * before * width + 2 * width for before, width in PAIRS)


def test_parameters_counted_by_hand():
    assert sum(p.numel() for p in VGG(7).parameters()) == STAGES + 512 * 7 + 7


def test_a_stage_is_two_convolutions_with_normalisation_and_a_maximum():
    names = [name for name, _ in VGG(7, widths=(2, 2, 2, 2)).stage3.named_children()]
    assert names == ["conv1", "norm1", "relu1", "conv2", "norm2", "relu2", "pool"]
