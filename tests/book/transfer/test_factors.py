"""What single factors cost, from a table whose numbers are known."""

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.transfer import factors, figures
from book.transfer.study import TransferStudy
from synthetic_faces.mix import FACTORS

CELLS = {
    ("", "none"): (0.9, 0.0),
    ("pose", "add"): (0.7, -0.2),
    ("blur", "add"): (0.88, -0.02),
    ("pose", "remove"): (0.6, 0.2),
    ("blur", "remove"): (0.45, 0.05),
    ("", "all"): (0.4, -0.5),
}


def made(scale: float = 1.0) -> pd.DataFrame:
    rows = [
        {
            "condition": f"{factor} {direction}",
            "factor": factor,
            "direction": direction,
            "n": 70,
            "accuracy": accuracy,
            "low": accuracy - 0.05,
            "high": accuracy + 0.05,
            "difference": scale * difference,
            "difference_low": scale * difference - 0.03,
            "difference_high": scale * difference + 0.03,
            "interval": "95 % percentile bootstrap",
        }
        for (factor, direction), (accuracy, difference) in CELLS.items()
    ]
    return pd.DataFrame(rows)


def stored(found: dict[str, pd.DataFrame]) -> dict[str, dict]:
    return {name: metric.to_json() for name, metric in factors.factor_metrics(found).items()}


def test_the_table_is_in_points_and_leaves_out_what_is_compared_with_itself():
    table = factors.factor_table({"lab": made(), "wild": made(0.5)})
    assert len(table) == 10 and table["network"].unique().tolist() == ["lab", "wild"]
    pose = table[table["factor"].eq("pose") & table["direction"].eq("add")]
    assert pose["difference"].tolist() == pytest.approx([-20, -10])
    assert pose["low"].iloc[0] == pytest.approx(-23)


def test_the_metrics_are_those_of_the_first_network():
    metrics = stored({"lab": made(), "wild": made(0.5)})
    assert metrics["factor_base_accuracy"]["value"] == 0.9
    assert metrics["factor_all_drop"]["value"] == pytest.approx(-50)
    assert metrics["factor_worst_drop"]["value"] == pytest.approx(-20)
    assert metrics["factor_worst_drop"]["high"] == pytest.approx(-17)


def test_without_an_interval_the_reason_is_kept():
    table = made()
    table.loc[table["direction"].eq("all"), ["difference_low", "difference_high"]] = np.nan
    metric = stored({"lab": table})["factor_all_drop"]
    assert metric["low"] is None and metric["why"].startswith("every draw")


def test_the_answer_names_factors_whose_interval_leaves_out_zero():
    found = {"lab": made()}
    told = factors.factor_answer(found, stored(found), "lab", "wild")
    assert "changes by −50.0 points" in told
    assert told.endswith("Alone, these lower it, with an interval below zero: pose (−20.0).")
    none = {"lab": made(0.05)}
    assert "No factor alone" in factors.factor_answer(none, stored(none), "lab", "wild")


def test_the_figure_shows_all_networks_and_turns_the_whole_drop_round_where_factors_are_taken_away():
    table = factors.factor_table({"lab": made(), "wild": made(0.5)})
    figure, data, alt = figures.factor_dots(table, "lab", "wild")
    assert len(data) == 10
    left, right = (
        {round(float(v)) for line in axes.lines for v in line.get_xdata()} for axes in figure.axes[:2]
    )
    assert {-50, -20, -2} <= left and {50, 20, 5} <= right
    assert "learned from lab changes by −50.0 points" in alt and "pose −20.0 and blur −2.0" in alt


def test_networks_are_put_together_over_seeds_and_those_of_the_base_come_first():
    networks = {(name, seed): nn.Identity() for seed in (0, 1) for name in ("wild", "lab", "all but lab")}
    nothing = dict.fromkeys(("table", "dropped", "shared"), pd.DataFrame())
    about = {"sets": ("wild", "lab"), "classes": (), "precision": None}
    empty = {key: {} for key in ("answers", "faces", "tests")}
    study = TransferStudy(networks=networks, **about, **empty, **nothing)
    found = factors.networks_by_source(study, "lab")
    assert list(found) == ["lab", "wild"]
    assert found["wild"] == [networks["wild", 0], networks["wild", 1]]
    assert list(factors.networks_by_source(study, "game")) == ["wild", "lab"]


def test_every_factor_is_explained():
    table = factors.about_factors()
    assert table["factor"].tolist() == list(FACTORS) and table["what differs"].str.len().gt(10).all()
