"""The figures of the chapter that asks whether filters detect action units, on small constructed tables."""

import io
import re

import numpy as np
import pandas as pd
import pytest

from book.au_verification import figures
from book.shared_figures import YOURS
from ferbook.page.style import Drawn
from tests.book.au_verification.toy_effects import effects_of_size

AUS = ("AU1", "AU4", "AU12")


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


EFFECTS = effects_of_size([[0, 0, 0], [0.5, 2, -0.3], [-3, 0.1, 12]], AUS)
CHOSEN = pd.DataFrame({"filter": [2, 1], "au": ["AU12", "AU1"]})


LUCK = {"anywhere": np.linspace(0.6, 0.8, 21), "within": np.linspace(0.7, 0.9, 21)}
BEST = np.array([0.55, 0.7, 0.79, 0.9])
WITH_IT, WITHOUT = np.array([1.0, 2.0, 2.0]), np.array([0.0, 0.5, 1.0, 3.0])


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
    "one_filter": lambda: figures.one_filter(WITH_IT, WITHOUT, "filter 7", "AU12", 0.625),
    "by_luck": lambda: figures.by_luck(LUCK, BEST),
    "networks": lambda: figures.networks(strip()),
    "by_unit": lambda: figures.by_unit(pairs("au", AUS)),
    "agreement": lambda: figures.agreement(pairs("measure", ("kl", "mean_difference"))),
    "dose_response": lambda: figures.dose_response(EFFECTS, CHOSEN),
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


def test_two_histograms_hold_every_picture():
    drawn = DRAWINGS["one_filter"]()
    assert drawn.data[["with_it", "without"]].sum().tolist() == [3, 4]
    assert "62.5 % of all pairs" in drawn.caption and "3 pictures with AU12" in drawn.caption
    shares = [mark.text.partition(": ")[2] for mark in drawn.hover]
    assert sum(float(text.partition(" %")[0]) for text in shares if "without" in text) == pytest.approx(
        100, abs=0.2
    )


def test_a_bar_stands_where_one_shuffle_in_twenty_passes_and_every_bar_tells_its_number():
    drawn = DRAWINGS["by_luck"]()
    assert drawn.data[["anywhere", "within", "filters"]].sum().tolist() == [21, 21, 4]
    assert "passes 0.79 (anywhere; 75.0 % of the filters do not) and 0.89 (within; 75.0 %" in drawn.caption
    told = [mark.text for mark in drawn.hover if mark.text.startswith("filters")]
    assert len(told) == 4 and "filters: 1 from 0.90 to 0.92" in told


def test_a_point_of_a_dose_tells_filter_unit_and_effect():
    drawn = DRAWINGS["dose_response"]()
    told = [mark.text for mark in drawn.hover]
    assert "filter 2, AU12 at 1: +12.0 sd (+11.9 to +12.1)" in told
    assert "filter 1, AU4: +2.0 sd, the largest of the others" in told
    assert "in 1 of 2 filters" in drawn.caption


def test_networks_are_dots_about_the_mean_of_their_kind():
    drawn = DRAWINGS["networks"]()
    assert len(drawn.data) == 16 and "κ: trained 0.2" in drawn.alt and "and untrained 0.2" in drawn.alt


def test_this_run_stands_beside_the_reference():
    more = pd.concat([strip(), strip().replace({"population": {"trained": "breuer"}})])
    drawn = figures.networks(strip().query("seed < 2"), reference=more.drop_duplicates())
    assert drawn.data["run"].value_counts().to_dict() == {"reference": 16, YOURS: 8}
    assert "breuer" not in set(drawn.data["population"]), "this run has none"
    assert "reference, untrained 0.2" in drawn.alt and "your run, trained 0.2" in drawn.alt
    table = pairs("au", AUS)
    # The reference's numbers come from its CSV, as it was drawn.
    reference = pd.read_csv(io.StringIO(figures.by_unit(table).data.to_csv(index=False)))
    both = figures.by_unit(table.assign(value=7.0), reference=reference)
    assert "run reference" in both.caption and "run reference" not in figures.by_unit(table).caption
    assert both.data.groupby("series")["value"].mean().to_dict() == {
        "trained": 2,
        "untrained": 2,
        YOURS: 7,
    }


def test_of_many_units_those_with_most_are_drawn_and_all_are_stored():
    table = pairs("au", tuple(f"AU{n}" for n in range(1, 13)))
    table["value"] = np.arange(24.0)
    drawn = figures.by_unit(table)
    names = [label.get_text() for label in drawn.figure.axes[0].get_yticklabels()]
    assert names == [f"AU{n}" for n in range(5, 13)] and len(drawn.data) == 24


def test_silencing_shows_the_units_own_heads():
    drawn = figures.silencing(pd.concat([losses(), losses().assign(outcome="accuracy")]))
    assert drawn.data["au"].tolist() == ["AU1", "AU4"]
