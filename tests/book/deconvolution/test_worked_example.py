"""Deconvolution by hand: the numbers of the page, computed on paper."""

from dataclasses import replace

import numpy as np
import pytest

from book.deconvolution import worked_example as module
from book.deconvolution.worked_example import worked_example
from ferbook.errors import ChapterError


def test_the_way_up_is_the_one_on_paper():
    example = worked_example()
    # Upper left of the picture: (1 + 2 + 1) - (2 + 3 + 0) = -1.
    assert example.up["convolved"][0].tolist() == [-1, 3, 0, 0]
    assert example.up["maxima"].tolist() == [[3, 4], [0, 1]]
    assert example.up["neuron"].item() == 2 * 3 - 4 + 0 + 1
    assert np.argwhere(example.switches).tolist() == [[0, 1], [1, 3], [2, 0], [2, 3]]


def test_the_way_down_drops_the_negative_one_and_keeps_what_stands_on_a_neuron_that_was_off():
    example = worked_example()
    assert example.down["sent down"].tolist() == [[6, -3], [3, 3]]
    assert example.down["unpooled"][1, 3] == -3 and example.down["rectified again"][1, 3] == 0
    assert example.up["rectified"][2, 0] == 0 and example.down["rectified again"][2, 0] == 3
    first = np.array([[-1, 0, 1]] * 3)
    pixels = np.zeros((6, 6))
    for row, column, number in ((0, 1, 6), (2, 0, 3), (2, 3, 3)):
        pixels[row : row + 3, column : column + 3] += number * first
    np.testing.assert_allclose(example.down["pixels"], pixels, atol=1e-6)


def test_the_three_methods_differ_in_what_they_let_down_at_a_relu():
    example = worked_example()
    deconv, guided, gradient = example.down["pixels"], example.beside["guided"], example.beside["gradient"]
    # Guided lacks what stood on the neuron that was off; the gradient has the negative signal besides.
    assert (deconv - guided)[2:5, :3].tolist() == [[-3, 0, 3]] * 3
    assert (gradient - guided)[1:4, 3:].tolist() == [[3, 0, -3]] * 3


def test_steps_that_end_elsewhere_than_project_stop_the_page(monkeypatch):
    def halved(*words, **options):
        found = real(*words, **options)
        return replace(found, maps=found.maps / 2)

    real = module.project
    monkeypatch.setattr(module, "project", halved)
    with pytest.raises(ChapterError, match="give different maps"):
        worked_example()
