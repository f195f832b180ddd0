"""The definitions of the page *Methods in full* once more, by NumPy, SciPy and torch alone, from rendered
pictures and stored weights: nothing of the library or of chapters computes here.
"""

import numpy as np
import pytest
import torch
from scipy.stats import rankdata, t
from torch.nn import functional as F

from face_sets.rendered import scripted_faces
from ferbook import paths
from synthetic_faces.facs import AUS
from synthetic_faces.people import STRANGERS
from synthetic_faces.script import Script

WEIGHTS = paths.root() / "runs" / "reference" / "populations" / "emotions" / "200" / "weights.safetensors"
UNITS = ("AU1", "AU4", "AU9", "AU12", "AU15", "AU26")
PEOPLE = 8


def stored_filters():
    """The kernels of the three convolutions: whole numbers of 8 bits times a scale for each filter."""
    safetensors = pytest.importorskip("safetensors.torch")
    held = safetensors.load_file(WEIGHTS)
    names = [f"conv{number}.weight" for number in (1, 2, 3)]
    return [held[name].float() * held[f"{name}.int8_scale"][:, None, None, None] for name in names]


def maximal_responses(pictures, kernels):
    """(N, 256): the largest value of each map behind the third ReLU; pictures uint8 (N, 48, 48)."""
    maxima = []
    for part in torch.split(torch.tensor(pictures)[:, None].float() / 255, 64):
        maps = 2 * (part - F.avg_pool2d(part, 5, stride=1, padding=2))
        for number, kernel in enumerate(kernels):
            maps = F.conv2d(maps, kernel, padding=2).relu()
            maps = F.max_pool2d(maps, 2) if number < 2 else maps
        maxima.append(maps.amax(dim=(2, 3)))
    return torch.cat(maxima).numpy().astype(float)


def activated(intensities):
    """PEOPLE neutral faces, each followed by each of UNITS alone at its intensity."""
    one = [np.zeros((len(AUS), 2))]
    for unit, intensity in zip(UNITS, intensities, strict=True):
        one.append(intensity * (np.array(AUS)[:, None] == [unit, unit]))
    who = np.repeat(np.arange(STRANGERS, STRANGERS + PEOPLE), len(one))
    script = Script(who, np.zeros_like(who), np.tile(one, (PEOPLE, 1, 1)))
    pixels = scripted_faces(script, domain="lab", size=48, seed=77).pixels
    return pixels.reshape(PEOPLE, len(one), 48, 48)


def intensities_of_equal_change(target=4.0):
    """Of each unit, by straight lines between 0, 0.1, 0.4 and 1, never falling."""
    levels, reached = (0.1, 0.4, 1.0), [np.zeros(len(UNITS))]
    for level in levels:
        faces = activated([level] * len(UNITS)).astype(float)
        change = np.sqrt(((faces[:, 1:] - faces[:, :1]) ** 2).mean(axis=(0, 2, 3)))
        reached.append(np.maximum(reached[-1], change))
    return [float(np.interp(target, own, (0, *levels))) for own in np.array(reached).T]


def effects(maxima):
    """(filters, units): mean rise over people, in standard deviations over neutral faces."""
    own = maxima.reshape(PEOPLE, 1 + len(UNITS), -1)
    neutral = own[:, 0]
    spread, everywhere = neutral.std(axis=0, ddof=1), own.reshape(-1, own.shape[2]).std(axis=0, ddof=1)
    spread = np.where(spread > 1e-7 * own.max(axis=(0, 1)), spread, everywhere)
    spread = np.where(spread > 0, spread, 1)
    return ((own[:, 1:] - neutral[:, None]).mean(axis=0) / spread).T


def aurocs(responses, present):
    """(filters, units), by ranks."""
    ranks, with_it = rankdata(responses, axis=0), present.sum(axis=0)
    return (ranks.T @ present - with_it * (with_it + 1) / 2) / (with_it * (len(present) - with_it))


def confirmed_beyond_chance(assigned, largest):
    """Number and κ; -1 where a filter has no unit."""
    own, other = assigned[assigned >= 0], largest[assigned >= 0]
    n = max(len(own), 1)
    chance = sum((own == unit).sum() * (other == unit).sum() for unit in range(len(UNITS))) / n
    gain = (own == other).sum() - chance
    return gain, gain / (len(own) - chance) if len(own) > chance else 0.0


