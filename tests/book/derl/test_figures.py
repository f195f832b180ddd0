"""The figures of the chapter on de-expression: they show the numbers that they were given."""

import numpy as np
import pandas as pd
import pytest

from book.derl import figures
from ferbook.estimate import Estimate
from tests.made import row_labels


def even(value: int, count: int = 2) -> np.ndarray:
    return np.full((count, 8, 8), value, np.uint8)


def test_differences_are_drawn_around_the_middle_grey_and_counted_in_grey_levels():
    drawn = figures.neutral_grid(even(100), even(110), even(120), ["anger", "fear"])
    figure, data, alt = drawn.figure, drawn.data, drawn.alt
    assert data["input_error"].tolist() == [20, 20] and data["generated_error"].tolist() == [10, 10]
    assert data["change"].tolist() == [10, 10]
    changed, wrong = (axes.images[0].get_array() for axes in figure.get_axes()[3:5])
    # Brighter than the input by ten, darker than the truth by ten; thumbnails have 64 grey levels.
    assert changed.mean() == pytest.approx(127.5 + 20, abs=4)
    assert wrong.mean() == pytest.approx(127.5 - 20, abs=4)
    assert "anger and fear" in alt and "10.0 grey levels of 255, the inputs by 20.0" in alt


def curve(epochs: int) -> pd.DataFrame:
    steps = np.arange(1, epochs + 1)
    falling = 0.2 / steps
    return pd.DataFrame(
        {"epoch": steps, "adversarial_loss": 1.0, "l1": falling, "discriminator_loss": 0.3}
        | {"real_accuracy": 0.9, "fake_accuracy": 0.8, "valid_l1": 2 * falling}
    )


@pytest.mark.parametrize("epochs", [1, 20])
def test_the_curves_are_those_of_both_players(epochs):
    drawn = figures.gan_curves(curve(epochs))
    figure, data, alt = drawn.figure, drawn.data, drawn.alt
    assert len(data) == epochs
    lines = [line for line in figure.get_axes()[0].get_lines()]
    np.testing.assert_allclose(lines[1].get_ydata(), 255 * 0.4 / np.arange(1, epochs + 1))
    assert f"over {epochs} epoch" in alt and f"from 102.0 to {102 / epochs:.1f} grey levels" in alt
    assert "90.0 % of true and 80.0 % of generated" in alt
    assert "90.0 % of true pairs and 80.0 % of generated pairs" in drawn.caption


def quality() -> pd.DataFrame:
    rows = [
        ("generated", "psnr", 25.0, 24.0, 26.0),
        ("input", "psnr", 23.0, 22.0, 24.0),
        ("true neutral", "psnr", np.nan, np.nan, np.nan),
        ("generated", "p_neutral", 0.5, 0.4, 0.6),
        ("input", "p_neutral", 0.8, 0.7, 0.9),
        ("true neutral", "p_neutral", 1.0, np.nan, np.nan),
        ("further", "p_neutral", 0.1, 0.0, 0.2),
    ]
    table = pd.DataFrame(rows, columns=["candidate", "measure", "value", "low", "high"])
    return table[["candidate", "measure"]].assign(estimate=estimates(table), gain=None)


def estimates(table: pd.DataFrame) -> list[Estimate | None]:
    return [
        None if np.isnan(value) else Estimate.bounded(value, low, high, how="by hand", n=9)
        for value, low, high in table[["value", "low", "high"]].to_numpy()
    ]


def test_each_stand_in_has_a_dot_in_each_measure_it_has_a_value_in_and_the_truth_comes_last(dots_of):
    drawn = figures.quality_dots(quality())
    figure, data, alt = drawn.figure, drawn.data, drawn.alt
    assert len(data) == 6, "without the PSNR of the truth"
    near, found = figure.get_axes()[:2]
    assert row_labels(near) == ["generated", "input", "further", "true neutral"]
    assert dots_of(near) == [(25.0, 0), (23.0, 1)]
    assert sorted((y, x) for x, y in dots_of(found)) == [(0, 0.5), (1, 0.8), (2, 0.1), (3, 1.0)]
    assert "PSNR (dB): generated 25.0 (24.0 to 26.0) and input 23.0 (22.0 to 24.0)" in alt


def test_maps_are_described_by_where_they_are_and_how_wide():
    point, flat = np.zeros((1, 8, 8)), np.ones((1, 8, 8))
    point[0, 1, 6] = 1
    drawn = figures.residue_grid(even(9, 1), {"pair4": point, "pixels": flat}, ["fear"])
    alt, found = drawn.alt, drawn.data.set_index("layer")
    assert found.loc["pair4", ["row", "column"]].tolist() == pytest.approx([1.5 / 8, 6.5 / 8])
    assert found.loc["pair4", "spread"] == pytest.approx(1 / 64)
    spread = found.loc["pixels", ["row", "column", "spread"]].tolist()
    assert spread == pytest.approx([0.5, 0.5, 0.5], abs=0.02)
    assert "4 × 4 1.6 %" in alt and "pixels 5" in alt
    data = figures.residue_grid(even(9, 1), {"pair4": 0 * point}, ["fear"]).data
    assert data["spread"].isna().all(), "a map of zeros is nowhere"
