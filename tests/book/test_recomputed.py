"""Two verdicts of the committed reference, recomputed from what its networks answered, with none of our
statistics: people (or groups of equal pictures) are left out one by one instead of drawn anew.
"""

import csv
import json

import numpy as np
import pytest

from ferbook import paths

REFERENCE = paths.root() / "runs" / "reference"


def right(population):
    """Whether each network named each test picture rightly, (networks, pictures), and each one's group."""
    answers = []
    for folder in sorted((REFERENCE / "populations" / population).glob("[0-9]*")):
        with (folder / "tested.csv").open() as file:
            rows = list(csv.DictReader(file))
        labels = np.array([int(row["label"]) for row in rows])
        answers.append(np.load(folder / "test.npy").argmax(1) == labels)
    return np.stack(answers).astype(float), np.array([row["group"] for row in rows])


def jackknife(gain, groups):
    """The mean of a picture's gain, and its standard error over groups."""
    names, place = np.unique(groups, return_inverse=True)
    totals, sizes = np.bincount(place, gain), np.bincount(place)
    left_out = (gain.sum() - totals) / (len(gain) - sizes)
    k = len(names)
    return gain.mean(), np.sqrt((k - 1) / k * ((left_out - left_out.mean()) ** 2).sum())


def told(chapter, metric):
    """A metric of the reference: value, low, high."""
    file = REFERENCE / chapter / "metrics.json"
    if not file.is_file():
        pytest.skip(f"the reference holds no chapter {chapter}")
    found = json.loads(file.read_text())[metric]
    return np.array([found["value"], found["low"], found["high"]])


def agrees(found, error, published):
    """Whether value and interval are those published, in points: the value to rounding of half-precision
    answers, the ends to a fifth of the interval's width, for they come from other draws.
    """
    ends = 100 * np.array([found, found - 1.96 * error, found + 1.96 * error])
    assert ends[0] == pytest.approx(published[0], abs=0.05)
    assert ends[1:] == pytest.approx(published[1:], abs=0.2 * np.ptp(published))


def test_the_gain_by_leaving_out_biases():
    published = told("training", "ahead_of_biased")
    with_, groups = right("published")
    without, _ = right("with_biases")
    found, error = jackknife(with_.mean(0) - without.mean(0), groups)
    luck = with_.mean(1).std(ddof=1) * np.sqrt(1 / len(with_) + 1 / len(without))
    agrees(found, np.hypot(error, luck), published)


def test_the_gain_by_a_better_structure():
    published = told("structure_and_loss", "structure_gain")
    losses = ("cross_entropy", "label_smoothing", "centre")
    answers = {f"{s}_{loss}": right(f"{s}_{loss}") for s in ("vgg", "residual") for loss in losses}
    means = {
        s: np.mean([answers[f"{s}_{loss}"][0].mean(0) for loss in losses], 0) for s in ("vgg", "residual")
    }
    found, error = jackknife(means["residual"] - means["vgg"], answers["vgg_centre"][1])
    spread = [a.mean(1).var(ddof=1) for a, _ in answers.values() if len(a) > 1]
    luck = np.sqrt(np.mean(spread) * sum(1 / len(a) for a, _ in answers.values())) / len(losses)
    agrees(found, np.hypot(error, luck), published)
