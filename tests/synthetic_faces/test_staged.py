"""Faces to order: what was asked for, and nothing else between two pictures of one take."""

import numpy as np
import pytest

from ferbook.errors import FerError, ParameterError
from synthetic_faces import shares, staged
from synthetic_faces.facs import AUS
from synthetic_faces.produce import Recipe
from synthetic_faces.staged import Script, render_script, staged_faces, take

RECIPE = Recipe("lab", subjects=3, size=24, seed=0)


def script() -> Script:
    """Two people: neutral, and a smile, in a first take; neutral and a smile of the left half in a second one
    of the second person.
    """
    people = np.array([4, 9, 4, 9, 9, 9])
    takes = np.array([0, 0, 0, 0, 1, 1])
    intensities = np.zeros((6, len(AUS), 2))
    smile = AUS.index("AU12")
    intensities[2, smile] = intensities[3, smile] = 1
    intensities[5, smile, 0] = 1
    return Script(people, takes, intensities)


@pytest.fixture(scope="module")
def faces(cache):
    return render_script(script(), RECIPE, workers=2)


def test_one_worker_makes_the_same_bits(faces):
    alone = render_script(script(), RECIPE, workers=1)
    assert alone.checksum == faces.checksum


def test_pictures_of_one_take_differ_where_the_units_move(faces):
    pixels = faces.pixels.astype(int)
    for off, on in ((0, 2), (1, 3)):
        change = np.abs(pixels[on] - pixels[off])
        # Noise and all else is the same; a smile reaches the forehead by less than the noise, which is 3 grey
        # levels.
        assert change[:6].max() <= 1 and change[14:].max() > 20
    left = np.abs(pixels[5] - pixels[4])
    assert left[:, 12:].sum() > 2 * left[:, :12].sum()


def test_another_take_or_person_is_another_picture(faces):
    pixels = faces.pixels.astype(int)
    assert np.abs(pixels[1] - pixels[4])[:6].max() > 5 and np.abs(pixels[0] - pixels[1])[:6].max() > 5
    assert take("lab", 0, 9, 0) == take("lab", 0, 9, 0) != take("lab", 0, 9, 1)
    assert take("lab", 1, 9, 0) != take("lab", 0, 9, 0)


def test_nothing_is_computed_from_a_whole_picture():
    shots = [take("wild", 0, 0, number) for number in range(5)]
    assert all(shot.levels == 0 and shot.contrast == 1 for shot in shots)


def test_the_table_says_what_was_asked_for(faces):
    table = faces.table
    assert list(table["subject"]) == ["lab-S005", "lab-S010", "lab-S005", "lab-S010", "lab-S010", "lab-S010"]
    assert list(table["sequence"].str[-2:]) == ["-1", "-1", "-1", "-1", "-2", "-2"]
    assert list(table["frame"]) == [0, 0, 1, 1, 0, 1]
    assert list(table["AU12"]) == [0, 0, 1, 1, 0, 1] and not table["AU4"].any()
    assert faces.mask_aus == AUS and faces.mask("AU12")[:, 14:].any() and faces.landmarks.shape == (6, 68, 2)


def test_a_script_is_rendered_once(cache, monkeypatch):
    made = []
    monkeypatch.setattr(
        staged, "render_script", lambda given, recipe, workers: made.append(recipe) or fake(given)
    )

    def fake(given):
        from fer_lib.faces.faceset import FaceSet

        return FaceSet("lab-staged", np.zeros((6, 16, 16), np.uint8), staged._table(given, "lab"))

    first, again = staged_faces(script(), size=16), staged_faces(script(), size=16)
    other = script()
    other.intensities[0, 0] = 0.5
    staged_faces(other, size=16)
    staged_faces(script(), size=16, seed=1)
    assert first.checksum == again.checksum and len(made) == 3


def test_a_worker_that_fails_is_named_with_its_last_words(cache, monkeypatch):
    run = shares.run_shares

    def run_elsewhere(module, wanted, *rest):
        run(module, {**wanted, "folder": wanted["folder"] + "-gone"}, *rest)

    monkeypatch.setattr(shares, "run_shares", run_elsewhere)
    with pytest.raises(FerError, match=r"staged faces ended with status 1: FileNotFoundError"):
        render_script(script(), RECIPE, workers=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people": np.array([0.0])}, "people must be whole numbers"),
        ({"takes": np.array([-1])}, "takes must be whole numbers"),
        ({"takes": np.array([0, 1])}, "2 takes"),
        ({"intensities": np.zeros((1, 3, 2))}, "intensities of shape"),
        ({"intensities": np.full((1, len(AUS), 2), np.nan)}, "between 0 and 1"),
        ({"people": np.array([], int)}, "at least one picture"),
    ],
)
def test_what_cannot_be_rendered_is_refused(change, message):
    good = {"people": np.array([0]), "takes": np.array([0]), "intensities": np.zeros((1, len(AUS), 2))}
    with pytest.raises(ParameterError, match=message):
        Script(**good | change)


def test_size_and_domain_are_checked_before_anything_is_rendered():
    with pytest.raises(ParameterError, match="size"):
        staged_faces(script(), size=8)
    with pytest.raises(ParameterError, match="synthetic domain"):
        staged_faces(script(), domain="studio")
