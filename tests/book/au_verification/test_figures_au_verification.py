"""The figures of the chapter that asks whether filters detect action units, on small constructed tables."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from toy_effects import effects_of_size

from book.au_verification import figures
from fer_lib.aus.association import histograms
from ferbook.page.style import Drawn

AUS = ("AU1", "AU4", "AU12")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def associations() -> pd.DataFrame:
    values = {"stability": [0.25, 0.1], "AU1": [0.1, 0.5], "AU12": [0.9, 0.2]}
    return pd.DataFrame(values, pd.Index([7, 2], name="filter"))


def responses() -> dict[tuple[int, str], pd.DataFrame]:
    generator = np.random.default_rng(0)
    shown = (np.arange(40) % 4 == 0).astype(float)
    return {(number, "AU4"): histograms(generator.random(40) + shown, shown) for number in (3, 1, 4, 15)}


def strongest() -> pd.DataFrame:
    source = np.repeat(["trained", "untrained", "HOG"], (4, 8, 3))
    return pd.DataFrame({"source": source, "estimate": np.linspace(0.1, 0.8, 15)})


def survivors() -> tuple:
    observed = np.array([[0.2, np.nan, 0.9], [0.8, np.nan, -0.1], [0.7, np.nan, 0.1], [0.1, np.nan, 0.3]])
    overall = np.zeros((4, 3), bool)
    overall[[0, 1, 2], [2, 0, 0]] = True
    within = np.zeros((4, 3), bool)
    within[1, 0] = True
    return AUS, observed, overall, within, "2·AUROC − 1"


def criteria() -> pd.DataFrame:
    banks = (
        ("trained", "trained"),
        ("untrained", "untrained 1"),
        ("untrained", "untrained 2"),
        ("HOG", "HOG"),
    )
    rows = [
        {
            "source": source,
            "bank": bank,
            "criterion": criterion,
            "share": 0.1 * place,
            "count": place,
            "channels": 10,
        }
        for criterion in ("beats chance", "and its unit moves it most")
        for place, (source, bank) in enumerate(banks)
    ]
    return pd.DataFrame(rows)


def counts() -> pd.DataFrame:
    rows = [
        {"source": source, "bank": bank, "au": au, "count": count}
        for source, bank, found in (
            ("trained", "trained", (3, 0, 1)),
            ("untrained", "untrained 1", (0, 0, 6)),
            ("untrained", "untrained 2", (2, 0, 2)),
        )
        for au, count in zip(AUS, found, strict=True)
    ]
    return pd.DataFrame(rows)


def agreement() -> pd.DataFrame:
    rows = [
        {
            "measure": measure,
            "filters": filters,
            "share": 0.5,
            "low": 0.4,
            "high": 0.6,
            "chance": 0.1,
            "near": 0.55,
            "n": 20,
        }
        for measure in ("kl", "mean_difference")
        for filters in ("trained", "untrained")
    ]
    return pd.DataFrame(rows)


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


def planted() -> pd.DataFrame:
    rows = [
        {
            "measure": measure,
            "rule": rule,
            "snr": snr,
            "precision": np.nan if snr == 0.5 else 1.0,
            "recall": snr / 4,
        }
        for measure in ("kl", "auroc")
        for rule in ("max_statistic", "argmax")
        for snr in (0.5, 1.0, 4.0)
    ]
    return pd.DataFrame(rows)


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
    "response_histograms": lambda: figures.response_histograms(responses()),
    "strongest_associations": lambda: figures.strongest_associations(strongest(), "2·AUROC − 1"),
    "survivor_panels": lambda: figures.survivor_panels(*survivors()),
    "criteria_panels": lambda: figures.criteria_panels(criteria()),
    "unit_counts": lambda: figures.unit_counts(counts(), "filters named"),
    "agreement_dots": lambda: figures.agreement_dots(agreement()),
    "calibration": lambda: figures.calibration(checks()),
    "planted_curves": lambda: figures.planted_curves(planted(), "snr", "signal-to-noise"),
    "effect_map": lambda: figures.effect_map(EFFECTS, CHOSEN),
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


def test_sources_are_summed_up_by_quantiles_of_their_channels():
    data = DRAWINGS["strongest_associations"]().data.set_index("source")
    assert data["channels"].to_dict() == {"trained": 4, "untrained": 8, "HOG": 3}
    own = strongest().query("source == 'untrained'")["estimate"]
    wanted = [np.quantile(own, 0.25), np.median(own), own.max()]
    assert data.loc["untrained", ["q25", "median", "largest"]].tolist() == pytest.approx(wanted)


def test_survivors_are_told_by_filter_in_the_order_of_their_strongest_unit():
    drawn = DRAWINGS["survivor_panels"]()
    assert drawn.data["filter"].tolist() == [1, 2, 0, 3]
    assert drawn.data["overall"].tolist() == ["AU1", "AU1", "AU12", ""]
    assert drawn.data["within"].tolist() == ["AU1", "", "", ""]
    assert "3 pairs of 3 filters are left, in the third, within emotions, 1 pairs of 1 filters" in drawn.alt
    shown = drawn.figure.axes[2].images[0].get_array()
    assert np.ma.count(np.ma.masked_invalid(shown)) == 1


def test_networks_of_one_source_are_strokes_about_their_mean():
    drawn = DRAWINGS["criteria_panels"]()
    assert len(drawn.data) == 8 and "untrained 15.0 %" in drawn.alt


def test_untrained_networks_are_averaged_with_their_range():
    drawn = DRAWINGS["unit_counts"]()
    row = drawn.data.set_index("au").loc["AU12"]
    assert row.to_dict() == {"trained": 1, "untrained": 4.0, "least": 2, "most": 6}
    assert "2 of 3 units have a filter in the trained layer, 2 in any untrained one" in drawn.alt


def test_the_effect_map_says_for_how_many_filters_the_claimed_unit_moves_most():
    drawn = DRAWINGS["effect_map"]()
    assert "For 1 of 2 it is the framed unit" in drawn.alt and len(drawn.data) == 6


def test_silencing_shows_the_units_own_heads():
    drawn = figures.silencing(pd.concat([losses(), losses().assign(outcome="accuracy")]))
    assert drawn.data["au"].tolist() == ["AU1", "AU4"]


def test_without_faces_one_mean_projection_stands_for_a_filter():
    titles = [axes.get_title(loc="left") for axes in gallery().figure.axes]
    assert titles == ["9, AU12", "", "their projections", "", "on − off", "5, AU1", "", "", "", ""]
    drawn = gallery(faces=False)
    assert [axes.images[0].get_array().shape for axes in drawn.figure.axes] == [(16, 16)] * 2
    assert drawn.alt.endswith("the mean of the projections of its 2 top faces.")
