"""Effects of known size, for the tests of what is made of them."""

import numpy as np

from fer_lib.aus.interventions import Effects

AUS = ("AU1", "AU2", "AU4")


def effects_of_size(full, aus=AUS, levels=(0.5, 1.0), *, people=None, each_level=None) -> Effects:
    """Effects (K, A) at the highest level, proportional at the others, unless ``each_level`` (K, A, L) says
    otherwise; the same in all of eight people, unless ``people`` (S, K, A) says otherwise.
    """
    full = np.asarray(full, float)
    effect = full[:, :, None] * np.array(levels) if each_level is None else each_level
    each = np.repeat(full[None], 8, axis=0) if people is None else np.asarray(people, float)
    known = {"aus": aus, "levels": levels, "effect": effect, "low": effect - 0.1, "high": effect + 0.1}
    people = np.repeat(each[..., None], len(levels), axis=-1)
    return Effects(people=people, dead=~full.any(axis=1), **known)
