"""Numbers that decide verdicts of the committed reference, recomputed from what its networks answered, with
none of our statistics: people (or groups of equal pictures) are left out one by one instead of drawn anew.
"""

import csv
import json

import numpy as np
import pytest

from fer_lib.stats.degree import Role, degree_and_distance
from ferbook import paths
from ferbook.answers import Evidence, answer_claim
from ferbook.book import chapters
from ferbook.claims import read_claims

REFERENCE = paths.root() / "runs" / "reference"


def labels_and_groups(folder):
    """The label and the group of each test picture of a network."""
    with (folder / "tested.csv").open() as file:
        rows = list(csv.DictReader(file))
    return np.array([int(row["label"]) for row in rows]), np.array([row["group"] for row in rows])


def right(population):
    """Whether each network named each test picture rightly, (networks, pictures), and each one's group."""
    answers = []
    for folder in sorted((REFERENCE / "populations" / population).glob("[0-9]*")):
        labels, groups = labels_and_groups(folder)
        answers.append(np.load(folder / "test.npy").argmax(1) == labels)
    return np.stack(answers).astype(float), groups


def jackknife(gain, groups):
    """The mean of a picture's gain, and its standard error over groups."""
    names, place = np.unique(groups, return_inverse=True)
    totals, sizes = np.bincount(place, gain), np.bincount(place)
    left_out = (gain.sum() - totals) / (len(gain) - sizes)
    k = len(names)
    return gain.mean(), np.sqrt((k - 1) / k * ((left_out - left_out.mean()) ** 2).sum())


def agrees_of_networks(gains, groups, published, scale=100):
    """As ``agrees``, of the mean of ``gains`` (networks, pictures), with the luck of networks."""
    gains = np.array(gains)
    found, error = jackknife(gains.mean(0), groups)
    luck = gains.mean(1).std(ddof=1) / np.sqrt(len(gains))
    agrees(found, np.hypot(error, luck), published, scale)


def told(chapter, metric):
    """A metric of the reference: value, low, high."""
    file = REFERENCE / chapter / "metrics.json"
    if not file.is_file():
        pytest.skip(f"the reference holds no chapter {chapter}")
    found = json.loads(file.read_text()).get(metric)
    if found is None:
        pytest.skip(f"the reference has not measured {chapter}.{metric}")
    return np.array([found["value"], found["low"], found["high"]])


def agrees(found, error, published, scale=100):
    """Whether value and interval are those published, by default in points: the value to rounding of
    half-precision answers, the ends to a fifth of the interval's width, for they come from other draws.
    """
    ends = scale * np.array([found, found - 1.96 * error, found + 1.96 * error])
    assert ends[0] == pytest.approx(published[0], abs=0.05)
    assert ends[1:] == pytest.approx(published[1:], abs=0.2 * np.ptp(published))


def test_the_gain_by_leaving_out_biases():
    published = told("training", "ahead_of_biased")
    with_, groups = right("emotions")
    without, _ = right("emotions_with_biases")
    found, error = jackknife(with_.mean(0) - without.mean(0), groups)
    luck = with_.mean(1).std(ddof=1) * np.sqrt(1 / len(with_) + 1 / len(without))
    agrees(found, np.hypot(error, luck), published)


LIU = ("muon_full_size", "liu_residual", "liu_cross_entropy")


def right_by_one_view(population):
    """As ``right``, without the mirror images that ``test.npy`` is the mean of."""
    folders = sorted((REFERENCE / "populations" / population).glob("[0-9]*"))
    labels, groups = labels_and_groups(folders[0])
    best = [json.loads((folder / "DONE.json").read_text())["best_epoch"] for folder in folders]
    named = [np.load(folder / "epochs.npy")[epoch - 1] for folder, epoch in zip(folders, best, strict=True)]
    return (np.stack(named) == labels).astype(float), groups


