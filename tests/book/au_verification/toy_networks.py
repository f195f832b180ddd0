"""Answers of networks of four filters, for the tests of what is made of them."""

import numpy as np

from book.au_verification.examine import Examined

AUS = ("AU1", "AU4", "AU12")


def answered(claimed, caused, elsewhere=None, *, score=5.0, groups=3, asked="3 people", **about):
    """A network that gives the same answers without each of the ``groups``; its claims have the ``score``,
    other pairs 0. The papers' rule names what is caused, KL what is claimed. ``elsewhere``: what causes on
    other heads.
    """
    about = {"group": "trained", "structure": "ZeroBiasCNN", "seed": 0, "aus": AUS} | about
    rows = {"claimed": claimed, "caused": caused}
    if elsewhere is not None:
        rows["elsewhere"] = elsewhere
    rows = {name: np.tile(np.array(each), (1 + groups, 1)) for name, each in rows.items()}
    return Examined(
        strength=(score * (rows["claimed"][0][:, None] == np.array(AUS))).astype(np.float32),
        named={"mean_difference": rows["caused"], "auroc": rows["caused"], "kl": rows["claimed"]},
        overall=rows["claimed"][0],
        asked=asked,
        **rows | about,
    )
