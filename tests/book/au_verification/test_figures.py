"""The figures of the chapter that asks whether filters detect action units, on small constructed tables."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from book.au_verification import figures
from book.au_verification.study import SPECIFICATIONS
from book.shared_figures import YOURS
from tests.book.au_verification.toy_effects import effects_of_size

AUS = ("AU1", "AU4", "AU12")


def marks() -> pd.DataFrame:
    rows = [
        (population, seed, 0.1 * seed, mean, 0.1 if networks > 1 else np.nan, 0.3, place)
        for population, networks, mean, place in (
            ("untrained", 5, 0.0, 0.0),
            ("your network", 1, 0.1, 0.5),
            ("trained on emotions", 3, 0.15, 0.75),
            ("trained on units", 3, 0.2, 1.0),
        )
        for seed in range(networks)
    ]
    return pd.DataFrame(rows, columns=["population", "seed", "value", "mean", "low", "high", "place"])


def pairs(name: str, values: tuple[str, ...]) -> pd.DataFrame:
    every = product(values, ("trained on emotions", "untrained"))
    rows = [(each, series, 2.0, 1.0, 3.0) for each, series in every]
    return pd.DataFrame(rows, columns=[name, "series", "value", "low", "high"])


EFFECTS = effects_of_size([[0, 0, 0], [0.5, 2, -0.3], [-3, 0.1, 12]], AUS)
CHOSEN = pd.DataFrame({"filter": [2, 1], "au": ["AU12", "AU1"]})


MAXIMA = {"anywhere": np.linspace(0.6, 0.8, 21), "within": np.linspace(0.7, 0.9, 21)}
BEST = np.array([0.55, 0.7, 0.79, 0.9])
WITH_IT, WITHOUT = np.array([1.0, 2.0, 2.0]), np.array([0.0, 0.5, 1.0, 3.0])


def specifications() -> pd.DataFrame:
    """The first assignment has an interval and an answer, the others a degree alone."""
    table = pd.DataFrame(product(*SPECIFICATIONS.values()), columns=[*SPECIFICATIONS])
    table[["negative", "measured", "positive"]] = 0.0, 20.0, 30.0
    table["degree"] = np.linspace(0.5, 0.9, len(table))
    decided = table["assigned"].eq(SPECIFICATIONS["assigned"][0])
    table["low"], table["high"] = (table["degree"].where(decided) + by for by in (-0.2, 0.2))
    return table.assign(answer=decided.map({True: "partly", False: ""}))


def test_the_specification_curve_counts_equal_answers(well_drawn):
    caption = well_drawn(lambda: figures.specification_curve(specifications())).caption
    assert "in all 48 specifications" in caption and "Of the 16 with an interval 16 answer partly" in caption


def test_two_histograms_hold_every_picture(well_drawn):
    drawn = well_drawn(lambda: figures.one_filter(WITH_IT, WITHOUT, "filter 7", "AU12", 0.625))
    assert drawn.data[["with_it", "without"]].sum().tolist() == [3, 4]
    assert "62.5 % of all pairs" in drawn.caption and "3 pictures with AU12" in drawn.caption
    shares = [mark.text.partition(": ")[2] for mark in drawn.hover]
    without = sum(float(text.partition(" %")[0]) for text in shares if "without" in text)
    assert without == pytest.approx(100, abs=0.2)


def test_a_bar_stands_where_one_shuffle_in_twenty_passes_and_every_bar_tells_its_number(well_drawn):
    drawn = well_drawn(lambda: figures.null_maxima(MAXIMA, BEST))
    assert drawn.data[["anywhere", "within", "filters"]].sum().tolist() == [21, 21, 4]
    assert "above 0.79 (anywhere; 75.0 % of the filters lie below) and 0.89 (within; 75.0 %" in drawn.caption
    told = [mark.text for mark in drawn.hover if mark.text.startswith("filters")]
    assert len(told) == 4 and "filters: 1 from 0.90 to 0.92" in told


def test_a_point_of_a_dose_tells_filter_unit_and_effect(well_drawn):
    drawn = well_drawn(lambda: figures.dose_response(EFFECTS, CHOSEN))
    told = [mark.text for mark in drawn.hover]
    assert "filter 2, AU12 at 1: +12.0 sd (+11.9 to +12.1)" in told
    assert "filter 1, AU4: +2.0 sd, the largest of the others" in told
    assert "in 1 of 2 filters" in drawn.caption


def test_networks_stand_on_one_axis_with_their_place_between_its_ends(well_drawn):
    drawn = well_drawn(lambda: figures.networks(marks()))
    assert len(drawn.data) == 12 and "trained on emotions" in drawn.alt
    assert "untrained 0.0, trained on emotions" in drawn.caption
    written = {text.get_text() for text in drawn.figure.axes[0].texts}
    assert {"degree", "0.00", "0.50", "0.75", "1.00"} <= written
    without = figures.networks(marks().assign(place=np.nan))
    assert "degree" not in {text.get_text() for text in without.figure.axes[0].texts}


def test_this_run_stands_beside_a_reference_that_has_the_ruler():
    breuer = marks().replace({"population": {"trained on emotions": "Breuer's, emotions"}})
    more = pd.concat([marks(), breuer])
    drawn = figures.networks(marks().query("seed < 2"), reference=more.drop_duplicates())
    assert drawn.data["run"].value_counts().to_dict() == {"reference": 12, YOURS: 7}
    assert "Breuer" not in drawn.alt, "this run has none"
    former = more.rename(columns={"place": "panel"})
    assert set(figures.networks(marks(), reference=former).data["run"]) == {""}


def test_the_measure_that_names_most_filters_rightly_is_told(well_drawn):
    table = pairs("measure", ("kl", "mean_difference")).assign(value=[0.3, 0.9, 0.4, 0.1])
    assert "at most 40.0 % of the filters" in well_drawn(lambda: figures.agreement(table)).caption


def test_the_effect_table_has_a_row_per_filter_unit_and_level():
    aus = ("AU1", "AU2", "AU12")
    effects = effects_of_size([[0.5, 3.0, 0.0], [0.0, 0.0, -2.0]], aus)
    table = figures.effect_table(effects, pd.DataFrame({"filter": [1, 0], "au": ["AU12", "AU2"]}))
    assert table["filter"].tolist() == [1] * 6 + [0] * 6
    full = table[table["level"].eq(1)].set_index(["filter", "au"])
    assert full.loc[(0, "AU2"), "effect"] == 3 and full.loc[(1, "AU12"), "low"] == pytest.approx(-2.1)
    assert full["claimed"].tolist() == [False, False, True, False, True, False]
    assert table.loc[1, "effect"] == 0 and table.iloc[8]["effect"] == 1.5
