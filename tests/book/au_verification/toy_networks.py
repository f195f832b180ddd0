"""Answers of networks of four filters, for the tests of what is made of them."""

import numpy as np

from book.au_verification.examine import Examined

AUS = ("AU1", "AU4", "AU12")


def answered(claimed, caused, *, group="trained", seed=0, structure="zero_bias", score=5.0, groups=3):
    """A network that gives the same answers without each of the ``groups``; its claims have the ``score``,
    other pairs 0. The papers' rule names what is caused, KL what is claimed.
    """
    rows = {"claimed": claimed, "caused": caused}
    rows = {name: np.tile(np.array(each), (1 + groups, 1)) for name, each in rows.items()}
    strength = score * (rows["claimed"][..., None] == np.array(AUS))
    named = dict.fromkeys(("mean_difference", "smd", "wasserstein", "ks", "auroc"), rows["caused"])
    return Examined(
        *(group, structure, seed, AUS),
        strength=strength.astype(np.float32),
        raw=rows["claimed"],
        named=named | {"kl": rows["claimed"]},
        overall=rows["claimed"][0],
        rare=1,
        **rows,
    )
