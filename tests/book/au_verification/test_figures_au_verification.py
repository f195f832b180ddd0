"""The figures of the chapter that asks whether filters detect action units, on small constructed tables."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from toy_effects import effects_of_size

from book.au_verification import figures
from ferbook.page.style import Drawn

AUS = ("AU1", "AU4", "AU12")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def associations() -> pd.DataFrame:
    values = {"stability": [0.25, 0.1], "AU1": [0.1, 0.5], "AU12": [0.9, 0.2]}
    return pd.DataFrame(values, pd.Index([7, 2], name="filter"))


def strip() -> pd.DataFrame:
    rows = [
        (population, seed, panel, 0.1 * seed, 0.2, 0.1 if networks > 1 else np.nan, 0.3)
        for population, networks in (("trained", 3), ("untrained", 5))
        for panel in ("κ", "units")
        for seed in range(networks)
    ]
    return pd.DataFrame(rows, columns=["population", "seed", "panel", "value", "mean", "low", "high"])


def pairs(name: str, values: tuple[str, ...]) -> pd.DataFrame:
    rows = [(each, series, 2.0, 1.0, 3.0) for each in values for series in ("trained", "untrained")]
    return pd.DataFrame(rows, columns=[name, "series", "value", "low", "high"])


def steps() -> pd.DataFrame:
    rows = [(seed, epoch, epoch / 10, 3.0 * epoch, seed) for seed in (0, 1) for epoch in (1, 5, 9)]
    return pd.DataFrame(rows, columns=["seed", "epoch", "accuracy", "verified_gain", "distinct_units"])


def checks() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "panel": ["error", "error", "coverage"],
            "what": ["kl", "auroc", "kl, effect 0.5"],
            "rate": [0.04, 0.06, 0.95],
            "low": [0.02, 0.04, 0.93],
            "high": [0.07, 0.09, 0.97],
            "promised": [0.05, 0.05, 0.95],
            "simulations": 400,
        }
    )


EFFECTS = effects_of_size([[0, 0, 0], [0.5, 2, -0.3], [-3, 0.1, 12]], AUS)
CHOSEN = pd.DataFrame({"filter": [2, 1], "au": ["AU12", "AU1"]})


def gallery(faces: bool = True, changes: bool = True) -> Drawn:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "filter": [9, 9, 5, 5],
            "au": ["AU12", "AU12", "AU1", "AU1"],
            "picture": [3, 1, 4, 1],
            "response": 1.0,
        }
    )
    pictures = generator.integers(0, 256, (4, 16, 16)).astype(np.uint8)
    maps = generator.normal(size=(4, 16, 16))
    options = {"faces": pictures if faces else None, "differences": maps[:2] if changes else None}
    return figures.filter_gallery(table, maps, pictures=9, **options)


def losses() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "au": ["AU1", "AU4"],
            "outcome": "own head",
            "intact": [0.9, 0.8],
            "silenced": [0.6, 0.8],
            "random": [0.85, 0.79],
            "random_low": [0.8, 0.75],
            "random_high": [0.9, 0.81],
            "difference": [0.25, -0.01],
            "low": [0.1, -0.04],
            "high": [0.4, 0.02],
        }
    )


DRAWINGS = {
    "divergence_map": lambda: figures.divergence_map(associations(), "KL divergence (nats)"),
    "networks": lambda: figures.networks(strip()),
    "by_unit": lambda: figures.by_unit(pairs("au", AUS)),
    "along_training": lambda: figures.along_training(steps()),
    "agreement": lambda: figures.agreement(pairs("measure", ("kl", "mean_difference"))),
    "calibration": lambda: figures.calibration(checks()),
    "dose_response": lambda: figures.dose_response(EFFECTS, CHOSEN),
    "filter_gallery": gallery,
    "filter_gallery of a licensed set": lambda: gallery(faces=False, changes=False),
    "silencing": lambda: figures.silencing(losses()),
}


def svg(drawn: Drawn) -> bytes:
    sink = io.BytesIO()
    drawn.figure.savefig(sink, format="svg", metadata={"Date": None})
    return sink.getvalue()


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_comes_with_numbers_and_alt_text_and_is_the_same_bytes_again(name):
    first, drawn = svg(DRAWINGS[name]()), DRAWINGS[name]()
    assert len(drawn.data) and all(isinstance(column, str) for column in drawn.data.columns)
    assert re.search(r"\d", drawn.alt) and drawn.alt.endswith(".") and "nan" not in drawn.alt.lower()
    assert svg(drawn) == first and len(first) < 200_000
    if not isinstance(drawn.tolerance, float):
        assert set(drawn.tolerance) <= set(drawn.data.columns)


def test_the_largest_association_of_a_filter_is_named_and_framed():
    drawn = DRAWINGS["divergence_map"]()
    assert drawn.data.to_numpy().tolist() == [[7, "AU12", 0.25, 0.1, 0.9], [2, "AU1", 0.1, 0.5, 0.2]]
    frames = [patch.get_xy() for patch in drawn.figure.axes[0].patches]
    assert frames == [(1, 0), (0, 1)] and "filter 7: AU12 (0.90, the same in 25.0 %" in drawn.alt


def test_networks_are_strokes_about_the_mean_of_their_kind():
    drawn = DRAWINGS["networks"]()
    assert len(drawn.data) == 16 and "κ: trained 0.2 (0.1 to 0.3) and untrained 0.2" in drawn.alt


def test_this_run_stands_beside_the_reference():
    drawn = figures.networks(strip().query("population == 'trained'"), reference=strip())
    assert drawn.data["run"].value_counts().to_dict() == {"reference": 16, figures.YOURS: 6}
    assert "reference, untrained 0.2" in drawn.alt and "your run, trained 0.2" in drawn.alt
    table = pairs("au", AUS)
    both = figures.by_unit(table.assign(value=7.0), reference=table)
    assert "run reference" in both.caption and not figures.by_unit(table).caption
    assert both.data.groupby("series")["value"].mean().to_dict() == {
        "trained": 2,
        "untrained": 2,
        figures.YOURS: 7,
    }


def test_training_is_told_epoch_by_epoch():
    drawn = DRAWINGS["along_training"]()
    assert "network 1 3 after epoch 1, 15 after epoch 5 and 27 after epoch 9" in drawn.alt


def test_silencing_shows_the_units_own_heads():
    drawn = figures.silencing(pd.concat([losses(), losses().assign(outcome="accuracy")]))
    assert drawn.data["au"].tolist() == ["AU1", "AU4"]


def test_without_faces_one_mean_projection_stands_for_a_filter():
    titles = [axes.get_title(loc="left") for axes in gallery().figure.axes]
    assert titles == ["9, AU12", "", "their projections", "", "on − off", "5, AU1", "", "", "", ""]
    drawn = gallery(faces=False)
    assert [axes.images[0].get_array().shape for axes in drawn.figure.axes] == [(16, 16)] * 2
    assert drawn.alt.endswith("the mean of the projections of its 2 top faces.")
