"""How many people it takes: of trainings whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from book.derl.learning_curve import CURVE_CONDITIONS, curve_metrics, curve_of, curve_table
from book.derl.study import DERL, TRUE_DIFFERENCE, one_fold
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Fold, Protocol

CLASSES = ("happiness", "sadness")
PEOPLE = 12


@pytest.fixture
def faces() -> FaceSet:
    """Twelve people, each once happy and once sad."""
    rows = [{"subject": f"p{k // 2:02d}", "emotion": CLASSES[k % 2], "sequence": str(k)} for k in range(24)]
    table = pd.DataFrame(rows).assign(dataset="lab", frame=0, split="train")
    return FaceSet("lab", np.arange(24, dtype=np.uint8)[:, None, None].repeat(16, 1).repeat(16, 2), table)


@pytest.fixture
def protocol() -> Protocol:
    rows = np.arange(24)
    return Protocol("", "", CLASSES, (Fold(rows[8:], rows[4:8], rows[:4]),), "")


def answered(conditions, **columns):
    """A row for each of ``conditions``, and answers to the four tested pictures, all right but of DeRL."""
    table = pd.DataFrame({"condition": conditions}).assign(
        seed=0, fold=0, parameters=1, valid_accuracy=0.5, frozen=False, **columns
    )
    right = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    return table, np.stack([right[::-1] if name == DERL else right for name in conditions])


@pytest.mark.parametrize("oracle", [(), (TRUE_DIFFERENCE,)])
def test_all_people_are_counted_where_nobody_is_seen_at_rest_too(faces, protocol, oracle):
    whole = one_fold(faces, protocol, 0, *answered(CURVE_CONDITIONS))
    shares = {"few": 2, "some": 4} | ({"all": 8} if oracle else {})
    parts = [
        answered((*(CURVE_CONDITIONS if name != "all" else ()), *oracle), share=name, people=people)
        for name, people in shares.items()
    ]
    trainings, answers = pd.concat([table for table, _ in parts]), np.concatenate([own for _, own in parts])
    curve = curve_of(faces, protocol, [(whole, trainings.reset_index(drop=True), answers)])
    assert curve.people == {"few": 2, "some": 4, "all": 8}
    table = curve_table(curve, faces, protocol, draws=50)
    assert table.groupby("share")["condition"].agg(set).eq({*CURVE_CONDITIONS, *oracle}).all()
    metrics = curve_metrics(table)
    assert metrics["all_people"].value == 8 and metrics["few_accuracy"].value == 0
    assert metrics["some_cnn_accuracy"].value == 1 and ("ahead_of_true_difference" in metrics) is bool(oracle)
