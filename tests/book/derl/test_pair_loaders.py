import numpy as np
import pytest
import torch

from book.derl.stage_one import PairBatches


@pytest.fixture
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """11 pairs that say which they are: pixel (0, 0) of the input is the number, of the target twice the
    number.
    """
    inputs = np.zeros((11, 4, 4), np.uint8)
    inputs[:, 0, 0] = np.arange(11) + 1
    inputs.setflags(write=False)
    return inputs, 2 * inputs


def numbers(pictures, column=0):
    return (pictures[:, 0, 0, column] * 255).round().int().tolist()


def test_a_shuffled_pass_shows_every_pair_once_and_keeps_it_together(pairs):
    loader = PairBatches(*pairs, 4, shuffle=True, seed=1)
    shown = []
    for inputs, targets in loader:
        assert (
            inputs.shape == targets.shape and inputs.shape[1:] == (1, 4, 4) and inputs.dtype == torch.float32
        )
        assert numbers(targets) == [2 * number for number in numbers(inputs)]
        shown += numbers(inputs)
    assert sorted(shown) == list(range(1, 12)) and shown != sorted(shown)


def test_in_order_and_as_they_are_without_shuffle(pairs):
    batches = list(PairBatches(*pairs, 4))
    assert [len(inputs) for inputs, _ in batches] == [4, 4, 3]
    assert [number for inputs, _ in batches for number in numbers(inputs)] == list(range(1, 12))


def test_a_pair_is_mirrored_together_or_not_at_all(pairs):
    loader = PairBatches(*pairs, 11, flip=0.5, shuffle=True, seed=0)
    sides = set()
    for _ in range(8):
        inputs, targets = next(iter(loader))
        for column in (0, 3):
            assert numbers(targets, column) == [2 * number for number in numbers(inputs, column)]
        assert all(
            (left > 0) != (right > 0) for left, right in zip(numbers(inputs), numbers(inputs, 3), strict=True)
        )
        sides |= {number > 0 for number in numbers(inputs)}
    assert sides == {True, False}


def test_a_last_batch_of_one_pair_is_left_out_of_training_only(pairs):
    assert [len(inputs) for inputs, _ in PairBatches(*pairs, 5, shuffle=True)] == [5, 5]
    assert len(PairBatches(*pairs, 5, shuffle=True)) == 2 and len(PairBatches(*pairs, 5)) == 3


def test_the_state_of_its_generator_is_all_that_a_pass_depends_on(pairs):
    def shown(loader):
        return [number for inputs, _ in loader for number in numbers(inputs)]

    loader = PairBatches(*pairs, 4, flip=0.5, shuffle=True, seed=1)
    first, state = shown(loader), loader.generator.get_state()
    second = shown(loader)
    other = PairBatches(*pairs, 4, flip=0.5, shuffle=True, seed=2)
    assert shown(other) != first != second
    other.generator.set_state(state)
    torch.rand(3)
    assert shown(other) == second
