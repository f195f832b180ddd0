"""Deconvolution by hand: the numbers of the page, computed on paper."""

import numpy as np
import pytest
from torch import from_numpy, nn

from book.deconvolution.worked_example import TOY_PICTURE, toy_network
from fer_lib.look.deconvolution import project


def passed(count: int) -> np.ndarray:
    """What the first ``count`` layers make of the picture."""
    layers = nn.Sequential(*list(toy_network())[:count])
    return layers(from_numpy(TOY_PICTURE)[None, None])[0, 0].detach().numpy()


def test_the_way_up_is_the_one_on_paper():
    # Upper left of the picture: (1 + 2 + 1) - (2 + 3 + 0) = -1.
    assert passed(1)[0].tolist() == [-1, 3, 0, 0]
    assert passed(3).tolist() == [[3, 4], [0, 1]]
    assert passed(5).item() == 2 * 3 - 4 + 0 + 1


def test_the_way_down_drops_the_negative_one_and_keeps_what_stands_on_a_neuron_that_was_off():
    deconv, guided, gradient = (
        project(toy_network(), "relu2", TOY_PICTURE[None], [0], [0], method=method).whole(0)
        for method in ("deconv", "guided", "gradient")
    )
    first = np.array([[-1, 0, 1]] * 3)
    pixels = np.zeros((6, 6))
    for row, column, number in ((0, 1, 6), (2, 0, 3), (2, 3, 3)):
        pixels[row : row + 3, column : column + 3] += number * first
    assert deconv == pytest.approx(pixels, abs=1e-6)
    # Guided lacks what stood on the neuron that was off; the gradient has the negative signal besides.
    assert (deconv - guided)[2:5, :3].tolist() == [[-3, 0, 3]] * 3
    assert (gradient - guided)[1:4, 3:].tolist() == [[3, 0, -3]] * 3
