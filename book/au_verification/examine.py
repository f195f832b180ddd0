"""Evaluate one network: which unit each filter is assigned to, which unit it responds to most, and both with
some of the people left out.

Every network is evaluated on the same pictures: of people on whom no network was trained, and of faces on
which one unit at a time is activated. ``READINGS`` are the numbers of one network.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import nn

from book.au_verification.chapter import OTHER_HEADS, AuVerificationParameters
from face_sets.faceset import FaceSet
from face_sets.registry import source_status
from fer_lib.aus.association import statistic
from fer_lib.aus.interventions import Effects, Interventions, effects_of, interventions
from fer_lib.aus.nulls import BlockKind, Null, claimed_units, permutation_null
from fer_lib.aus.presence import Presence, presence
from fer_lib.aus.verification import Verified, verified
from fer_lib.look.responses import maximal_responses
from fer_lib.stats.two_way import PEOPLE_GROUPS, all_but_one
from fer_lib.train.device import choose_precision
from ferbook.errors import ParameterError
from synthetic_faces.domains import DOMAINS
from synthetic_faces.facs import AUS

FAMILY_ERROR = 0.05
"""Family-wise error at which a filter counts as a detector."""

DOSE_LEVELS = (0.1, 0.4, 1.0)
"""Intensities at which units are activated."""

CHANGE = 4.0
"""Grey levels (root mean square) by which matched doses change a picture: every unit of ``lab`` reaches it at
48 pixels.
"""

CLEAR = 0.2
"""Intensity from which a unit is present in some cells of the specification curve."""

_DOSED = 4
"""People of it on whom equal energy is measured."""


@dataclass(frozen=True)
class Questions:
    """What all networks are evaluated on, made once.

    ``faces``: the pictures, and ``shown``: who shows which unit on them; only units that enough people show.
    ``equal``: interventions in which every unit changes the pictures by the same energy, but for those that
    change them less even at intensity 1, ``unreached``; ``dose``: by intensity; ``elsewhere``: as ``equal``,
    on a second head model, None where it is not at hand. Chance is measured by ``permutations`` of labels
    under ``measure``.

    For the specification curve, None where it has fewer cells: ``stronger``, as ``equal`` at the change of
    the median unit at intensity 1; ``clear``, as ``shown`` from an intensity of ``CLEAR``.
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
    stronger: Interventions | None = None
    clear: Presence | None = None

    @property
    def aus(self) -> tuple[str, ...]:
        """The units that are evaluated."""
        return self.shown.aus

    @property
    def face_sets(self) -> tuple[FaceSet | None, ...]:
        """The pictures that every network answers: held-out people, activated units, the latter on other
        heads and at a larger change.
        """
        others = (each and each.faces for each in (self.elsewhere, self.stronger))
        return self.faces, self.equal.faces, *others

    @property
    def blocks(self) -> BlockKind:
        """What changes places as a whole: units run in real people, in rendered ones in sequences only."""
        return "sequence" if self.faces.name in DOMAINS else "subject"

    @cached_property
    def people(self) -> str:
        """Who is evaluated: numbers, and a digest of these people and units."""
        numbers = f"{len(np.unique(self.shown.subjects))} people and {len(np.unique(self.equal.subjects))}"
        names = ",".join([*self.shown.subjects, *self.equal.subjects, *self.aus])
        return f"{numbers} activated ({hashlib.sha256(names.encode()).hexdigest()[:8]})"


def questions_of(p: AuVerificationParameters, faces: FaceSet) -> Questions:
    """The pictures ``faces``, people of the same synthetic domain with units activated (with real pictures
    people of ``lab``), and people of ``OTHER_HEADS``, where the user has that model.

    Units that a real set codes and no synthetic face can show are left out: nothing could activate them.
    Raises what ``aus.presence.presence`` and ``Presence.scored`` raise.
    """
    labels = presence(faces, p.present_from).scored()
    labels = labels.only([au for au in labels.aus if au in AUS])
    domain = faces.name if faces.name in DOMAINS else "lab"
    switching = {"size": faces.size[0], "face_seed": p.eval_seed, "domain": domain}
    dose = interventions(p.dose_people, labels.aus, DOSE_LEVELS, **switching)
    doses = matched_doses(dose)
    equal = interventions(p.people, labels.aus, DOSE_LEVELS[-1:], doses=doses.intensities, **switching)
    elsewhere = None
    if source_status(OTHER_HEADS)["found"]:
        switching["domain"] = OTHER_HEADS
        own = matched_doses(interventions(_DOSED, labels.aus, DOSE_LEVELS, **switching)).intensities
        elsewhere = interventions(p.other_heads, labels.aus, DOSE_LEVELS[-1:], doses=own, **switching)
    stronger = clear = None
    if p.of_each == 0:
        median = matched_doses(dose, float(np.median(dose.change[:, -1]))).intensities
        switching["domain"] = domain
        stronger = interventions(p.people, labels.aus, DOSE_LEVELS[-1:], doses=median, **switching)
        clear = presence(faces, CLEAR).only(labels.aus)
    how = p.measure, p.permutations, p.seed
    return Questions(faces, labels, equal, doses.unreached, dose, *how, elsewhere, stronger, clear)


