"""The figures of the faces show the pictures and counts that they were given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from book.faces import figures
from fer_lib.faces.faceset import FaceSet
from synthetic_faces.studio import Switched


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def toy_faces(aus: bool = False, size: int = 48, subjects: int = 6) -> FaceSet:
    """Three emotions; the grey value of a picture tells its emotion and subject."""
    rows, pixels = [], []
    for k, emotion in enumerate(("neutral", "anger", "happiness")):
        for s in range(subjects):
            rows.append(
                {
                    "dataset": "toy",
                    "subject": f"s{s}",
                    "sequence": "",
                    "frame": 0,
                    "emotion": emotion,
                    "split": ("train", "train", "train", "valid", "test", "test")[s % 6],
                    **(
                        {"AU4": float(emotion == "anger"), "AU12": 0.5 * (emotion == "happiness")}
                        if aus
                        else {}
                    ),
                }
            )
            pixels.append(np.full((size, size), (80 * k + s) % 256, dtype=np.uint8))
    return FaceSet("toy", np.stack(pixels), pd.DataFrame(rows))


def only(faces: FaceSet, *emotions: str) -> FaceSet:
    return faces.select(faces.table["emotion"].isin(emotions).to_numpy())


def toy_switched() -> Switched:
    """Two units, the first of which changes its own region only, the second half its own and half outside."""
    off = np.full((8, 8), 100, np.uint8)
    on = np.stack([off, off])
    masks = np.zeros((2, 8, 8), bool)
    masks[:, :4] = True
    on[0, :2] += 40
    on[1, 3:5] -= 20
    return Switched(("AU1", "AU12"), off, on, masks)


DRAWINGS = {
    "portraits": lambda: figures.portraits(toy_faces().pixels[:7]),
    "expressions": lambda: figures.expressions(
        toy_faces().pixels[[0, 6, 12]], ("neutral", "anger", "fear"), ("", "4+7", "1+2+5")
    ),
    "switched_units": lambda: figures.switched_units(toy_switched()),
    "realised_units": lambda: figures.realised_units(*toy_builds()),
    "face_rows": lambda: figures.face_rows({"a": toy_faces(), "b": toy_faces(size=24)}, 3, 0),
    "class_counts": lambda: figures.class_counts(toy_faces()),
    "mean_faces": lambda: figures.mean_faces(toy_faces()),
    "sample_grid": lambda: figures.sample_grid(toy_faces(), samples=4, seed=0),
    "au_by_emotion": lambda: figures.au_by_emotion(toy_faces(aus=True)),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_what_is_drawn_can_be_stored(name, well_drawn):
    well_drawn(DRAWINGS[name])


def test_class_counts_by_hand():
    drawn = figures.class_counts(toy_faces())
    data, alt = drawn.data, drawn.alt
    counts = data.set_index(["emotion", "split"])["pictures"]
    assert counts.loc["anger"].to_dict() == {"train": 3, "valid": 1, "test": 2}
    assert counts.sum() == 18
    assert "All 3 emotions have the same number of pictures, 6." in alt
    fewer = toy_faces().select(np.arange(16))
    assert "the rarest happiness (4)" in figures.class_counts(fewer).alt


def test_class_counts_bars_end_at_the_totals():
    drawn = figures.class_counts(toy_faces().select(np.arange(16)))
    figure = drawn.figure
    ends = {}
    for bar in figure.axes[0].patches:
        ends[round(bar.get_y(), 3)] = max(ends.get(round(bar.get_y(), 3), 0), bar.get_x() + bar.get_width())
    assert sorted(ends.values()) == [4, 6, 6]


def test_mean_faces_are_means():
    drawn = figures.mean_faces(only(toy_faces(), "neutral", "happiness"))
    data, alt = drawn.data, drawn.alt
    assert set(data.query("emotion == 'neutral'")["0"]) == {2.5}
    assert set(data.query("emotion == 'happiness'")["47"]) == {162.5}
    assert len(data) == 2 * 48
    assert "neutral (of 6) and happiness (of 6)" in alt


def test_mean_faces_share_one_scale():
    drawn = figures.mean_faces(only(toy_faces(), "neutral", "happiness"))
    figure = drawn.figure
    assert {image.get_clim() for axes in figure.axes for image in axes.images} == {(2.5, 162.5)}


def test_sample_grid_shows_its_classes_and_distinct_subjects():
    faces = only(toy_faces(), "happiness", "neutral")
    drawn = figures.sample_grid(faces, samples=4, seed=3)
    figure, data = drawn.figure, drawn.data
    assert data.groupby("emotion", sort=False).size().to_dict() == {"happiness": 4, "neutral": 4}
    assert data.groupby("emotion")["subject"].nunique().eq(4).all()
    assert (faces.table["emotion"].iloc[data["picture"]].to_numpy() == data["emotion"].to_numpy()).all()
    # The pixels drawn are those of the pictures named, within the grey levels that are kept.
    mosaic = figure.axes[0].images[0].get_array()
    for row in data.itertuples():
        line = ("neutral", "happiness").index(row.emotion)
        assert abs(int(mosaic[line * 50 + 5, row.place * 50 + 5]) - row.mean_grey) <= 255 / 63


def test_sample_grid_is_random_by_seed_only():
    chosen = [
        tuple(figures.sample_grid(only(toy_faces(), "anger"), samples=4, seed=seed).data["picture"])
        for seed in (0, 0, 1, 2)
    ]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


def test_sample_grid_data_hold_no_pixels_and_large_pictures_shrink():
    drawn = figures.sample_grid(only(toy_faces(size=256), "anger"), samples=6, seed=0)
    figure, data = drawn.figure, drawn.data
    assert set(data.columns) == {"emotion", "place", "picture", "subject", "split", "mean_grey"}
    assert figure.axes[0].images[0].get_array().shape[1] < 800


def test_sample_grid_with_fewer_pictures_than_asked():
    assert len(figures.sample_grid(only(toy_faces(), "anger"), samples=12, seed=0).data) == 6


def test_au_heat_map_by_hand():
    faces = toy_faces(aus=True)
    table = faces.table.copy()
    # Of the six pictures of happiness two lose AU12, and of another it was not coded.
    table.loc[[12, 13], "AU12"] = 0.0
    table.loc[14, "AU12"] = np.nan
    drawn = figures.au_by_emotion(FaceSet("toy", faces.pixels, table))
    data, alt = drawn.data, drawn.alt
    found = data.set_index(["emotion", "au"])
    assert found["present"].to_dict() == {
        ("neutral", "AU4"): 0.0,
        ("neutral", "AU12"): 0.0,
        ("anger", "AU4"): 1.0,
        ("anger", "AU12"): 0.0,
        ("happiness", "AU4"): 0.0,
        ("happiness", "AU12"): 0.6,
    }
    assert found["intensity"]["happiness", "AU12"] == pytest.approx(0.3)
    assert found["intensity"]["anger", "AU4"] == 1.0
    assert "neutral none; anger AU4 (100.0 %); happiness AU12 (60.0 %)" in alt


def test_a_unit_that_was_never_coded_in_an_emotion_is_missing_not_absent():
    faces = toy_faces(aus=True)
    table = faces.table.assign(AU4=faces.table["AU4"].where(faces.table["emotion"].ne("anger")))
    drawn = figures.au_by_emotion(FaceSet("toy", faces.pixels, table))
    data = drawn.data
    assert data.set_index(["emotion", "au"])["present"].isna().to_dict()["anger", "AU4"]


def test_switched_units_say_how_much_of_the_change_lies_in_the_region():
    drawn = figures.switched_units(toy_switched())
    data, alt = drawn.data, drawn.alt
    assert data["inside"].tolist() == [1.0, 0.5]
    assert data["region"].tolist() == [0.5, 0.5]
    assert data["changed"].tolist() == [0.25, 0.25]
    assert "least for AU12 (50.0 %)" in alt


def toy_builds() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    off = np.full((4, 4), 100, np.uint8)
    return off, {"AU4": np.stack([off + 2, off + 4, off + 8]), "AU12": np.stack([off + 5] * 3)}


def test_builds_of_a_unit_say_how_much_each_changes():
    drawn = figures.realised_units(*toy_builds())
    change = drawn.data.set_index(["au", "makehuman"])["change"]
    assert change["AU4"].to_dict() == {0: 2, 0.5: 4, 1: 8} and set(change["AU12"]) == {5}
    assert "0%, 50% and 100%" in drawn.alt
    assert "2.5 times as much as the weakest, on average, most unequally for AU4 (4.0 times)" in drawn.alt


def test_rows_of_sets_show_other_people_first():
    drawn = figures.face_rows({"a": toy_faces(subjects=6)}, 6, 0)
    data = drawn.data
    assert data["subject"].nunique() == 6


def test_expressions_say_how_much_of_the_picture_moved():
    pictures = np.full((2, 4, 4), 100, np.uint8)
    pictures[1, 0] = 120
    pictures[1, 1] = 110  # not seen
    drawn = figures.expressions(pictures, ("neutral", "anger"), ("", "4+7"))
    figure, data, alt = drawn.figure, drawn.data, drawn.alt
    assert data["moved"].tolist() == [0, 0.25]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["neutral\nno AU", "anger\n4+7"]
    assert "anger (4+7) 25.0 %" in alt


def test_switched_units_begin_with_the_face_without_any():
    drawn = figures.switched_units(toy_switched())
    figure, data = drawn.figure, drawn.data
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "all units off" and titles[2] == "AU1 inner brow raiser"
    assert data["name"].tolist() == ["inner brow raiser", "lip corner puller"]
    shown = np.asarray(figure.axes[0].images[0].get_array()).astype(int)
    assert np.abs(shown - 100).max() <= 255 / 63, "within the grey levels that are kept"
    # A change of -20 and one of +20 are drawn at equal distance from no change.
    drawn = np.asarray(figure.axes[5].images[0].get_array())
    assert drawn.min() == -20 and np.unique(drawn).tolist() == [-20, 0]


def test_nobody_is_recognised_in_a_mean_of_few():
    faces = toy_faces()
    # Five pictures of anger, of four people; happiness by five.
    kept = faces.select(np.delete(np.arange(18), [6, 12]))
    twice = kept.table.assign(subject=kept.table["subject"].mask(kept.table.index == 6, "s5"))
    drawn = figures.mean_faces(FaceSet("toy", kept.pixels, twice))
    figure, data, alt = drawn.figure, drawn.data, drawn.alt
    rows = data.groupby("emotion", sort=False)["0"].agg(["size", "count"])
    assert rows.loc["anger"].tolist() == [1, 0] and rows.loc["happiness"].tolist() == [48, 48]
    assert "Not shown, for fewer than 5 people: anger." in alt and "2 blurred faces" in alt
    assert [len(axes.images) for axes in figure.axes[:3]] == [1, 0, 1]
    assert figures.mean_faces(only(kept, "anger"), people=1).data["0"].count() == 48
    # Where nobody is known, pictures count.
    unknown = FaceSet("toy", faces.pixels, faces.table.assign(subject=""))
    assert figures.mean_faces(only(unknown, "anger")).data["0"].count() == 48
    nothing = figures.mean_faces(kept.select(np.arange(6, 10)))
    assert len(nothing.data) == 1 and "0 blurred faces" in nothing.alt


def test_the_heat_map_tells_never_from_rarely_and_from_not_coded():
    faces = toy_faces(aus=True, subjects=120)
    table = faces.table.copy()
    happy = np.flatnonzero(table["emotion"] == "happiness")
    table.loc[happy, "AU4"] = 0.0
    table.loc[happy[0], "AU4"] = 0.5
    table.loc[happy[0], "AU12"] = 0.0
    table.loc[table["emotion"] == "neutral", "AU12"] = np.nan
    drawn = figures.au_by_emotion(FaceSet("toy", faces.pixels, table))
    figure = drawn.figure
    texts = {(text.get_position(), text.get_text()) for text in figure.axes[0].texts}
    # Across: neutral, anger, happiness; downwards: AU4, AU12.
    assert texts >= {((0.5, 0.5), ""), ((1.5, 0.5), "100"), ((2.5, 0.5), "<1")}
    assert texts >= {((0.5, 1.5), "–"), ((1.5, 1.5), ""), ((2.5, 1.5), ">99")}
