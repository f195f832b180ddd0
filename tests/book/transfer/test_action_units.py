"""Action units across tasks, in tables and numbers, from scores that are known."""

import numpy as np
import pandas as pd
import pytest

from book.transfer import action_units as reports
from book.transfer import figures
from fer_lib.aus.cross_task import CHOSEN, CONDITIONS, FROZEN, UNTRAINED, CrossTask, best_layer
from fer_lib.aus.heads import MACRO
from fer_lib.train.precision import Precision

AUROCS = {
    (FROZEN, "relu1"): (0.70, 0.80),
    (FROZEN, "features"): (0.90, 0.60),
    (FROZEN, CHOSEN): (0.90, 0.80),
    ("fine-tuned", ""): (0.92, 0.90),
    ("from scratch", ""): (0.91, 0.89),
    (UNTRAINED, "relu1"): (0.70, 0.70),
    (UNTRAINED, "features"): (0.60, 0.60),
    (UNTRAINED, CHOSEN): (0.70, 0.70),
    ("HOG", ""): (0.80, 0.85),
    ("emotion", ""): (0.85, 0.65),
}
AUS = ("AU1", "AU12")


def made(width: float = 0.02) -> CrossTask:
    """Two units scored, one too rare. ``width``: half of every interval."""
    rows = []
    for (condition, layer), scores in AUROCS.items():
        rival = AUROCS.get((UNTRAINED, layer), AUROCS[UNTRAINED, CHOSEN])
        cells = zip((*AUS, MACRO), (*scores, np.mean(scores)), (*rival, np.mean(rival)), strict=True)
        for au, score, other in cells:
            row = {"condition": condition, "layer": layer, "au": au, "auroc": score, "f1": 0.5}
            row |= {"auroc_low": score - width, "auroc_high": score + width}
            row |= {"average_precision": 0.6, "f1_skew": 0.7, "too_few": False, "valid_auroc": score}
            row |= {"n": 100 if au != MACRO else None, "positives": 30 if au != MACRO else None}
            for name, gap in (("over_untrained", score - other), ("over_hog", score - 0.825)):
                row |= {name: gap, f"{name}_low": gap - width, f"{name}_high": gap + width}
            rows.append(row)
        rows.append({"condition": condition, "layer": layer, "au": "AU9", "too_few": True, "n": 100})
    table = pd.DataFrame(rows).astype({"n": "Int64", "positives": "Int64"})
    return CrossTask(table, AUS, ("AU9",), {}, {}, Precision("fp32", False))


def test_a_condition_with_layers_is_stood_for_by_the_chosen_ones():
    metrics = reports.unit_metrics(made())
    expected = {"au_auroc_frozen": 0.85, "au_auroc_untrained": 0.7, "au_auroc_hog": 0.825}
    expected |= {"au_frozen_over_untrained": 0.15, "au_scored": 2, "au_too_few": 1, "au_beyond_untrained": 2}
    assert {name: metrics[name].value for name in expected} == pytest.approx(expected)
    assert metrics["au_frozen_over_hog"].low == pytest.approx(0.005)
    assert reports.unit_metrics(made(width=0.15))["au_beyond_untrained"].value == 1, "0.2 and 0.1 above"
    assert {f"au_auroc_{name}" for name in reports.SHORT.values()} <= set(metrics)
    assert metrics["au_auroc_frozen"].n == 100


def test_the_page_tells_each_condition_once():
    table = reports.condition_table(made()).data
    assert [text.split(":")[0] for text in table["detector"]] == [
        name for name in CONDITIONS if name in {c for c, _ in AUROCS}
    ]
    first = table["AUROC"].iloc[0]
    assert [first.value, first.low, first.high] == pytest.approx([0.85, 0.83, 0.87])
    assert table["over HOG"].iloc[3].value == pytest.approx(-0.125)
    missing = made()
    missing.table.loc[missing.table["condition"].eq("HOG"), "over_hog"] = np.nan
    assert reports.condition_table(missing).data["over HOG"].iloc[4] is None


def test_units_that_are_too_rare_are_not_drawn():
    found = made()
    cells = reports.condition_scores(found)
    assert set(cells["au"]) == {*AUS, MACRO} and len(cells) == 6 * 3
    assert not cells["framed"].any() and cells["positives"].dropna().eq(30).all()


def test_layers_are_framed_where_validation_chose_them():
    found = made()
    cells = reports.layer_scores(found, best_layer(found.table))
    assert set(zip(cells["row"], cells["au"], strict=True)) == {
        (layer, au) for layer in ("relu1", "features") for au in (*AUS, MACRO)
    }
    framed = cells[cells["framed"]]
    assert list(zip(framed["row"], framed["au"], strict=True)) == [("relu1", "AU12"), ("features", "AU1")]


def test_the_figure_shows_conditions_and_layers():
    drawn = figures.macro_dots(made())
    assert len(drawn.data) == len(AUROCS) and "frozen 0.85 (0.83 to 0.87)" in drawn.alt
    assert [text.get_text() for text in drawn.figure.axes[0].get_yticklabels()][-1] == "emotion"
