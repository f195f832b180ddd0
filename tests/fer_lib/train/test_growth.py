import pytest

from fer_lib.train.callbacks import Growth, growing_side
from ferbook.errors import ParameterError


def test_sides_by_hand():
    assert [growing_side(epoch, 5, 32, 48) for epoch in range(5)] == [32, 40, 40, 48, 48]  # 32 36 40 44 48
    assert [growing_side(epoch, 3, 16, 44) for epoch in range(3)] == [16, 32, 44]
    assert growing_side(0, 1, 16, 48) == 48
    assert {growing_side(epoch, 9, 48, 48) for epoch in range(9)} == {48}


@pytest.mark.parametrize(("start", "end"), [(56, 48), (20, 48), (0, 48), (-8, 48)])
def test_refuses_what_does_not_grow(start, end):
    with pytest.raises(ParameterError, match=f"start_size {start}.*multiple of 8.*{end}"):
        Growth(start, end)
