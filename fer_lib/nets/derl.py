"""The networks of de-expression residue learning (Yang, Ciftci and Yin, CVPR 2018).

Sources of statements about the paper: [S] read in papers that cite it, [R] remembered, [N] not found, so the
choice is ours.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from fer_lib.nets.classifier import OUTPUT_SPREAD, draw_normal, initialise_for_relu
from ferbook.errors import ParameterError

WIDTHS = (32, 64, 128, 256)
# Standard deviation of the first weights of generator and discriminator, as in Isola et al. 2017 (arXiv
# 1611.07004, section 6.2).
GAN_SPREAD = 0.02
# Filters of a local CNN's convolutions, and neurons of its dense layer.
LOCAL_WIDTH, LOCAL_FEATURES = 32, 64
# Slope of the encoder's and the discriminator's leaky ReLU below zero, as in Isola et al. 2017.
LEAK = 0.2


class SignedRange(nn.Module):
    """Grey values of [0, 1] brought to [-1, 1]. Float (B, C, H, W) in and out; no parameters."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return 2 * pictures - 1


class Generator(nn.Module):
    """An encoder and a decoder which turn a face into the same person's neutral face.

    Float pictures (B, 1, ``size``, ``size``) in [0, 1] in and out. The paper trains it in a conditional GAN
    [R]; its layers and widths were not found [N]. The layers here are those of Isola et al. 2017: the encoder
    halves the maps by 4×4 convolutions of stride 2 (batch normalisation in all but the first, leaky ReLU
    with a slope of 0.2 below zero) to ``widths`` filters one after the other; a 3×3 convolution starts the
    decoder at the smallest maps, and transposed 4×4 convolutions of stride 2 double them (batch
    normalisation, ReLU); a sigmoid gives the picture. Isola et al. use dropout in the decoder as the noise of
    their GAN; with one correct picture per face there is none here.

    ``skips``: each decoder layer but the first also receives the encoder's maps of its input's size, as in
    the U-Net of Isola et al. (section 3.2.1); without, the decoder receives only the smallest maps.

    ``pairs``: name to the names of an encoder layer and of the decoder layer whose maps have equal shape,
    from the largest maps to the smallest; ``pair24`` has maps of 24 pixels. With the default widths there are
    four. All layers are modules that work out of place: forward hooks see every activation, and
    ``get_submodule`` finds a layer by the names in ``pairs``.

    The first weights are normal with standard deviation 0.02, from ``generator`` or torch's global one;
    biases zero. Raises ParameterError where ``size`` is not a multiple of 2 to the power of the number of
    widths, 16 with four, and in a forward pass for other pictures.
    """

    def __init__(
        self,
        size: int,
        widths: tuple[int, ...] = WIDTHS,
        skips: bool = True,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_halvings(size, widths)
        self.arguments = {"size": size, "widths": list(widths), "skips": skips}
        self.standardise = SignedRange()
        self.encoder, self.decoder = nn.Sequential(), nn.Sequential()
        self.pairs: dict[str, tuple[str, str]] = {}
        sides = [size >> halvings for halvings in range(1, len(widths) + 1)]
        before = 1
        for side, width in zip(sides, widths, strict=True):
            self.encoder.add_module(f"down{side}", _halving(before, width, normalised=before > 1))
            self.pairs[f"pair{side}"] = (f"encoder.down{side}", f"decoder.up{side}")
            before = width
        smallest = nn.Conv2d(before, before, 3, padding=1, bias=False)
        self.decoder.add_module(f"up{sides[-1]}", _block(smallest, before))
        for side, (width, narrower) in zip(reversed(sides[:-1]), pairwise(reversed(widths)), strict=True):
            channels = width if side == sides[-2] else (1 + skips) * width
            doubling = nn.ConvTranspose2d(channels, narrower, 4, 2, 1, bias=False)
            self.decoder.add_module(f"up{side}", _block(doubling, narrower))
        channels = widths[0] if len(widths) == 1 else (1 + skips) * widths[0]
        self.picture = nn.Sequential()
        self.picture.add_module("conv", nn.ConvTranspose2d(channels, 1, 4, 2, 1))
        self.picture.add_module("sigmoid", nn.Sigmoid())
        _initialise(self, generator)

    @property
    def channels(self) -> dict[str, int]:
        """Number of maps in the residue of each pair: the encoder's and the decoder's."""
        return {name: 2 * width for name, width in zip(self.pairs, self.arguments["widths"], strict=True)}

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.picture(self._answers(pictures)[1])

    def residues(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """For each pair the encoder's and the decoder's maps one after the other, (B, 2·C, h, w), which a
        local CNN takes [R].

        In one pass, in the mode in which the generator is: the paper's second stage has it frozen and in
        evaluation mode.
        """
        maps, _ = self._answers(pictures)
        return {name: torch.cat((maps[down], maps[up]), dim=1) for name, (down, up) in self.pairs.items()}

    def _answers(self, pictures: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return the maps of every layer by name, and the input of the output layer."""
        _check_pictures(self, pictures, 1)
        maps: dict[str, torch.Tensor] = {}
        values = self.standardise(pictures)
        for name, stage in self.encoder.named_children():
            values = maps[f"encoder.{name}"] = stage(values)
        for place, (down, up) in enumerate(reversed(self.pairs.values())):
            values = maps[up] = self.get_submodule(up)(values)
            if place and self.arguments["skips"]:
                values = torch.cat((values, maps[down]), dim=1)
        return maps, values


class Discriminator(nn.Module):
    """Classifies each patch of a pair (expressive face, neutral face): is the neutral face a true one?

    Float pairs (B, 2, ``size``, ``size``) in [0, 1] to logits (B, 1, h, w), positive for true; h = w =
    ``size``/8 with three ``widths``. That it sees the pair is the paper's [R]; the patches, 4×4 convolutions
    of stride 2 and leaky ReLU are those of Isola et al. 2017 (section 3.2.2). Instead of batch
    normalisation, whose statistics alone discriminate a batch of true pairs from one of generated ones, every
    layer has spectral normalisation (Miyato et al. 2018, arXiv 1802.05957). A logit sees 38 × 38 pixels with
    three widths. First weights and errors as ``Generator``.
    """

    def __init__(
        self, size: int, widths: tuple[int, ...] = WIDTHS[:3], *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        _check_halvings(size, widths)
        self.arguments = {"size": size, "widths": list(widths)}
        self.standardise = SignedRange()
        self.layers = nn.Sequential()
        for number, (before, width) in enumerate(pairwise((2, *widths)), start=1):
            self.layers.add_module(f"down{number}", _halving(before, width, normalised=False))
        self.output = nn.Conv2d(widths[-1], 1, 3, padding=1)
        _initialise(self, generator)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # where the search for the largest singular value begins
            for layer in (*(stage.conv for stage in self.layers), self.output):
                spectral_norm(layer)

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        _check_pictures(self, pairs, 2)
        return self.output(self.layers(self.standardise(pairs)))


class LocalCNN(nn.Module):
    """A small CNN on the residue of one layer pair: maps (B, ``channels``, h, w) of any size to (logits,
    features (B, 64)).

    In the paper each pair has such a network and a separate cross-entropy [R]; its layers were not found [N].
    Here: a 1×1 convolution to 32 filters, a 3×3 one, 2×2 max pooling, a 3×3 one, each of the three with batch
    normalisation and ReLU; the mean of each ninth of the map, so that position is preserved; a dense layer
    with ReLU; dropout of a half; the output.
    """

    def __init__(self, channels: int, n_classes: int) -> None:
        super().__init__()
        layers = {
            "reduce": _block(nn.Conv2d(channels, LOCAL_WIDTH, 1, bias=False), LOCAL_WIDTH),
            "conv1": _block(nn.Conv2d(LOCAL_WIDTH, LOCAL_WIDTH, 3, padding=1, bias=False), LOCAL_WIDTH),
            "pool1": nn.MaxPool2d(2, ceil_mode=True),
            "conv2": _block(nn.Conv2d(LOCAL_WIDTH, LOCAL_WIDTH, 3, padding=1, bias=False), LOCAL_WIDTH),
            "pool2": nn.AdaptiveAvgPool2d(3),
            "flatten": nn.Flatten(),
            "dense": nn.Linear(9 * LOCAL_WIDTH, LOCAL_FEATURES),
            "relu": nn.ReLU(),
        }
        self.layers = nn.Sequential(OrderedDict(layers))
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(LOCAL_FEATURES, n_classes)

    def forward(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.dropout(self.layers(maps))
        return self.output(features), features


class ResidueClassifier(nn.Module):
    """Classifies the expression from residues: a ``LocalCNN`` for each pair, and one output from all their
    features joined.

    ``channels``: name of a pair to the number of maps in its residue (``Generator.channels``, or some of it).
    Called with the residues by name, float (B, channels, h, w), it returns the joint logits (B,
    ``n_classes``) and those of each pair by name: the five outputs whose cross-entropies the paper adds up,
    weighted [R]. Other residues are ignored.

    First weights as He et al. 2015, from ``generator`` or torch's global one.
    """

    def __init__(
        self, channels: Mapping[str, int], n_classes: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.arguments = {"channels": dict(channels), "n_classes": n_classes}
        self.locals = nn.ModuleDict({name: LocalCNN(count, n_classes) for name, count in channels.items()})
        self.output = nn.Linear(len(channels) * LOCAL_FEATURES, n_classes)
        for local in self.locals.values():
            initialise_for_relu(local, generator)
        with torch.no_grad():
            draw_normal(self.output.weight, OUTPUT_SPREAD, generator)
        nn.init.zeros_(self.output.bias)

    def forward(self, residues: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        answers = {name: local(residues[name]) for name, local in self.locals.items()}
        fusion = torch.cat([features for _, features in answers.values()], dim=1)
        return self.output(fusion), {name: logits for name, (logits, _) in answers.items()}


def _check_halvings(size: int, widths: tuple[int, ...]) -> None:
    step = 2 ** len(widths)
    if size < step or size % step:
        raise ParameterError(f"size {size}: {len(widths)} layers that halve need a multiple of {step}")


def _check_pictures(model: Generator | Discriminator, pictures: torch.Tensor, channels: int) -> None:
    size = model.arguments["size"]
    if pictures.ndim != 4 or tuple(pictures.shape[1:]) != (channels, size, size):
        raise ParameterError(
            f"this {type(model).__name__} was built for (B, {channels}, {size}, {size}) and was given "
            f"{tuple(pictures.shape)}; build it with their size"
        )


def _halving(before: int, width: int, *, normalised: bool) -> nn.Sequential:
    convolution = nn.Conv2d(before, width, 4, 2, 1, bias=not normalised)
    return _block(convolution, width if normalised else 0, nn.LeakyReLU(LEAK))


def _block(convolution: nn.Module, width: int, relu: nn.Module | None = None) -> nn.Sequential:
    """Make ``conv``, ``norm`` of ``width`` maps (0: none) and ``relu``."""
    layers = {
        "conv": convolution,
        "norm": nn.BatchNorm2d(width) if width else None,
        "relu": relu or nn.ReLU(),
    }
    return nn.Sequential(OrderedDict((name, layer) for name, layer in layers.items() if layer is not None))


@torch.no_grad()
def _initialise(model: nn.Module, generator: torch.Generator | None) -> None:
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            draw_normal(layer.weight, GAN_SPREAD, generator)
            if layer.bias is not None:
                layer.bias.zero_()
