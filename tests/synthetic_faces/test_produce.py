"""Whole sets: the rows, the pictures, and that these depend on what was asked for alone."""

import hashlib
from itertools import groupby
from operator import attrgetter

import nbclient
import nbformat
import numpy as np
import pytest

from ferbook import paths
from synthetic_faces.domains import DOMAINS, sequence_counts
from synthetic_faces.errors import SettingError
from synthetic_faces.expressions import EMOTIONS
from synthetic_faces.facs import AUS
from synthetic_faces.people import draw_person
from synthetic_faces.produce import Recipe, picture_rows, render_sequences
from synthetic_faces.sequences import draw_course, draw_shots

TINY = {"domain": "lab", "subjects": 3, "size": 24, "seed": 0}


def rows_of(**changes):
    return picture_rows(Recipe(**{**TINY, **changes}))


def digest_of(arrays) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()


def taken(renderer, recipe, sequences, choose=None):
    """What the renderer makes of the ``sequences`` of one person, in this process."""
    domain = DOMAINS[recipe.domain]
    courses = [draw_course(domain, recipe.seed, sequence, choose) for sequence in sequences]
    wanted = [
        (sequence.label, sequence.repeat, course.frames)
        for sequence, course in zip(sequences, courses, strict=True)
    ]
    pictures = render_sequences(renderer, recipe.domain, recipe.seed, sequences[0].subject, wanted)
    return courses, [np.stack(part) for part in zip(*pictures, strict=True)]


def test_the_set_holds_the_sequences_of_its_plan(nine, small):
    table, counts = picture_rows(nine), sequence_counts(DOMAINS["lab"], 9)
    assert set(table["dataset"]) == {"lab"}
    assert small["pixels"].shape == (len(table), 24, 24) == (4 * sum(counts.values()), 24, 24)
    assert small["masks"].shape == small["pixels"].shape and small["landmarks"].shape == (len(table), 68, 2)
    assert table["subject"].iloc[0] == "lab-S001" and table["subject"].nunique() == 9
    assert (table.groupby("sequence").size() == 4).all()
    last = table.groupby("sequence").last()
    assert last["emotion"].value_counts().to_dict() == counts
    assert (table.groupby("sequence").first()["emotion"] == "neutral").all()
    assert (table["frame"].iloc[3::4].to_numpy() == table["apex"].iloc[3::4].to_numpy()).all()


def test_no_picture_is_empty_or_repeated_and_masks_and_landmarks_lie_in_it(small):
    pixels, masks = small["pixels"], small["masks"]
    assert (pixels.reshape(len(pixels), -1).std(axis=1) > 8).all()
    assert len({picture.tobytes() for picture in pixels}) == len(pixels)
    assert masks.reshape(len(pixels), -1).any(axis=1).all()
    assert (masks < 1 << len(AUS)).all()
    eyes = small["landmarks"][:, 36:48].mean(axis=1)
    assert (eyes > 4).all() and (eyes < 20).all()
    # Brows move above the middle, lips below it.
    heights = {au: np.nonzero(masks >> AUS.index(au) & 1)[1].mean() for au in ("AU2", "AU12")}
    assert heights["AU2"] < 12 < heights["AU12"]


