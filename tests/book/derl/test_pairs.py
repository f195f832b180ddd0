"""Pairs of an expressive and a neutral picture: the right neutral one, for every layout, and exactly the same
take where rendered.
"""

import importlib

import numpy as np
import pandas as pd
import pytest

from book.derl import pairs
from book.derl.pairs import examples, expression_pairs, is_neutral, neutral_pairs, others_targets
from face_sets.faceset import FaceSet
from face_sets.registry import named_source
from face_sets.rendered import script_table
from ferbook.errors import DataError, ParameterError
from synthetic_faces.domains import DOMAINS
from synthetic_faces.errors import SettingError
from synthetic_faces.facs import ALTERNATIVES, AUS, OPPOSED
from synthetic_faces.people import PAIRED, STRANGERS
from tests.face_sets.readers.made_by_hand import micro_faces, pictures, posed_faces
from tests.face_sets.readers.writers.every import write_layout

SIZE = 24


def face_set(rows: list[tuple], **columns: object) -> FaceSet:
    table = pd.DataFrame(rows, columns=["subject", "sequence", "frame", "emotion"])
    return FaceSet("made", pictures(len(rows)), table.assign(dataset="made", split="train", **columns))


def test_the_neutral_picture_is_that_of_the_sequence_nearest_in_frames_then_the_persons_first():
    faces = face_set(
        [
            ("b", "2", 0, "neutral"),  # 0
            ("a", "1", 9, "fear"),  # 1: from 4 and 20 the nearer
            ("a", "1", 20, "neutral"),  # 2
            ("a", "1", 4, "neutral"),  # 3
            ("a", "1", 12, "fear"),  # 4: equally near, the earlier
            ("a", "1", 18, "fear"),  # 5
            ("a", "3", 0, "anger"),  # 6: none in its sequence, the person's first, which is row 3
            ("b", "1", 0, "anger"),  # 7: another person's sequence of the same name is not its own
            ("c", "1", 0, "anger"),  # 8: nobody's
            ("c", "1", 1, "fear"),  # 9
            ("", "", 0, "fear"),  # 10: unnamed
            ("a", "1", 5, ""),  # 11: neither emotion nor codes
            ("", "", 0, "neutral"),  # 12
        ]
    )
    found = neutral_pairs(faces)
    assert found.inputs.tolist() == [0, 1, 2, 3, 4, 5, 6, 7] and found.inputs.dtype == np.int64
    assert found.targets.tolist() == [0, 3, 2, 3, 3, 2, 3, 0] and found.targets.dtype == np.int64
    assert found.left_out == {"c": 2, "": 2}


def test_without_an_emotion_a_face_is_neutral_where_units_were_coded_and_none_is_shown():
    rows = [("a", "1", k, "") for k in range(4)]
    faces = face_set(rows, AU4=[0.0, 0.0, np.nan, np.nan], AU12=[0.0, 0.4, 0.0, np.nan])
    assert is_neutral(faces).tolist() == [True, False, True, False]
    found = neutral_pairs(faces)
    assert found.inputs.tolist() == [0, 1, 2] and found.targets.tolist() == [0, 0, 2]
    labelled = faces.assign(emotion="fear")
    with pytest.raises(DataError, match="no person has a neutral picture"):
        neutral_pairs(labelled)


def test_the_onset_is_the_neutral_picture_of_clips_that_have_no_neutral_label():
    faces = micro_faces()
    found = neutral_pairs(faces)
    assert (faces.table["frame"].to_numpy()[found.targets] == 10).all()
    sequences = faces.table[["subject", "sequence"]].agg("/".join, axis=1).to_numpy()
    assert (sequences[found.inputs] == sequences[found.targets]).all() and len(found.inputs) == len(faces)


# Layout -> whether each input's neutral picture can be of its sequence.
LAYOUTS = {"ckplus": True, "jaffe": False, "bp4d": True}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_export_read_back_gives_the_pairs_of_its_layout(layout, tmp_path):
    reader = importlib.import_module(named_source(layout).module)
    write_layout(layout, posed_faces(), tmp_path)
    faces = getattr(reader, f"read_{layout}")(tmp_path, SIZE)
    found, table = neutral_pairs(faces), faces.table
    assert len(found.inputs) == len(faces) == 24 and found.left_out == {}
    subjects = table["subject"].to_numpy(dtype=object)
    assert (subjects[found.inputs] == subjects[found.targets]).all()
    rest = is_neutral(faces)
    assert rest.sum() == 6 and rest[found.targets].all()
    assert (found.targets[rest] == found.inputs[rest]).all()
    sequences = table["sequence"].to_numpy(dtype=object)
    assert (sequences[found.inputs] == sequences[found.targets])[~rest].all() == LAYOUTS[layout]


def test_a_set_that_names_nobody_is_refused():
    with pytest.raises(DataError, match="does not say who is shown"):
        neutral_pairs(face_set([("", "", 0, "neutral"), ("", "", 0, "fear")]))


