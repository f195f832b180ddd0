"""What a face set holds: what one action unit changes, its counts, what a split of pictures instead of people
would bring, how far its labels can be wrong, and how far action units follow from the emotion.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.metrics import mutual_info_score

from face_sets.faceset import SPLITS, UNLABELLED, FaceSet, named_alone
from face_sets.leakage import leakage_table
from fer_lib.stats.resampling import bootstrap
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

if TYPE_CHECKING:  # it would import the renderer
    from synthetic_faces.studio import Switched

SEEN = 12
"""Grey levels, of 255, by which two pixels must differ to count as changed: above noise and rounding."""


def unit_overlaps(stimuli: "Switched") -> pd.DataFrame:
    """What each AU changes, and where: ``au``; ``region`` that it moves and what ``changed`` by more than
    ``SEEN``, as shares of the picture; ``inside``, the share of all change, in absolute grey levels, that
    lies in the region; ``iou`` of what changed and the region, and ``iou_of_others``, the mean over the
    regions of the other AUs.
    """
    change = np.abs(stimuli.on.astype(int) - stimuli.off)
    change_masks, regions = change > SEEN, stimuli.masks
    both = np.einsum("ahw,bhw->ab", change_masks.astype(float), regions.astype(float))
    area = [each.sum(axis=(1, 2)).astype(float) for each in (change_masks, regions)]
    iou = both / (area[0][:, None] + area[1] - both)
    others = (iou.sum(axis=1) - iou.diagonal()) / (len(iou) - 1)
    shares = {
        "region": regions.mean(axis=(1, 2)),
        "changed": change_masks.mean(axis=(1, 2)),
        "inside": (change * regions).sum(axis=(1, 2)) / change.sum(axis=(1, 2)),
        "iou": iou.diagonal(),
        "iou_of_others": others,
    }
    return pd.DataFrame({"au": stimuli.aus} | {name: each.round(4) for name, each in shares.items()})


def nearest(faces: FaceSet) -> pd.DataFrame:
    """For each picture its ``person``, and the row of the picture nearest to it (least squared difference of
    grey levels) ``of_all`` others, and ``of_other_people``.
    """
    person = pd.factorize(named_alone(faces.table["subject"]))[0]
    pixels = faces.pixels.reshape(len(faces), -1).astype(float)
    far = cdist(pixels, pixels, "sqeuclidean")
    np.fill_diagonal(far, np.inf)
    of_all = far.argmin(axis=1)
    far[person[:, None] == person] = np.inf
    return pd.DataFrame({"person": person, "of_all": of_all, "of_other_people": far.argmin(axis=1)})


def leak_metrics(faces: FaceSet, neighbours: pd.DataFrame, seed: int = 0) -> dict[str, Estimate]:
    """How often a picture has the emotion of the nearest one, by ``nearest``: among all others (``leaky``),
    among those of other people (``honest``), and by how much more the former (``leak``); intervals draw
    people.
    """
    emotion, subject = faces.table["emotion"].to_numpy(), faces.table["subject"]
    right = {name: (emotion == emotion[neighbours[of]]).astype(float) for name, of in _NEAREST.items()}
    right["leak"] = right["leaky"] - right["honest"]
    return {name: _mean_over_people(each, subject, seed) for name, each in right.items()}


_NEAREST = {"leaky": "of_all", "honest": "of_other_people"}


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
            labels = values[coded].to_numpy()
            of_group = [
                np.bincount(groups[coded], weights=which, minlength=len(emotion_of))
                for which in (labels, 1 - labels)
            ]
            information = _information(deals, np.stack(of_group, axis=1))
            entropy = max(mutual_info_score(labels, labels) / np.log(2), 0.0)
            chance = information[1:].mean()
            # Equal but for rounding: for an AU that is always or never there.
            telling = entropy - chance > 1e-9
            rows[au] |= {
                "present": labels.mean(),
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
    information = mutual_information(faces.table, faces.aus, seed=seed).rename(columns=names)
    return Table(
        information.sort_values("adjusted information", ascending=False, kind="stable")[
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


def _mean_over_people(values: np.ndarray, subject: pd.Series, seed: int) -> Estimate:
    """The mean of ``values``, a share, and its interval; a picture of nobody known is a person of its own."""
    sums = pd.DataFrame({"value": values, "n": 1.0}).groupby(named_alone(subject)).sum().to_numpy()
    return bootstrap(sums, value=float(np.mean(values)), draws=1000, seed=seed, n=len(values), unit="share")


def inventory(faces: FaceSet) -> dict[str, Estimate]:
    """Counts of pictures, people, classes and leakage of ``faces``; all exact, so without intervals.

    ``subjects``: known people. ``subjects_in_two_splits``: known people with pictures in more than one split.
    ``copies_valid_in_train`` and ``copies_test_in_train``: pictures that equal one of the training split,
    pixel for pixel. ``copies_conflicting``: those of them whose emotion differs from such a picture's.
    """
    table = faces.table
    people = table[table["subject"].ne("")]
    splits_of_subject = people.groupby("subject")["split"].nunique()
    leakage = leakage_table(faces).set_index(["first", "second"])
    against_train = leakage.loc["train"]
    counts = {
        "pictures": len(faces),
        **{f"{split}_pictures": int(table["split"].eq(split).sum()) for split in SPLITS},
        "subjects": int(people["subject"].nunique()),
        "subjects_in_two_splits": int((splits_of_subject > 1).sum()),
        "classes": len(faces.classes),
        "copies_valid_in_train": int(against_train.loc["valid", "exact_copies"]),
        "copies_test_in_train": int(against_train.loc["test", "exact_copies"]),
        "copies_conflicting": int(against_train["conflicting_labels"].sum()),
    }
    return {name: Estimate(count, unit="count") for name, count in counts.items()}


def change_metrics(stimuli: "Switched") -> dict[str, Estimate]:
    """Means over the AUs of ``unit_overlaps``, and what AU12 changes; of one person, so without intervals.

    ``change_inside``: share of what an AU changes that lies in its region; ``region_share``: share of the
    picture that the region takes up, which is what the former would be if change lay anywhere; ``overlap``
    (IoU) of change and region, and ``overlap_of_others``; ``switched_units``: number of AUs; ``changed``:
    share of the picture that AU12 changes; ``changed_wrapped``: what comes out where bytes are subtracted.
    """
    overlaps, place = unit_overlaps(stimuli), stimuli.aus.index("AU12")
    settings = {"why": "one person", "tolerance": 0.03}
    wrapped = float((stimuli.on[place] - stimuli.off > SEEN).mean())
    shares = {
        "change_inside": overlaps["inside"].mean(),
        "region_share": overlaps["region"].mean(),
        "changed": overlaps["changed"][place],
        "changed_wrapped": wrapped,
    }
    ratios = {"overlap": overlaps["iou"].mean(), "overlap_of_others": overlaps["iou_of_others"].mean()}
    return (
        {name: Estimate(share, unit="share", **settings) for name, share in shares.items()}
        | {name: Estimate(ratio, **settings) for name, ratio in ratios.items()}
        | {"switched_units": Estimate(len(overlaps), unit="count")}
    )


def information_metrics(table: Table) -> dict[str, Estimate]:
    """``information_most``: the largest adjusted information of ``information_table``; ``information_median``
    of its units; ``informed_units``: how many have ``p`` of at most .05.
    """
    information = table.data["adjusted information"].dropna()
    why = {"why": "adjusted for chance, of this set", "tolerance": 0.05}
    shares = {"information_most": information.max(), "information_median": information.median()}
    return {name: Estimate(value, unit="share", **why) for name, value in shares.items()} | {
        "informed_units": Estimate(int(table.data["p"].le(0.05).sum()), unit="count")
    }
