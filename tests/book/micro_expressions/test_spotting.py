"""The apex found in clips where it is known."""

import numpy as np
import pandas as pd
import pytest

from book.micro_expressions.apex import (
    flow_trajectories,
    off_line,
    pixel_trajectories,
    smoothed,
    spot,
    spotting_errors,
    trajectory,
)
from book.micro_expressions.optical_flow import displacements
from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet


def clips_from(*clips: tuple[np.ndarray, list[int], int], fps: float = 200.0) -> Clips:
    """Of pictures (T, H, W), their frame numbers and the apex; two clips per subject."""
    rows = [
        {
            "subject": f"s{number // 2}",
            "sequence": f"c{number}",
            "frame": frame,
            "onset": frames[0],
            "apex": apex,
            "offset": frames[-1],
        }
        for number, (_, frames, apex) in enumerate(clips)
        for frame in frames
    ]
    table = pd.DataFrame(rows).assign(dataset="micro", emotion="other", split="train", fps=fps)
    return clips_of(FaceSet("micro", np.concatenate([pixels for pixels, *_ in clips]), table))


def grey(*values: float, side: int = 8) -> np.ndarray:
    """One even picture per value."""
    return np.full((len(values), side, side), 0, np.uint8) + np.array(values, np.uint8)[:, None, None]


def test_trajectory_by_hand():
    # Feature 0 has the standard deviation 2 over the five frames that there are, feature 1 none.
    features = np.array([[[0, 1], [4, 1], [2, 1]], [[0, 1], [4, 1], [99, 99]]], float)
    found = trajectory(features, np.array([3, 2]), smoothed_over=1)
    spread = np.std([0, 4, 2, 0, 4])
    np.testing.assert_allclose(found[0], np.array([0, 4, 2]) / spread / np.sqrt(2))
    np.testing.assert_allclose(found[1, :2], np.array([0, 4]) / spread / np.sqrt(2))
    assert np.isnan(found[1, 2])


def test_trajectories_do_not_depend_on_a_features_scale_or_offset():
    features = np.random.default_rng(0).normal(size=(4, 6, 5))
    lengths, frames = np.array([6, 5, 6, 2]), np.cumsum(np.ones((4, 6), int), axis=1)
    changed = features * np.array([1, 1e3, 1e-3, -1, 7]) + 5
    for numbers in (None, frames):
        np.testing.assert_allclose(
            trajectory(features, lengths, numbers), trajectory(changed, lengths, numbers), rtol=1e-6
        )


def test_smoothing_by_hand():
    values = np.array([[0.0, 3, 6, 0, 9], [1, 5, np.nan, np.nan, np.nan]])
    expected = [[1.5, 3, 3, 5, 4.5], [3, 3, np.nan, np.nan, np.nan]]
    np.testing.assert_allclose(smoothed(values, 3), expected)
    np.testing.assert_array_equal(smoothed(values, 1), values)
    np.testing.assert_allclose(smoothed(values, 9)[0], 3.6)


def test_the_line_between_both_ends_takes_drift_away_whatever_the_spacing():
    frames = np.array([[10, 11, 14, 20], [3, 5, -1, -1]])
    lengths = np.array([4, 2])
    drift = 3 + 0.5 * frames[:, :, None] * np.array([1.0, -4])
    np.testing.assert_allclose(off_line(drift, frames, lengths), 0, atol=1e-12)
    bump = np.zeros((2, 4, 2))
    bump[0, 2] = 1, -2
    np.testing.assert_allclose(off_line(drift + bump, frames, lengths), bump, atol=1e-12)


def test_the_first_of_the_largest_is_spotted_within_the_clip():
    way = np.array([[0, 2, 2, 1], [0, 1, 0.5, 9]])
    frames = np.array([[5, 7, 9, 11], [1, 2, 3, -1]])
    found = spot(way, frames, np.array([4, 3]))
    assert found.tolist() == [7, 2] and found.dtype == np.int64


def test_pixels_are_compared_with_the_first_frame_and_with_the_line():
    # Brightness drifts by 2 a frame, and flashes by 10 at frame 3, of which the first frame alone knows
    # nothing.
    clips = clips_from((grey(100, 112, 104, 106, 108), [2, 3, 4, 5, 6], 3))
    found = pixel_trajectories(clips, smoothed_over=1)
    np.testing.assert_allclose(found["onset"], [[0, 12, 4, 6, 8]])
    np.testing.assert_allclose(found["both ends"], [[0, 10, 0, 0, 0]], atol=1e-9)
    np.testing.assert_allclose(pixel_trajectories(clips)["onset"], [[6, 16 / 3, 22 / 3, 6, 7]])


def test_flow_is_the_mean_length_of_the_displacements():
    generator = np.random.default_rng(1)
    pixels = np.kron(generator.integers(0, 256, (4, 6, 6)), np.ones((4, 4))).astype(np.uint8)
    clips = clips_from((pixels, [1, 2, 3, 4], 2), (pixels[:2], [7, 9], 9))
    found = flow_trajectories(clips, smoothed_over=1)
    flow = np.stack([displacements(pixels[:1], pixels[t : t + 1])[0] for t in range(4)])
    lengths = np.hypot(*flow.transpose(3, 0, 1, 2)).mean(axis=(1, 2))
    np.testing.assert_allclose(found["onset"][0], lengths, rtol=1e-5)
    straight = flow - np.linspace(flow[0], flow[3], 4)
    expected = np.hypot(*straight.transpose(3, 0, 1, 2)).mean(axis=(1, 2))
    np.testing.assert_allclose(found["both ends"][0], expected, atol=1e-6)
    np.testing.assert_allclose(found["both ends"][1, :2], 0, atol=1e-9)
    assert np.isnan(found["onset"][1, 2:]).all()


def test_errors_of_every_method_by_hand():
    frames = [10, 12, 14, 16, 24]
    clips = clips_from(
        (grey(50, 60, 90, 60, 52), frames, 12), (grey(50, 60, 61), [0, 100, 150], 100), fps=100.0
    )
    rising = np.zeros((2, 5, 3))
    rising[:, :, 0] = np.arange(5)
    errors = spotting_errors(clips, {"a network": rising}, smoothed_over=1)
    assert errors.groupby(["method", "reference"], sort=False).ngroups == 8 and len(errors) == 16
    found = errors.set_index(["method", "reference", "sequence"]).sort_index()
    # Always the last frame; the line leaves nothing but where frames are spaced unevenly.
    network = found.loc[("a network", "onset")]
    assert network["spotted"].tolist() == [24, 150] and network["error"].tolist() == [12, 50]
    assert found.loc[("a network", "both ends"), "spotted"].tolist() == [16, 100]
    assert found.loc[("pixels", "onset"), "spotted"].tolist() == [14, 150]
    assert found.loc[("pixels", "both ends"), "spotted"].tolist() == [14, 100]
    assert found.loc[("middle", ""), "spotted"].tolist() == [16, 100]
    assert found.loc[("middle", ""), "milliseconds"].tolist() == [40, 0]
    chance = found.loc[("random", "")]
    assert chance["error"].tolist() == pytest.approx([(2 + 0 + 2 + 4 + 12) / 5, (100 + 0 + 50) / 3])
    assert chance["spotted"].isna().all()
    assert errors["apex"].tolist() == [12, 100] * 8 and errors["length"].tolist() == [14, 150] * 8
    assert errors["subject"].eq("s0").all()