def test_other_peoples_targets_are_drawn_evenly_and_never_from_the_person():
    subjects = np.array(["b", "a", "b", "c", "b", "a"])
    drawn = np.stack([others_targets(subjects, seed) for seed in range(3000)])
    for pair, own in enumerate(subjects):
        counts = np.bincount(drawn[:, pair], minlength=6)
        others = subjects != own
        assert not counts[~others].any()
        # Binomial: four standard deviations.
        share = 1 / others.sum()
        assert np.abs(counts[others] / 3000 - share).max() < 4 * np.sqrt(share * (1 - share) / 3000)
    np.testing.assert_array_equal(others_targets(subjects, 5), others_targets(subjects, 5))
    with pytest.raises(DataError, match="one person"):
        others_targets(np.array(["a", "a"]))


@pytest.fixture
def scripts(monkeypatch):
    """Pictures that say what they would show, in the place of rendered ones: person, take, and one pixel per
    AU and half.
    """
    seen = []

    def fake(script, *, domain, size, seed):
        seen.append((script, domain, size, seed))
        pixels = np.zeros((len(script.people), size, size), np.uint8)
        pixels[:, 0, 0], pixels[:, 0, 1] = script.people - PAIRED, script.takes
        units = (255 * script.intensities.reshape(len(pixels), -1)).astype(np.uint8)
        pixels.reshape(len(pixels), -1)[:, 2 : 2 + units.shape[1]] = units
        return FaceSet("lab-staged", pixels, script_table(script, domain))

    monkeypatch.setattr(pairs, "scripted_faces", fake)
    return seen


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_rendered_pair_is_one_person_in_one_take_and_differs_by_the_expression(scripts, domain):
    faces, rows = expression_pairs(5, 24, 3, domain, expressions=7, takes=3)
    inputs, targets, table = faces.pixels, faces.pixels[rows], faces.table
    assert inputs.shape == (50, 24, 24)
    ((script, *settings),) = scripts
    assert settings == [domain, 24, 3] and script.people.min() == PAIRED > STRANGERS + 10_000
    assert DOMAINS[domain].first_person == 0 or DOMAINS[domain].first_person > PAIRED + 10_000
    np.testing.assert_array_equal(inputs[:, 0, :2], targets[:, 0, :2])
    neutral = (table["emotion"] == "neutral").to_numpy()
    assert neutral.sum() == 15 and (table[~neutral].groupby("subject").size() == 7).all()
    np.testing.assert_array_equal(inputs[neutral], targets[neutral])
    assert (np.abs(inputs[~neutral].astype(int) - targets[~neutral]).sum(axis=(1, 2)) > 0).all()
    np.testing.assert_allclose(table[list(AUS)], script.intensities.max(axis=2))
    assert table.groupby("sequence")["emotion"].first().eq("neutral").all()


def test_an_expression_lies_over_the_persons_own_neutral_face(scripts):
    table = expression_pairs(60, 24, 0, "lab", expressions=4, takes=2)[0].table
    # Others may have to go where an expression excludes or opposes them.
    bound = {au for groups in ALTERNATIVES for group in groups for au in group}
    free = sorted(set(AUS) - bound - set(OPPOSED))
    rest = table.groupby("sequence")[free].transform("first")
    assert (rest > 0).any().sum() > 3 and (table[free] >= rest).all(axis=None)


def test_everybody_shows_every_emotion_before_one_again(scripts):
    table = expression_pairs(4, 24, 0, "lab", expressions=10, takes=2)[0].table
    shown = table[table["emotion"] != "neutral"].groupby("subject")["emotion"]
    assert (shown.apply(lambda emotions: emotions.iloc[:7].nunique()) == 7).all()
    assert (shown.apply(lambda emotions: emotions.value_counts().max()) == 2).all()


def test_a_person_is_the_same_among_any_number_of_people(scripts):
    how = {"expressions": 3, "takes": 1}
    drawn = [expression_pairs(*each, "lab", **how)[0].pixels for each in ((1, 24, 0), (3, 24, 0), (1, 24, 1))]
    few, many, other = drawn
    np.testing.assert_array_equal(few, many[: len(few)])
    assert (other != few).any()


def test_an_unknown_domain_is_refused(scripts):
    with pytest.raises((ParameterError, SettingError), match="lob"):
        expression_pairs(2, 24, domain="lob", takes=1)
    assert not scripts


def test_examples_are_of_different_people_and_of_as_many_expressions_as_there_are():
    shown = [("a", "fear"), ("a", "anger"), ("b", "fear"), ("b", "anger"), ("c", "fear"), ("c", "anger")]
    faces = face_set([(who, "1", frame, emotion) for frame, (who, emotion) in enumerate(shown)])
    assert examples(faces, 2).tolist() == [0, 3] and examples(faces, 9).tolist() == [0, 3, 4]
