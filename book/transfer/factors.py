"""What breaks transfer: faces between two synthetic domains, of which one factor at a time is switched, and
networks' accuracy on them.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from torch import nn

from book.transfer.study import TransferStudy
from face_sets.cache import cached
from face_sets.faceset import FaceSet
from face_sets.paths import cache_dir
from face_sets.rendered import cache_key, entry_kind
from fer_lib.stats.contrasts import POINTS, least_of
from fer_lib.stats.resampling import RERUN_TOLERANCE, bootstrap, cluster_sums
from fer_lib.train.predict import predict
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate
from synthetic_faces.domains import SUBJECTS_AT_LEAST
from synthetic_faces.facs import AUS
from synthetic_faces.mix import conditions, render_conditions, shared_emotions
from synthetic_faces.people import MIXED
from synthetic_faces.produce import Recipe
from synthetic_faces.versions import unversioned, versioned


def factor_faces(people: int = 24, *, size: int = 48, seed: int = 0, other: str = "wild") -> FaceSet:
    """Faces between the synthetic domain ``lab`` and ``other``, under each of their ``conditions``; cached.

    Each of ``people`` persons, who are in no face set, shows each emotion of both domains once, so a
    condition has P = people × emotions pictures, and row k·P + i of the set is picture i under condition k:
    the same person, emotion and random numbers. Beside the columns of every set the table has ``condition``,
    ``factor`` and ``direction`` (see ``mix.Condition``); ``emotion`` is what was shown, with no wrong label;
    all pictures are in the split ``test``. A picture of ``game`` has no votes here.

    Raises ParameterError for a single person, SettingError for a size out of range, an unknown domain, twice
    the same one, or two that share fewer than two emotions; DataError where anny or warp-lang is missing;
    RenderError where a worker fails.
    """
    if people < 2:
        raise ParameterError(f"people {people}: give at least 2")
    recipe, other = Recipe("lab", SUBJECTS_AT_LEAST, size, seed), unversioned(other)
    shared_emotions(recipe.domain, other)
    key = cache_key(recipe, people=people, other=versioned(other))
    kind = entry_kind(recipe, f"{other}-factors-of-{people}")
    return cached(kind, key, lambda: render_factors(recipe, other, people))


def render_factors(recipe: Recipe, other: str, people: int) -> FaceSet:
    """As ``factor_faces``, made anew; of ``recipe`` domain (the base), size and seed count."""
    pixels, intensities = render_conditions(
        recipe.domain, other, people, recipe.size, recipe.seed, cache=cache_dir()
    )
    units = dict(zip(AUS, intensities.reshape(-1, len(AUS)).T, strict=True))
    table = condition_rows(recipe.domain, other, people).assign(**units)
    return FaceSet(f"{recipe.domain}-{other}-factors", pixels.reshape(-1, *pixels.shape[2:]), table)


def condition_rows(base: str, other: str, people: int) -> pd.DataFrame:
    """The table of ``render_factors``, but for the action units."""
    subjects = [f"{base}-S{MIXED + person + 1}" for person in range(people)]
    kinds = [(kind.name, kind.factor, kind.direction) for kind in conditions(base, other)]
    rows = [(*kind, *who) for kind, *who in product(kinds, subjects, shared_emotions(base, other))]
    table = pd.DataFrame(rows, columns=["condition", "factor", "direction", "subject", "emotion"])
    sequence = table["subject"] + "-" + table["emotion"]
    return table.assign(dataset=base, sequence=sequence, frame=0, split="test")


def factor_drops(
    models: Sequence[nn.Module],
    classes: tuple[str, ...],
    faces: FaceSet,
    *,
    draws: int = 2000,
    seed: int = 0,
    **asking: object,
) -> pd.DataFrame:
    """One row per condition of ``faces``, as ``factor_faces`` makes them: what ``models``
    name rightly.

    ``condition``, ``factor``, ``direction``; ``networks`` and ``people``, how many; ``accuracy``, an
    Estimate, the mean over the ``models``, which differ in their seed; ``difference``, an Estimate in points:
    of a condition with a factor more, or with all, to the one with none; of a condition with a factor less to
    the one with all. Its interval is over draws of people, who are the same in both conditions. Seed
    variance is not covered.

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
    asked, rows = {"networks": len(models), "people": len(set(subjects))}, []
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
        rows.append(kind.to_dict() | asked | {"accuracy": accuracy, "difference": apart})
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
