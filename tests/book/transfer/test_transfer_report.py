"""The matrix of a cross-dataset study, from answers whose accuracy is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from torch import nn

from book.transfer import figures, page
from book.transfer.drops import drops
from book.transfer.study import TransferStudy, all_but
from fer_lib.faces.faceset import FaceSet
from fer_lib.train.precision import Precision

CLASSES = ("anger", "happiness")
SETS = ("a", "b", "c")
PEOPLE = 60
SHARES = {
    ("a", "a"): 0.9,
    ("a", "b"): 0.55,
    ("a", "c"): 0.6,
    ("b", "a"): 0.7,
    ("b", "b"): 0.8,
    ("b", "c"): 0.4,
    ("c", "a"): 0.5,
    ("c", "b"): 0.55,
    ("c", "c"): 0.7,
    (all_but("a"), "a"): 0.8,
    (all_but("b"), "b"): 0.7,
    (all_but("c"), "c"): 0.6,
}
"""Trained on, tested on -> share of right answers. Means: 0.8 on the diagonal, 0.55 off it, 0.7 left out."""


def pictures_of(name: str) -> FaceSet:
    """60 people with a picture each, two thirds of them happy."""
    emotions = [CLASSES[number % 3 > 0] for number in range(PEOPLE)]
    table = pd.DataFrame(
        {
            "dataset": name,
            "subject": [f"{name}-{number}" for number in range(PEOPLE)],
            "sequence": "",
            "frame": 0,
            "emotion": emotions,
            "split": "test",
        }
    )
    return FaceSet(name, np.zeros((PEOPLE, 8, 8), np.uint8), table)


def answers(labels: np.ndarray, share: float) -> np.ndarray:
    right = np.arange(PEOPLE) < round(share * PEOPLE)
    return np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]


def learned_and_tested(name: str) -> FaceSet:
    """The same, and 40 more pictures to learn from and 20 to choose by."""
    faces = pictures_of(name)
    return FaceSet.concat(name, [faces.assign(split=["train"] * 40 + ["valid"] * 20), faces])


def made_study(sets=SETS, seeds=(0,), left_one_out=True, left_out=0) -> TransferStudy:
    tests = {name: pictures_of(name) for name in sets}
    rows, given = [], {}
    for (source, target), share in SHARES.items():
        known = target in sets and (source in sets or (left_one_out and source == all_but(target)))
        for seed in seeds if known else ():
            # Seeds differ by six of sixty pictures.
            own = share + 0.1 * (seed - np.mean(seeds))
            given[source, target, seed] = answers(tests[target].labels(CLASSES), own)
            rows.append({"trained_on": source, "tested_on": target, "seed": seed, "accuracy": own})
    dropped = pd.DataFrame([{"faces": "a", "emotion": "contempt", "pictures": 12}])
    shared = [{"trained_on": "b", "tested_on": "a", "people": left_out, "copies": 0, "left_out": left_out}]
    return TransferStudy(
        sets=sets,
        classes=CLASSES,
        table=pd.DataFrame(rows),
        answers=given,
        faces={name: learned_and_tested(name) for name in sets},
        tests=tests,
        dropped=dropped,
        shared=pd.DataFrame(shared),
        networks={(source, seed): nn.Identity() for source, _, seed in given},
        precision=Precision("fp32", False),
    )


def stored(study: TransferStudy) -> dict[str, dict]:
    metrics = page.matrix_metrics(study, drops(study, draws=300))
    return {name: metric.to_json() for name, metric in metrics.items()}


def test_the_matrix_has_every_cell_then_the_joint_networks_and_the_null():
    study = made_study()
    table = page.matrix_table(study, drops(study, draws=200))
    assert list(table["trained_on"].unique()) == [*SETS, page.OTHERS, page.COMMONEST]
    cells = table.set_index(["trained_on", "tested_on"])["accuracy"]
    for (source, target), share in SHARES.items():
        name = source if source in SETS else page.OTHERS
        assert cells[name, target] == pytest.approx(share)
    assert cells[page.COMMONEST].tolist() == pytest.approx([2 / 3] * 3)
    bounded = table[table["trained_on"].ne(page.COMMONEST)]
    assert (bounded["low"] < bounded["accuracy"]).all() and (bounded["accuracy"] < bounded["high"]).all()
    assert table.loc[table["trained_on"].eq(page.COMMONEST), "low"].isna().all()


def test_a_loss_is_below_zero_and_its_bounds_keep_their_order():
    table = page.drop_table(drops(made_study(), draws=200))
    cells = table.set_index(["trained_on", "tested_on"])
    assert cells.loc[("b", "a"), "difference"] == pytest.approx(-20)
    assert cells.loc[(page.OTHERS, "c"), "difference"] == pytest.approx(-10)
    assert len(table) == 9, "six pairs, and one joint network per set"
    assert (table["low"] < table["difference"]).all() and (table["difference"] < table["high"]).all()


def test_the_metrics_are_means_over_cells():
    metrics = stored(made_study())
    assert metrics["in_dataset_accuracy"]["value"] == pytest.approx(0.8)
    assert metrics["cross_dataset_accuracy"]["value"] == pytest.approx(0.55)
    assert metrics["transfer_drop"]["value"] == pytest.approx(25)
    assert metrics["transfer_drop"]["low"] < 25 < metrics["transfer_drop"]["high"]
    assert metrics["left_out_accuracy"]["value"] == pytest.approx(0.7)
    assert metrics["left_out_drop"]["value"] == pytest.approx(10)
    assert metrics["commonest_accuracy"]["value"] == pytest.approx(2 / 3)
    assert metrics["trainings"]["value"] == 6 and metrics["sets"]["value"] == 3
    assert "transfer_seed_spread" not in metrics


def test_several_seeds_say_how_far_they_differ():
    metrics = stored(made_study(seeds=(0, 1)))
    # Two seeds, 10 points apart in each of 12 cells: variance 50 with one degree of freedom each.
    assert metrics["transfer_seed_spread"]["value"] == pytest.approx(np.sqrt(50))
    assert "12 degrees of freedom" in metrics["transfer_seed_spread"]["why"]


def test_two_sets_have_no_joint_networks_and_no_row_of_them():
    study = made_study(("a", "b"), left_one_out=False)
    assert page.OTHERS not in set(page.matrix_table(study, drops(study, draws=100))["trained_on"])
    metrics = stored(study)
    assert "left_out_accuracy" not in metrics
    told = page.matrix_answer(study, metrics)
    assert "all other sets" not in told and "loses least" not in told


def test_the_answer_tells_the_drop_and_what_travels_best():
    study = made_study()
    told = page.matrix_answer(study, stored(study)).replace("\u00a0", " ")
    assert "80.0 % rightly, on another set 55.0 %" in told
    assert "a drop of 25.0 points (95 % interval" in told
    # Lost elsewhere, against the sets' own networks: a 0.25 and 0.1, b 0.2 and 0.3, c 0.4 and 0.25.
    assert "What was learned from a loses least elsewhere, in the mean" in told
    assert "70.0 % on the one left out" in told


def test_a_set_travels_best_by_what_it_loses_and_not_by_how_hard_the_others_are():
    study = made_study()
    # 30 points less for everybody on c: c itself, which is not tested there, now has the highest mean
    # elsewhere.
    harder = study.table["accuracy"] - 0.3 * study.table["tested_on"].eq("c")
    hard = replace(study, table=study.table.assign(accuracy=harder))
    assert "learned from a loses least" in page.matrix_answer(hard, stored(study))


def test_what_is_left_out_for_people_in_two_sets_is_told():
    assert "No person known by name" in page.said_to_share(made_study())
    told = page.said_to_share(made_study(left_out=7))
    assert "7 test pictures" in told and "7 of a (also in b)" in told


def test_absent_sets_are_named():
    there = pictures_of("a")
    assert page.said_of_absent({"a": there}) == ""
    assert "left out: fer2013, tfd" in page.said_of_absent({"a": there, "fer2013": None, "tfd": None})


def test_the_table_of_sets_counts_splits_and_what_has_no_counterpart():
    table = page.set_table(made_study()).set_index("faces")
    assert table[["train", "valid", "test"]].to_numpy().tolist() == [[40, 20, 60]] * 3
    assert table["left out"].tolist() == ["12 contempt", "nothing", "nothing"]


def test_the_figures_of_the_matrix_show_its_numbers():
    study = made_study()
    found = drops(study, draws=100)
    figure, data, alt = figures.transfer_matrix(page.matrix_table(study, found))
    assert len(data) == 15 and "from a to b 55.0 %" in alt and "Row all others" in alt
    assert len(figure.axes[0].patches) == 3, "one frame per set on the diagonal"
    _, data, alt = figures.transfer_drops(page.drop_table(found))
    assert len(data) == 9 and "a from b −20.0" in alt
