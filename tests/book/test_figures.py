import io
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from book.faces import figures
from book.training import figures as training_figures
from fer_lib.faces.faceset import FaceSet
from ferbook.estimate import Estimate
from ferbook.page import style
from ferbook.page.style import FigureError
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


def unlabelled() -> FaceSet:
    faces = toy_faces(aus=True)
    return FaceSet("toy", faces.pixels, faces.table.assign(emotion=""))


def toy_curve(epochs: int = 4) -> pd.DataFrame:
    e = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {"epoch": e, "train_loss": 2.0 / e, "valid_loss": 2.2 / e, "valid_accuracy": 1 - 0.5 / e}
    )


def toy_recalls() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "emotion": ["neutral", "anger", "fear"],
            "n": [10, 4, 0],
            "recall": [0.8, 0.3, np.nan],
            "recall_low": [0.6, 0.1, np.nan],
            "recall_high": [0.9, 0.5, np.nan],
        }
    )


def toy_weights() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (64, 1, 5, 5))


def toy_switched() -> Switched:
    """Two units, the first of which changes its own region only, the second half its own and half outside."""
    off = np.full((8, 8), 100, np.uint8)
    on = np.stack([off, off])
    masks = np.zeros((2, 8, 8), bool)
    masks[:, :4] = True
    on[0, :2] += 40
    on[1, 3:5] -= 20
    return Switched(("AU1", "AU12"), off, on, masks)


def toy_folds(folds: int = 2) -> tuple[pd.DataFrame, dict]:
    table = pd.DataFrame({"fold": range(folds), "pictures": 10, "accuracy": 0.7, "majority": 0.2})
    bounds = {"low": [np.nan] + [0.6] * (folds - 1), "high": [np.nan] + [0.8] * (folds - 1)}
    return table.assign(**bounds), {"value": 0.7, "low": 0.5, "high": 0.9, "n": 10 * folds}


def toy_ablation() -> tuple[pd.DataFrame, dict[str, Estimate]]:
    rows = [
        {"biases": biases, "variant": variant, "accuracy": 0.5 + 0.1 * k, "low": 0.4, "high": np.nan}
        for biases in (False, True)
        for k, variant in enumerate(("none", "D", "A", "AD"))
    ]
    effect = Estimate(0.02, -0.01, 0.05, 100, unit="share")
    return pd.DataFrame(rows), {"no_biases_effect": effect, "dropout_effect": Estimate(-0.1)}


def toy_hardest() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "picture": [3, 0, 7],
            "true": ["neutral", "neutral", "anger"],
            "predicted": ["anger", "happiness", "anger"],
            "p_true": [0.1, 0.2, 0.6],
            "p_predicted": [0.9, 0.7, 0.6],
            "loss": [2.3, 1.6, 0.5],
        }
    )


DRAWINGS = {
    "fold_accuracies": lambda: training_figures.fold_accuracies(*toy_folds()),
    "many_folds": lambda: training_figures.fold_accuracies(*toy_folds(26)),
    "ablation_effects": lambda: training_figures.ablation_effects(*toy_ablation()),
    "hardest_grid": lambda: training_figures.hardest_grid(
        toy_faces(), toy_hardest(), ("neutral", "anger", "happiness")
    ),
    "portraits": lambda: figures.portraits(toy_faces().pixels[:7]),
    "expressions": lambda: figures.expressions(
        toy_faces().pixels[[0, 6, 12]], ("neutral", "anger", "fear"), ("", "4+7", "1+2+5")
    ),
    "switched_units": lambda: figures.switched_units(toy_switched()),
    "face_rows": lambda: figures.face_rows({"a": toy_faces(), "b": toy_faces(size=24)}, 3, 0),
    "class_counts": lambda: figures.class_counts(toy_faces()),
    "mean_faces": lambda: figures.mean_faces(toy_faces(), ("neutral", "anger", "happiness")),
    "sample_grid": lambda: figures.sample_grid(toy_faces(), ("neutral", "anger", "happiness"), 4, 0),
    "learning_curve": lambda: training_figures.learning_curve(toy_curve(), 4, 0.25),
    "per_class_bars": lambda: training_figures.per_class_bars(toy_recalls(), 1 / 3),
    "first_layer_filters": lambda: training_figures.first_layer_filters(toy_weights(), toy_weights() / 2),
    "au_by_emotion": lambda: figures.au_by_emotion(toy_faces(aus=True)),
}