@dataclass(frozen=True)
class Examined:
    """The evaluation of one network with K filters: names of units, empty where there is none.

    Arrays of G rows: the first of all people, the others without one group of them each. ``claimed`` (G, K):
    the unit that a filter is assigned to, beyond chance within emotions; ``strength`` float32 (K, A): by how
    much the association exceeds that of labels permuted within emotions, −∞ where it cannot be judged.
    ``caused`` (G, K): the unit with the largest effect at equal change; ``elsewhere``: the same on a second
    head model, if any. ``named``: measure -> (G, K), the unit of the largest association over all pictures,
    as in the papers. ``overall`` (K,): as ``claimed`` over all pictures, whatever the emotion.

    ``group``: the kind of network, ``structure`` its class; ``seed`` is unique within the group. ``asked``:
    the people on whom it was evaluated.

    For the specification curve: ``effects`` float16 (C, 2, G, K, A), of each unit at C matched changes, the
    mean and the median over people; ``also_claimed`` (2, K), if any: as ``claimed`` with every filter tested
    that ever responds, and with units present from ``CLEAR``.
    """

    group: str
    structure: str
    seed: int
    aus: tuple[str, ...]
    claimed: np.ndarray
    strength: np.ndarray
    caused: np.ndarray
    named: dict[str, np.ndarray]
    overall: np.ndarray
    asked: str = ""
    elsewhere: np.ndarray | None = None
    effects: np.ndarray | None = None
    also_claimed: np.ndarray | None = None

    @property
    def filters(self) -> int:
        return self.claimed.shape[1]

    def verified(self, claimed: np.ndarray, caused: np.ndarray) -> list[Verified]:
        """Assigned units (G, K) compared with those of the largest effect (G, K), row by row."""
        return [verified(*rows, self.aus) for rows in zip(claimed, caused, strict=True)]


@dataclass(frozen=True)
class Whole:
    """What is behind the answers of the network whose filters are looked at one by one: its ``maxima`` of
    ``Questions.faces``, (N, K); the null over all pictures, ``overall``, and that ``within`` emotions.
    """

    maxima: np.ndarray
    overall: Null
    within: Null


@dataclass(frozen=True)
class Maxima:
    """Maximal responses of K filters to all pictures: those of ``faces`` (N, K), of units at equal change
    (B, K), and of these on a second head model and at a ``stronger`` change, if any.
    """

    faces: np.ndarray
    equal: np.ndarray
    elsewhere: np.ndarray | None
    stronger: np.ndarray | None = None

    def of(self, filters: slice) -> "Maxima":
        """The same of some ``filters``."""
        every = (self.faces, self.equal, self.elsewhere, self.stronger)
        return Maxima(*(None if each is None else each[:, filters] for each in every))


def responses_of(model: nn.Module, layer: str, queries: Questions, device: torch.device | None) -> Maxima:
    """Maximal responses of the filters of ``layer`` of ``model``. Raises as ``maximal_responses``."""
    # Twice as fast where the processor computes in it, and correlated above .9999 with float32.
    bf16 = choose_precision("auto", device or "cpu").name == "bf16"
    dtype = torch.bfloat16 if bf16 else None
    return Maxima(
        *(
            maximal_responses(model, faces, layer, device=device, dtype=dtype).maxima if faces else None
            for faces in queries.face_sets
        )
    )


def examine(
    responses: Maxima,
    queries: Questions,
    *,
    about: tuple[str, str, int],
    measures: Sequence[str] = (),
    groups: int = PEOPLE_GROUPS,
    device: torch.device | None = None,
) -> tuple[Examined, Whole]:
    """Evaluate the ``responses`` of a network; ``about``: its group, structure and seed.

    ``measures``: those whose largest association is stored as well, as in the papers. ``groups`` 0: of all
    people only. Raises what ``aus.nulls.permutation_null`` raises.
    """
    maxima, labels, names = responses.faces, queries.shown, np.array([*queries.aus, ""])
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
    equal, elsewhere = _effects(responses.equal, queries.equal, queries.seed), None
    if queries.elsewhere and responses.elsewhere is not None:
        elsewhere = causes(_effects(responses.elsewhere, queries.elsewhere, queries.seed), groups)
    changes, also = [equal], None
    if queries.stronger and queries.clear:
        changes.append(_effects(responses.stronger, queries.stronger, queries.seed))
        others = ((labels, {"min_subjects": 1}), (queries.clear, {}))
        also = names[
            [
                claimed_units(
                    permutation_null(maxima, some, queries.measure, within=some.emotions, **settings, **how),
                    FAMILY_ERROR,
                )
                for some, how in others
            ]
        ]
    examined = Examined(
        *about,
        aus=queries.aus,
        claimed=names[np.stack([claimed_units(null, FAMILY_ERROR) for null in nulls])],
        strength=np.where(nulls[0].tested, nulls[0].excess, -np.inf).astype(np.float32),
        caused=causes(equal, groups),
        named={
            measure: np.stack([names[_named(maxima[rows], labels.present[rows], measure)] for rows in masks])
            for measure in measures
        },
        overall=names[claimed_units(overall, FAMILY_ERROR)],
        asked=queries.people,
        elsewhere=elsewhere,
        effects=np.stack([_centres(each, groups) for each in changes]).astype(np.float16),
        also_claimed=also,
    )
    return examined, Whole(maxima, overall, nulls[0])


