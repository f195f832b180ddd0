"""Faces whose action units were switched, as ``look.judge`` takes them: each beside the same face without the
unit.
"""

import numpy as np

from fer_lib.aus.interventions import Interventions
from fer_lib.look.judge import Twins


def twins_of(switched: Interventions) -> Twins:
    """Each base face of ``switched`` with each of its units at the highest level, and without."""
    off, on = switched.arranged(np.arange(len(switched.faces)))
    bases, units = switched.valid.shape
    own = switched.valid.ravel()
    return Twins(
        switched.faces.select(on[:, :, -1].ravel()[own]),
        switched.faces.select(np.repeat(off, units)[own]),
        np.tile(np.array(switched.aus, dtype=object), bases)[own],
    )
