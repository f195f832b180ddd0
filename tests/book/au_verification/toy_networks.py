"""Answers of networks of four filters, for the tests of what is made of them."""

import numpy as np

from book.au_verification.examine import Examined

AUS = ("AU1", "AU4", "AU12")


def answered(
    claimed, caused, elsewhere=None, *, group="trained", seed=0, structure="zero_bias", score=5.0, groups=3
):
    """A network that gives the same answers without each of the ``groups``; its claims have the ``score``,
    other pairs 0. The papers' rule names what is caused, KL what is claimed. ``elsewhere``: what causes on
    other heads. Causes are steady of the first two filters, and selective of the first, which
    answers most.
    """
    rows = {"claimed": claimed, "caused": caused}
    rows = {name: np.tile(np.array(each), (1 + groups, 1)) for name, each in rows.items()}
    strength = score * (rows["claimed"][..., None] == np.array(AUS))
    first = np.tile(np.arange(len(claimed)), (1 + groups, 1))
    if elsewhere is not None:
        rows["elsewhere"] = np.tile(np.array(elsewhere), (1 + groups, 1))
        rows["alike"] = np.full(1 + groups, 0.25)
    named = dict.fromkeys(("mean_difference", "smd", "wasserstein", "ks", "auroc"), rows["caused"])
    return Examined(
        *(group, structure, seed, AUS),
        strength=strength.astype(np.float32),
        raw=rows["claimed"],
        named=named | {"kl": rows["claimed"]},
        overall=rows["claimed"][0],
        rare=1,
        steady=first < 2,
        selective=first < 1,
        response=np.arange(len(claimed), 0, -1),
        **rows,
    )
