"""Filters of Breuer and Kimmel's network against the FACS (2017, arXiv:1705.01842): which unit each goes with
within emotions, and whether that unit is what moves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from fer_lib.aus.decision import claims
from fer_lib.aus.interventions import Interventions, effects_of, interventions, matched_doses
from fer_lib.aus.nulls import permutation_null
from fer_lib.aus.presence import Presence, presence
from fer_lib.aus.verification import Verified, verified
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.responses import maximal_responses
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.two_way import networks_and_people, people_groups
from fer_lib.train.controls import untrained_network
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

LAYER = "relu3"

GROUPS = 5
"""Groups in which people are left out, for the interval over people."""

PEOPLE = 12
"""Rendered people in whom each unit is switched on."""

UNTRAINED = 3
"""Untrained networks that stand beside."""

MEASURE, ALPHA, PERMUTATIONS = "auroc", 0.05, 400


@dataclass(frozen=True)
class FilterCheck:
    """``trained`` and ``untrained``: of each network claims held against causes, with all people and with
    each of ``GROUPS`` groups of them left out.
    """

    trained: list[list[Verified]]
    untrained: list[list[Verified]]


def check_filters(
    networks: Sequence[Classifier], faces: FaceSet, *, face_seed: int = 0, seed: int = 0
) -> FilterCheck:
    """Claims of the filters of ``LAYER`` about ``faces``, whose people no network learned from, and their
    causes in ``PEOPLE`` people on whose faces one unit at a time is switched on, all by the same energy;
    beside ``UNTRAINED`` networks of the same structure that learned nothing, from seeds from ``seed`` on.

    A filter is claimed for the unit that it goes with within emotions beyond chance (family-wise, over all
    filters and units); its cause is the unit that raises it most, where the rise stands beyond chance.
    """
    shown = presence(faces).scored()
    settings = {"size": faces.size[0], "face_seed": face_seed}
    full = interventions(PEOPLE, shown.aus, (0.5, 1.0), **settings)
    equal = interventions(PEOPLE, shown.aus, (1.0,), doses=matched_doses(full).intensities, **settings)
    blank = [untrained_network(networks[0], seed + k).to(_device(networks[0])) for k in range(UNTRAINED)]
    asked = faces, shown, equal, seed
    return FilterCheck(*([_checked(model, *asked) for model in own] for own in (networks, blank)))


def _device(model: Classifier) -> torch.device:
    return model.output.weight.device


def _checked(
    model: Classifier, faces: FaceSet, shown: Presence, equal: Interventions, seed: int
) -> list[Verified]:
    maxima = maximal_responses(model, faces, LAYER).maxima
    effects = effects_of(maximal_responses(model, equal.faces, LAYER).maxima, equal, draws=20, seed=seed)
    stands, moved = effects.survivors(ALPHA), effects.people[..., -1]
    group, who = people_groups(shown.subjects, GROUPS), np.arange(len(moved)) % GROUPS
    names = np.array([*shown.aus, ""], dtype=object)
    found = []
    for left_out in range(-1, GROUPS):
        keep = group != left_out
        some = shown.select(keep)
        settings = {"permutations": PERMUTATIONS, "seed": seed, "within": some.emotions}
        null = permutation_null(maxima[keep], some, MEASURE, **settings)
        effect = moved[who != left_out].mean(axis=0)
        best = effect.argmax(axis=1)
        at = np.arange(len(best)), best
        caused = np.where((effect[at] > 0) & stands[at], best, -1)
        found.append(verified(names[claims(null, "max_statistic", ALPHA)], names[caused], shown.aus))
    return found


def filter_metrics(found: FilterCheck) -> dict[str, Estimate]:
    """``breuer_networks``; ``breuer_kappa`` of claims and causes (0 where nothing is claimed), and
    ``breuer_kappa_over_untrained`` and ``breuer_units_over_untrained``, distinct units with a verified
    filter, less the same of untrained networks; with intervals over networks and people.
    """
    kappa, blank_kappa = (_values(own, "kappa") for own in (found.trained, found.untrained))
    units = (_values(own, "units") for own in (found.trained, found.untrained))
    return {
        "breuer_networks": Estimate(len(found.trained), unit="count"),
        "breuer_kappa": networks_and_people(kappa, tolerance=0.2),
        "breuer_kappa_over_untrained": networks_and_people(kappa, blank_kappa, tolerance=0.2),
        "breuer_units_over_untrained": networks_and_people(*units, tolerance=3.0),
    }


def _values(networks: list[list[Verified]], name: str) -> np.ndarray:
    """float64 (R, 1 + ``GROUPS``): what ``name`` is of each network, with all people and without a group."""
    return np.nan_to_num([[getattr(one, name) for one in network] for network in networks])


def filter_table(found: FilterCheck) -> Table:
    """A row per action unit, means over the networks: filters ``claimed`` for it, of them ``verified``, and
    ``expected`` if claims and causes were paired at random; the latter two of untrained networks, too.
    """
    parts = {"unit": found.trained[0][0].aus}
    kinds = (("", found.trained, ("claimed", "verified", "expected")),)
    kinds += (("untrained: ", found.untrained, ("verified", "expected")),)
    for kind, networks, names in kinds:
        for name in names:
            parts[kind + name] = np.mean([getattr(own[0], name) for own in networks], axis=0)
    table = pd.DataFrame(parts)
    numbers = list(table.columns[1:])
    caption = f"Filters of {LAYER}: means over {len(found.trained)} trained, {len(found.untrained)} untrained"
    return Table(table, caption, dict.fromkeys(numbers, "{:.1f}".format), dict.fromkeys(numbers, 20.0))
