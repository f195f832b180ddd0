"""What breaks transfer: networks' accuracy on faces between two domains, of which one factor at a time was
switched.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from torch import nn

from book.transfer.study import TransferStudy
from fer_lib.faces.faceset import FaceSet
from fer_lib.stats.contrasts import POINTS, least_of
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from fer_lib.train.predict import predict
from ferbook.errors import DataError
from ferbook.estimate import Estimate


def factor_drops(
    models: Sequence[nn.Module],
    classes: tuple[str, ...],
    faces: FaceSet,
    *,
    draws: int = 2000,
    seed: int = 0,
    **asking: object,
) -> pd.DataFrame:
    """One row per condition of ``faces``, as ``factor_faces.factor_faces`` makes them: what ``models``
    name rightly.

    ``condition``, ``factor``, ``direction``; ``accuracy``, an Estimate, the mean over the ``models``, which
    differ in their seed; ``difference``, an Estimate in points: of a condition with a factor more, or with
    all, to the one with none; of a condition with a factor less to the one with all. Its interval is over
    draws of people, who are the same in both conditions. The luck of the seeds is not covered.

    The models answer with any of ``classes``; ``asking`` are arguments of ``train.predict.predict``. Pictures
    of another emotion are left out. Raises DataError where fewer than two of ``classes`` are shown.
    """
    paired = faces.select(faces.table["emotion"].isin(classes).to_numpy())
    if len(paired.classes) < 2:
        raise DataError(
            f"face set {faces.name!r} shows {len(paired.classes)} of the classes {', '.join(classes)}; at "
            "least 2 are needed"
        )
    kinds = paired.table[["condition", "factor", "direction"]].drop_duplicates(ignore_index=True)
    labels = paired.labels(classes)
    right = np.mean([predict(model, paired, **asking).argmax(axis=1) == labels for model in models], axis=0)
    by_picture = right.reshape(len(kinds), -1).T
    subjects = paired.table["subject"].to_numpy()[: len(by_picture)]
    # What each person adds: rightly named pictures under each condition, and pictures.
    sums = cluster_sums(np.column_stack([by_picture, np.ones(len(by_picture))]), subjects)
    whole = [own.mean() for own in by_picture.T]
    none, every = (kinds.index[kinds["direction"] == end].item() for end in ("none", "all"))
    drawing = {"draws": draws, "seed": seed, "n": len(by_picture), "besides": "; the seeds are not covered"}
    rows = []
    for k, kind in kinds.iterrows():
        against = every if kind["direction"] == "remove" else none
        accuracy = bootstrap(
            sums[:, [k, -1]], value=whole[k], unit="share", tolerance=2 * RERUN_TOLERANCE, **drawing
        )
        apart = bootstrap(
            sums[:, [k, against, -1]],
            lambda totals: POINTS * (totals[:, 0] - totals[:, 1]) / totals[:, 2],
            POINTS * (whole[k] - whole[against]),
            tolerance=2 * POINTS * RERUN_TOLERANCE,
            **drawing,
        )
        rows.append(kind.to_dict() | {"accuracy": accuracy, "difference": apart})
    return pd.DataFrame(rows)


def every_drop(
    study: TransferStudy, faces: FaceSet, *, first: str = "lab", **how: object
) -> dict[str, pd.DataFrame]:
    """By what networks of ``study`` learned from, ``first`` before the others where it is among them:
    ``factor_drops`` of these networks on ``faces``, the rest as there.
    """
    names = sorted(study.sets.faces, key=lambda name: name != first)
    return {name: factor_drops(study.of(name), study.sets.classes, faces, **how) for name in names}


def factor_table(by_network: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of ``factor_drops`` by what the network learned from, one below the other, for
    ``figures.factor_dots``: ``network``, ``factor``, ``direction``; ``difference``, ``low``, ``high`` in
    points. The condition without any factor, which is compared with itself, has no row.
    """
    rows = pd.concat([table.assign(network=name) for name, table in by_network.items()], ignore_index=True)
    rows = rows[rows["direction"].ne("none")].reset_index(drop=True)
    ends = {"difference": "value", "low": "low", "high": "high"}
    numbers = {name: [getattr(one, end) for one in rows["difference"]] for name, end in ends.items()}
    return rows[["network", "factor", "direction"]].assign(**numbers).astype(dict.fromkeys(ends, float))


def factor_metrics(by_network: Mapping[str, pd.DataFrame]) -> dict[str, Estimate]:
    """Of the first network: ``factor_base_accuracy`` with no factor switched, ``factor_all_drop`` with all,
    in points, and ``factor_worst_drop``, that of the factor which alone lowers its accuracy most.
    """
    table = next(iter(by_network.values()))
    kinds = {kind: list(rows) for kind, rows in table.groupby("direction")["difference"]}
    return {
        "factor_base_accuracy": table.loc[table["direction"].eq("none"), "accuracy"].item(),
        "factor_all_drop": kinds["all"][0],
        "factor_worst_drop": least_of(kinds["add"], of="factors"),
    }