@pytest.mark.slow
def test_one_worker_asked_from_a_notebook_makes_the_same_bits_and_no_output_but_the_result(
    small, face_cache, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(paths.root()))
    cell = nbformat.v4.new_code_cell(
        "import hashlib, pathlib\n"
        "from synthetic_faces.produce import Recipe, produce\n"
        f"made = produce(Recipe('lab', 9, 24, 0), workers=1, cache=pathlib.Path({str(face_cache)!r}))\n"
        "print(hashlib.sha256(b''.join(array.tobytes() for array in made.values())).hexdigest())"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert (output.name, output.text.strip()) == ("stdout", digest_of(small))


def test_a_picture_depends_on_its_sequence_alone(nine, small, renderer):
    fewer = Recipe(**TINY)
    table, seen = picture_rows(nine), 0
    for person, own in groupby(fewer.plan(), attrgetter("subject")):
        both = [sequence for sequence in own if sequence in nine.plan()]
        seen += len(both)
        if both:
            _, arrays = taken(renderer, fewer, both)
            names = [f"lab-S{person + 1:03d}-{s.emotion}-{s.repeat + 1}" for s in both]
            rows = np.concatenate([np.flatnonzero(table["sequence"] == name) for name in names])
            for name, array in zip(small, arrays, strict=True):
                np.testing.assert_array_equal(array, small[name][rows])
            same = rows_of().set_index("sequence").loc[names, list(AUS)]
            np.testing.assert_array_equal(same, table.loc[rows, list(AUS)])
    assert seen >= 3


def test_a_sample_has_one_sequence_of_each_person_as_the_whole_set_has_it():
    whole, sample = rows_of(subjects=9), rows_of(subjects=9, sample="one")
    assert sample.groupby("subject")["sequence"].nunique().eq(1).all() and sample["subject"].nunique() == 9
    assert sample["emotion"].nunique() > 4
    there = whole[whole["sequence"].isin(sample["sequence"])].reset_index(drop=True)
    assert there.equals(sample)
    with pytest.raises(SettingError, match="sample is 'two'"):
        Recipe("lab", 9, 24, sample="two")


def test_another_seed_gives_other_people_and_other_pictures(small, renderer):
    other = Recipe(**{**TINY, "seed": 1})
    pixels = taken(renderer, other, [s for s in other.plan() if s.subject == 0])[1][0]
    assert not {picture.tobytes() for picture in small["pixels"]} & {picture.tobytes() for picture in pixels}
    units = [rows_of(seed=seed)[list(AUS)].to_numpy() for seed in (0, 1)]
    assert not np.array_equal(*units)


def test_a_picture_is_what_the_renderer_makes_of_its_row(nine, small, renderer):
    lab, table = DOMAINS["lab"], picture_rows(nine)
    place, sequence = next((k, s) for k, s in enumerate(nine.plan()) if s.emotion == "fear")
    row = table.iloc[4 * place + 2]
    intensities = np.array([[row[f"{au}_left"], row[f"{au}_right"]] for au in AUS])
    shot = draw_shots(lab, 0, sequence, draw_course(lab, 0, sequence))[2]
    person = draw_person(renderer.assets, 0, lab.first_person + sequence.subject, lab.looks)
    rendered = renderer.render(person, intensities, shot, lab.capture)
    for name, array in small.items():
        np.testing.assert_array_equal(array[4 * place + 2], getattr(rendered, name))


def test_an_intensity_is_that_of_the_stronger_half(nine):
    table = picture_rows(nine)
    for au in AUS:
        stronger = table[[f"{au}_left", f"{au}_right"]].max(axis=1)
        np.testing.assert_array_equal(table[au], stronger)


def test_what_people_said_stands_beside_what_was_shown():
    wild, game = rows_of(domain="wild", subjects=150), rows_of(domain="game", subjects=3)
    assert 0.05 < (wild["emotion"] != wild["true_emotion"]).mean() < 0.15
    votes = game[[f"vote_{emotion}" for emotion in EMOTIONS]]
    assert (votes.sum(axis=1) == 10).all() and not any(c.startswith("vote_") for c in wild.columns)
    chosen = game["emotion"].map(dict(zip(EMOTIONS, range(8), strict=True)))
    assert (votes.to_numpy()[range(len(game)), chosen] == votes.max(axis=1)).all()
    assert "true_emotion" not in rows_of() and "fps" not in wild and "fps" not in game


def test_a_clip_at_full_rate_holds_every_frame_and_those_taken_of_fewer_are_the_same_pictures(renderer):
    recipe = Recipe("micro", 3, 24)
    table = picture_rows(recipe)
    for clip in (table[table["sequence"] == name] for name in table["sequence"].unique()):
        onset, offset = clip[["onset", "offset"]].iloc[0]
        assert clip["frame"].tolist() == list(range(onset, offset + 1))
    sequence = recipe.plan()[:1]
    (whole,), every = taken(renderer, recipe, sequence)
    (few,), some = taken(renderer, recipe, sequence, lambda frames, apex: sorted({*frames[::7], apex}))
    assert whole.apex in few.frames and len(few.frames) < 20
    same = [whole.frames.index(frame) for frame in few.frames]
    for more, fewer in zip(every, some, strict=True):
        np.testing.assert_array_equal(more[same], fewer)


@pytest.mark.parametrize(("name", "value"), [("domain", "zoo"), ("subjects", 2), ("size", 8), ("seed", -1)])
def test_bad_arguments_are_refused_by_name(name, value):
    with pytest.raises(SettingError, match=f"{name} "):
        Recipe(**{**TINY, name: value})


def test_numbers_of_numpy_are_numbers():
    assert Recipe(**{**TINY, "size": np.int64(24)}) == Recipe(**TINY)
