"""Permutations of labels: who changes places with whom, worked out by hand."""

import math

import numpy as np
import pytest

from fer_lib.aus.nulls import blocks_of
from fer_lib.aus.presence import Presence
from ferbook.errors import DataError, ParameterError


def shown(subjects, sequences, emotions=None, present=None):
    n = len(subjects)
    return Presence(
        ("AU1",) if present is None else tuple(f"AU{a + 1}" for a in range(np.shape(present)[1])),
        np.zeros((n, 1)) if present is None else np.asarray(present, np.float32),
        np.array(subjects),
        np.array(sequences),
        np.array(emotions or ["neutral"] * n),
    )


def all_draws(presence, permutations=500, seed=0, **options):
    return np.concatenate(list(blocks_of(presence, **options).draws(permutations, seed)))


def test_frames_of_a_sequence_stay_together_and_in_order():
    # Rows of the sequences are interleaved: a c a b b c
    presence = shown(list("xyxxxy"), list("acabbc"))
    draws = all_draws(presence)
    rows = {"a": (0, 2), "b": (3, 4), "c": (1, 5)}
    seen = set()
    for draw in draws:
        assert sorted(draw) == list(range(6))
        got = tuple(tuple(draw[list(places)]) for places in rows.values())
        assert set(got) == set(rows.values())
        seen.add(got)
    assert len(seen) == math.factorial(3)


def test_all_arrangements_are_equally_frequent():
    presence = shown(list("abc"), list("abc"))
    draws = all_draws(presence, permutations=6000)
    _, counts = np.unique(draws, axis=0, return_counts=True)
    # Six standard deviations of a binomial count around 1000.
    assert len(counts) == 6 and np.abs(counts - 1000).max() < 6 * math.sqrt(6000 * 5 / 36)


def test_subjects_change_places_whole_and_their_sequences_come_in_any_order():
    presence = shown(list("aabb"), list("1234"))
    draws = {tuple(draw) for draw in all_draws(presence, kind="subject")}
    # Either the same two subjects or swapped, each in two orders: never one sequence of each.
    own = {(0, 1), (1, 0)}
    other = {(2, 3), (3, 2)}
    assert draws == {x + y for x in own for y in other} | {y + x for x in own for y in other}


def test_subjects_of_the_same_emotions_hand_on_the_labels_of_each_to_the_same():
    # a and b show anger and fear (b in the other order), c anger twice, d anger and fear in one more.
    subjects, emotions = list("aabbccddd"), list("AFFAAAAFF")
    presence = shown(subjects, list("123456789"), emotions)
    draws = {tuple(draw) for draw in all_draws(presence, kind="subject", within=presence.emotions)}
    own_order = {(4, 5), (5, 4)}, {(6, 7, 8), (6, 8, 7)}
    pairs = {(0, 1, 2, 3), (3, 2, 1, 0)}
    assert draws == {ab + c + d for ab in pairs for c in own_order[0] for d in own_order[1]}
    assert blocks_of(presence, "subject", within=presence.emotions).fixed == 2


def test_of_a_subject_what_is_not_coded_stays_where_it_is():
    present = np.zeros((8, 1))
    present[[1, 2, 5]] = np.nan
    presence = shown(list("aabbccdd"), list("12345678"), present=present)
    draws = all_draws(presence, kind="subject")
    np.testing.assert_array_equal(np.isnan(present[draws]), np.isnan(np.tile(present, (500, 1, 1))))
    assert len(np.unique(draws[:, :2], axis=0)) == 3


def test_subjects_with_as_many_sequences_exchange_only_among_themselves():
    subjects = [f"one{i}" for i in range(8)] + [f"two{i // 2}" for i in range(16)]
    draws = all_draws(shown(subjects, list(range(24))), permutations=50, kind="subject")
    assert (draws[:, :8] < 8).all() and (draws[:, 8:] >= 8).all()
    assert (np.sort(draws, axis=1) == np.arange(24)).all()


def test_lengths_that_are_rare_join_the_nearest_and_pass_labels_on_by_relative_time():
    # A sequence of 2 frames and one of 4: the two frames get the labels of frames 1 and 3 of four (0, 1, 2,
    # 3).
    draws = all_draws(shown(list("aabbbb"), list("aabbbb")))
    swapped = draws[draws[:, 0] >= 2]
    assert len(swapped) and (swapped == [3, 5, 0, 0, 1, 1]).all()
    assert (draws[draws[:, 0] < 2] == np.arange(6)).all()


def test_lengths_that_are_common_keep_to_themselves():
    names = [f"s{i}" for i in range(8)] + [f"l{i // 2}" for i in range(16)]
    draws = all_draws(shown(names, names), permutations=50)
    assert (draws[:, :8] < 8).all()
    assert (np.sort(draws, axis=1) == np.arange(24)).all()


def test_a_few_at_the_long_end_join_those_before():
    names = [f"s{i}" for i in range(9)] + ["long", "long"]
    blocks = blocks_of(shown(names, names))
    assert blocks.fixed == 0 and len(set(blocks.groups)) == 1


def test_within_keeps_labels_among_sequences_that_show_the_same():
    emotions = ["neutral", "anger", "neutral", "anger", "neutral", "fear", "neutral", "fear"]
    presence = shown(list("aabbccdd"), list("aabbccdd"), emotions)
    draws = all_draws(presence, within=presence.emotions)
    assert {tuple(d[:4]) for d in draws} == {(0, 1, 2, 3), (2, 3, 0, 1)}
    assert {tuple(d[4:]) for d in draws} == {(4, 5, 6, 7), (6, 7, 4, 5)}


def test_what_is_not_coded_stays_where_it_is():
    present = np.zeros((12, 2))
    present[:4, 1] = np.nan
    present[10, 0] = np.nan
    presence = shown(list("abcdefghijkk"), list("abcdefghijkk"), present=present)
    for draw in all_draws(presence, permutations=50):
        np.testing.assert_array_equal(np.isnan(present[draw]), np.isnan(present))


def test_sequences_of_one_name_but_of_two_subjects_are_two():
    assert blocks_of(shown(list("aabb"), list("1111"))).lengths.tolist() == [2, 2]


def test_movable_blocks_by_hand():
    # Two groups: anger a, b, c and fear d, e, f, two frames each.
    emotions = ["anger"] * 6 + ["fear"] * 6
    presence = shown(list("aabbccddeeff"), list("aabbccddeeff"), emotions)
    blocks = blocks_of(presence, within=presence.emotions)
    values = np.zeros((12, 4))
    values[:6, 0] = 1  # all of one group: nothing can change
    values[[1, 7], 1] = 1  # one frame of a, and one of d
    values[:4, 2] = 1  # a and b, so c is the one that differs
    values[:, 3] = np.arange(12)  # all but the middle one of each group
    assert blocks.movable(values).tolist() == [0, 2, 1, 4]


def test_what_cannot_change_places_is_refused():
    presence = shown(list("aabb"), list("1122"), ["anger", "anger", "fear", "fear"])
    with pytest.raises(DataError, match="none of the 2 sequences"):
        blocks_of(presence, within=presence.emotions)
    with pytest.raises(DataError, match="none of the 2 subjects"):
        blocks_of(presence, "subject", within=presence.emotions)
    with pytest.raises(ParameterError, match="block"):
        blocks_of(presence, "picture")
