"""What a face set holds, and what single action units change, as metrics that prose can quote."""

import pandas as pd

from fer_lib.faces.faceset import SPLITS, FaceSet
from fer_lib.faces.leakage import leakage_table
from fer_lib.report.metrics import Metric


def inventory(faces: FaceSet) -> dict[str, Metric]:
    """Counts of pictures, people, classes and leakage of ``faces``; all exact, so without intervals.

    ``subjects``: known people. ``subjects_in_two_splits``: known people with pictures in more than one split.
    ``copies_valid_in_train`` and ``copies_test_in_train``: pictures that equal one of the training split, pixel for
    pixel. ``copies_conflicting``: those of them whose emotion differs from such a picture's.
    """
    table = faces.table
    known = table[table["subject"].ne("")]
    splits_of_subject = known.groupby("subject")["split"].nunique()
    leakage = leakage_table(faces).set_index(["first", "second"])
    against_train = leakage.loc["train"]
    counts = {
        "pictures": len(faces),
        **{f"{split}_pictures": int(table["split"].eq(split).sum()) for split in SPLITS},
        "subjects": int(known["subject"].nunique()),
        "subjects_in_two_splits": int((splits_of_subject > 1).sum()),
        "classes": len(faces.classes),
        "copies_valid_in_train": int(against_train.loc["valid", "exact_copies"]),
        "copies_test_in_train": int(against_train.loc["test", "exact_copies"]),
        "copies_conflicting": int(against_train["conflicting_labels"].sum()),
    }
    return {name: Metric(count, unit="count") for name, count in counts.items()}


def change_metrics(switched: pd.DataFrame) -> dict[str, Metric]:
    """Means over the AUs of ``switched``, the numbers of ``figures.switched_units``; of one person, so without intervals.

    ``change_inside``: share of what an AU changes that lies in its region; ``region_share``: share of the picture that the region
    takes up, which is what the former would be if change lay anywhere. ``switched_units``: number of AUs.
    """
    settings = {"n": len(switched), "unit": "share", "interval": "none: one person", "tolerance": 0.02}
    return {
        "change_inside": Metric(switched["inside"].mean(), **settings),
        "region_share": Metric(switched["region"].mean(), **settings),
        "switched_units": Metric(len(switched), unit="count"),
    }
