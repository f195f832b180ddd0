"""One network's answers to the questions of the chapter: which unit each filter is claimed to detect, which
one moves it most, and how both would be with some of the people left out.

Every network is asked the same: about pictures of people whom no network learned from, and about faces on
which one unit at a time is switched on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.stats import rankdata

from fer_lib.aus.association import statistic
from fer_lib.aus.decision import claimed_units
from fer_lib.aus.interventions import Effects, Interventions, effects_of, interventions, matched_doses
from fer_lib.aus.nulls import Null, permutation_null
from fer_lib.aus.permutations import BlockKind
from fer_lib.aus.presence import Presence, presence
from fer_lib.aus.verification import Verified, verified
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.registry import source_status
from fer_lib.look.responses import Responses, maximal_responses
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.two_way import PEOPLE_GROUPS, all_but_one
from fer_lib.train.precision import choose_precision
from synthetic_faces.domains import DOMAINS

FAMILY_ERROR = 0.05
"""Family-wise error at which a filter counts as a detector."""

DOSE_LEVELS = (0.1, 0.4, 1.0)
"""Intensities at which units are switched on."""

OTHER_HEADS = "heads"
"""The domain whose people have another head model, which is the user's."""

_DOSED = 4
"""People of it on whom equal energy is measured."""

SELECTIVE_FROM, SELECTIVE_BY = 0.5, 2.0
"""A filter answers to its cause alone where that moves it by so many standard deviations at least, and by so
many times as much as the unit that comes next.
"""


@dataclass(frozen=True)
class Questions:
    """What all networks are asked, made once.

    ``faces``: the pictures, and ``shown``: who shows which unit on them; only units that enough people show.
    ``equal``: interventions in which every unit changes the pictures by the same energy, but for those that
    change them less even at intensity 1, ``unreached``; ``dose``: by intensity; ``elsewhere``: as ``equal``,
    on other heads, None where these are not at hand. What chance gives is told by ``permutations`` of labels
    under ``measure``.
    """

    faces: FaceSet
    shown: Presence
    equal: Interventions
    unreached: tuple[str, ...]
    dose: Interventions
    measure: str
    permutations: int
    seed: int = 0
    elsewhere: Interventions | None = None

    @property
    def aus(self) -> tuple[str, ...]:
        """The units in question."""
        return self.shown.aus

    @property
    def blocks(self) -> BlockKind:
        """What changes places as a whole: units run in real people, in rendered ones in sequences only."""
        return "sequence" if self.faces.name in DOMAINS else "subject"

    @cached_property
    def full(self) -> Interventions:
        """``dose`` at the highest intensity only."""
        off, on = self.dose.arranged(np.arange(len(self.dose.faces)))
        rows = np.column_stack((off, on[:, :, -1])).ravel()
        return replace(self.dose, faces=self.dose.faces.select(rows), levels=self.dose.levels[-1:])


def questions(
    faces: FaceSet,
    present_from: float,
    *,
    people: int,
    contexts: int,
    face_seed: int,
    measure: str,
    permutations: int,
    seed: int,
    other_heads: int = 0,
) -> Questions:
    """Questions about the pictures ``faces``, and about ``people`` of the same synthetic domain in so many
    ``contexts``; beside real pictures these are people of ``lab``. ``other_heads``: so many people of
    ``OTHER_HEADS`` too, where the user has that model.

    Raises what ``aus.presence.presence`` and ``Presence.scored`` raise.
    """
    labels = presence(faces, present_from).scored()
    domain = faces.name if faces.name in DOMAINS else "lab"
    switching = {"contexts": contexts, "size": faces.size[0], "face_seed": face_seed, "domain": domain}
    dose = interventions(people, labels.aus, DOSE_LEVELS, **switching)
    doses = matched_doses(dose)
    equal = interventions(people, labels.aus, DOSE_LEVELS[-1:], doses=doses.intensities, **switching)
    elsewhere = None
    if other_heads and source_status(OTHER_HEADS)["found"]:
        switching["domain"] = OTHER_HEADS
        own = matched_doses(interventions(_DOSED, labels.aus, DOSE_LEVELS, **switching)).intensities
        elsewhere = interventions(other_heads, labels.aus, DOSE_LEVELS[-1:], doses=own, **switching)
    return Questions(faces, labels, equal, doses.unreached, dose, measure, permutations, seed, elsewhere)