def fieller(roles):
    """Degree and interval of (negative, measure, positive): values (R,), without groups of people (G, R)."""
    means = np.array([values.mean() for values, _ in roles])
    within = np.array([values.var(ddof=1) / len(values) for values, _ in roles])
    groups = np.stack([without.mean(axis=1) for _, without in roles], axis=1)
    apart, count = groups - groups.mean(axis=0), len(groups)
    people = (count - 1) / count * apart.T @ apart
    above, width = np.array([-1.0, 1, 0]), np.array([-1.0, 0, 1])
    both = np.diag(within) + people
    degree = (above @ means) / (width @ means)
    joint = above - degree * width
    parts = [*(joint**2 * within), joint @ people @ joint]
    free = [*(len(values) - 1 for values, _ in roles), count - 1]
    freedom = sum(parts) ** 2 / sum(part**2 / n for part, n in zip(parts, free, strict=True))
    far = t.ppf(0.975, freedom) ** 2
    a = (width @ means) ** 2 - far * width @ both @ width
    b = (above @ means) * (width @ means) - far * above @ both @ width
    c = (above @ means) ** 2 - far * above @ both @ above
    root = np.sqrt(b * b - a * c)
    return degree, (b - root) / a, (b + root) / a


@pytest.mark.slow
def test_the_library_measures_what_the_page_defines():
    from book.au_verification.examine import causes, matched_doses
    from fer_lib.aus.interventions import effects_of, interventions
    from fer_lib.look.responses import maximal_responses as of_library
    from fer_lib.train.weights import load_weights

    kernels, where = stored_filters(), {"size": 48, "face_seed": 77, "domain": "lab"}
    intensities = intensities_of_equal_change()
    doses = matched_doses(interventions(PEOPLE, UNITS, (0.1, 0.4, 1.0), **where)).intensities
    assert [doses[unit] for unit in UNITS] == pytest.approx(intensities, abs=1e-3)
    stimuli = interventions(PEOPLE, UNITS, (1.0,), doses=doses, **where)
    pixels = activated(intensities).reshape(-1, 48, 48)
    assert (stimuli.faces.pixels == pixels).mean() > 0.999
    ours = maximal_responses(pixels, kernels)
    theirs = of_library(load_weights(WEIGHTS), stimuli.faces, "relu3").maxima
    assert ours == pytest.approx(theirs, rel=1e-3, abs=float(1e-3 * theirs.max()))
    found, own = effects_of(theirs, stimuli, draws=20), effects(ours)
    assert own == pytest.approx(found.effect[..., -1], rel=1e-2, abs=1e-2)
    largest = np.where(own.max(axis=1) > 0, own.argmax(axis=1), -1)
    named = np.array([*UNITS, ""])[largest]
    assert (named == causes(found)[0]).mean() > 0.99


def test_counts_and_degrees_are_those_of_the_library():
    from fer_lib.aus.association import statistic
    from fer_lib.aus.verification import verified
    from fer_lib.stats.degree import Role, degree_and_distance

    generator = np.random.default_rng(5)
    responses, present = generator.random((60, 7)), generator.integers(0, 2, (60, len(UNITS))).astype(float)
    expected = (1 + statistic(responses, present.astype(np.float32), "auroc")) / 2
    assert aurocs(responses, present) == pytest.approx(expected, abs=1e-5)
    assigned, largest = generator.integers(-1, len(UNITS), (2, 200))
    largest = np.where(generator.random(200) < 0.3, assigned, largest)
    names = np.array([*UNITS, ""], dtype=object)
    theirs = verified(names[assigned], names[largest], UNITS)
    gain, kappa = confirmed_beyond_chance(assigned, largest)
    assert gain == pytest.approx((theirs.verified - theirs.expected).sum())
    assert kappa == pytest.approx(theirs.kappa)
    roles = []
    for centre in (0.4, 24, 35):
        values = centre + generator.normal(0, 3, 5)
        roles.append((values, values + generator.normal(0, 1, (10, 1))))
    degree, _ = degree_and_distance(*(Role(str(place), *role) for place, role in enumerate(roles)))
    assert fieller(roles) == pytest.approx((degree.value, degree.low, degree.high), abs=1e-6)