def svg(drawn: style.Drawn) -> bytes:
    sink = io.BytesIO()
    drawn[0].savefig(sink, format="svg", metadata={"Date": None})
    return sink.getvalue()


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_comes_with_numbers_and_alt_text(name):
    figure, data, alt = DRAWINGS[name]()
    assert figure.axes
    assert len(data) and all(isinstance(column, str) for column in data.columns)
    assert re.search(r"\d", alt) and alt.endswith(".") and "nan" not in alt.lower()
    assert pd.read_csv(io.StringIO(data.to_csv(index=False))).shape == data.shape


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_figure_is_the_same_bytes_small_and_without_a_date(name):
    first, second = svg(DRAWINGS[name]()), svg(DRAWINGS[name]())
    assert first == second
    assert b"<dc:date>" not in first
    assert len(first) < 200_000
    ElementTree.fromstring(first)


def test_another_process_draws_the_same_bytes():
    script = (
        "import hashlib, io, pandas as pd\n"
        "from book.training.figures import learning_curve\n"
        "curve = pd.DataFrame({'epoch': [1, 2], 'train_loss': [2., 1.], 'valid_loss': [2., 1.5], "
        "'valid_accuracy': [.5, .6]})\n"
        "sink = io.BytesIO()\n"
        "learning_curve(curve, 2, 0.25)[0].savefig(sink, format='svg', metadata={'Date': None})\n"
        "print(hashlib.sha256(sink.getvalue()).hexdigest())\n"
    )
    answers = {
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(answers) == 1


def test_class_counts_by_hand():
    _, data, alt = figures.class_counts(toy_faces())
    counts = data.set_index(["emotion", "split"])["pictures"]
    assert counts.loc["anger"].to_dict() == {"train": 3, "valid": 1, "test": 2}
    assert counts.sum() == 18
    assert "All 3 emotions have the same number of pictures, 6." in alt
    fewer = toy_faces().select(np.arange(16))
    assert "the rarest happiness (4)" in figures.class_counts(fewer)[2]


def test_class_counts_bars_end_at_the_totals():
    figure, _, _ = figures.class_counts(toy_faces().select(np.arange(16)))
    ends = {}
    for bar in figure.axes[0].patches:
        ends[round(bar.get_y(), 3)] = max(ends.get(round(bar.get_y(), 3), 0), bar.get_x() + bar.get_width())
    assert sorted(ends.values()) == [4, 6, 6]


def test_mean_faces_are_means():
    _, data, alt = figures.mean_faces(toy_faces(), ("neutral", "happiness"))
    assert set(data.query("emotion == 'neutral'")["0"]) == {2.5}
    assert set(data.query("emotion == 'happiness'")["47"]) == {162.5}
    assert len(data) == 2 * 48
    assert "neutral (of 6) and happiness (of 6)" in alt


def test_mean_faces_share_one_scale():
    figure, _, _ = figures.mean_faces(toy_faces(), ("neutral", "happiness"))
    assert {image.get_clim() for axes in figure.axes for image in axes.images} == {(2.5, 162.5)}


def test_sample_grid_shows_its_classes_and_distinct_subjects():
    faces = toy_faces()
    figure, data, _ = figures.sample_grid(faces, ("happiness", "neutral"), 4, 3)
    assert data.groupby("emotion", sort=False).size().to_dict() == {"happiness": 4, "neutral": 4}
    assert data.groupby("emotion")["subject"].nunique().eq(4).all()
    assert (faces.table["emotion"].iloc[data["picture"]].to_numpy() == data["emotion"].to_numpy()).all()
    # The pixels drawn are those of the pictures named, within the grey levels that are kept.
    mosaic = figure.axes[0].images[0].get_array()
    for row in data.itertuples():
        line = ("happiness", "neutral").index(row.emotion)
        assert abs(int(mosaic[line * 50 + 5, row.place * 50 + 5]) - row.mean_grey) <= 255 / 63


def test_sample_grid_is_random_by_seed_only():
    chosen = [
        tuple(figures.sample_grid(toy_faces(), ("anger",), 4, seed)[1]["picture"]) for seed in (0, 0, 1, 2)
    ]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


def test_sample_grid_data_hold_no_pixels_and_large_pictures_shrink():
    figure, data, _ = figures.sample_grid(toy_faces(size=256), ("anger",), 6, 0)
    assert set(data.columns) == {"emotion", "place", "picture", "subject", "split", "mean_grey"}
    assert figure.axes[0].images[0].get_array().shape[1] < 800


def test_sample_grid_with_fewer_pictures_than_asked():
    assert len(figures.sample_grid(toy_faces(), ("anger",), 12, 0)[1]) == 6


def test_learning_curve_marks_the_chosen_epoch():
    figure, data, alt = training_figures.learning_curve(toy_curve(), 3, 0.25)
    assert data.loc[data["best"], "epoch"].tolist() == [3]
    assert "marks epoch 3, the one chosen, with 83.3 %" in alt
    assert "from 2.00 to 0.50" in alt
    assert data["null"].tolist() == [0.25] * 4 and "commonest class, at 25.0 %" in alt
    assert any(set(line.get_ydata()) == {0.25} for line in figure.axes[1].lines), "the null is drawn"


def test_learning_curve_of_one_epoch():
    assert "over 1 epoch" in training_figures.learning_curve(toy_curve(1), 1, 0.25)[2]


def test_per_class_bars_say_which_interval_includes_the_null():
    _, data, alt = training_figures.per_class_bars(toy_recalls(), 1 / 3)
    assert data["null"].tolist() == [1 / 3] * 3
    assert alt.endswith("the interval of anger includes it.")
    assert "fear without pictures" in alt
    assert training_figures.per_class_bars(toy_recalls(), 0.05)[2].endswith("no interval includes it.")
    without = toy_recalls().assign(recall_low=np.nan, recall_high=np.nan)
    assert training_figures.per_class_bars(without, 0.05)[2].endswith("no interval could be computed.")


def test_filters_are_tidy_and_on_a_symmetric_scale():
    weights = np.zeros((5, 1, 5, 5))
    weights[3, 0, 1, 2] = -2.0
    start = np.zeros_like(weights)
    start[3, 0, 1, 2], start[4, 0, 0, 0] = -0.5, 1.0
    figure, data, alt = training_figures.first_layer_filters(weights, start)
    assert len(data) == 125
    assert data.query("weight != 0").to_dict("records") == [
        {"filter": 3, "row": 1, "column": 2, "start": -0.5, "weight": -2.0}
    ]
    # Filter 3 of 5 is the first of the second row of the 3-wide grid.
    for axes, shown in zip(figure.axes[:2], (-0.5, -2.0), strict=True):
        assert axes.images[0].get_clim() == (-2.0, 2.0), "one scale for before and after"
        assert axes.images[0].get_array()[6 + 1, 0 + 2] == shown
    assert "the strongest is filter 3 (norm 2.00)" in alt
    assert "Filter 3 has changed most (by a norm of 1.50), filter 0 least (by 0.00)" in alt


def test_au_heat_map_by_hand():
    faces = toy_faces(aus=True)
    table = faces.table.copy()
    # Of the six pictures of happiness two lose AU12, and of another it was not coded.
    table.loc[[12, 13], "AU12"] = 0.0
    table.loc[14, "AU12"] = np.nan
    _, data, alt = figures.au_by_emotion(FaceSet("toy", faces.pixels, table))
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
    _, data, _ = figures.au_by_emotion(FaceSet("toy", faces.pixels, table))
    assert data.set_index(["emotion", "au"])["present"].isna().to_dict()["anger", "AU4"]


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: figures.class_counts(toy_faces().select(np.array([], dtype=int))), "no pictures"),
        (lambda: figures.mean_faces(toy_faces(), ("fear",)), "no picture of 'fear'"),
        (lambda: figures.sample_grid(toy_faces(), ("fear",), 3, 0), "no picture of 'fear'"),
        (
            lambda: training_figures.learning_curve(toy_curve().drop(columns="valid_loss"), 1, 0.25),
            "lacks valid_loss",
        ),
        (lambda: training_figures.learning_curve(toy_curve().iloc[:0], 1, 0.25), "no rows"),
        (lambda: training_figures.learning_curve(toy_curve(), 9, 0.25), "best epoch 9"),
        (lambda: training_figures.per_class_bars(toy_recalls().drop(columns="n"), 0.1), "lacks n"),
        (lambda: training_figures.first_layer_filters(*np.zeros((2, 64, 3, 5, 5))), r"\(64, 3, 5, 5\)"),
        (
            lambda: training_figures.first_layer_filters(toy_weights(), toy_weights()[:9]),
            r"from filters \(9, 1, 5, 5\)",
        ),
        (lambda: figures.au_by_emotion(toy_faces()), "no action units"),
        (lambda: figures.au_by_emotion(unlabelled()), "names no emotion"),
        (lambda: figures.class_counts(unlabelled()), "names no emotion"),
        (lambda: figures.mean_faces(unlabelled(), ()), "names no emotion"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, said):
    with pytest.raises(FigureError, match=said):
        draw()