@dataclass(frozen=True)
class Examined:
    """What one network answered, for K filters: names of units, empty where there is none.

    Arrays of G rows: the first of all people, the others without one group of them each. ``claimed`` (G, K):
    the unit that a filter goes with beyond chance within emotions; ``strength`` float32 (G, K, A): by how
    much the association exceeds that of labels permuted within emotions, −∞ where it cannot be judged.
    ``caused``: the unit that moves it most at equal energy; ``raw``: at intensity 1. ``named``: measure ->
    (G, K), the unit of the largest association over all pictures, as in the papers. ``overall`` (K,): as
    ``claimed`` over all pictures, whatever the emotion. ``rare``: filters that answer in too few sequences to
    be judged. ``steady`` bool (G, K): each half of the people by itself has the same cause; ``selective``
    bool (G, K): the cause moves it as ``SELECTIVE_FROM`` and ``SELECTIVE_BY`` say. ``response`` (K,): the
    mean over pictures of its largest response.

    Where other heads were asked: ``elsewhere`` (G, K), as ``caused`` on these, and ``alike`` (G,), the mean
    over filters of the rank correlation of the units' effects here and there.

    ``group``: what the network stands for on the page, of a ``structure`` by its name in ``nets.build``;
    ``seed`` tells it from the others there.
    """

    group: str
    structure: str
    seed: int
    aus: tuple[str, ...]
    claimed: np.ndarray
    strength: np.ndarray
    caused: np.ndarray
    raw: np.ndarray
    named: dict[str, np.ndarray]
    overall: np.ndarray
    rare: int
    steady: np.ndarray
    selective: np.ndarray
    response: np.ndarray
    elsewhere: np.ndarray | None = None
    alike: np.ndarray | None = None

    @property
    def filters(self) -> int:
        return self.claimed.shape[1]

    def verified(self, claimed: np.ndarray, caused: np.ndarray) -> list[Verified]:
        """Claims (G, K) held against causes (G, K), row by row."""
        return [verified(*rows, self.aus) for rows in zip(claimed, caused, strict=True)]


@dataclass(frozen=True)
class Whole:
    """What is behind the answers of the network whose filters are looked at one by one.

    ``responses`` to ``Questions.faces``; ``overall``: the null over all pictures, ``within``: that within
    emotions; ``equal``: its effects at equal energy.
    """

    responses: Responses
    overall: Null
    within: Null
    equal: Effects


def examine(
    model: Classifier,
    layer: str,
    queries: Questions,
    *,
    about: tuple[str, str, int],
    measures: Sequence[str] = (),
    groups: int = PEOPLE_GROUPS,
    device: torch.device | None = None,
) -> tuple[Examined, Whole]:
    """Put the questions to the filters of ``layer`` of ``model``; ``about``: group, structure and seed.

    ``measures``: those by which filters are also named as in the papers. ``groups`` 0: of all people only.
    Raises what ``look.responses.maximal_responses`` and ``aus.nulls.permutation_null`` raise.
    """
    # Twice as fast where the processor computes in it, and correlated above .9999 with float32.
    bf16 = choose_precision("auto", device or "cpu").name == "bf16"
    responses, equal, full = (
        maximal_responses(model, faces, layer, device=device, dtype=torch.bfloat16 if bf16 else None)
        for faces in (queries.faces, queries.equal.faces, queries.full.faces)
    )
    maxima, labels, names = responses.maxima, queries.shown, np.array([*queries.aus, ""])
    settings = {
        "permutations": queries.permutations,
        "seed": queries.seed,
        "device": device,
        "blocks": queries.blocks,
    }
    overall = permutation_null(maxima, labels, queries.measure, **settings)
    masks = all_but_one(labels.subjects, groups)
    nulls = []
    for rows in masks:
        some = labels.select(rows)
        nulls.append(permutation_null(maxima[rows], some, queries.measure, within=some.emotions, **settings))
    effects, raw = (
        effects_of(activations.maxima, stimuli, draws=20, flips=20, seed=queries.seed)
        for activations, stimuli in ((equal, queries.equal), (full, queries.full))
    )
    mean = mean_effects(effects, groups)
    there = {}
    if queries.elsewhere:
        activations = maximal_responses(model, queries.elsewhere.faces, layer, device=device).maxima
        others = effects_of(activations, queries.elsewhere, draws=20, flips=20, seed=queries.seed)
        means = mean_effects(others, groups)
        there = {"elsewhere": _strongest_unit(means, queries.aus), "alike": rank_correlation(mean, means)}
    examined = Examined(
        *about,
        aus=queries.aus,
        claimed=names[np.stack([claimed_units(null, "max_statistic", FAMILY_ERROR) for null in nulls])],
        strength=np.stack([np.where(null.tested, null.excess, -np.inf) for null in nulls]).astype(np.float32),
        caused=causes(effects, groups),
        raw=causes(raw, groups),
        steady=_steady(effects, groups),
        selective=_selective(mean),
        **there,
        named={
            measure: np.stack([names[_named(maxima[rows], labels.present[rows], measure)] for rows in masks])
            for measure in measures
        },
        overall=names[claimed_units(overall, "max_statistic", FAMILY_ERROR)],
        rare=int(overall.rare.sum()),
        response=maxima.mean(axis=0),
    )
    return examined, Whole(responses, overall, nulls[0], effects)


