"""Tables of judged maps whose scores are known."""

import numpy as np
import pandas as pd

from book.truth.maps import CONTROL_MAPS

FAMILIES = ("narrow-faceunits", "broad-faceunits")


def judged(better: float = 0.3, sane: float = 0.9, worse_family: str = "") -> pd.DataFrame:
    """Two populations of three networks: the gradient is ahead of every control, but not in ``worse_family``,
    deconvolution and guided backpropagation of none.
    """
    rng, rows = np.random.default_rng(0), []
    for population in ("one", "two"):
        for net in range(3):
            for person in range(8):
                family = FAMILIES[person % 2]
                for method in ("gradient", "deconv", "guided", *CONTROL_MAPS):
                    ahead = better * (1 if family != worse_family else -1) if method == "gradient" else 0.0
                    own = {"method": method, "population": population, "network": f"{population} {net}"}
                    own |= {"person": f"lab-{family}-S{person}", "family": family, "seconds": 0.001}
                    own["correctness"] = 0.4 + ahead + 0.01 * rng.normal()
                    own["right_unit"] = 0.1 + ahead + 0.01 * rng.normal()
                    own["sanity"] = (sane if method == "gradient" else 0.1) + 0.01 * rng.normal()
                    rows.append(own)
    return pd.DataFrame(rows)
