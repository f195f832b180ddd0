"""What is said of projections, network by network: numbers follow from scores, whichever way they fall."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fer_lib.aus.projections import UNTRAINED_NETWORKS, check_projections, checks_summary, view_networks
from fer_lib.look.responses import view_layer
from fer_lib.nets.build import build_network
from tests.made import made_faces


def faces_with_masks(people=24, size=24):
    """AU1 moves the upper third of the picture, AU12 the lower; AU9 has a mask, and no picture shows it."""
    generator = np.random.default_rng(0)
    columns = {
        "subject": [f"s{n}" for n in range(people)],
        "emotion": "fear",
        "AU1": [float(n % 2) for n in range(people)],
        "AU9": 0.0,
        "AU12": [float(n % 3 == 0) for n in range(people)],
    }
    masks = np.zeros((people, size, size), np.uint32)
    masks[:, : size // 3] |= 1
    masks[:, size // 3 : size // 2] |= 2
    masks[:, 2 * size // 3 :] |= 4
    pixels = generator.integers(0, 256, (people, size, size), dtype=np.uint8)
    return made_faces(pixels, arrays={"masks": masks, "mask_aus": ("AU1", "AU9", "AU12")}, **columns)


def network(seed):
    return build_network("zero_bias", 2, 24, generator=torch.Generator().manual_seed(seed)).eval()


look = partial(view_layer, layer="relu2", top=3)


@pytest.fixture(scope="module")
def networks():
    trained = [SimpleNamespace(name=f"net {seed}", model=network(seed)) for seed in range(2)]
    return view_networks(trained, 2, faces_with_masks(), look, seed=7)


def test_all_networks_are_asked_about_the_same_faces(networks):
    assert [(each.name, each.population) for each in networks] == [
        *(("net 0", "trained"), ("net 1", "trained")),
        *(("untrained 7", UNTRAINED_NETWORKS), ("untrained 8", UNTRAINED_NETWORKS)),
    ]
    assert torch.equal(networks[2].model.conv2.weight, network(7).conv2.weight)
    view = networks[0].view
    again = view_networks([SimpleNamespace(name="", model=network(1))], 1, view.faces, look, view=view)
    assert again[0].view is view and again[1].view is not view


def test_trained_networks_are_compared_with_random_untrained_and_retrained_ones(networks):
    compared = check_projections(networks, 3)
    assert set(compared["check"]) == {"random weights", "untrained", "retrained", "learned"}
    assert set(compared["network"]) == {"net 0", "net 1"}
    assert set(compared["method"]) == {"deconv", "guided", "gradient"}
    found = checks_summary(compared)
    table = found.set_index(["check", "method", "measure"]).sort_index()
    alike, null, gain = (
        compared.query(f"check == '{check}' and method == 'deconv' and measure == 'signed'")
        for check in ("retrained", "untrained", "learned")
    )
    excess = [(part["similarity"] - part["floor"]).to_numpy() for part in (alike, null, gain)]
    np.testing.assert_allclose(excess[0] - excess[1], excess[2])
    assert table.loc[("retrained", "deconv", "signed"), "networks"].item() <= 2
    alone = check_projections([networks[0], networks[2]], 3)
    assert set(alone["check"]) == {"random weights", "untrained"}