def test_switched_units_say_how_much_of_the_change_lies_in_the_region():
    _, data, alt = figures.switched_units(toy_switched())
    assert data["inside"].tolist() == [1.0, 0.5]
    assert data["region"].tolist() == [0.5, 0.5]
    assert data["changed"].tolist() == [0.25, 0.25]
    assert "least for AU12 (50.0 %)" in alt


def test_rows_of_sets_show_other_people_first():
    _, data, _ = figures.face_rows({"a": toy_faces(subjects=6)}, 6, 0)
    assert data["subject"].nunique() == 6
    with pytest.raises(FigureError, match="holds no pictures"):
        figures.face_rows({"a": toy_faces().select(np.array([], int))}, 3, 0)


def test_expressions_say_how_much_of_the_picture_moved():
    pictures = np.full((2, 4, 4), 100, np.uint8)
    pictures[1, 0] = 120
    pictures[1, 1] = 110  # not seen
    figure, data, alt = figures.expressions(pictures, ("neutral", "anger"), ("", "4+7"))
    assert data["moved"].tolist() == [0, 0.25]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["neutral\nno AU", "anger\n4+7"]
    assert "anger (4+7) 25.0 %" in alt


def test_switched_units_begin_with_the_face_without_any():
    figure, data, _ = figures.switched_units(toy_switched())
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
    figure, data, alt = figures.mean_faces(
        FaceSet("toy", kept.pixels, twice), ("neutral", "anger", "happiness")
    )
    rows = data.groupby("emotion", sort=False)["0"].agg(["size", "count"])
    assert rows.loc["anger"].tolist() == [1, 0] and rows.loc["happiness"].tolist() == [48, 48]
    assert "Not shown, for fewer than 5 people: anger." in alt and "2 blurred faces" in alt
    assert [len(axes.images) for axes in figure.axes[:3]] == [1, 0, 1]
    assert figures.mean_faces(kept, ("anger",), people=1)[1]["0"].count() == 48
    # Where nobody is known, pictures count.
    unknown = FaceSet("toy", faces.pixels, faces.table.assign(subject=""))
    assert figures.mean_faces(unknown, ("anger",))[1]["0"].count() == 48
    nothing = figures.mean_faces(kept.select(np.arange(6, 10)), ("anger",))
    assert len(nothing[1]) == 1 and "0 blurred faces" in nothing[2]


