"""The figures of the chapter that asks whether filters detect action units, on small constructed tables."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from book.au_verification import figures
from fer_lib.aus.association import histograms
from ferbook.page import style
from ferbook.page.style import FigureError

AUS = ("AU1", "AU4", "AU12")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def associations() -> pd.DataFrame:
    rows = [
        {"filter": number, "au": au, "estimate": value, "stability": 0.25 * number / 7}
        for number, values in ((7, (0.1, np.nan, 0.9)), (2, (0.5, np.nan, 0.2)))
        for au, value in zip(AUS, values, strict=True)
    ]
    return pd.DataFrame(rows)


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


def effects(levels: tuple[float, ...] = (1.0,)) -> pd.DataFrame:
    rows = [
        {
            "filter": number,
            "au": au,
            "level": level,
            "effect": level * size,
            "low": level * size - 0.2,
            "high": level * size + 0.2,
            "survives": abs(size) > 1,
            "claimed": au == claimed,
        }
        for number, claimed, sizes in ((9, "AU12", (-3, 0.1, 12)), (5, "AU1", (0.5, 2, -0.3)))
        for au, size in zip(AUS, sizes, strict=True)
        for level in levels
    ]
    return pd.DataFrame(rows)


def gallery(faces: bool = True, changes: bool = True) -> style.Drawn:
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
    return figures.filter_gallery(table, pictures if faces else None, maps, maps[:2] if changes else None)


def losses() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "au": ["AU1", "AU4"],
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
    "effect_map": lambda: figures.effect_map(effects()),
    "dose_response": lambda: figures.dose_response(effects((0.5, 1.0))),
    "filter_gallery": gallery,
    "filter_gallery of a licensed set": lambda: gallery(faces=False, changes=False),
    "silencing": lambda: figures.silencing(losses()),
}


def svg(drawn: style.Drawn) -> bytes:
    sink = io.BytesIO()
    drawn[0].savefig(sink, format="svg", metadata={"Date": None})
    return sink.getvalue()


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_comes_with_numbers_and_alt_text_and_is_the_same_bytes_again(name):
    first, (figure, data, alt) = svg(DRAWINGS[name]()), DRAWINGS[name]()
    assert len(data) and all(isinstance(column, str) for column in data.columns)
    assert re.search(r"\d", alt) and alt.endswith(".") and "nan" not in alt.lower()
    assert svg((figure, data, alt)) == first and len(first) < 200_000


def test_the_largest_association_of_a_filter_is_named_and_framed():
    figure, data, alt = DRAWINGS["divergence_map"]()
    assert data[["filter", "named", "AU1", "AU12"]].to_numpy().tolist() == [
        [7, "AU12", 0.1, 0.9],
        [2, "AU1", 0.5, 0.2],
    ]
    assert "AU4" not in data, "a unit of too few people is not drawn"
    assert [tuple(frame.get_xy()) for frame in figure.axes[0].patches] == [(0.5, -0.5), (-0.5, 0.5)]
    assert "filter 7: AU12 (0.90, the same in 25.0 %" in alt


def test_sources_are_summed_up_by_quantiles_of_their_channels():
    _, data, _ = DRAWINGS["strongest_associations"]()
    assert data["source"].tolist() == ["trained", "untrained", "HOG"] and data["channels"].tolist() == [
        4,
        8,
        3,
    ]
    own = strongest().query("source == 'untrained'")["estimate"]
    assert data.loc[1, ["q25", "median", "largest"]].tolist() == pytest.approx(
        [np.quantile(own, 0.25), np.median(own), own.max()]
    )


def test_survivors_are_told_by_filter_in_the_order_of_their_strongest_unit():
    figure, data, alt = DRAWINGS["survivor_panels"]()
    assert data["filter"].tolist() == [1, 2, 0, 3]
    assert data["overall"].tolist() == ["AU1", "AU1", "AU12", ""] and data["within"].tolist() == [
        "AU1",
        "",
        "",
        "",
    ]
    assert "3 pairs of 3 filters are left, in the third, within emotions, 1 pairs of 1 filters" in alt
    shown = figure.axes[2].images[0].get_array()
    assert np.ma.count(np.ma.masked_invalid(shown)) == 1


def test_untrained_networks_are_averaged_with_their_range():
    _, data, alt = DRAWINGS["unit_counts"]()
    assert data.set_index("au").loc["AU12"].to_dict() == {
        "trained": 1,
        "untrained": 4.0,
        "least": 2,
        "most": 6,
    }
    assert "2 of 3 units have a filter in the trained layer, 2 in any untrained one" in alt


def test_the_effect_map_says_for_how_many_filters_the_claimed_unit_moves_most():
    assert "For 1 of 2 it is the framed unit" in DRAWINGS["effect_map"]()[2]


def test_without_faces_one_mean_projection_stands_for_a_filter():
    strip = gallery()[0].axes[0].images[0].get_array()
    assert strip.shape == (16, 4 * 16 + 2 * 2 + 8 + 8 + 16), "two faces, two projections, one change"
    figure, _, alt = gallery(faces=False)
    assert [axes.images[0].get_array().shape for axes in figure.axes] == [(16, 16)] * 2
    assert alt.endswith("the mean of the projections of its 2 top faces.")


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        (lambda: figures.response_histograms({}), "give from 1 to 6"),
        (lambda: figures.divergence_map(associations().drop(columns="stability"), "x"), "lacks stability"),
        (lambda: figures.divergence_map(associations().drop(index=0), "x"), "the same action units"),
        (
            lambda: figures.survivor_panels(AUS, np.ones((2, 2)), np.ones((2, 3)), np.ones((2, 3)), "x"),
            "do not fit",
        ),
        (lambda: figures.unit_counts(counts().query("source == 'trained'"), "x"), "at least one untrained"),
        (lambda: figures.effect_map(effects((0.5, 1.0))), "give each pair once"),
        (
            lambda: figures.dose_response(pd.concat([effects().assign(filter=k) for k in range(7)])),
            "at most 6",
        ),
    ],
)
def test_what_does_not_fit_is_refused(draw, told):
    with pytest.raises(FigureError, match=told):
        draw()
