"""What the chapter on action-unit detectors says in words, from any set of metrics that it may have."""

import pytest

from book.au_verification.answer import answer, summary_names
from ferbook.estimate import Estimate


def told(**further: float) -> dict[str, dict]:
    always = dict.fromkeys(
        (
            *("filters", "named_filters", "untrained_networks", "beyond_untrained_filters"),
            *(
                "beyond_chance_filters",
                "beyond_chance_untrained",
                "beyond_emotion_filters",
                "beyond_emotion_untrained",
            ),
        ),
        4.0,
    )
    return {name: Estimate(value, value, value).to_json() for name, value in (always | further).items()}


def test_the_answer_tells_what_was_computed_and_nothing_else():
    least = answer(told(), "auroc")
    assert least.count("<p>") == 2 and "detectors at a family-wise error" in least
    assert "Switched" not in least and "Silencing" not in least
    switched = dict.fromkeys(
        ("verified_filters", "verified_untrained", "verified_units", "verified_units_untrained"), 3.0
    )
    whole = answer(
        told(**switched, kl_agreement=0.4, smd_agreement=0.5, head_loss=0.0, heads=9.0, heads_hurt=0.0), "smd"
    )
    assert whole.count("<p>") == 5
    assert (
        "standardised mean difference in 50 % (50–50) of the filters and KL divergence (nats) in 40 %"
        in whole
    )
    assert "others for 0 of 9 units, where chance alone would give about 0.2." in whole


@pytest.mark.parametrize(
    ("single", "mixed", "said"),
    [
        (9, 3, "Single filters are more often exceptional than mixtures"),
        (3, 9, "Single filters are less often exceptional than mixtures"),
        (0, 0, "Whether single filters or mixtures are more often exceptional cannot be told"),
        (6, 5, "cannot be told"),
    ],
)
def test_the_answer_tells_mixtures_from_single_filters_only_beyond_chance(single, mixed, said):
    counts = {"beyond_untrained_filters": single, "beyond_untrained_rotated": mixed}
    text = answer(told(filters=10, beyond_emotion_rotated=9, **counts), "kl")
    assert said in text and text.count("<p>") == 3
    assert ("lies in the layer" in text) == (single < mixed)


def test_the_interval_between_single_filters_and_mixtures_is_newcombe_s():
    """Newcombe 1998, Statistics in Medicine 17:873, table II, method 10:
    9/10 − 3/10 is 0.1705 to 0.8090, and 0/10 − 0/10 is −0.2775 to 0.2775."""
    for single, mixed, interval in (
        (9, 3, "difference 6, 95 % interval 1.7 to 8.1,"),
        (0, 0, "−2.8 to 2.8,"),
    ):
        counts = {"beyond_untrained_filters": single, "beyond_untrained_rotated": mixed}
        assert interval in answer(told(filters=10, beyond_emotion_rotated=9, **counts), "kl")


def test_the_summary_lists_what_the_page_has_in_a_fixed_order():
    assert list(summary_names(told(coverage=0.95))) == [
        *("named_filters", "beyond_chance_filters", "beyond_chance_untrained", "beyond_emotion_filters"),
        *("beyond_emotion_untrained", "beyond_untrained_filters", "coverage"),
    ]
