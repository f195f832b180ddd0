"""Faces to order: what was asked for, and nothing else between two pictures of one take."""

import numpy as np
import pytest

from synthetic_faces.domains import LAB
from synthetic_faces.errors import SettingError
from synthetic_faces.facs import AUS
from synthetic_faces.people import draw_person
from synthetic_faces.script import Script, render_script, script_rows, take


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
def faces(face_cache):
    return render_script(script(), "lab", 24, workers=2, cache=face_cache)


def test_each_picture_is_that_of_its_own_row(faces, renderer):
    told = script()
    for row, (person, number) in enumerate(zip(told.people.tolist(), told.takes.tolist(), strict=True)):
        someone, shot = draw_person(renderer.assets, 0, person, LAB.looks), take("lab", 0, person, number)
        picture = renderer.render(someone, told.intensities[row], shot, LAB.capture)
        for name, array in faces.items():
            np.testing.assert_array_equal(array[row], getattr(picture, name))


def test_pictures_of_one_take_differ_where_the_units_move(faces):
    pixels = faces["pixels"].astype(int)
    for off, on in ((0, 2), (1, 3)):
        change = np.abs(pixels[on] - pixels[off])
        # Noise and all else is the same; a smile reaches the forehead by less than the noise, which is 3 grey
        # levels.
        assert change[:6].max() < 3 and change[14:].max() > 20
    left = np.abs(pixels[5] - pixels[4])
    assert left[:, 12:].sum() > 2 * left[:, :12].sum()


def test_another_take_or_person_is_another_picture(faces):
    pixels = faces["pixels"].astype(int)
    assert np.abs(pixels[1] - pixels[4])[:6].max() > 5 and np.abs(pixels[0] - pixels[1])[:6].max() > 5
    assert take("lab", 0, 9, 0) == take("lab", 0, 9, 0) != take("lab", 0, 9, 1)
    assert take("lab", 1, 9, 0) != take("lab", 0, 9, 0)


def test_nothing_is_computed_from_a_whole_picture():
    shots = [take("wild", 0, 0, number) for number in range(5)]
    assert all(shot.levels == 0 and shot.contrast == 1 for shot in shots)


def test_the_rows_say_what_was_asked_for():
    table = script_rows(script(), "lab")
    assert list(table["subject"]) == ["lab-S005", "lab-S010", "lab-S005", "lab-S010", "lab-S010", "lab-S010"]
    assert list(table["sequence"].str[-2:]) == ["-1", "-1", "-1", "-1", "-2", "-2"]
    assert list(table["frame"]) == [0, 0, 1, 1, 0, 1]
    assert list(table["AU12"]) == [0, 0, 1, 1, 0, 1] and not table["AU4"].any()


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
    with pytest.raises(SettingError, match=message):
        Script(**good | change)
