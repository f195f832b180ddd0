"""The apex found in clips where it is known, and responses followed from onset to offset."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from book.micro_expressions.apex import (
    flow_trajectories,
    off_line,
    pixel_trajectories,
    smoothed,
    spot,
    spotting_errors,
    trajectory,
)
from book.micro_expressions.movement import mean_trajectories, progress, response_changes
from book.micro_expressions.optical_flow import displacements
from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import maximal_responses
from fer_lib.stats.resampling import bootstrap
from ferbook.errors import ParameterError


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


class Brightness(nn.Module):
    """Filter 0 is the picture, filter 1 its double plus one, filter 2 nothing at all."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 1)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, 2.0, 0.0]).view(3, 1, 1, 1))
            self.conv.bias.copy_(torch.tensor([0.0, 1.0, 0.5]))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.conv(pictures)


def filter_trajectories(clips: Clips, filters=(0, 1, 2), *, steps: int = 41, **drawing) -> pd.DataFrame:
    changes = response_changes(Brightness(), "conv", clips, filters, steps=steps)
    return mean_trajectories(changes, clips.subjects, filters, **drawing)


def bright_clips() -> Clips:
    """Of different lengths and spacings; brightness goes up to the apex by 10, 20, 30 or 40, and back."""
    return clips_from(
        (grey(100, 105, 110, 105, 100), [1, 2, 3, 4, 5], 3),
        (grey(50, 70, 60, 50), [10, 30, 40, 50], 30),
        (grey(20, 50, 20), [7, 8, 19], 8),
        (grey(0, 20, 40, 0), [0, 5, 10, 11], 10),
    )


def test_progress_by_hand():
    clips = clips_from((grey(0, 0, 0, 0), [10, 15, 20, 60], 20), (grey(0, 0), [3, 5], 5))
    expected = [[0, 0.5, 1, 2], [0, 1, np.nan, np.nan]]
    np.testing.assert_allclose(progress(clips), expected)
    np.testing.assert_allclose(progress(clips_from((grey(0, 0), [3, 5], 3))), [[1, 2]])


def test_filters_rise_to_the_apex_and_fall_to_the_offset():
    clips = bright_clips()
    table = filter_trajectories(clips, steps=5, draws=200)
    assert table["filter"].tolist() == [0] * 5 + [1] * 5 + [2] * 5
    spread = np.std(clips.faces.pixels[:, 0, 0].astype(float))
    first = table[table["filter"] == 0]
    assert first["progress"].tolist() == [0, 0.5, 1, 1.5, 2] and (first["clips"] == 4).all()
    np.testing.assert_allclose(
        first["change"],
        np.array([0, (5 + 10 + 15 + 20) / 4, 25, (5 + 10 + 15 + 20) / 4, 0]) / spread,
        atol=1e-6,
    )
    # Another scale and offset of the response is the same in standard deviations, and a constant never
    # changes.
    second, third = (table[table["filter"] == number] for number in (1, 2))
    np.testing.assert_allclose(second["change"], first["change"], atol=1e-6)
    assert not third[["change", "low", "high"]].to_numpy().any()
    assert first[["low", "high"]].iloc[2].to_numpy() * spread == pytest.approx([15, 35], abs=1e-4)


def test_intervals_are_those_of_the_subject_bootstrap():
    generator = np.random.default_rng(3)
    clips = clips_from(
        *[(generator.integers(0, 255, (3, 8, 8), dtype=np.uint8), [0, 4, 9], 4) for _ in range(7)]
    )
    row = filter_trajectories(clips, [0], steps=3, draws=300, seed=5).loc[1]
    maxima = maximal_responses(Brightness(), clips.faces, "conv").maxima[:, 0].astype(float)
    change = (maxima[1::3] - maxima[::3]) / maxima.std()
    sums = np.array([[part.sum(), len(part)] for part in (change[:2], change[2:4], change[4:6], change[6:])])
    expected = bootstrap(sums, draws=300, seed=5)
    assert row["change"] == pytest.approx(change.mean(), abs=1e-5)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), abs=1e-5)


def test_chosen_filters_have_the_rows_they_have_among_all():
    clips, every = bright_clips(), filter_trajectories(bright_clips(), draws=50)
    some = filter_trajectories(clips, [2, 1], draws=50)
    assert len(every) == 3 * 41
    expected = pd.concat([every[every["filter"] == 2], every[every["filter"] == 1]], ignore_index=True)
    pd.testing.assert_frame_equal(some, expected)


def test_a_clip_with_its_apex_at_an_end_has_no_way_there():
    clips = clips_from((grey(10, 20, 30), [1, 2, 3], 2), (grey(40, 10), [1, 2], 1), (grey(5, 9), [4, 6], 6))
    table = filter_trajectories(clips, [0], steps=5, draws=20)
    assert table["clips"].tolist() == [2, 2, 3, 2, 2]
    alone = filter_trajectories(clips.select(np.array([1])), [0], steps=5, draws=20)
    assert alone["clips"].tolist() == [0, 0, 1, 1, 1] and alone["change"][:2].isna().all()
    assert alone[["low", "high"]].isna().all().all()


def test_only_the_clips_chosen_are_looked_at():
    clips = bright_clips()
    some = filter_trajectories(clips.select(np.array([2, 0])), [0], steps=3, draws=20)
    pixels = np.concatenate([clips.faces.pixels[:5, 0, 0], clips.faces.pixels[9:12, 0, 0]]).astype(float)
    np.testing.assert_allclose(some["change"], np.array([0, 20, 0]) / pixels.std(), atol=1e-6)


def test_an_unknown_layer_is_refused():
    with pytest.raises(ParameterError, match="no layer"):
        response_changes(Brightness(), "relu9", bright_clips(), [0])