def test_the_heat_map_tells_never_from_rarely_and_from_not_coded():
    faces = toy_faces(aus=True, subjects=120)
    table = faces.table.copy()
    happy = np.flatnonzero(table["emotion"] == "happiness")
    table.loc[happy, "AU4"] = 0.0
    table.loc[happy[0], "AU4"] = 0.5
    table.loc[happy[0], "AU12"] = 0.0
    table.loc[table["emotion"] == "neutral", "AU12"] = np.nan
    figure, _, _ = figures.au_by_emotion(FaceSet("toy", faces.pixels, table))
    texts = {(text.get_position(), text.get_text()) for text in figure.axes[0].texts}
    # Across: neutral, anger, happiness; downwards: AU4, AU12.
    assert texts >= {((0.5, 0.5), ""), ((1.5, 0.5), "100"), ((2.5, 0.5), "<1")}
    assert texts >= {((0.5, 1.5), "–"), ((1.5, 1.5), ""), ((2.5, 1.5), ">99")}


def test_the_pooled_accuracy_must_be_that_of_the_folds():
    folds, pooled = toy_folds()
    _, data, alt = training_figures.fold_accuracies(folds, pooled)
    assert data["fold"].tolist() == [0, 1, -1] and data["accuracy"].tolist() == [0.7] * 3
    assert "over all 70.0 % (interval 50.0 % to 90.0 %)" in alt
    with pytest.raises(FigureError, match="20 pictures, the accuracy over all 21"):
        training_figures.fold_accuracies(folds, pooled | {"n": 21})


def test_an_ablation_without_a_network_is_refused():
    table, effects = toy_ablation()
    _, data, alt = training_figures.ablation_effects(table, effects)
    assert data["panel"].tolist() == [1] * 8 + [2] * 2 and "no biases +2.0 points" in alt
    with pytest.raises(FigureError, match="lacks the network 'AD' with biases True"):
        training_figures.ablation_effects(table.iloc[:-1], effects)


def test_the_hardest_pictures_are_named_by_number_in_the_data():
    _, data, alt = training_figures.hardest_grid(
        toy_faces(), toy_hardest(), ("neutral", "anger", "happiness")
    )
    assert data["true"].tolist() == [0, 0, 1] and data["predicted"].tolist() == [1, 2, 1]
    assert data["mean_grey"].tolist() == [3, 0, 81], "grey tells which picture it is"
    assert "neutral taken for anger (90.0 %)" in alt and "anger, named rightly with 60.0 %" in alt
    with pytest.raises(FigureError, match="happiness not among"):
        training_figures.hardest_grid(toy_faces(), toy_hardest(), ("neutral", "anger"))
