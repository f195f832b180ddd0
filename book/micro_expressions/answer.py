"""The result of the chapter on micro-expressions, in words and in a table, from its metrics."""

import html
from collections.abc import Mapping, Sequence

from book.micro_expressions.page import RIVALS
from ferbook.page.style import listing
from ferbook.text import interval_text, number_text

_TIME = ("shuffled", "reversed", "apex_only")
_WITHOUT_LSTM = ("apex_features", "optical_flow", "lbp_top")


def answer(metrics: Mapping[str, Mapping]) -> str:
    """The chapter's result in plain words, as HTML paragraphs, from its metrics; what was not computed is
    left out.
    """
    told = [
        f"Of {number_text(metrics['clips']['value'], 'count')} clips of "
        f"{number_text(metrics['people']['value'], 'count')} people, each named by LSTMs that never saw the "
        "person, the unweighted F1 is "
        f"{interval_text(metrics['uf1'])}. Always naming the commonest class gives "
        f"{number_text(metrics['majority_uf1']['value'], 'share')}, guessing "
        f"{number_text(metrics['chance_uf1']['value'], 'share')}: "
        + _clear(
            metrics,
            ("majority", "chance"),
            "the features say something of micro-expressions",
            "this study cannot tell the LSTMs from these.",
        )
    ]
    if "shuffled_uf1" in metrics:
        told.append(_about_time(metrics))
        told.append(_about_features(metrics))
    told.append(_about_baselines(metrics))
    gain = metrics["selection_gain_uf1"]
    told.append(
        f"Had the person tested chosen when to stop, the same trainings would have reported {_points(gain)} "
        "more of UF1."
    )
    told += [*_about_spotting(metrics), *_about_units(metrics)]
    return "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in told)


def _ahead(metrics: Mapping[str, Mapping], slugs: Sequence[str], sign: int) -> list[str]:
    """The rivals among ``slugs`` that the first is clearly ahead of (``sign`` 1) or clearly behind (−1)."""
    found = []
    for slug in slugs:
        gap = metrics.get(f"ahead_of_{slug}")
        bound = None if gap is None else gap["low"] if sign > 0 else gap["high"]
        if bound is not None and sign * bound > 0:
            found.append(slug)
    return found


def _clear(metrics: Mapping[str, Mapping], slugs: Sequence[str], yes: str, no: str) -> str:
    return f"{yes}." if _ahead(metrics, slugs, 1) == list(slugs) else no


def _named(slugs: Sequence[str]) -> str:
    return listing([f"“{RIVALS[slug][1]}”" for slug in slugs])


def _about_time(metrics: Mapping[str, Mapping]) -> str:
    values = listing(
        [f"{RIVALS[slug][1]} {number_text(metrics[f'{slug}_uf1']['value'], 'share')}" for slug in _TIME]
    )
    better = _ahead(metrics, _TIME, 1)
    verdict = (
        "None of the three is clearly worse: what the LSTMs use is what is shown, not when."
        if not better
        else f"The frames in their order are clearly better than {_named(better)}."
        + (
            " So the order is used."
            if "shuffled" in better
            else " That shuffling costs anything has not been shown."
        )
    )
    return f"Does time matter? {values[0].upper()}{values[1:]}. {verdict}"


def _about_features(metrics: Mapping[str, Mapping]) -> str:
    gap = metrics["ahead_of_untrained"]
    learned = gap["low"] is not None and gap["low"] > 0
    return (
        "With the features of a network that was never trained it is "
        f"{number_text(metrics['untrained_uf1']['value'], 'share')}, {_points(gap)} less: "
        + (
            "to have learned expressions helps."
            if learned
            else "that having learned expressions helps has not been shown."
        )
        + f" The onset alone gives {number_text(metrics['onset_only_uf1']['value'], 'share')}, random "
        f"features {number_text(metrics['random_features_uf1']['value'], 'share')}."
    )


def _about_baselines(metrics: Mapping[str, Mapping]) -> str:
    there = [slug for slug in _WITHOUT_LSTM if f"{slug}_uf1" in metrics]
    values = listing(
        [f"{RIVALS[slug][1]} {number_text(metrics[f'{slug}_uf1']['value'], 'share')}" for slug in there]
    )
    ahead, behind = _ahead(metrics, there, 1), _ahead(metrics, there, -1)
    verdict = (
        f"The LSTMs are clearly better than {_named(ahead)}"
        if ahead
        else "The LSTMs are clearly better than none of them"
    )
    if behind:
        verdict += f", and clearly worse than {_named(behind)}"
    return f"Linear machines without an LSTM: {values}. {verdict}."


def _about_spotting(metrics: Mapping[str, Mapping]) -> list[str]:
    if "spotting_trained" not in metrics:
        return []
    missed = {
        name: f"{metrics[f'spotting_{name}']['value']:.1f}"
        for name in (
            *("trained", "trained_both_ends", "untrained_both_ends", "pixels_both_ends", "flow_both_ends"),
            *("middle", "random"),
        )
    }
    gain = metrics["spotting_gain_middle_both_ends"]
    verdict = (
        "better than to answer the middle unseen"
        if gain["low"] is not None and gain["low"] > 0
        else "worse than to answer the middle unseen"
        if gain["high"] is not None and gain["high"] < 0
        else "not clearly better or worse than to answer the middle unseen"
    )
    return [
        f"The frame whose features lie farthest from the onset misses the apex by {missed['trained']} "
        "frames on average, the one farthest from the line between both ends by "
        f"{missed['trained_both_ends']}. "
        f"By the same line an untrained network misses it by {missed['untrained_both_ends']}, pixels by "
        f"{missed['pixels_both_ends']} and optical flow by {missed['flow_both_ends']}; the middle of the "
        "clip by "
        f"{missed['middle']}, any frame by {missed['random']}. The trained network is {verdict}."
    ]


def _about_units(metrics: Mapping[str, Mapping]) -> list[str]:
    if not metrics.get("units_looked_at", {}).get("value"):
        return []
    moving, against, looked = (
        number_text(metrics[name]["value"], "count")
        for name in ("units_moving", "units_moving_against", "units_looked_at")
    )
    return [
        f"Of {looked} units that have a detector in the last convolution and are shown in enough clips, "
        f"{moving} raise their filters more where they are shown than where not, and {against} less."
    ]


def _points(metric: Mapping) -> str:
    bounds = "no interval"
    if metric["low"] is not None:
        bounds = f"95 % interval {metric['low']:.1f} to {metric['high']:.1f}"
    return f"{metric['value']:.1f} points ({bounds})".replace("-", "−")


_SUMMARY = {
    "uf1": "unweighted F1 (UF1)",
    "uar": "unweighted average recall (UAR)",
    "accuracy": "accuracy",
    "majority_accuracy": "accuracy of the commonest class",
    **{f"{slug}_uf1": f"UF1, {name}" for slug, (_, name) in RIVALS.items()},
    "seed_spread": "spread of the UF1 between trainings (points)",
    "selection_gain_uf1": "what choosing on the person tested adds to the UF1 (points)",
    "spotting_trained": "apex missed by (frames), trained CNN from onset",
    "spotting_trained_both_ends": "apex missed by (frames), trained CNN from both ends",
    "spotting_middle": "apex missed by (frames), middle of the clip",
    "unit_movement": "filters move more with their unit than without (sd)",
}


def summary_names(metrics: Mapping[str, Mapping]) -> dict[str, str]:
    """Estimate -> what it is, for ``tables.records_table``: those that the page has."""
    return {name: label for name, label in _SUMMARY.items() if name in metrics}
