"""The result of the chapter on action-unit detectors, in words and in a table, from its metrics."""

import html
import math
from collections.abc import Mapping

from scipy.stats import binomtest

from book.au_verification.study import MEASURE_LABELS
from fer_lib.stats.resampling import CONFIDENCE
from ferbook.page.style import listing


def answer(metrics: Mapping[str, Mapping], measure: str) -> str:
    """The chapter's result in plain words, from its metrics, as HTML paragraphs; parts that were not computed
    are left out.
    """

    def count(name: str) -> str:
        return f"{metrics[name]['value']:,.0f}"

    told = [
        f"The papers' rule names a unit for {count('named_filters')} of {count('filters')} filters. "
        f"{count('beyond_chance_filters')} of "
        f"{count('filters')} are detectors at a family-wise error of 5 %, over all filters and units; "
        f"{count('beyond_emotion_filters')} are within emotions.",
        "Of as many filters that were never trained, the same two tests leave "
        f"{count('beyond_chance_untrained')} and {count('beyond_emotion_untrained')} "
        f"(mean of {count('untrained_networks')} networks). So to beat chance says that a filter sees "
        "something of the unit; it does not say that this was learned. Stronger than "
        f"every untrained filter with the same unit are {count('beyond_untrained_filters')} of "
        f"{count('filters')}.",
    ]
    if "beyond_untrained_rotated" in metrics:
        told.append(
            f"Of as many random mixtures of the trained filters {count('beyond_emotion_rotated')} beat "
            f"chance within emotions, and {count('beyond_untrained_rotated')} also every untrained filter. "
            + _against_mixtures(metrics)
        )
    if "verified_filters" in metrics:
        told.append(
            "Switched on alone, the unit of the claim within emotions is also the one that raises the "
            f"response most in {count('verified_filters')} trained filters, for "
            f"{count('verified_units')} different units. In an untrained network that holds for "
            f"{count('verified_untrained')} filters, but for "
            f"{count('verified_units_untrained')} units."
        )
    agreed = {name: metrics.get(f"{name}_agreement") for name in (measure, "kl")}
    known = [
        f"{MEASURE_LABELS[name]} in {100 * metric['value']:.0f} % "
        f"({100 * metric['low']:.0f}–{100 * metric['high']:.0f}) of the filters"
        for name, metric in agreed.items()
        if metric
    ]
    if known:
        told.append(
            "The unit with the largest association is the one that moves the filter most: by "
            f"{listing(known)}."
        )
    if "head_loss" in metrics:
        by_chance = 0.025 * metrics["heads"]["value"]
        told.append(
            "Silencing a unit's own filters hurts its detection more than silencing others for "
            f"{count('heads_hurt')} of {count('heads')} units, where chance alone would give about "
            f"{by_chance:.1f}."
        )
    return "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in told)


def _against_mixtures(metrics: Mapping[str, Mapping]) -> str:
    """Whether more filters than mixtures, of as many, are exceptional.

    The interval of the difference is Newcombe's (1998, method 10), from those of Wilson: it has a width where
    both counts are 0, too.
    """
    names = ("beyond_untrained_filters", "beyond_untrained_rotated", "filters")
    single, mixed, of = (round(metrics[name]["value"]) for name in names)
    own, other = (binomtest(k, of).proportion_ci(CONFIDENCE, method="wilson") for k in (single, mixed))
    low = single - mixed - math.hypot(single - of * own.low, of * other.high - mixed)
    high = single - mixed + math.hypot(of * own.high - single, mixed - of * other.low)
    verdict = "Whether single filters or mixtures are more often exceptional cannot be told"
    if low > 0:
        verdict = "Single filters are more often exceptional than mixtures"
    elif high < 0:
        verdict = (
            "Single filters are less often exceptional than mixtures: "
            "what was learned lies in the layer, not in its filters"
        )
    interval = f"95 % interval {low:.1f} to {high:.1f}, as if filters were independent"
    return f"{verdict} (difference {single - mixed}, {interval}).".replace("-", "−")


_SUMMARY = {
    "named_filters": "named by the papers' rule, filters",
    "beyond_chance_filters": "beat chance, filters",
    "beyond_chance_untrained": "the same, untrained",
    "beyond_emotion_filters": "beat chance within emotions, filters",
    "beyond_emotion_untrained": "the same, untrained",
    "beyond_untrained_filters": "of these, stronger than any untrained filter",
    "beyond_untrained_rotated": "the same, random mixtures of the trained filters",
    "verified_filters": "of these, moved most by the unit of the claim",
    "verified_untrained": "the same, untrained",
    "named_units": "units with a named filter",
    "named_units_untrained": "the same, untrained",
    "verified_units": "units with a verified filter",
    "verified_units_untrained": "the same, untrained",
    "kl_stability": "same unit in resamples, KL",
    "kl_agreement": "KL names the causal unit, share of filters",
    "auroc_agreement": "2·AUROC − 1 names the causal unit, share of filters",
    "auroc_agreement_untrained": "the same, untrained",
    "family_wise_error": "family-wise error in simulations",
    "coverage": "coverage of intervals in simulations",
    "planted_precision": "planted detectors, precision",
    "planted_recall": "planted detectors, recall",
    "planted_precision_argmax": "planted detectors, precision of the papers' rule",
    "head_loss": "AUROC that heads lose beyond other filters",
}


def summary_names(metrics: Mapping[str, Mapping]) -> dict[str, str]:
    """Estimate -> what it is, for ``tables.records_table``: those that the page has."""
    return {name: label for name, label in _SUMMARY.items() if name in metrics}