def _named(maxima: np.ndarray, present: np.ndarray, measure: str) -> np.ndarray:
    """int (K,): the unit of the largest association, -1 for filters that answer to all pictures alike."""
    values = np.nan_to_num(statistic(maxima, present, measure), nan=-np.inf)
    return np.where(np.ptp(maxima, axis=0) > 0, values.argmax(axis=1), -1)


def causes(effects: Effects, groups: int = 0) -> np.ndarray:
    """(1 + ``groups``, K): the unit that, at its highest level, raises each filter's response most on average
    over people; empty where none raises it.

    The first row over all people, the others without one group of them each. No effect is tested here: a
    cause that is noise agrees with a claim by chance only, which is subtracted, while the test over all
    filters and units would leave few people no effect at all.
    """
    return _strongest_unit(mean_effects(effects, groups), effects.aus)


def mean_effects(effects: Effects, groups: int = 0, half: int | None = None) -> np.ndarray:
    """(1 + ``groups``, K, A): each unit's mean effect at its highest level, over all people and without each
    group of them; of every other person only where ``half`` is 0 or 1.
    """
    people = np.arange(len(effects.people))
    sample = np.ones(len(people), bool) if half is None else people % 2 == half
    masks = all_but_one(people, groups)
    return np.stack([effects.people[some & sample, ..., -1].mean(axis=0) for some in masks])


def _strongest_unit(means: np.ndarray, aus: Sequence[str]) -> np.ndarray:
    """(…): the unit with the largest of ``means`` (…, A); empty where none is above 0."""
    return np.array([*aus, ""])[np.where(means.max(axis=-1) > 0, means.argmax(axis=-1), -1)]


def _steady(effects: Effects, groups: int) -> np.ndarray:
    """bool (1 + ``groups``, K): the people of even and of odd number have the same cause, and there is
    one.
    """
    first, second = (_strongest_unit(mean_effects(effects, groups, half), effects.aus) for half in (0, 1))
    return (first == second) & (first != "")


def _selective(means: np.ndarray) -> np.ndarray:
    """bool (…): what ``SELECTIVE_FROM`` and ``SELECTIVE_BY`` ask of ``means`` (…, A)."""
    following, largest = np.moveaxis(np.sort(means, axis=-1)[..., -2:], -1, 0)
    return (largest >= SELECTIVE_FROM) & (largest >= SELECTIVE_BY * following)


def rank_correlation(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(…): Spearman's correlation over units of effects ``here`` and ``there`` (…, K, A), the mean over
    filters; those whose effects are all equal, as of one that never answers, are left out, and 0 is what is
    left where all are.
    """
    ranks = [rankdata(means, axis=-1) for means in (here, there)]
    apart = [rank - rank.mean(axis=-1, keepdims=True) for rank in ranks]
    scale = np.sqrt((apart[0] ** 2).sum(axis=-1) * (apart[1] ** 2).sum(axis=-1))
    together = (apart[0] * apart[1]).sum(axis=-1) / np.where(scale > 0, scale, 1)
    return together.sum(axis=-1) / np.maximum((scale > 0).sum(axis=-1), 1)
