"""Face sets of the generator: splits of people, FACS codes, one key for all that they depend on, and the
cache.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from book.faces.study import mutual_information
from face_sets import rendered
from face_sets.cache import cached
from face_sets.faceset import EMOTIONS, LABELS, LANDMARKS, SPLITS, FaceSet
from face_sets.facs_codes import format_codes
from face_sets.registry import fingerprint
from face_sets.rendered import cache_key, entry_kind, rendered_faces, script_table, scripted_faces, set_table
from face_sets.request import FaceRequest
from ferbook import paths
from ferbook.errors import DataError
from synthetic_faces import expressions, landmarks
from synthetic_faces.domains import FAMILIES
from synthetic_faces.errors import RenderError, SettingError
from synthetic_faces.facs import AUS
from synthetic_faces.produce import Recipe
from synthetic_faces.script import Script
from synthetic_faces.versions import VERSIONS, versioned
from tests.face_sets.readers.writers.facs_codes import codes_of

TINY = {"domain": "lab", "subjects": 3, "size": 24, "seed": 0}


def table_of(**changes):
    return set_table(Recipe(**{**TINY, **changes}))


def two_people() -> Script:
    """Two people, neutral and smiling."""
    intensities = np.zeros((4, len(AUS), 2))
    intensities[2:, AUS.index("AU12")] = 1
    return Script(np.array([4, 9, 4, 9]), np.array([0, 1, 0, 1]), intensities)


@pytest.fixture
def own_cache(tmp_path, monkeypatch, face_cache):
    """No face set is kept here yet, but the head and the kernels are."""
    for name in ("assets", "warp"):
        (tmp_path / name).symlink_to(face_cache / name)
    monkeypatch.setenv("FER_CACHE", str(tmp_path))
    return tmp_path


def test_the_generator_names_emotions_and_landmarks_as_face_sets_do():
    assert (expressions.EMOTIONS, expressions.LABELS) == (EMOTIONS, LABELS)
    assert len(landmarks.LANDMARK_VERTICES) == LANDMARKS


def test_a_set_is_made_once_and_nothing_is_printed(own_cache, capfd, monkeypatch):
    asked, make = [], rendered.produce
    monkeypatch.setattr(
        rendered, "produce", lambda *given, **how: asked.append(make(*given, **how)) or asked[0]
    )
    made = rendered_faces(FaceRequest("lab", 3, 24))
    for name, array in asked[0].items():
        np.testing.assert_array_equal(getattr(made, name), array)
    assert made.name == "lab" and made.mask_aus == AUS == made.aus
    assert made.masks.shape == made.pixels.shape and made.landmarks.shape == (len(made), LANDMARKS, 2)
    monkeypatch.setattr(rendered, "render_set", lambda *_, **__: pytest.fail("made although it was kept"))
    again = rendered_faces(FaceRequest("lab", 3, 24))
    assert again.checksum == made.checksum
    np.testing.assert_array_equal(again.masks, made.masks)
    assert capfd.readouterr() == ("", "")


def test_codes_say_the_same_as_the_intensities():
    table = table_of(subjects=9)
    without = table.drop(columns="facs")
    assert table["facs"].tolist() == [format_codes(codes) for codes in codes_of(without)]
    row = table[table["AU12"] > 0].iloc[0]
    assert f"12{'ABCDE'[int(np.ceil(5 * row['AU12_left'])) - 1]}" in row["facs"]


def test_a_clip_says_when_it_happened():
    table = table_of(domain="micro", subjects=26)
    clips = table.groupby("sequence")
    assert clips.ngroups == 246 and (clips.size() == 16).all()
    assert (clips["emotion"].nunique() == 1).all()
    ends = clips["frame"].agg(["min", "max"])
    assert (ends["min"] == clips["onset"].first()).all() and (ends["max"] == clips["offset"].first()).all()
    assert set(table["fps"]) == {200.0}
    assert ((table["offset"] - table["onset"]) / table["fps"]).max() < 0.5


def test_more_frames_of_a_clip_change_neither_its_split_nor_what_is_shown():
    recipe = Recipe("micro", 5, 24)
    few, every = set_table(recipe, 16), set_table(recipe, 0)
    both = few.merge(every, on=["sequence", "frame"])
    assert len(both) == len(few) < len(every)
    for column in ("split", "facs", "AU4", "emotion"):
        assert (both[f"{column}_x"] == both[f"{column}_y"]).all()


def test_a_family_whose_people_leave_an_emotion_out_is_refused(monkeypatch):
    family = next(iter(FAMILIES))
    assert set(table_of(domain="wild", subjects=40, family=family)["split"]) == set(SPLITS)
    monkeypatch.setattr(rendered, "split_people", lambda people, *_: np.full(len(people), "train"))
    told = f"wild/.* 40 people of the family '{family}' has no picture of neutral, anger.*'valid'"
    with pytest.raises(DataError, match=told):
        table_of(domain="wild", subjects=40, family=family)
    assert len(table_of(domain="wild", subjects=40))


def test_no_unit_of_a_set_is_a_function_of_its_emotion():
    table = table_of(subjects=118)
    # The 18 sequences of contempt are too few to tell .9 from 1.
    several = table[table["emotion"] != "contempt"]
    shares = (several[list(AUS)] > 0).groupby(several["emotion"]).mean()
    assert shares.to_numpy().max() < 0.97
    assert mutual_information(table, AUS)["adjusted"].max() < 0.85


@pytest.mark.parametrize(("domain", "subjects"), [("lab", 24), ("wild", 300), ("micro", 26)])
def test_splits_share_nobody_and_hold_every_class(domain, subjects):
    table = table_of(domain=domain, subjects=subjects)
    assert (table.groupby("subject")["split"].nunique() == 1).all()
    classes = set(table["emotion"])
    for split in SPLITS:
        assert set(table.loc[table["split"] == split, "emotion"]) == classes
    people = table.groupby("subject")["split"].first().value_counts(normalize=True)
    assert 0.5 < people["train"] < 0.7 and 0.1 < people["valid"] < 0.3 and 0.1 < people["test"] < 0.3
    assert table["split"].tolist() == table_of(domain=domain, subjects=subjects)["split"].tolist()


@pytest.mark.parametrize(
    ("name", "value"), [("name", "zoo"), ("subjects", 2), ("size", 8), ("face_seed", -1)]
)
def test_bad_arguments_are_refused_by_name(name, value):
    said = {"name": "domain", "face_seed": "seed"}.get(name, name)
    with pytest.raises(SettingError, match=f"{said} "):
        rendered_faces(replace(FaceRequest("lab", 3, 24), **{name: value}))


def test_nought_is_the_domains_own_number(monkeypatch):
    asked = []
    monkeypatch.setattr(rendered, "cached", lambda name, key, make: asked.append((name, key)))
    rendered_faces(FaceRequest("micro"))
    rendered_faces(FaceRequest("wild", 12))
    micro, wild = (versioned(name).replace("/", "-") for name in ("micro", "wild"))
    assert [(name, key["subjects"], key["size"]) for name, key in asked] == [
        (f"{micro}-26-people-96-px-seed-0", 26, 96),
        (f"{wild}-12-people-48-px-seed-0", 12, 48),
    ]


@dataclass(frozen=True)
class WithOptions(Recipe):
    breed: str = "all"


def test_options_are_in_key_and_name_where_they_are_not_at_their_default():
    plain, one = WithOptions.of("lab", 3, 24), WithOptions.of("lab", 3, 24, timing="by_unit", breed="a b")
    assert plain.key == Recipe("lab", 3, 24).key == WithOptions.of("lab", 3, 24, breed="all").key
    # What the domain has anyway is no option of its own.
    assert one.key == plain.key | {"breed": "a b"}
    assert Recipe.of("lab", 3, 24, timing="together").key == plain.key | {"timing": "together"}
    assert entry_kind(one, "script").endswith("-script-24-px-seed-0-a-b")
    with pytest.raises(SettingError, match=r"no option 'tming' .* the options are .*timing, .*breed"):
        WithOptions.of("lab", tming="together")


def test_the_key_follows_arguments_and_the_version(monkeypatch):
    keys = [cache_key(Recipe(**TINY)), cache_key(Recipe(**{**TINY, "domain": "wild"}))]
    keys += [cache_key(Recipe(**{**TINY, name: TINY[name] + 1})) for name in ("subjects", "size", "seed")]
    keys += [cache_key(Recipe("micro", 3, 24, 0), clip_frames=count) for count in (0, 16, 24)]
    with monkeypatch.context() as patch:
        patch.setitem(VERSIONS, "lab", 77)
        keys.append(cache_key(Recipe(**TINY)))
    assert len({str(key) for key in keys}) == 9
    assert cache_key(Recipe(**TINY)) == keys[0] == cache_key(Recipe(**{**TINY, "domain": versioned("lab")}))


def test_a_moved_or_edited_file_of_the_generator_leaves_sets_as_they_are(own_cache, tmp_path):
    recipe = Recipe(**TINY)
    kind, key = entry_kind(recipe, "3-people"), cache_key(recipe, clip_frames=16)
    kept = cached(
        kind, key, lambda: FaceSet("lab", np.zeros((4, 24, 24), np.uint8), script_table(two_people(), "lab"))
    )
    for room in ("face_sets", "fer_lib", "synthetic_faces"):
        shutil.copytree(paths.ENGINE.parent / room, tmp_path / "code" / room)
    generator = tmp_path / "code" / "synthetic_faces"
    (generator / "paint.py").rename(generator / "brush.py")
    for file in generator.glob("*.py"):
        edited = file.read_text().replace("synthetic_faces.paint", "synthetic_faces.brush")
        file.write_text(f"{edited}\nEDITED = True\n")
    asked = (
        "from face_sets import rendered, registry; import synthetic_faces.render as r; assert r.EDITED\n"
        "rendered.render_set, three = None, registry.FaceRequest('lab', 3, 24)\n"
        "print(rendered.rendered_faces(three).checksum, registry.fingerprint(three))"
    )
    there = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path / "code", paths.ENGINE.parent)))}
    command = [sys.executable, "-c", asked]
    told = subprocess.run(command, cwd=tmp_path, env=there, capture_output=True, text=True)
    assert told.stdout.strip() == f"{kept.checksum} {fingerprint(FaceRequest('lab', 3, 24))}", told.stderr


def test_a_script_is_rendered_once(own_cache, monkeypatch):
    made = []

    def fake(script, recipe, workers):
        made.append(recipe)
        return FaceSet("lab-staged", np.zeros((4, 16, 16), np.uint8), script_table(script, "lab"))

    monkeypatch.setattr(rendered, "render_ordered", fake)
    first, again = scripted_faces(two_people(), size=16), scripted_faces(two_people(), size=16)
    other = two_people()
    other.intensities[0, 0] = 0.5
    scripted_faces(other, size=16)
    scripted_faces(two_people(), size=16, seed=1)
    assert first.checksum == again.checksum and len(made) == 3


def test_the_faces_of_a_script_say_what_was_asked_for(own_cache):
    faces = scripted_faces(two_people(), size=16, workers=1)
    table = faces.table
    assert list(table["subject"]) == ["lab-S005", "lab-S010"] * 2
    assert list(table["sequence"].str[-2:]) == ["-1", "-2"] * 2 and list(table["frame"]) == [0, 0, 1, 1]
    assert set(table["split"]) == {"test"} and set(table["emotion"]) == {""}
    assert faces.mask_aus == AUS and faces.mask("AU12")[:, 9:].any() and faces.landmarks.shape == (4, 68, 2)


def test_what_fails_in_a_worker_is_said(own_cache, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RenderError, match="ended with status 1 as it started"):
        scripted_faces(two_people(), size=16, workers=1)
