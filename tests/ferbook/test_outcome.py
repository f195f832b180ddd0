"""The figure of a sweep."""

from ferbook.estimate import Estimate
from ferbook.outcome import outcome_figure
from ferbook.sweep import new_sweep


def figure_of(given):
    sweep = new_sweep("means", "smoke", given)
    metric = Estimate(3.5, 3, 4, how="x")
    rows = [
        {
            "values": p.values,
            "run": p.request.default_run_name,
            "metric": "mean",
            "estimate": metric,
            "mean_of": 0,
        }
        for p in sweep.points
    ]
    rows.append({"values": {}, "run": "", "metric": "mean", "estimate": metric, "mean_of": len(rows)})
    return outcome_figure(sweep, rows)


def test_each_run_is_a_row_and_their_mean_stands_out(example):
    drawn = figure_of({"seed": "0..3"})
    assert "seed 3 3.50 (3.00 to 4.00) and mean of 4 seeds" in drawn.alt and len(drawn.data) == 5


def test_of_very_many_runs_only_the_mean_is_a_row(example):
    drawn = figure_of({"seed": "0..39"})
    assert "seed 3" not in drawn.alt and "all seeds 3.50" in drawn.alt and len(drawn.data) == 41
