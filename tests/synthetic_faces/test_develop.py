import dataclasses

import numpy as np
import pytest

from synthetic_faces import develop
from synthetic_faces.capture import Caption
from tests.synthetic_faces import plain_shot

PLAIN = dataclasses.replace(plain_shot.PLAIN, seed=3)
RAMP = np.tile(np.linspace(0.0, 1.5, 40), (40, 1))


def developed(radiance=RAMP, **changes):
    return develop.develop(radiance, dataclasses.replace(PLAIN, **changes)).astype(int)


def test_the_tone_curve_by_hand():
    assert developed(np.zeros((2, 2)))[0, 0] == 0
    # 255 (1 - e^-0.725)^(1 / 1.75)
    assert developed(np.full((2, 2), 0.5))[0, 0] == 175
    assert (np.diff(developed()[0]) >= 0).all()


def test_a_stop_more_is_twice_the_light():
    np.testing.assert_array_equal(developed(exposure=1.0), developed(2 * RAMP))


def test_contrast_spreads_about_the_mean():
    weak = developed(0.2 + 0.1 * RAMP)
    strong = developed(0.2 + 0.1 * RAMP, contrast=1.5)
    assert strong.std() == pytest.approx(1.5 * weak.std(), rel=0.03)
    assert strong.mean() == pytest.approx(weak.mean(), abs=1)


def test_levels_reach_black_and_white():
    flat = 0.2 + 0.1 * RAMP
    stretched = developed(flat, levels=1.0)
    assert stretched.min() == 0
    assert stretched.max() == 255
    half = developed(flat, levels=0.5)
    np.testing.assert_allclose(half, 0.5 * (developed(flat) + stretched), atol=4)


def test_a_pixel_rounded_to_less_than_no_light_is_black_and_no_other_is():
    dark = RAMP.copy()
    dark[0, 0] = -1e-9
    np.testing.assert_array_equal(developed(dark, levels=0.5), developed(levels=0.5))


def test_an_enlarged_picture_has_lost_its_detail():
    stripes = np.tile([0.0, 1.0], (40, 20))
    assert developed(stripes).std() > 60
    assert developed(stripes, enlargement=2.0).std() < 5
    # What is coarser than the smaller copy is kept.
    np.testing.assert_allclose(developed(enlargement=1.5)[:, 3:-3], developed()[:, 3:-3], atol=8)


def test_compression_leaves_blocks_but_the_picture_stays():
    rough = RAMP + 0.3 * np.random.default_rng(0).random(RAMP.shape)
    coarse, fine, none = (developed(rough, quality=q) for q in (10.0, 95.0, 100.0))
    np.testing.assert_array_equal(none, developed(rough))
    assert np.abs(coarse - none).mean() > 2 * np.abs(fine - none).mean() > 0
    assert np.abs(coarse - none).mean() < 25


def test_a_caption_is_a_line_of_marks_of_its_own_grey():
    caption = Caption(left=0.1, top=0.5, height=0.2, letters=4, light=1.0, strength=1.0, seed=0)
    dark = np.zeros((40, 40))
    marked = developed(dark, caption=caption)
    assert marked.max() == 255
    rows, columns = np.nonzero(marked)
    assert 18 <= rows.min() < rows.max() <= 30
    assert columns.min() >= 3
    assert developed(dark, caption=dataclasses.replace(caption, strength=0.5)).max() == 128
    np.testing.assert_array_equal(marked, developed(dark, caption=caption))


def test_noise_follows_from_the_seed():
    first = developed(noise=0.05)
    np.testing.assert_array_equal(first, developed(noise=0.05))
    assert (first != developed(noise=0.05, seed=4)).mean() > 0.5
