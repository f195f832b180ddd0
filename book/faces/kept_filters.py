"""Filters that keep their action unit: of networks that learned from ``lab``, those verified on people of it
whom no network learned from, asked again about others of these people and about the families.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from fer_lib.aus.interventions import effects_of, interventions, matched_doses
from fer_lib.aus.nulls import claimed_units, permutation_null
from fer_lib.aus.presence import presence
from fer_lib.aus.verification import verified
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.layers import last_conv
from fer_lib.look.responses import maximal_responses
from fer_lib.stats.resampling import bootstrap
from fer_lib.train.lesson import TrainedNetwork
from ferbook.page.tables import Table
from synthetic_faces.facs import AUS

_ALPHA = 0.05
"""Family-wise error at which a filter is claimed for a unit, and at which a unit moves it."""

_LEVELS = (0.3, 0.6, 1.0)
"""Intensities between which the one of equal energy is sought."""

_OPENING = ("AU25", "AU26", "AU27")
"""Units that open the mouth: large movements, which filters of untrained networks see, too."""


def kept_filters(
    networks: Sequence[TrainedNetwork],
    strangers: FaceSet,
    elsewhere: Mapping[str, FaceSet],
    *,
    people: int = 24,
    permutations: int = 500,
    seed: int = 0,
    device: torch.device | None = None,
) -> pd.DataFrame:
    """One row per network and set of ``elsewhere``, and once more without the units that open the mouth:
    ``asked``, ``mouth`` (whether these are in it), ``verified`` filters, how many of them are ``kept``, and
    how many would be by chance, ``expected``.

    A filter is verified where it is claimed for a unit on ``strangers`` within emotions, and that unit moves
    it most of all at equal energy, in ``people`` of no set; it is kept where on the other set that is the
    unit which it tells best within emotions. By chance: if the other set's answers were dealt at random among
    the verified filters.
    Units that any of the sets shows too seldom are left out. Raises as ``Presence.scored`` and
    ``permutation_null``.
    """
    sets = {"": strangers, **elsewhere}
    labels = {name: presence(faces).scored() for name, faces in sets.items()}
    aus = [au for au in AUS if all(au in each.aus for each in labels.values())]
    size = strangers.size[0]
    doses = matched_doses(interventions(people, aus, _LEVELS, size=size)).intensities
    stimuli = interventions(people, aus, _LEVELS[-1:], size=size, doses=doses)
    names, rows = np.array([*aus, ""], dtype=object), []
    for network in networks:
        layer, nulls = last_conv(network.model), {}
        for name, faces in sets.items():
            maxima = maximal_responses(network.model, faces, layer, device=device).maxima
            some = labels[name].only(aus)
            nulls[name] = permutation_null(
                maxima,
                some,
                "auroc",
                within=some.emotions,
                permutations=permutations,
                seed=seed,
                device=device,
            )
        answers = maximal_responses(network.model, stimuli.faces, layer, device=device).maxima
        effects = effects_of(answers, stimuli, draws=20, seed=seed)
        own, most = (
            names[claimed_units(nulls[""], _ALPHA)],
            effects.effect[..., -1].argmax(axis=1),
        )
        at = np.arange(len(most)), most
        stands = effects.survivors(_ALPHA)[at] & (effects.effect[*at, -1] > 0)
        own = np.where(stands & (own == names[most]), own, "")
        for name in elsewhere:
            there = names[np.nan_to_num(nulls[name].scores, nan=-np.inf).argmax(axis=1)]
            for mouth in (True, False):
                agreement = verified(own if mouth else np.where(np.isin(own, _OPENING), "", own), there, aus)
                rows.append(
                    (name, mouth, agreement.filters, agreement.verified.sum(), agreement.expected.sum())
                )
    return pd.DataFrame(rows, columns=["asked", "mouth", "verified", "kept", "expected"])


def kept_table(counts: pd.DataFrame) -> Table:
    """By who was asked: the shares of verified filters that keep their unit, each with its interval over the
    networks of ``kept_filters``, and by chance; then the same without the mouth's opening.
    """
    rows = {}
    for name, part in counts.groupby("asked", sort=False):
        row: dict[str, object] = {}
        for mouth, besides in ((True, ""), (False, ", mouth's opening aside")):
            own = part[part["mouth"].eq(mouth)]
            if filters := int(own["verified"].sum()):
                settings = {"of": "networks", "n": filters, "unit": "share", "tolerance": 0.1}
                row[f"keep it{besides}"] = bootstrap(own[["kept", "verified"]].to_numpy(float), **settings)
                row[f"by chance{besides}"] = own["expected"].sum() / filters
            row[f"filters{besides}"] = filters
        rows[name] = row | {"networks": int(part["mouth"].sum())}
    data = pd.DataFrame.from_dict(rows, orient="index").rename_axis("asked about")
    shares = {column: "share" for column in data.columns if column.startswith("by chance")}
    return Table(data, "Verified filters that keep their action unit", shares, tolerance=0.1)
