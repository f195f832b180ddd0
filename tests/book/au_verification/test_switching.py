"""What is told of units that were switched on, on small constructed inputs."""

import numpy as np
import pandas as pd
import pytest

from book.au_verification import switching
from tests.book.au_verification.toy_effects import effects_of_size

AUS = ("AU1", "AU2", "AU12")


def test_the_showcase_begins_with_verified_filters_of_different_units():
    table = pd.DataFrame(
        {
            "filter": range(7),
            "named": ["AU1", "AU1", "AU1", "AU2", "AU12", "AU2", ""],
            "overall": ["AU1", "AU1", "AU1", "AU2", "AU12", "", ""],
            "within": ["AU1", "AU1", "AU1", "AU2", "", "", ""],
            "score": [5.0, 9.0, 7.0, 4.0, np.nan, np.nan, np.nan],
            "verified": [True, True, False, True, False, False, False],
        }
    )
    chosen = switching.showcase(table, 9)
    assert chosen["filter"].tolist() == [1, 3, 0, 2, 4, 5]
    assert chosen["au"].tolist() == ["AU1", "AU2", "AU1", "AU1", "AU12", "AU2"]
    assert switching.showcase(table, 2)["filter"].tolist() == [1, 3]
    none_verified = switching.showcase(table.assign(verified=False), 3)
    assert none_verified["filter"].tolist() == [1, 3, 2] and none_verified["filter"].dtype == int
    none_within = switching.showcase(table.assign(within="", score=np.nan, verified=False), 9)
    assert none_within["filter"].tolist() == [0, 3, 4, 1, 2, 5] and none_within["filter"].dtype == int


def test_the_effect_table_has_a_row_per_filter_unit_and_level():
    effects = effects_of_size([[0.5, 3.0, 0.0], [0.0, 0.0, -2.0]], AUS)
    table = switching.effect_table(effects, pd.DataFrame({"filter": [1, 0], "au": ["AU12", "AU2"]}))
    assert table["filter"].tolist() == [1] * 6 + [0] * 6
    full = table[table["level"].eq(1)].set_index(["filter", "au"])
    assert full.loc[(0, "AU2"), "effect"] == 3 and full.loc[(1, "AU12"), "low"] == pytest.approx(-2.1)
    assert full["claimed"].tolist() == [False, False, True, False, True, False]
    assert table.loc[1, "effect"] == 0 and table.iloc[8]["effect"] == 1.5
