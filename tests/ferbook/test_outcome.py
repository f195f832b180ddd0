"""What several runs found, as one table and one figure."""

import pytest

from ferbook import outcome
from ferbook.book import chapters
from ferbook.errors import RunStoreError
from ferbook.outcome import outcome_figure, outcome_rows, outcome_table
from ferbook.request import Request, varied_parameters
from ferbook.store import open_run

INPUTS = {"notebook": "", "code": {}, "data": {}, "parameters": {}, "packages": {}}


@pytest.fixture
def runs(example, finish):
    """Makes runs of ``means`` that differ in some parameters; the value is the seed."""

    def runs(*every, inputs=INPUTS):
        for given in every:
            request = Request("smoke", given)
            run = open_run(request.default_run_name)
            models = {name: request.of_chapter(chapter) for name, chapter in chapters().items()}
            asked = {"profile": "smoke", "parameters": {n: m.model_dump() for n, m in models.items()}}
            run.write_record({"request": asked, "changed": "now"})
            value = float(models["means"].seed)
            metric = {"value": value, "low": value - 1, "high": value + 1, "how": "x"}
            finish(run, "means", inputs, {"mean": metric})
        return [open_run(Request("smoke", given).default_run_name) for given in every]

    return runs


def test_a_row_for_each_run_and_their_mean_below_it(runs):
    rows, notes = outcome_rows(runs(*({"seed": str(n)} for n in range(4))))
    every = [*((f"smoke-seed-{n}", 0) for n in range(4)), ("", 4)]
    assert [(row["run"], row["mean_of"]) for row in rows] == every
    table = outcome_table(rows)
    assert table["run"].iloc[-1] == "mean of 4 seeds" and table["value"].iloc[-1] == 1.5 and notes == []
    drawn = outcome_figure(rows)
    assert "seed 3 3.00 (2.00 to 4.00) and mean of 4 seeds" in drawn.alt and len(drawn.data) == 5


def test_a_mean_takes_in_what_the_code_of_the_last_one_made(runs):
    older = runs({"seed": "0"}, inputs=INPUTS | {"code": {"book/means/study.py": "0" * 64}})
    rows, notes = outcome_rows(older + runs({"seed": "1"}, {"seed": "2"}))
    assert [row["mean_of"] for row in rows] == [0, 0, 0, 2] and rows[-1]["estimate"].value == 1.5
    assert notes == ["means in smoke-seed-0: code changed (book/means/study.py); no mean takes it in"]


def test_one_result_in_all_runs_is_told_and_not_shown(runs):
    every = runs({"seed": "0"}, {"seed": "1"}, {"seed": "2"})
    for run in every[1:]:
        run.result("means").copy_from(every[0].result("means"))
    told = "no chapter of these runs differs; means: all runs show one result"
    with pytest.raises(RunStoreError, match=told):
        outcome_rows(every)
    assert len(outcome_rows(every, "means")[0]) == 4, "where it is named it is shown"


def test_a_run_without_the_chapter_is_told(runs):
    every = runs({"seed": "0"}, {"seed": "1"}, {"seed": "2"})
    (every[1].result("means").folder / "DONE.json").unlink()
    rows, notes = outcome_rows(every)
    assert [row["run"] for row in rows] == ["smoke-seed-0", "smoke-seed-2", ""]
    assert notes == ["means: not finished in smoke-seed-1"]


def test_runs_that_differ_in_much_are_called_by_their_names(runs, monkeypatch):
    every = runs(*({"draws": f"{n}00", "sides": str(n), "seed": str(n)} for n in range(4, 7)))
    monkeypatch.setattr(outcome, "MOST_VARIED", 1)
    rows, notes = outcome_rows(every)
    assert notes == ["the runs differ in 3 parameters; `ferbook compare A B` shows them"]
    assert [row["values"] for row in rows] == [{}] * 3 and "smoke-draws-500" in outcome_figure(rows).alt


def test_what_varies_has_its_name_and_that_of_its_chapter_where_others_differ(example):
    same = [{"throws": {"seed": n, "x": 1}, "means": {"seed": n}} for n in range(2)]
    assert varied_parameters(same) == [{"seed": 0}, {"seed": 1}]
    other = [{"throws": {"seed": n}, "means": {"seed": 3}, "only": {"y": n}} for n in range(2)]
    other[1].pop("only")
    assert varied_parameters(other) == [{"seed": 0}, {"seed": 1}]
    apart = [{"throws": {"seed": n}, "means": {"seed": 9 - n}} for n in range(2)]
    names = [{"throws.seed": 0, "means.seed": 9}, {"throws.seed": 1, "means.seed": 8}]
    assert varied_parameters(apart) == names
    assert varied_parameters([{"throws": {}}, {"throws": {"new": 2}}]) == [{"new": None}, {"new": 2}]
