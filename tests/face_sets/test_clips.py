"""Clips of a face set: temporal order, what is refused, and leaving one subject out in clips."""

import numpy as np
import pandas as pd
import pytest

from face_sets.clips import clips_of
from face_sets.faceset import FaceSet
from face_sets.folds import clip_folds, leak_table, protocol_of
from face_sets.registry import REGISTRY
from face_sets.rendered import set_table
from face_sets.sources import CLIP_SETS
from ferbook.errors import DataError
from synthetic_faces.produce import Recipe

EMOTIONS = ("disgust", "happiness", "other")


def clip_rows(subject: str, sequence: str, frames, emotion: str, apex: int, **more) -> list[dict]:
    about = {"subject": subject, "sequence": sequence, "emotion": emotion, "split": "train", "fps": 200.0}
    about |= {"dataset": "micro", "onset": min(frames), "apex": apex, "offset": max(frames)} | more
    return [{"frame": frame} | about for frame in frames]


def a_set(rows: list[dict]) -> FaceSet:
    """Pictures of one grey value each: the row's number."""
    pixels = np.arange(len(rows), dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    return FaceSet("micro", pixels, pd.DataFrame(rows))


def three_clips() -> FaceSet:
    return a_set(
        [
            *clip_rows("b", "1", [10, 9, 12, 30], "happiness", 12),
            *clip_rows("a", "2", [5, 6], "disgust", 6),
            *clip_rows("a", "1", [100, 101, 103], "happiness", 103, fps=100.0),
        ]
    )


def people(count: int = 5, emotions=EMOTIONS) -> FaceSet:
    """Everybody shows everything once, in clips of three pictures."""
    return a_set(
        [
            row
            for person in range(count)
            for emotion in emotions
            for row in clip_rows(f"s{person}", f"s{person}-{emotion}", [1, 2, 3], emotion, 2)
        ]
    )


def test_three_clips_by_hand():
    clips = clips_of(three_clips())
    assert len(clips) == 3
    assert clips.rows.tolist() == [[6, 7, 8, -1], [4, 5, -1, -1], [1, 0, 2, 3]]
    assert clips.frames.tolist() == [[100, 101, 103, -1], [5, 6, -1, -1], [9, 10, 12, 30]]
    assert clips.lengths.tolist() == [3, 2, 4] == clips.inside.sum(axis=1).tolist()
    assert clips.subjects.tolist() == ["a", "a", "b"] and clips.sequences.tolist() == ["1", "2", "1"]
    assert clips.emotions.tolist() == ["happiness", "disgust", "happiness"]
    assert (clips.onset.tolist(), clips.apex.tolist(), clips.offset.tolist()) == (
        [100, 5, 9],
        [103, 6, 12],
        [103, 6, 30],
    )
    assert clips.apex_at.tolist() == [2, 1, 2] and clips.fps.tolist() == [100, 200, 200]
    assert clips.labels(("happiness", "disgust")).tolist() == [0, 1, 0]


def test_pictures_are_gathered_in_time_and_nothing_stands_beyond_the_end():
    pixels = clips_of(three_clips()).gather()
    assert pixels.shape == (3, 4, 4, 4) and pixels.dtype == np.uint8
    assert pixels[:, :, 0, 0].tolist() == [[6, 7, 8, 0], [4, 5, 0, 0], [1, 0, 2, 3]]


def test_the_order_of_the_pictures_on_disk_changes_no_clip():
    faces = three_clips()
    order = np.random.default_rng(0).permutation(len(faces))
    clips, mixed = clips_of(faces), clips_of(faces.select(order))
    np.testing.assert_array_equal(clips.frames, mixed.frames)
    np.testing.assert_array_equal(clips.gather(), mixed.gather())


def test_some_clips_keep_their_columns():
    clips = clips_of(three_clips())
    few = clips.select(np.array([False, True, True]))
    assert few.rows.tolist() == clips.rows[1:].tolist() and few.faces is clips.faces
    assert few.select(np.array([1])).subjects.tolist() == ["b"]
    assert clips.select(np.array([2, 0])).sequences.tolist() == ["1", "1"] and len(clips.select([])) == 0
    for wrong in ([3], [-1], [True], [0.5], [[0]]):
        with pytest.raises(DataError, match="clips"):
            clips.select(np.array(wrong))


def test_sets_with_clips_are_those_that_the_registry_opens_as_such():
    assert CLIP_SETS == ("micro", "casme2", "samm")
    assert {name for name, source in REGISTRY.items() if source.clips} == set(CLIP_SETS)


def test_a_set_without_clips_says_which_have_them():
    for column in ("onset", "apex", "offset", "fps"):
        faces = three_clips()
        bare = FaceSet("wild", faces.pixels, faces.table.drop(columns=column))
        with pytest.raises(DataError, match=rf"'wild' has no clips: no column {column}.*micro, casme2, samm"):
            clips_of(bare)
    with pytest.raises(DataError, match="has no clips: no picture"):
        clips_of(three_clips().select([]))
    table = set_table(Recipe("lab", 3, 16))
    with pytest.raises(DataError, match=r"expected one onset, .*and emotion for all .*micro, casme2, samm"):
        clips_of(FaceSet("lab", np.zeros((len(table), 16, 16), np.uint8), table))


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (4, "apex", np.nan, "clip 2 of a: expected one onset, apex"),
        (slice(4, 5), "apex", np.nan, "clip 2 of a: expected frame numbers"),
        (5, "emotion", "fear", "clip 2 of a: expected one .* emotion for all pictures"),
        (slice(4, 5), "apex", 7, "clip 2 of a: expected .* onset, apex and offset, in this order"),
        (slice(4, 5), "apex", 5.5, "clip 2 of a: expected a picture of its apex"),
        (slice(4, 5), "onset", 6, "clip 2 of a: expected all pictures between its onset and its offset"),
        (5, "frame", 5, "clip 2 of a: expected two pictures or more, all of different frames"),
        (5, "subject", "", "clip 2 of : expected a subject and a sequence"),
        (5, "sequence", "", "clip  of a: expected a subject and a sequence"),
        (slice(4, 5), "fps", 0.0, "clip 2 of a: expected a number of frames per second above 0"),
        (slice(4, 5), "onset", 4.5, "clip 2 of a: expected whole frame numbers"),
    ],
)
def test_what_is_no_clip_is_named(row, column, value, message):
    faces = three_clips()
    table = faces.table.copy()
    if isinstance(value, float):
        table[column] = table[column].astype(float)
    table.loc[row, column] = value
    with pytest.raises(DataError, match=message):
        clips_of(FaceSet("micro", faces.pixels, table))


