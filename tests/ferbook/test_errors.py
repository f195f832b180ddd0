"""One refusal of a name that nobody knows."""

import pytest

from ferbook.errors import ParameterError, require_name


def test_an_unknown_name_is_refused_with_the_nearest_and_all_of_them():
    require_name("rule", "holm", ("holm", "argmax"))
    told = r"^no rule 'holms' .did you mean 'holm'..; the rules are holm, argmax$"
    with pytest.raises(ParameterError, match=told):
        require_name("rule", "holms", ("holm", "argmax"))
    with pytest.raises(ParameterError, match=r"^no chapter 'zzz'; the chapters are a, b$"):
        require_name("chapter", "zzz", iter("ab"))
