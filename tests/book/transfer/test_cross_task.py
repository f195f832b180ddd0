"""Action units across tasks, in tables, numbers and words, from scores that are known."""

import numpy as np
import pandas as pd
import pytest

from book import shared_figures
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


def made(width: float = 0.02, shift: float = 0.0) -> CrossTask:
    """Two units scored, one too rare. ``width``: half of every interval; ``shift`` of the frozen scores."""
    rows = []
    for (condition, layer), scores in AUROCS.items():
        rival = AUROCS.get((UNTRAINED, layer), AUROCS[UNTRAINED, CHOSEN])
        frozen = shift if condition == FROZEN else 0
        own = [score + frozen for score in scores]
        cells = zip((*AUS, MACRO), (*own, np.mean(own)), (*rival, np.mean(rival)), strict=True)
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


def stored(found: CrossTask) -> dict[str, dict]:
    return {name: metric.to_json() for name, metric in reports.unit_metrics(found).items()}


def test_a_condition_with_layers_is_stood_for_by_the_chosen_ones():
    metrics = stored(made())
    assert metrics["au_auroc_frozen"]["value"] == pytest.approx(0.85)
    assert metrics["au_auroc_untrained"]["value"] == pytest.approx(0.70)
    assert metrics["au_auroc_hog"]["value"] == pytest.approx(0.825)
    assert metrics["au_frozen_over_untrained"]["value"] == pytest.approx(0.15)
    assert metrics["au_frozen_over_hog"]["low"] == pytest.approx(0.005)
    assert metrics["au_scored"]["value"] == 2 and metrics["au_too_few"]["value"] == 1
    assert metrics["au_beyond_untrained"]["value"] == 2
    assert stored(made(width=0.15))["au_beyond_untrained"]["value"] == 1, "0.2 and 0.1 above"
    assert {f"au_auroc_{name}" for name in reports.SHORT.values()} <= set(metrics)
    assert metrics["au_auroc_frozen"]["n"] == 100


def test_the_page_tells_each_condition_once():
    table = reports.condition_table(made())
    assert [text.split(":")[0] for text in table["detector"]] == [
        name for name in CONDITIONS if name in {c for c, _ in AUROCS}
    ]
    assert table["AUROC"].iloc[0] == "0.850 (0.830 to 0.870)"
    assert table["over HOG"].iloc[3] == "−0.125 (−0.145 to −0.105)"
    missing = made()
    missing.table.loc[missing.table["condition"].eq("HOG"), "over_hog"] = np.nan
    assert pd.isna(reports.condition_table(missing)["over HOG"].iloc[4])


def test_units_that_are_too_rare_are_not_drawn():
    found = made()
    cells = reports.unit_scores(found)
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


@pytest.mark.parametrize(
    ("shift", "width", "verdict"),
    [
        (0.0, 0.02, "helps to see action units, beyond what the structure sees anyway"),
        (-0.3, 0.02, "less well than the untrained structure"),
        (0.0, 0.2, "is not shown"),
    ],
)
def test_the_answer_follows_the_difference_to_the_untrained_network(shift, width, verdict):
    found = made(width, shift)
    told = reports.unit_answer(found, best_layer(found.table), stored(found))
    assert verdict in told
    assert "detect 2 action units" in told and "features (1)" in told and "relu1 (1)" in told


def test_the_answer_says_whether_the_emotion_alone_would_do():
    found = made()
    best = best_layer(found.table)
    assert "0.750, which is less" in reports.unit_answer(found, best, stored(found))
    lower = made(shift=-0.15)
    assert "that much can be had without seeing a single unit" in reports.unit_answer(
        lower, best, stored(lower)
    )


def test_the_figures_show_means_layers_and_units():
    found = made()
    figure, data, alt = figures.macro_dots(reports.macro_table(found))
    assert len(data) == len(AUROCS) and "frozen 0.850 (0.830 to 0.870)" in alt
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][-1] == "emotion"
    drawn = shared_figures.unit_map(reports.unit_scores(found), "read from")
    alt = drawn.alt
    assert len(drawn.data) == 18 and "HOG: mean 0.82" in alt and "highest AU12 0.85" in alt
    drawn = shared_figures.unit_map(reports.layer_scores(found, best_layer(found.table)), "layer")
    assert "Framed: AU12 in relu1 and AU1 in features" in drawn.alt
    assert len(drawn.figure.axes[0].patches) == 2
