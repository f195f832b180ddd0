"""What the chapter on action-unit detectors says in words, from any set of metrics that it may have."""

from fer_lib.report.au_answer import answer, summary_names
from fer_lib.report.metrics import Metric


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
    return {name: Metric(value, value, value).to_json() for name, value in (always | further).items()}


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


def test_the_answer_tells_mixtures_from_single_filters_by_their_counts():
    for mixed, said in ((3.0, "Single filters are more often"), (4.0, "Single filters are no better")):
        text = answer(told(beyond_emotion_rotated=4.0, beyond_untrained_rotated=mixed), "kl")
        assert said in text and text.count("<p>") == 3


def test_the_summary_lists_what_the_page_has_in_a_fixed_order():
    assert list(summary_names(told(coverage=0.95))) == [
        *("named_filters", "beyond_chance_filters", "beyond_chance_untrained", "beyond_emotion_filters"),
        *("beyond_emotion_untrained", "beyond_untrained_filters", "coverage"),
    ]
