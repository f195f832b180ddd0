"""Controls take away what they say, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from book.micro_expressions.rivals import CONTROLS, controlled
from fer_lib.faces.clips import Clips, clips_of
from fer_lib.faces.faceset import FaceSet
from ferbook.errors import ParameterError


def clips_with(*lengths: int, apex: int = 1) -> Clips:
    """One clip per subject, of so many pictures; frame ``apex`` (from 0) is the apex."""
    rows = [
        {"subject": f"s{clip:02}", "sequence": "1", "frame": frame, "offset": length - 1}
        for clip, length in enumerate(lengths)
        for frame in range(length)
    ]
    table = pd.DataFrame(rows).assign(
        dataset="micro", emotion="other", split="train", onset=0, apex=apex, fps=200.0
    )
    return clips_of(FaceSet("micro", np.zeros((len(table), 8, 8), np.uint8), table))


def numbered(clips: Clips) -> np.ndarray:
    """Feature 0 of a frame is 10 · clip + place + 1, feature 1 its negative; zero beyond the end."""
    count, longest = clips.rows.shape
    first = 10 * np.arange(count)[:, None] + np.arange(longest) + 1.0
    return np.where(clips.inside[:, :, None], np.stack([first, -first], axis=2), 0).astype(np.float32)


def test_the_apex_takes_the_place_of_each_frame():
    clips = clips_with(4, 2)
    given = numbered(clips)
    kept = given.copy()
    apex, lengths = controlled(given, clips, "matched_apex")
    assert apex[:, :, 0].tolist() == [[2, 2, 2, 2], [12, 12, 0, 0]] and lengths.tolist() == [4, 2]
    assert apex[:, :, 1].tolist() == (-apex[:, :, 0]).tolist()
    np.testing.assert_array_equal(given, kept)


def test_shuffled_keeps_the_frames_of_each_clip_and_nothing_of_their_order():
    clips = clips_with(*[5] * 60, 3)
    given = numbered(clips)
    mixed, lengths = controlled(given, clips, "shuffled", seed=3)
    np.testing.assert_array_equal(np.sort(mixed[:-1, :, 0], axis=1), given[:-1, :, 0])
    assert sorted(mixed[-1, :3, 0]) == [601, 602, 603] and not mixed[-1, 3:].any()
    np.testing.assert_array_equal(mixed[:, :, 1], -mixed[:, :, 0])
    np.testing.assert_array_equal(lengths, clips.lengths)
    orders = mixed[:60, :, 0] - given[:60, :1, 0]
    # Each clip has an order of its own, and each frame comes first about equally often (12 of 60).
    assert len(np.unique(orders, axis=0)) > 30
    assert (np.bincount(orders[:, 0].astype(int), minlength=5) > 3).all()
    np.testing.assert_array_equal(mixed, controlled(given, clips, "shuffled", seed=3)[0])
    assert (mixed != controlled(given, clips, "shuffled", seed=4)[0]).any()


@pytest.mark.parametrize("name", CONTROLS)
def test_folds_with_features_of_their_own_are_changed_alike(name):
    clips = clips_with(4, 2, 3)
    given = numbered(clips)
    together, lengths = controlled(np.stack([given, 2 * given]), clips, name, seed=5)
    for fold, features in zip(together, (given, 2 * given), strict=True):
        alone, same = controlled(features, clips, name, seed=5)
        np.testing.assert_array_equal(fold, alone)
        np.testing.assert_array_equal(lengths, same)


def test_unknown_names_are_refused():
    clips = clips_with(4, 2)
    with pytest.raises(ParameterError, match=r"no control 'shufled'.*shuffled.*matched_apex"):
        controlled(numbered(clips), clips, "shufled")