def trainings_apart(better, other):
    """By how much the networks of one of ``LIU`` are right more often than those of another, after the epoch
    that validation prefers and by one view of a picture, and the standard error: of the pictures, and of the
    seeds, their spread pooled over all.
    """
    answers = {name: right_by_one_view(name) for name in LIU}
    (ours, groups), (theirs, _) = answers[better], answers[other]
    found, error = jackknife(ours.mean(0) - theirs.mean(0), groups)
    shares = [own.mean(1) for own, _ in answers.values()]
    spread = sum(len(own) * own.var() for own in shares) / sum(len(own) - 1 for own in shares)
    return found, np.hypot(error, np.sqrt(spread * (1 / len(ours) + 1 / len(theirs))))


def test_the_gains_by_a_better_structure_and_by_another_loss():
    agrees(*trainings_apart("liu_residual", "muon_full_size"), told("structure_and_loss", "structure_gain"))
    agrees(*trainings_apart("muon_full_size", "liu_cross_entropy"), told("structure_and_loss", "loss_gain"))


def test_what_the_choice_of_the_epoch_adds():
    gains = []
    for folder in sorted(file.parent for file in (REFERENCE / "populations").glob("emotions/*/epochs.npy")):
        labels, groups = labels_and_groups(folder)
        by_epoch = np.load(folder / "epochs.npy") == labels
        chosen = np.load(folder / "test.npy").argmax(1) == labels
        gains.append(by_epoch[by_epoch.mean(1).argmax()].astype(float) - chosen)
    agrees_of_networks(gains, groups, told("training", "epoch_choice"))


def test_how_much_nearer_generated_neutral_faces_are_than_the_input():
    gains = []
    for file in sorted((REFERENCE / "populations" / "derl").glob("*-0/quality.csv")):
        with file.open() as lines:
            rows = list(csv.DictReader(lines))
        generated, given = (
            np.array([float(row["psnr"]) for row in rows if row["candidate"] == name])
            for name in ("generated", "input")
        )
        gains.append(generated - given)
    people = np.array([row["subject"] for row in rows if row["candidate"] == "input"])
    agrees_of_networks(gains, people, told("derl", "psnr_gain"), scale=1)


