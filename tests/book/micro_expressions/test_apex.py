"""The apex found in clips where it is known."""

import numpy as np
import pandas as pd
import pytest

from book.micro_expressions.apex import METHODS, farthest, frame_places, spotting_errors, spotting_metrics
from face_sets.clips import Clips
from ferbook.errors import ParameterError
from tests.book.micro_expressions.made_clips import made_clips


def clips_from(*clips: tuple[np.ndarray, list[int], int]) -> Clips:
    """Of pictures (T, H, W), their frame numbers and the apex; two clips per subject."""
    volumes, frames, apexes = zip(*clips, strict=True)
    subjects = [f"s{number // 2}" for number in range(len(clips))]
    names = [f"c{number}" for number in range(len(clips))]
    return made_clips(volumes, frames, subject=subjects, sequence=names, apex=apexes)


def grey(*values: float, side: int = 8) -> np.ndarray:
    """One even picture per value."""
    return np.full((len(values), side, side), 0, np.uint8) + np.array(values, np.uint8)[:, None, None]


def test_the_first_of_the_farthest_frames_is_spotted_and_one_stands_for_a_clip():
    clips = clips_from((grey(*[0] * 4), [5, 7, 9, 11], 7), (grey(*[0] * 3), [1, 2, 3], 2))
    features = np.array([[[1, 1], [4, 5], [-2, -3], [1, 5]], [[3, 0], [3, 1], [3, 0.5], [99, 99]]], float)
    assert farthest(features, clips).tolist() == [1, 1]
    features = np.zeros((3, 2, 4, 2))
    features[1, :, 2] = 1
    assert frame_places(features, clips, "spotted").tolist() == [[0, 0], [2, 2], [0, 0]]
    assert frame_places(features, clips, "middle").tolist() == [[1, 1]] * 3
    assert frame_places(features, clips, "apex").tolist() == [[1, 1]] * 3
    with pytest.raises(ParameterError, match="frame"):
        frame_places(features, clips, "best")


def test_errors_of_every_method_by_hand():
    frames = [10, 12, 14, 16, 24]
    clips = clips_from((grey(50, 60, 90, 60, 52), frames, 12), (grey(50, 60, 61), [0, 100, 150], 100))
    rising = np.zeros((2, 5, 3))
    rising[:, :, 0] = np.arange(5)
    errors = spotting_errors(clips, {"trained": rising, "untrained": -rising[:, ::-1]})
    assert set(errors) == set(METHODS) and errors.index.tolist() == ["s0", "s0"]
    assert errors["trained"].tolist() == errors["untrained"].tolist() == [12, 50], "always the last frame"
    assert errors["pixels"].tolist() == [2, 50] and errors["middle"].tolist() == [4, 0]
    assert errors["random"].tolist() == pytest.approx([(2 + 0 + 2 + 4 + 12) / 5, (100 + 0 + 50) / 3])


def test_gains_are_paired_clip_by_clip():
    missed = {"trained": (1, 3, 5, 7), "untrained": (2, 4, 6, 9), "pixels": (8, 8, 8, 8)}
    missed |= {"middle": (2, 2, 2, 4), "random": (9, 9, 9, 9)}
    errors = pd.DataFrame(missed, index=pd.Index(["a", "a", "b", "c"], name="subject"), dtype=float)
    found = spotting_metrics(errors, draws=300)
    assert found["spotting_trained"].value == 4 and found["spotting_trained"].low < 4
    # 1, 1, 1, 2 frames clip by clip: by person 1, 1, 2.
    gain = found["spotting_gain_untrained"]
    assert gain.value == pytest.approx(1.25) and gain.low >= 1 and gain.high <= 2
    assert found["spotting_gain_middle"].value == pytest.approx(2.5 - 4)
    assert found["spotting_random"].low is None, "all draws give the same value"
