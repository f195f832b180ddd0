"""Heads that are fitted and scored in one go, as the tests' own reference."""

import numpy as np

from fer_lib.aus.heads import STRENGTHS, drawn_scores, fit_heads, score_table


def detect(features, presence, split, *, strengths=STRENGTHS, draws=1000, seed=0):
    """The table of ``score_table`` for heads on ``features``, chosen on validation and scored on test
    pictures.
    """
    heads = fit_heads(features, presence, split, strengths=strengths)
    test = np.asarray(split) == "test"
    given = presence.select(test)
    return score_table(heads.aus, given, drawn_scores(heads, features[test], given, draws=draws, seed=seed))