def test_a_clip_of_one_picture_is_named():
    faces = a_set(clip_rows("a", "1", [7], "fear", 7))
    with pytest.raises(DataError, match=r"clip 1 of a: expected two pictures or more"):
        clips_of(faces)


def test_leaving_one_subject_out_in_clips():
    clips = clips_of(people(12))
    folds = clip_folds(clips, protocol_of(clips.faces))
    assert len(folds) == 12
    for number, (train, valid, test) in enumerate(folds):
        sides = [set(clips.subjects[part]) for part in (train, valid, test)]
        assert sides[2] == {np.unique(clips.subjects)[number]} and len(sides[1]) == 2
        assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
        assert sorted(np.concatenate([train, valid, test])) == list(range(36))
        assert {part.dtype for part in (train, valid, test)} == {np.dtype(np.int64)}


def test_folds_of_some_classes_leave_the_other_clips_out():
    clips = clips_of(people(5))
    folds = clip_folds(clips, protocol_of(clips.faces, ("disgust", "happiness")))
    for parts in folds:
        assert set(clips.emotions[np.concatenate(parts)]) == {"disgust", "happiness"}
    tested = sorted(np.concatenate([test for *_, test in folds]))
    assert tested == np.flatnonzero(clips.emotions != "other").tolist()


def test_folds_of_shuffled_and_partly_unlabelled_clips_are_the_same_people():
    faces = people(5)
    table = faces.table.copy()
    table.loc[table["sequence"] == "s0-other", "emotion"] = ""
    order = np.random.default_rng(0).permutation(len(faces))
    clips = clips_of(FaceSet("micro", faces.pixels, table).select(order))
    folds = clip_folds(clips, protocol_of(clips.faces))
    assert [set(clips.subjects[test]) for *_, test in folds] == [{f"s{k}"} for k in range(5)]
    assert clips.sequences[[k for k in range(15) if k not in np.concatenate(folds[0])]].tolist() == [
        "s0-other"
    ]


def test_a_class_that_one_person_shows_is_absent_from_training_when_this_person_is_tested():
    rows = people(5, ("disgust", "happiness")).table.to_dict("records")
    faces = a_set(rows + clip_rows("s2", "s2-other", [1, 2, 3], "other", 2))
    clips, protocol = clips_of(faces), protocol_of(faces)
    train, valid, test = clip_folds(clips, protocol)[2]
    assert "other" in clips.emotions[test] and "other" not in clips.emotions[np.concatenate([train, valid])]
    assert leak_table(faces, protocol)["absent_from_train"].tolist() == ["", "other", "other", "", ""]


def test_folds_that_leak_are_refused():
    faces = people(5)
    protocol = protocol_of(faces)
    mixed = faces.table.assign(subject=np.where(np.arange(len(faces)) < 9, "s1", faces.table["subject"]))
    with pytest.raises(DataError, match=r"fold 0 of .*: clips of s1 on two sides"):
        clip_folds(clips_of(FaceSet("micro", faces.pixels, mixed)), protocol)
