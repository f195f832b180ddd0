"""The curves of costs on the page of benchmarks."""

import re

import numpy as np
import pandas as pd
import pytest

from book import costs_page
from book.costs_page import CURVES, costs_text


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes costs of a law that is known: seconds, ``power`` of the size and so many bytes each."""

    def make(power=1.0, kilobytes=1.0):
        rows = []
        for what, against in [*CURVES, ("predictions", "published")]:
            for size in (500,) if against == "published" else (1024, 2048, 102400):
                row = {"what": what, "against": against, "size": size, "turn": 0}
                row |= {"seconds": 0.001 * size**power, "megabytes": 900 + kilobytes * size / 1024}
                rows.append(row | {"exponent": power, "low": power - 0.01, "high": power + 0.01})
        about = {"device": "some CPU", "when": "2026-11-24T00:00:00", "commit": "a" * 40, "load": 2.0}
        pd.DataFrame(rows).assign(**about).to_csv(tmp_path / "costs.csv", index=False)
        monkeypatch.setattr(costs_page, "COSTS", tmp_path / "costs.csv")
        return costs_text({})

    return make


def test_goals_and_what_many_pictures_take_follow_from_the_measurements(made):
    text = made()
    assert "reached by 2 of 2 curves" in text and ": reached, 1,000 MB." in text
    # 0.001 s and 1 KiB each.
    assert "network 3 hours" in text and "would peak at 10 GB" in text
    text = made(1.2, 20)
    assert "reached by 0 of 2 curves" in text and ": missed, 2,900 MB." in text
    assert "takes 2.30 times as long" in text and "would peak at 191 GB" in text


def test_curves_measured_apart_each_say_where(made):
    assert "\n- measured on some CPU, 2026-11-24, commit `aaaaaaaa`, in processor seconds" in made()
    table = pd.read_csv(costs_page.COSTS, keep_default_na=False)
    table.loc[table["what"].eq("null"), ["device", "commit"]] = "another CPU", "b" * 40
    table.to_csv(costs_page.COSTS, index=False)
    text = costs_text({})
    assert "\n- predictions and responses: measured on some CPU, 2026-11-24, commit `aaaaaaaa`" in text
    assert "\n- null: measured on another CPU, 2026-11-24, commit `bbbbbbbb`" in text


def test_every_curve_is_drawn_and_told_as_it_was_measured():
    text = costs_text({})
    assert len(re.findall(r'<figure class="fer-figure" id="figure-costs"', text)) == 1 and "<img" not in text
    table = costs_page.costs_table()
    assert {*CURVES} == {*table.loc[table["exponent"].notna(), ["what", "against"]].itertuples(index=False)}
    drawn = costs_page.costs_figure(table)
    for axes, ((what, against), _) in zip(drawn.figure.axes, CURVES.items(), strict=False):
        own = table[table["what"].eq(what) & table["against"].eq(against)]
        shown = np.column_stack(axes.lines[-1].get_data())
        np.testing.assert_allclose(shown, own.groupby("size")["seconds"].median().reset_index().to_numpy())
