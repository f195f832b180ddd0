"""How far the apex is missed: means, quartiles and gains by hand."""

import numpy as np
import pandas as pd
import pytest

from book.micro_expressions.apex import TRAINED, UNTRAINED, spotting_metrics, spotting_table


def errors():
    """Four clips of three people; the trained network misses by 1, 3, 5, 7 frames from the onset, by nothing
    from both ends.
    """
    clips = [("a", "1"), ("a", "2"), ("b", "1"), ("c", "1")]
    missed = {
        (TRAINED, "onset"): (1, 3, 5, 7),
        (TRAINED, "both ends"): (0, 0, 0, 0),
        (UNTRAINED, "onset"): (2, 4, 6, 9),
        (UNTRAINED, "both ends"): (1, 1, 1, 1),
        ("pixels", "onset"): (8, 8, 8, 8),
        ("pixels", "both ends"): (4, 4, 4, 4),
        ("optical flow", "onset"): (6, 6, 6, 6),
        ("optical flow", "both ends"): (3, 3, 3, 3),
        ("middle", ""): (2, 2, 2, 4),
        ("random", ""): (9, 9, 9, 9),
    }
    return pd.DataFrame(
        [
            {"method": method, "reference": reference, "subject": who, "sequence": which, "error": float(e)}
            for (method, reference), values in reversed(missed.items())
            for (who, which), e in zip(clips, values, strict=True)
        ]
    )


def test_the_table_has_a_row_per_method_and_reference_in_their_order():
    table = spotting_table(errors(), spotting_metrics(errors(), draws=300))
    assert table["method"].iloc[0].startswith("trained CNN") and table["method"].iloc[-1] == "any frame"
    own = table.set_index("method").loc["trained CNN from onset"]
    assert (own["clips"], own["mean"], own["median"]) == (4, 4.0, 4.0)
    assert (own["q25"], own["q75"]) == tuple(np.quantile([1, 3, 5, 7], [0.25, 0.75]))
    assert own["low"] < 4 < own["high"]
    assert np.isnan(table.set_index("method").loc["pixels from onset", "low"]), (
        "all draws give the same value"
    )


def test_gains_are_paired_and_compare_like_with_like():
    found = spotting_metrics(errors(), draws=300)
    assert found["spotting_trained"].value == 4 and found["spotting_trained_both_ends"].value == 0
    assert found["spotting_gain_pixels"].value == pytest.approx(8 - 4)
    assert found["spotting_gain_flow_both_ends"].value == pytest.approx(3)
    # 1, 1, 1, 2 frames clip by clip: by person 1, 1, 2.
    gain = found["spotting_gain_untrained"]
    assert gain.value == pytest.approx(1.25) and gain.low >= 1 and gain.high <= 2
    assert found["spotting_gain_middle"].value == pytest.approx(2.5 - 4)
    assert found["spotting_gain_middle_both_ends"].value == pytest.approx(2.5)
    assert found["spotting_gain_random"].value == pytest.approx(5)


def test_clips_are_paired_by_name_and_not_by_place():
    table = errors()
    mixed = table.sample(frac=1, random_state=0)
    one, other = (spotting_metrics(given, draws=100) for given in (table, mixed))
    assert one["spotting_gain_untrained"].value == other["spotting_gain_untrained"].value
