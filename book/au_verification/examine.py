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

from fer_lib.aus.association import statistic
from fer_lib.aus.decision import claimed_units
from fer_lib.aus.interventions import Effects, Interventions, effects_of, interventions, matched_doses
from fer_lib.aus.nulls import Null, permutation_null
from fer_lib.aus.presence import Presence, presence
from fer_lib.aus.verification import Verified, verified
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import Responses, maximal_responses
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.two_way import PEOPLE_GROUPS, people_groups
from fer_lib.train.precision import choose_precision
from synthetic_faces.domains import DOMAINS

FAMILY_ERROR = 0.05
"""Family-wise error at which a filter counts as a detector."""

DOSE_LEVELS = (0.1, 0.4, 1.0)
"""Intensities at which units are switched on."""


@dataclass(frozen=True)
class Questions:
    """What all networks are asked, made once.

    ``faces``: the pictures, and ``shown``: who shows which unit on them; only units that enough people show.
    ``equal``: interventions in which every unit changes the pictures by the same energy, but for those that
    change them less even at intensity 1, ``unreached``; ``dose``: by intensity. What chance gives is told by
    ``permutations`` of labels under ``measure``.
    """

    faces: FaceSet
    shown: Presence
    equal: Interventions
    unreached: tuple[str, ...]
    dose: Interventions
    measure: str
    permutations: int
    seed: int = 0

    @property
    def aus(self) -> tuple[str, ...]:
        """The units in question."""
        return self.shown.aus

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
) -> Questions:
    """Questions about the pictures ``faces``, and about ``people`` of the same synthetic domain in so many
    ``contexts``; beside real pictures these are people of ``lab``.

    Raises what ``aus.presence.presence`` and ``Presence.scored`` raise.
    """
    shown = presence(faces, present_from).scored()
    domain = faces.name if faces.name in DOMAINS else "lab"
    switching = {"contexts": contexts, "size": faces.size[0], "face_seed": face_seed, "domain": domain}
    dose = interventions(people, shown.aus, DOSE_LEVELS, **switching)
    doses = matched_doses(dose)
    equal = interventions(people, shown.aus, DOSE_LEVELS[-1:], doses=doses.intensities, **switching)
    return Questions(faces, shown, equal, doses.unreached, dose, measure, permutations, seed)


@dataclass(frozen=True)
class Examined:
    """What one network answered, for K filters: names of units, empty where there is none.

    Arrays of G rows: the first of all people, the others without one group of them each. ``claimed`` (G, K):
    the unit that a filter goes with beyond chance within emotions; ``strength`` float32 (G, K, A): by how
    much the association exceeds that of labels permuted within emotions, −∞ where it cannot be judged.
    ``caused``: the unit that moves it most at equal energy; ``raw``: at intensity 1. ``named``: measure ->
    (G, K), the unit of the largest association over all pictures, as in the papers. ``overall`` (K,): as
    ``claimed`` over all pictures, whatever the emotion. ``rare``: filters that answer in too few sequences to
    be judged.

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
    asked: Questions,
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
    kind = torch.device(device or "cpu").type
    # Twice as fast where the processor computes in it, and correlated above .9999 with float32.
    with torch.autocast(kind, torch.bfloat16, enabled=choose_precision("auto", kind).name == "bf16"):
        responses, equal, full = (
            maximal_responses(model, faces, layer, device=device)
            for faces in (asked.faces, asked.equal.faces, asked.full.faces)
        )
    maxima, shown, names = responses.maxima, asked.shown, np.array([*asked.aus, ""])
    # Units run in real people, whose labels therefore change places as a whole.
    blocks = "sequence" if asked.faces.name in DOMAINS else "subject"
    settings = {"permutations": asked.permutations, "seed": asked.seed, "device": device, "blocks": blocks}
    overall = permutation_null(maxima, shown, asked.measure, **settings)
    kept = _all_but_one(shown.subjects, groups)
    nulls = []
    for rows in kept:
        some = shown.select(rows)
        nulls.append(permutation_null(maxima[rows], some, asked.measure, within=some.emotions, **settings))
    effects, raw = (
        effects_of(found.maxima, switched, draws=20, flips=20, seed=asked.seed)
        for found, switched in ((equal, asked.equal), (full, asked.full))
    )
    examined = Examined(
        *about,
        aus=asked.aus,
        claimed=names[np.stack([claimed_units(null, "max_statistic", FAMILY_ERROR) for null in nulls])],
        strength=np.stack([np.where(null.tested, null.excess, -np.inf) for null in nulls]).astype(np.float32),
        caused=causes(effects, groups),
        raw=causes(raw, groups),
        named={
            measure: np.stack([names[_named(maxima[rows], shown.present[rows], measure)] for rows in kept])
            for measure in measures
        },
        overall=names[claimed_units(overall, "max_statistic", FAMILY_ERROR)],
        rare=int(overall.rare.sum()),
    )
    return examined, Whole(responses, overall, nulls[0], effects)


def _all_but_one(people: np.ndarray, groups: int) -> list[np.ndarray]:
    """bool (N,) each: all, then what is left without each of ``groups`` groups of ``people`` (N,)."""
    everyone = np.ones(len(people), bool)
    if not groups:
        return [everyone]
    group = people_groups(people, groups)
    return [everyone, *(group != left_out for left_out in range(groups))]


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
    names, people = np.array([*effects.aus, ""]), effects.people[..., -1]
    rows = []
    for some in _all_but_one(np.arange(len(people)), groups):
        effect = people[some].mean(axis=0)
        rows.append(names[np.where(effect.max(axis=1) > 0, effect.argmax(axis=1), -1)])
    return np.stack(rows)
