"""The result of the chapter on transfer, in words and in a table, from its metrics."""

import html
from collections.abc import Mapping, Sequence

_SUMMARY = {
    "in_dataset_accuracy": "learned from and tested on one set, mean",
    "cross_dataset_accuracy": "tested on another set, mean",
    "transfer_drop": "the first minus the second (points)",
    "left_out_accuracy": "learned from all sets but the tested one, mean",
    "left_out_drop": "what these lose (points)",
    "commonest_accuracy": "always the commonest class, mean",
    "transfer_seed_spread": "standard deviation between seeds of one cell (points)",
    "zero_shot_accuracy": "pre-trained, none of one's own pictures",
    "tuning_fraction": "smallest share of one's own pictures",
    "tuned_accuracy": "with it, pre-trained",
    "scratch_accuracy": "with it, from scratch",
    "tuning_gain": "the first minus the second (points)",
    "tuning_gain_full": "the same with the largest share (points)",
    "factor_all_drop": "all factors switched, change (points)",
    "factor_worst_drop": "the worst single factor, change (points)",
    "majority_accuracy": "learned from the majority, accuracy",
    "votes_accuracy": "learned from votes, accuracy",
    "majority_calibration_error": "learned from the majority, calibration error",
    "votes_calibration_error": "learned from votes, calibration error",
}


def summary_names(metrics: Mapping[str, Mapping]) -> dict[str, str]:
    """Estimate -> what it is, for ``tables.records_table``: those that the page has."""
    return {name: label for name, label in _SUMMARY.items() if name in metrics}


def transfer_answer(sentences: Sequence[str]) -> str:
    """The parts' answers one below the other, as HTML paragraphs; empty ones, of parts that were left out,
    are skipped.
    """
    return "".join(f"<p>{html.escape(told)}</p>" for told in sentences if told)
