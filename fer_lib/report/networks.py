"""The networks side by side: whose they are, and what they cost."""

from inspect import getdoc

import pandas as pd
import torch

from fer_lib.errors import ParameterError
from fer_lib.learn.weights import parameter_count
from fer_lib.models.factory import NETWORKS, build_network, forward_macs


def network_table(n_classes: int, size: int, used: str) -> pd.DataFrame:
    """One row per network of ``models.factory``: the first sentence about it, ``weights``, ``multiply-adds`` of one picture, whether it is ``used``.

    For ``n_classes`` emotions and pictures of ``size`` pixels; both counts are missing where a network does not take that size.
    The global random state is left as it was.
    """
    rows = []
    for name, network in NETWORKS.items():
        try:
            with torch.random.fork_rng(devices=[]):
                model = build_network(name, n_classes, size)
            counts = (parameter_count(model), forward_macs(model, size))
        except ParameterError:
            counts = (pd.NA, pd.NA)
        about = " ".join(getdoc(network).split("\n\n")[0].split())
        rows.append((name, about, *counts, "yes" if name == used else ""))
    columns = ["network", "what it is", "weights", "multiply-adds", "used here"]
    return pd.DataFrame(rows, columns=columns).astype({"weights": "Int64", "multiply-adds": "Int64"})
