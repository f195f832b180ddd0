"""The exercises that need a set under licence, followed on rendered people in its layout; and that every
exercise is followed.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from face_sets.registry import open_faces
from face_sets.request import FaceRequest
from ferbook.book import chapters
from ferbook.notebook import read_notebook
from synthetic_faces.facs import AUS
from tests.book.test_exercises import exercises
from tests.book.test_exercises_followed import FOLLOWED, Followed, follows, printed
from tests.conftest import make_clone
from tests.face_sets.readers.writers.every import export_faces

# Set under licence -> the rendered set, and how many of its people, that are written in its layout.
WRITTEN = {"ckplus": ("lab", 60), "casme2": ("micro", 16), "fer2013": ("wild", 100)}

# The seed of their faces: chapters draw no such people.
STRANGERS = 7

# Chapter and number of each exercise that is not followed here -> why, or where it is.
ELSEWHERE = {
    ("derl", 3): "a tendency of long trainings",
    ("truth", 4): "test_evaluation.py puts a method on trial",
}


@pytest.fixture(scope="module")
def licensed(tmp_path_factory):
    """Follow ``ferbook run CHAPTER --faces SET`` as a holder of the set does."""
    data = tmp_path_factory.mktemp("licensed")
    for layout, (domain, people) in WRITTEN.items():
        request = FaceRequest(domain, subjects=people, size=48, face_seed=STRANGERS)
        export_faces(open_faces(request), layout, data)
    clone = make_clone(tmp_path_factory.mktemp("holder"))
    holder = replace(clone, environment=clone.environment | {"FER_DATA": str(data)})

    def run(chapter, faces, *words):
        name = "-".join([faces, *words]).replace("=", "-")
        small = ("--profile", "smoke", "--cores", "1")
        holder.ferbook("run", chapter, "--faces", faces, *words, *small, "--run", name)
        folder = holder.result(name, chapter)
        return Followed(folder, printed(folder / f"{chapter}.ipynb"), "")

    return run


@follows("au_verification", 4)
def test_of_a_real_set_the_claims_are_about_its_pictures_and_units_are_switched_on_in_rendered_ones(licensed):
    own = licensed("au_verification", "ckplus")
    assert own.said("Pictures and action units are those of ckplus.")
    assert own.said("Units are activated in rendered faces.")
    pictures = own.figure("one_filter")[["with_it", "without"]].to_numpy().sum()
    assert pictures == licensed("faces", "ckplus").number("pictures") and len(own.figure("dose"))


@follows("deconvolution", 4)
def test_of_a_real_set_no_face_is_shown_and_regions_are_of_rendered_people(licensed):
    own = licensed("deconvolution", "ckplus")
    (shown,) = json.loads((own.folder / "record.json").read_text())["beside"]
    picture = own.figure("one_response")["picture"].item()
    assert shown["name"].startswith("lab/") and picture < shown["pictures"]


@follows("derl", 5)
def test_what_was_learned_from_rendered_people_is_put_to_photographs(licensed):
    own, faces = licensed("derl", "ckplus", "-p", "folds=2"), licensed("faces", "ckplus")
    tested = own.number("tested") / faces.number("pictures")
    assert 0.1 < tested < 0.3, "in two of ten folds, of which the page asks for all"


@follows("faces", 4)
def test_of_a_real_set_splits_classes_and_units_are_its_own_and_switches_rendered(licensed):
    own = licensed("faces", "ckplus")
    assert own.number("subjects") == WRITTEN["ckplus"][1] and own.number("subjects_in_two_splits") == 0
    assert own.number("informed_units") > 0 and own.number("switched_units") == len(AUS)


@follows("micro_expressions", 3)
def test_of_real_clips_the_rivals_are_asked_by_a_network_that_has_not_met_the_people(licensed):
    own = licensed("micro_expressions", "casme2", "-p", "training.folds=2")
    assert 1 < own.number("folds") < own.number("people") == WRITTEN["casme2"][1], "left out in groups"
    assert {"optical_flow_uf1", "lbp_top_uf1", "majority_uf1"} <= {*own.metrics}


@follows("structure_and_loss", 4)
def test_of_photographs_networks_are_trained_here(licensed):
    own = licensed("structure_and_loss", "fer2013", "-p", "kept=false")
    assert own.number("trainings") == own.number("structures") * own.number("losses")


@follows("training", 4)
def test_all_folds_of_a_real_set_give_the_protocol_s_accuracy(licensed):
    own = licensed("training", "ckplus", "-p", "folds=10")
    assert own.number("folds") == own.number("folds_in_protocol") == 10
    assert 0 < own.number("protocol_accuracy") < 1
    assert "protocol_accuracy" not in licensed("training", "ckplus").metrics


@follows("transfer", 3)
def test_rendered_faces_and_photographs_are_asked_of_one_another(licensed):
    own = licensed("transfer", "fer2013").figure("pairs")
    pairs = {*zip(own["trained_on"], own["tested_on"], strict=True)}
    assert pairs >= {("wild", "fer2013"), ("fer2013", "wild")}


@pytest.mark.parametrize("chapter", chapters())
def test_every_exercise_is_followed_or_it_is_said_why_not(chapter):
    count = len(exercises(read_notebook(chapters()[chapter].notebook)))
    asked = {(chapter, number + 1) for number in range(count)}
    followed = {key for key in FOLLOWED if key[0] == chapter}
    elsewhere = {key: why for key, why in ELSEWHERE.items() if key[0] == chapter}
    files = re.findall(r"test_\w+\.py", " ".join(elsewhere.values()))
    assert all(Path(__file__).with_name(file).is_file() for file in files)
    assert followed | elsewhere.keys() == asked and not followed & elsewhere.keys()
