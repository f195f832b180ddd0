"""Filters that answer to hardly anybody: no statistic of theirs can be trusted, so they are set aside and counted."""

import numpy as np

from fer_lib.errors import DataError
from fer_lib.units.presence import FEWEST_SUBJECTS


def without_rare(
    maxima: np.ndarray, subjects: np.ndarray, min_subjects: int = FEWEST_SUBJECTS
) -> tuple[np.ndarray, np.ndarray]:
    """``maxima`` (N, K) with 0 for the filters that answer to fewer than ``min_subjects`` people, and bool (K,): which these are.

    To answer is to respond more than to the picture that drives the filter least; of rectified filters that are seldom on, to be on. ``subjects`` (N,) names
    who is on each picture. What is 0 everywhere counts as dead in ``association`` and ``nulls``: it is reported, and claims nothing.

    Such a filter hurts all others too. If it fires on two pictures of one sequence only, a permutation that happens to put a rare unit there gives a
    score of ten standard deviations, and the maximum over all filters, which all have to beat, is then that of this one filter.

    Raises DataError where the numbers of pictures differ.
    """
    maxima, subjects = np.asarray(maxima), np.asarray(subjects)
    if maxima.ndim != 2 or subjects.shape != (len(maxima),):
        raise DataError(
            f"responses {maxima.shape} and subjects {subjects.shape}; expected (pictures, filters) and one subject per picture"
        )
    names, codes = np.unique(subjects, return_inverse=True)
    answers = maxima > maxima.min(axis=0, initial=np.inf)
    people = np.zeros((len(names), maxima.shape[1]), bool)
    np.logical_or.at(people, codes, answers)
    rare = people.sum(axis=0) < min_subjects
    return np.where(rare, 0, maxima), rare
