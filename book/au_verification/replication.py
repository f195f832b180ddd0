"""Are the same filters moved by the same units on heads of another model?"""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from book.au_verification.examine import Examined
from book.au_verification.readings import (
    MIXTURES,
    OF_VERIFIED,
    ON_OTHER_HEADS,
    READINGS,
    TRAINED,
    UNTRAINED,
    agreement_of,
    agreement_share,
    on_other_heads,
    values_of,
)
from book.au_verification.study import (
    metric_prefix,
    over_mixtures,
    over_shuffled,
    populations_of,
    reading_settings,
    rivals_of,
)
from fer_lib.stats.two_way import networks_and_people
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

_NAMED = {
    f"{measure}_agreement_{what}": on_other_heads(reading(measure))
    for measure in ("auroc", "kl")
    for what, reading in (("kappa", agreement_of), ("share", agreement_share))
}
"""Metric -> how far the unit that a measure names is the one that moves the filter most on other heads."""

_ROWS = (TRAINED, MIXTURES, "photographs", UNTRAINED)

_COLUMNS = {
    "kept": "keep their unit",
    "kept_by_chance": "by chance",
    "kappa": "κ",
    "rank_correlation": "rank correlation",
}


def other_heads_metrics(examined: Sequence[Examined]) -> dict[str, Estimate]:
    """``ON_OTHER_HEADS`` and ``OF_VERIFIED`` over networks and people: what ``study.population_metrics``
    calls ``x`` is ``other_heads_x`` here, with the difference to untrained networks of the same structure;
    how far κ is ahead of that of random mixtures; and ``study.over_shuffled``. Where one has no verified
    filter no share of them is told; nothing at all where no network was asked about other heads.
    """
    estimates = {}
    examinees = [own for own in examined if own.elsewhere is not None]
    groups = populations_of(examinees) if examinees else {}
    for name, networks in groups.items():
        begins, rivals = f"other_heads_{metric_prefix(name)}", rivals_of(networks, examinees)
        for metric, reading in (ON_OTHER_HEADS | _NAMED if networks[0].named else ON_OTHER_HEADS).items():
            settings = reading_settings(metric, networks[0].filters)
            own = values_of(networks, reading)
            estimates[f"{begins}{metric}"] = networks_and_people(own, **settings)
            if networks[0].group != UNTRAINED:
                ahead = networks_and_people(own, values_of(rivals, reading), **settings)
                estimates[f"{begins}{metric}_over_untrained"] = ahead
        if all(READINGS["verified"](own).all() for own in networks):
            for metric, reading in OF_VERIFIED.items():
                settings = reading_settings(metric, networks[0].filters)
                estimates[f"{begins}{metric}"] = networks_and_people(values_of(networks, reading), **settings)
    if groups:
        ahead = over_mixtures(groups, ON_OTHER_HEADS["kappa"], "kappa")
        estimates["other_heads_kappa_over_mixtures"] = ahead
    over = over_shuffled(groups, ON_OTHER_HEADS["kappa"])
    return estimates | {f"other_heads_{name}": ahead for name, ahead in over.items()}


def other_heads_table(
    estimates: Mapping[str, Estimate], beside: Callable[[str], Estimate | None]
) -> Table | None:
    """A row per population: of ``other_heads_metrics``, or where other heads were not asked, of what the
    reference says ``beside``. None where there is neither.
    """
    lookup = estimates.get if estimates else beside
    rows = {
        name: {
            label: lookup(f"other_heads_{metric_prefix(name)}{metric}") for metric, label in _COLUMNS.items()
        }
        for name in _ROWS
    }
    data = pd.DataFrame.from_dict(rows, orient="index").dropna(how="all")
    data.index.name = "networks"
    what = (
        "Of the verified filters, the share that keep their unit on other heads, and what chance would keep; "
        "κ of all claims there; the rank correlation of the units' effects here and there"
    )
    caption = what if estimates else f"{what}: the run reference"
    return None if data.empty else Table(data, caption, tolerance=dict.fromkeys(data, 0.2))
