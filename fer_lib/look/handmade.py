"""What stands beside a trained layer: untrained networks, networks that learned shuffled labels, filters made
by hand, another basis.

None of them has learned what an emotion is, so whatever they answer to comes from the pictures, or from the
number of filters.
"""

import copy

import cv2
import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import nn
from torch.nn import functional as F

from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import maximal_responses
from fer_lib.nets.classifier import Classifier, PictureStandardisation
from fer_lib.train.batches import batches
from fer_lib.train.controls import untrained_network
from ferbook.errors import DataError

WAVELENGTHS = (4.0, 5.7, 8.0, 11.3)
"""Pixels per wave of the Gabor filters, half an octave apart: from the finest that pixels can carry to a
mouth's width at 48 pixels.
"""

ORIENTATIONS = 8
"""Of each wavelength, evenly over half a turn, as usual for faces."""


WAVES_PER_ENVELOPE = 0.56
"""Standard deviation of the envelope in wavelengths: a bandwidth of one octave (Daugman 1985)."""

CELL = 8


BINS = 9
"""Side of a cell in pixels, and its bins of orientation, as in Dalal and Triggs 2005."""


def rotated_channels(model: nn.Module, layer: str, filters: int, seed: int) -> tuple[nn.Module, str]:
    """A copy of ``model`` with a layer behind ``layer`` of which every channel is a random mixture of all,
    and that layer's name.

    It is another basis of the same maps. The ``filters`` maps of the layer are rotated by one orthogonal
    matrix at every position (Bau et al. 2017, arXiv 1704.05796, section 3.2) and rectified, since a filter's
    maximal response is that of a rectified map. What the layer knows stays; what is special about its single
    filters goes. Later layers of the copy see the rotated maps, so only that layer's responses mean anything.

    """
    rotated = copy.deepcopy(model)
    original = rotated.get_submodule(layer)
    mixing = nn.Conv2d(filters, filters, 1, bias=False)
    weight = torch.empty(filters, filters, dtype=torch.float64)
    nn.init.orthogonal_(weight, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        mixing.weight.copy_(weight[:, :, None, None])
    mixing.to(next(rotated.parameters()).device)
    parent, _, name = layer.rpartition(".")
    changed = nn.Sequential(original, mixing, nn.ReLU())
    setattr(rotated.get_submodule(parent), name, changed.train(original.training))
    return rotated, f"{layer}.{len(changed) - 1}"


def gabor_transfer(side: int) -> np.ndarray:
    """float32 (wavelengths × ``ORIENTATIONS``, ``side``, ``side``): the bank's complex Gabor filters in the
    frequency domain.

    Morlet's form: a Gaussian around the filter's frequency, less as much of the Gaussian around zero as an
    even picture would need to get no answer. Kernels have norm one. Real part of a filtered picture: the even
    phases, imaginary part: the odd ones.
    """
    down, across = np.meshgrid(*[np.fft.fftfreq(side)] * 2, indexing="ij")
    bank = []
    for wavelength in WAVELENGTHS:
        width = 2 * (np.pi * WAVES_PER_ENVELOPE * wavelength) ** 2
        for angle in np.pi * np.arange(ORIENTATIONS) / ORIENTATIONS:
            offset = (across - np.cos(angle) / wavelength) ** 2 + (down - np.sin(angle) / wavelength) ** 2
            transfer = np.exp(-width * offset)
            transfer -= transfer[0, 0] * np.exp(-width * (across**2 + down**2))
            bank.append(transfer / np.sqrt(np.mean(transfer**2)))  # Parseval: the kernel's norm
    return np.stack(bank).astype(np.float32)


@torch.no_grad()
def gabor_responses(
    faces: FaceSet, *, batch_size: int = 16, device: torch.device | str = "cpu"
) -> np.ndarray:
    """float32 (N, 128): the maximal response of each rectified Gabor filter to each picture, ≥ 0.

    Pictures are standardised one by one, then mirrored at their edges, so that no border answers like an
    edge. In order: the four phases (even, odd, and their opposites), within them wavelengths, within them
    orientations. Raises DataError where pictures are too small for the longest wave.
    """
    margin = int(np.ceil(2 * WAVES_PER_ENVELOPE * WAVELENGTHS[-1]))
    height, width = faces.size
    if min(height, width) <= margin:
        raise DataError(
            f"face set {faces.name!r}: pictures of {height} × {width} pixels are too small for Gabor filters "
            f"that reach {margin} pixels; take pictures of more than {margin} pixels a side"
        )
    side = next_fast_len(max(height, width) + 2 * margin)
    bank = torch.from_numpy(gabor_transfer(side)).to(device)
    standardise = PictureStandardisation()
    answers = []
    for pictures in batches(faces, batch_size, device=device):
        around = F.pad(standardise(pictures), [margin] * 4, mode="reflect")
        filtered = torch.fft.ifft2(torch.fft.fft2(around, s=(side, side)) * bank)
        inside = filtered[:, :, margin : margin + height, margin : margin + width]
        even, odd = (part.flatten(2) for part in (inside.real, inside.imag))
        phases = (even.amax(2), odd.amax(2), -even.amin(2), -odd.amin(2))
        answers.append(torch.cat(phases, dim=1).clamp_(min=0))
    return torch.cat(answers).cpu().numpy()


def hog_responses(faces: FaceSet) -> np.ndarray:
    """float32 (N, cells × 9): histograms of oriented gradients, a channel per cell of 8 × 8 pixels and
    orientation, ≥ 0.

    Dalal and Triggs 2005 as OpenCV computes it, each cell normalised by itself. Unlike a filter's maximum a
    channel is bound to its place, which makes it a strong rival: faces are aligned. Raises DataError where
    a side is not a multiple of 8.
    """
    height, width = faces.size
    if height % CELL or width % CELL:
        raise DataError(
            f"face set {faces.name!r}: pictures of {height} × {width} pixels are not made of cells of "
            f"{CELL}; take a multiple of {CELL}"
        )
    cell = (CELL, CELL)
    histogram = cv2.HOGDescriptor((width, height), cell, cell, cell, BINS)
    return np.stack([histogram.compute(picture).ravel() for picture in faces.pixels])


def baseline_responses(
    model: Classifier,
    layer: str,
    faces: FaceSet,
    *,
    untrained: int = 5,
    shuffled: Classifier | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> dict[str, np.ndarray]:
    """Maximal responses (N, K) to ``faces`` of all that stands beside ``layer`` of the trained ``model``, by
    name.

    ``untrained 1`` …: the same layer of so many networks with other first weights; ``shuffled labels``: that
    of ``shuffled``, where there is one; ``rotated basis``: random mixtures of the trained layer's own
    channels; ``Gabor filters`` and ``HOG``. The same ``seed`` gives the same networks and mixtures for any
    faces.

    Raises what the single baselines raise.
    """
    found = {}
    for number in range(untrained):
        network = untrained_network(model, seed + number)
        found[f"untrained {number + 1}"] = maximal_responses(network, faces, layer, device=device).maxima
    if shuffled is not None:
        found["shuffled labels"] = maximal_responses(shuffled, faces, layer, device=device).maxima
    filters = found["untrained 1"].shape[1]
    mixed, behind = rotated_channels(model, layer, filters, seed)
    found["rotated basis"] = maximal_responses(mixed, faces, behind, device=device).maxima
    return found | {
        "Gabor filters": gabor_responses(faces, device=device or "cpu"),
        "HOG": hog_responses(faces),
    }