def student(share, freedom):
    """What ``share`` of Student's t lies below: its density summed up on a grid."""
    x = np.linspace(0, 60, 1_200_001)
    density = (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    inside = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(np.interp(2 * share - 1, inside / inside[-1], x))


def recomputed(floor, measure, ceiling):
    """Degree, and the ends of its interval: where the difference that it leaves is just told from 0, found by
    halving; variances of networks by role, of people by ten groups left out of all roles at once.
    """
    values, without = zip(floor, measure, ceiling, strict=True)
    means, spreads = [v.mean() for v in values], [v.var(ddof=1) / len(v) for v in values]
    gain, room = means[1] - means[0], means[2] - means[0]
    left = [w.mean(1) for w in without]

    def variance(rho):
        weights = np.array([rho - 1, 1, -rho])
        people = sum(w * (own - own.mean()) for w, own in zip(weights, left, strict=True))
        parts = np.array([*(weights**2 * spreads), 0.9 * (people**2).sum()])
        return parts, [*(len(v) - 1 for v in values), 9]

    parts, free = variance(gain / room)
    far = student(0.975, parts.sum() ** 2 / (parts**2 / free).sum())

    def told_apart(rho):
        return abs(gain - rho * room) > far * np.sqrt(variance(rho)[0].sum())

    ends = []
    for beyond in (-3.0, 5.0):
        inner, outer = gain / room, beyond
        for _ in range(50):
            middle = (inner + outer) / 2
            inner, outer = (inner, middle) if told_apart(middle) else (middle, outer)
        ends.append(inner)
    return gain / room, *ends


DEGREES = [claim for claim in read_claims(paths.claims_file()).every if claim.form == "degree"]


@pytest.mark.parametrize("claim", DEGREES[:3], ids=lambda claim: claim.measure)
@pytest.mark.parametrize(("degree", "word"), [(0.8, "yes"), (0.4, "partly"), (-0.1, "no")])
def test_a_degree_and_its_answer_by_numpy_alone(claim, degree, word):
    generator = np.random.default_rng(round(10 * degree) + 100)
    made, people = [], 0.004 * generator.standard_normal(10)
    for networks, mean in ((8, 0.0), (10, 0.23 * degree), (10, 0.23)):
        own = mean + 0.02 * generator.standard_normal(networks)
        groups = people + 0.001 * generator.standard_normal(10)
        made.append((own, own + groups[:, None] - groups.mean()))
    roles = [Role(name, *each) for name, each in zip(("0", "measure", "1"), made, strict=True)]
    estimate, room = degree_and_distance(*roles)
    chapter, _, name = claim.measure.partition(".")
    told = {f"{name}_degree": estimate, f"{name}_room": room}
    results = dict.fromkeys(chapters(), Evidence()) | {chapter: Evidence(told)}
    answer = answer_claim(claim.model_copy(update={"gates": ()}), {}, results)
    expected = recomputed(*made)
    found = answer.estimate
    assert [found.value, found.low, found.high] == pytest.approx(expected, abs=1e-4)
    low, high = expected[1:]
    by_hand = "no" if high < 0.1 else "yes" if low > 0.5 else "partly" if low > 0 else "undecided"
    assert answer.word == by_hand == word


def kept_role(rows, population):
    """Confirmed filters beyond chance of the networks of a population, and the same without each group of
    people, (groups, networks).
    """
    own = [row for row in rows if row["population"] == population]
    without = [name for name in rows[0] if name.startswith("without_")]
    table = np.array([[float(row[name]) for row in own] for name in ("value", *without)])
    return table[0], table[1:]


def test_degrees_of_filters_by_numpy_alone_from_the_table_that_the_reference_keeps():
    """Each network, and each without each group of people, is read from the table of a figure."""
    with (REFERENCE / "au_verification" / "figures" / "networks.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = ("untrained", "trained on emotions", "trained on units", "random mixtures")
    untrained, emotions, units, mixed = (kept_role(rows, name) for name in names)
    units_mixed = kept_role(rows, "mixtures, trained on units")
    nothing = (np.zeros(2), np.zeros((10, 2)))
    pairs = ((emotions, mixed), (units, units_mixed))
    over = [tuple(own - less for own, less in zip(*pair, strict=True)) for pair in pairs]
    kept = {"verified_gain": (untrained, emotions, units), "verified_gain_over_mixtures": (nothing, *over)}
    for metric, roles in kept.items():
        published = told("au_verification", f"{metric}_degree")
        assert recomputed(*roles) == pytest.approx(published, abs=1e-3), metric


def test_the_readme_gives_the_numbers_of_the_reference():
    metrics = json.loads((REFERENCE / "au_verification" / "metrics.json").read_text())
    value = {name: metrics[name]["value"] for name in metrics}
    degree = metrics["verified_gain_degree"]
    text = " ".join((paths.root() / "README.md").read_text(encoding="utf-8").split())
    for words in (
        f"Of the {value['filters']:.0f} filters in the last convolutional layer, "
        f"{value['beyond_emotion']:.0f} can",
        f"and {value['verified']:.0f} of these ({value['verified_share']:.0%}".replace("%", " %"),
        f"In untrained networks {value['untrained_verified']:.1f} filters are confirmed, in networks trained "
        f"to recognise people {value['identity_verified']:.1f}, in networks trained on the action units "
        f"themselves {value['units_verified']:.1f}.",
        f"{100 * degree['value']:.0f} % of the distance from untrained to unit-trained networks (95 % CI "
        f"{100 * degree['low']:.0f}–{100 * degree['high']:.0f} %)",
    ):
        assert words in text
