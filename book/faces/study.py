"""What a face set holds: its counts, what its pictures are like beside those of other sets, how far its
labels can be wrong, and how far action units follow from the emotion.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import mutual_info_score

from fer_lib.faces.faceset import SPLITS, UNLABELLED, FaceSet
from fer_lib.faces.leakage import leakage_table
from fer_lib.stats.resampling import bootstrap
from ferbook.estimate import Estimate, Unit
from ferbook.page.tables import Table


def mutual_information(
    table: pd.DataFrame, aus: Sequence[str], draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """What the presence of each of ``aus`` and the emotion tell about each other, one row per AU.

    ``n``: pictures with an emotion for which the AU was coded; ``present``: share of them that show it;
    ``entropy`` of its presence and ``information``, its mutual information with the emotion, in bits. That is
    never below 0, and with few pictures far above it even where nothing is told. So ``chance`` is what it is
    on average over ``draws`` deals in which the emotions are dealt anew, the frames of one sequence with one
    emotion together, and ``share`` = (information - chance) / (entropy - chance), adjusted for chance as by
    Vinh, Epps & Bailey (2010): about 0 where the AU is independent of the emotion, 1 where the emotion
    determines it. ``p``: share of the deals, the real one among them, with as much information. Both are NaN
    for an AU that is always or never there, and all but ``n`` where none was coded.

    ``table``: of a FaceSet; rows without an emotion are left out. An AU is shown at any intensity above 0.
    """
    labelled = table[table["emotion"].ne(UNLABELLED)].reset_index(drop=True)
    intensities = labelled[list(aus)].astype(float)
    present = intensities.gt(0).astype(float).where(intensities.notna())
    # A picture of no sequence is dealt by itself.
    alone = labelled.index.to_series().astype(str)
    sequence = labelled["sequence"].where(labelled["sequence"].ne(""), alone)
    groups = pd.factorize(pd.MultiIndex.from_arrays([sequence, labelled["emotion"]]))[0]
    emotions = pd.factorize(labelled["emotion"])[0]
    emotion_of = pd.Series(emotions).groupby(groups).first().to_numpy()
    rng = np.random.default_rng(seed)
    deals = np.stack([emotion_of, *(rng.permutation(emotion_of) for _ in range(draws))])
    rows = {}
    for au, values in present.items():
        coded = values.notna().to_numpy()
        rows[au] = {"n": int(coded.sum())}
        if coded.any():
            shown = values[coded].to_numpy()
            of_group = [
                np.bincount(groups[coded], weights=which, minlength=len(emotion_of))
                for which in (shown, 1 - shown)
            ]
            information = _information(deals, np.stack(of_group, axis=1))
            entropy = max(mutual_info_score(shown, shown) / np.log(2), 0.0)
            chance = information[1:].mean()
            # Equal but for rounding: for an AU that is always or never there.
            telling = entropy - chance > 1e-9
            rows[au] |= {
                "present": shown.mean(),
                "entropy": entropy,
                "information": information[0],
                "chance": chance,
                "share": (information[0] - chance) / (entropy - chance) if telling else np.nan,
                "p": (information >= information[0] - 1e-9).mean() if telling else np.nan,
            }
    columns = ["n", "present", "entropy", "information", "chance", "share", "p"]
    return pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("AU")


def information_table(faces: FaceSet, seed: int = 0) -> Table:
    """``mutual_information`` of ``faces`` for the page: the unit that the emotion tells most about first.

    ``adjusted information`` is its ``share``.
    """
    names = {"n": "pictures", "present": "acts in", "share": "adjusted information"}
    found = mutual_information(faces.table, faces.aus, seed=seed).rename(columns=names)
    return Table(
        found.sort_values("adjusted information", ascending=False)[
            ["adjusted information", "p", "acts in", "pictures"]
        ],
        "What the emotion tells about each action unit",
        {
            "adjusted information": "{:.2f}".format,
            "p": "{:.3f}".format,
            "acts in": "share",
            "pictures": "count",
        },
    )


def _information(deals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Bits (D,): mutual information of emotion and presence in each of ``deals`` (D, groups) of emotions.

    ``counts`` (groups, 2): pictures of each group that show the AU, and that do not.
    """
    joint = np.stack([(deals == emotion) @ counts for emotion in range(deals.max() + 1)], axis=1)
    joint /= counts.sum()
    alone = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    ratio = np.divide(joint, alone, out=np.ones_like(joint), where=joint > 0)
    return np.maximum((joint * np.log2(ratio)).sum(axis=(1, 2)), 0.0)


COMPARED_SIZE = 48
"""Side in pixels, that of FER2013, at which pictures of several sets are compared."""

_MEASURES = ("grey", "contrast", "sharpness", "symmetry")


def picture_statistics(
    sets: Mapping[str, FaceSet], seed: int, pictures: int = 1000, draws: int = 1000
) -> Table:
    """What the pictures of several sets are like, whatever they show; one row per set.

    Of ``pictures`` drawn pictures of each, shrunk to ``COMPARED_SIZE`` pixels where they are larger: mean
    ``grey`` and ``contrast`` (standard deviation within a picture) in grey levels of 0 to 255, ``sharpness``
    (mean absolute step between neighbouring pixels over the contrast) and ``symmetry`` (correlation of a
    picture with its mirror image), each with its interval over people, or over pictures where people are
    unknown. ``pictures`` and ``people`` count the whole set (missing where nobody is known).
    """
    rows = {}
    for name, faces in sets.items():
        drawn = np.random.default_rng(seed).permutation(len(faces))[:pictures]
        measured = _picture_measures(_shrunk(faces.gather(drawn)))
        subject = faces.table["subject"].iloc[drawn]
        known = faces.table["subject"][lambda s: s.ne("")]
        rows[name] = {m: _mean_over_people(measured[m].to_numpy(), subject, draws, seed) for m in _MEASURES}
        rows[name] |= {"pictures": len(faces), "people": known.nunique() if len(known) else pd.NA}
    data = pd.DataFrame.from_dict(rows, orient="index").rename_axis("set")
    return Table(
        data, f"Pictures of each set, at {COMPARED_SIZE} pixels", tolerance=dict.fromkeys(_MEASURES, 2.0)
    )