def _effects(maxima: np.ndarray, stimuli: Interventions, seed: int) -> Effects:
    """Means alone are looked at, so a few draws will do."""
    return effects_of(maxima, stimuli, draws=20, seed=seed)


def _centres(effects: Effects, groups: int) -> np.ndarray:
    """(2, 1 + ``groups``, K, A): mean and median over people, rows as in ``causes``."""
    masks = all_but_one(np.arange(len(effects.people)), groups)
    return np.stack(
        [[f(effects.people[some, ..., -1], axis=0) for some in masks] for f in (np.mean, np.median)]
    )


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
    people = np.arange(len(effects.people))
    means = np.stack([effects.people[some, ..., -1].mean(axis=0) for some in all_but_one(people, groups)])
    return np.array([*effects.aus, ""])[np.where(means.max(axis=-1) > 0, means.argmax(axis=-1), -1)]


Reading = Callable[[Examined], np.ndarray]
"""A number of one network: (G,), over all people and without each group of them."""


def gain_by_unit(own: Examined) -> np.ndarray:
    """(G, A): confirmed filters beyond chance, by unit."""
    return np.stack([each.verified - each.expected for each in own.verified(own.claimed, own.caused)])


def kappa_of(claims: np.ndarray, own: Examined) -> np.ndarray:
    """(G,): κ of the units that ``claims`` name for filters, and those that move them most; 0 where there is
    nothing to gain on chance.
    """
    return np.nan_to_num([each.kappa for each in own.verified(claims, own.caused)])


def _share(hits: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(G,): of the filters ``among`` (G, K) the share that is in ``hits`` (G, K); 0 where there is none."""
    return (hits & among).sum(axis=1) / np.maximum(among.sum(axis=1), 1)


def agreement_share(measure: str) -> Reading:
    """Of the filters that ``measure`` names a unit for over all pictures, the share that this unit moves
    most; 0 where it names none.
    """
    return lambda own: _share(own.named[measure] == own.caused, own.named[measure] != "")


def on_other_heads(reading: Reading) -> Reading:
    """The ``reading`` of the same assignments with the effects on a second head model."""
    return lambda own: reading(replace(own, caused=own.elsewhere))


READINGS: Mapping[str, Reading] = {
    "beyond_chance": lambda own: np.full(len(own.claimed), (own.overall != "").sum()),
    "beyond_emotion": lambda own: (own.claimed != "").sum(axis=1),
    "verified": lambda own: ((own.claimed != "") & (own.claimed == own.caused)).sum(axis=1),
    "verified_gain": lambda own: gain_by_unit(own).sum(axis=1),
    "verified_share": lambda own: _share(own.claimed == own.caused, own.claimed != ""),
    "kappa": lambda own: kappa_of(own.claimed, own),
    "distinct_units": lambda own: np.array([each.units for each in own.verified(own.claimed, own.caused)]),
}
"""Metric -> what it is of one network."""


def values_of(networks: Sequence[Examined], reading: Reading) -> np.ndarray:
    """(networks, G, …): the ``reading`` of each network."""
    return np.stack([reading(own) for own in networks])


@dataclass(frozen=True)
class Doses:
    """Intensities at which action units change a picture alike: ``intensities`` by unit, and ``unreached``:
    units that change it less even at intensity 1, which is what they get.
    """

    intensities: dict[str, float]
    unreached: tuple[str, ...]


def matched_doses(stimuli: Interventions, change: float = CHANGE) -> Doses:
    """The intensity of each unit of ``stimuli`` at which its mean squared change of the picture is
    ``change``².

    At intensity 1 a large movement moves every filter more than a small one. The change is read between the
    levels of ``stimuli`` (and 0) along straight lines, so a low level (0.1) should be among them;
    ``interventions(doses=…)`` renders it, and its ``change`` says what was reached. Raises ParameterError for
    a change that is not above 0, or that no unit reaches.
    """
    changes = np.maximum.accumulate(stimuli.change, axis=1)
    if not 0 < change <= changes.max():
        raise ParameterError(
            f"change = {change:g} grey levels: expected above 0 and at most the {changes.max():.1f} of "
            f"{stimuli.aus[int(changes[:, -1].argmax())]} at its highest level"
        )
    intensities = {
        au: dose * float(np.interp(change, (0, *own), (0, *stimuli.levels)))
        for au, dose, own in zip(stimuli.aus, stimuli.doses, changes, strict=True)
    }
    few = tuple(au for au, own in zip(stimuli.aus, changes, strict=True) if own[-1] < change)
    return Doses(intensities, few)