def _mean_over_people(
    values: np.ndarray, subject: pd.Series, draws: int, seed: int, unit: Unit = ""
) -> Estimate:
    """The mean of ``values`` and its interval; a picture of nobody known counts as a person of its own."""
    alone = pd.Series(np.arange(len(subject)).astype(str), index=subject.index)
    people = subject.where(subject.ne(""), alone).to_numpy()
    sums = pd.DataFrame({"value": values, "n": 1.0}).groupby(people).sum().to_numpy()
    return bootstrap(sums, value=float(np.mean(values)), draws=draws, seed=seed, n=len(values), unit=unit)


def _shrunk(pictures: np.ndarray) -> np.ndarray:
    """float64: the pictures with at most ``COMPARED_SIZE`` pixels a side, each the mean of the area that it
    covers.
    """
    if pictures.shape[1] <= COMPARED_SIZE:
        return pictures.astype(np.float64)
    shape, box = (COMPARED_SIZE, COMPARED_SIZE), Image.Resampling.BOX
    return np.stack([np.asarray(Image.fromarray(p).resize(shape, box), np.float64) for p in pictures])


def _picture_measures(pictures: np.ndarray) -> pd.DataFrame:
    """``_MEASURES`` of each of ``pictures`` (N, S, S)."""
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    contrast = np.maximum(centred.std(axis=(1, 2)), 1e-9)
    steps = [np.abs(np.diff(pictures, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    return pd.DataFrame(
        {
            "grey": pictures.mean(axis=(1, 2)),
            "contrast": contrast,
            "sharpness": np.mean(steps, axis=0) / contrast,
            "symmetry": (centred * centred[:, :, ::-1]).mean(axis=(1, 2)) / contrast**2,
        }
    )


def label_table(sets: Mapping[str, FaceSet], seed: int = 0, draws: int = 1000) -> Table | None:
    """How far the labels of several sets can be wrong; one row per set that lets one tell, None where no set
    does.

    ``wrong_labels``: share of the pictures whose label is not what was shown, with its interval over people,
    for sets that know it (column ``true_emotion``). Where a crowd voted: ``votes_for_the_label``, the mean
    share of a picture's votes, and ``unanimous``, the share of pictures on which all voters agree. A dash
    stands for what cannot be known. Pictures without a vote are left out of the last two.
    """
    rows = {}
    for name, faces in sets.items():
        table = faces.table[faces.table["emotion"].ne(UNLABELLED)].reset_index(drop=True)
        known = "true_emotion" in table.columns
        voted = [column for column in table.columns if column.startswith("vote_")]
        if table.empty or not (known or voted):
            continue
        row: dict[str, object] = {"pictures": len(table)}
        if known:
            wrong = table["emotion"].ne(table["true_emotion"]).to_numpy(float)
            row["wrong_labels"] = _mean_over_people(wrong, table["subject"], draws, seed, "share")
        if voted:
            votes = table[voted].to_numpy(float, na_value=0)
            total = votes.sum(axis=1)
            cast = total > 0
            label = pd.get_dummies(table["emotion"]).reindex(columns=[c.removeprefix("vote_") for c in voted])
            agreed = (votes * label.to_numpy(float, na_value=0)).sum(axis=1)[cast] / total[cast]
            if cast.any():
                row["votes_for_the_label"] = float(agreed.mean())
                row["unanimous"] = float((votes.max(axis=1) == total)[cast].mean())
        rows[name] = row
    if not rows:
        return None
    columns = ["wrong_labels", "votes_for_the_label", "unanimous", "pictures"]
    return Table(
        pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("set"),
        "Wrong labels, and the votes of the crowd",
        {"votes_for_the_label": "share", "unanimous": "share"},
    )


def inventory(faces: FaceSet) -> dict[str, Estimate]:
    """Counts of pictures, people, classes and leakage of ``faces``; all exact, so without intervals.

    ``subjects``: known people. ``subjects_in_two_splits``: known people with pictures in more than one split.
    ``copies_valid_in_train`` and ``copies_test_in_train``: pictures that equal one of the training split,
    pixel for pixel. ``copies_conflicting``: those of them whose emotion differs from such a picture's.
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
    return {name: Estimate(count, unit="count") for name, count in counts.items()}


def change_metrics(switched: pd.DataFrame) -> dict[str, Estimate]:
    """Means over the AUs of ``switched``, the numbers of ``figures.switched_units``; of one person, so
    without intervals.

    ``change_inside``: share of what an AU changes that lies in its region; ``region_share``: share of the
    picture that the region takes up, which is what the former would be if change lay anywhere.
    ``switched_units``: number of AUs.
    """
    settings = {"n": len(switched), "unit": "share", "why": "one person", "tolerance": 0.02}
    return {
        "change_inside": Estimate(switched["inside"].mean(), **settings),
        "region_share": Estimate(switched["region"].mean(), **settings),
        "switched_units": Estimate(len(switched), unit="count"),
    }
