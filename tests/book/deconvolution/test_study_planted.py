"""The controls of places and of training: a projection that is the change itself, and networks whose
projections are the filters that they learned, judged as those of the reference. Whether the one is found to
lie where the unit moves the face, and the other to be learned, is what ``claims.yaml`` says of
``region_drawn`` and ``filters_drawn``.
"""

from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from book.deconvolution.study import localisation_metrics, sanity_metrics
from fer_lib.aus.interventions import Interventions, interventions
from fer_lib.aus.projections import (
    TRAINED_NETWORKS,
    UNTRAINED_NETWORKS,
    NetworkView,
    beside_untrained,
    check_projections,
    checks_summary,
    locate,
)
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.deconvolution import Projections
from fer_lib.look.layer_view import LayerView, view_layer
from fer_lib.look.receptive import receptive_field
from fer_lib.look.regions import region_aus
from fer_lib.look.responses import Responses
from fer_lib.nets.build import build_network

PEOPLE, NETWORKS = 30, 3


def drawn(
    asked: Interventions, units: list[str], people: np.ndarray, noise: np.random.Generator | None
) -> NetworkView:
    """A network with a filter for each of ``units``, asked about ``people`` (B,) with that unit: its
    projections are the change of the picture, or ``noise``, within the field of a third layer around the
    largest change.
    """
    field = receptive_field(build_network("zero_bias", 7, asked.faces.size[0]), "relu3")
    rows = np.arange(len(asked.faces)).reshape(len(asked.subjects), -1)
    top = np.stack([rows[people, 1 + asked.aus.index(unit)] for unit in units])
    off = np.repeat(asked.off[people][None].astype(np.float32), len(units), axis=0)
    change = np.abs(asked.faces.pixels[top] - off).reshape(-1, *asked.faces.size)
    peak = np.stack(
        np.unravel_index(change.reshape(len(change), -1).argmax(axis=1), asked.faces.size), axis=1
    )
    corners = np.clip(peak - field.size // 2, 0, np.array(asked.faces.size) - field.size)
    shown = change if noise is None else noise.normal(size=change.shape)
    windows = np.stack(
        [
            whole[row : row + field.size, column : column + field.size]
            for whole, (row, column) in zip(shown, corners, strict=True)
        ]
    ).astype(np.float32)
    maxima = np.ones((len(asked.faces), len(units)), np.float32)
    positions = np.zeros((*maxima.shape, 2), np.int16)
    of = np.zeros((len(windows), 2), np.int64)
    projections = Projections(windows, corners, asked.faces.size, np.ones(len(windows), np.float32), of)
    view = LayerView(asked.faces, Responses("relu3", maxima, positions, (12, 12)), top, projections, field)
    name = "planted" if noise is None else "noise"
    number = int(people[0])
    population = "trained" if noise is None else "untrained"
    return NetworkView(f"{name} {number}", population, nn.Identity(), view, np.array(units, dtype=object))


@pytest.mark.slow
def test_claims_says_whether_a_projection_that_is_the_change_is_found_in_its_region(planted_answers):
    asked = interventions(PEOPLE, levels=(1.0,))
    units = [
        au for au in asked.aus if au in region_aus(asked.faces) and asked.valid[:, asked.aus.index(au)].all()
    ]
    parts = np.array_split(np.arange(PEOPLE), NETWORKS)
    networks = [drawn(asked, units, people, None) for people in parts]
    networks += [drawn(asked, units, people, np.random.default_rng(0)) for people in parts]
    metrics = localisation_metrics(beside_untrained(locate(networks, len(units))))
    answers, finds = planted_answers("region_drawn", deconvolution=metrics)
    assert (answers == {"yes"}) is finds


FILTERS, FIELD, SIDE = 24, 15, 48
"""Filters of a network that has one layer, and the sides of what each sees and of the pictures, in pixels."""


def smooth(generator: np.random.Generator, *shape: int) -> np.ndarray:
    """Noise of which neighbouring pixels are alike, each map with a mean of 0 and a variance of 1."""
    made = gaussian_filter(generator.normal(size=shape), (*[0] * (len(shape) - 2), 1.5, 1.5))
    return (made - made.mean((-2, -1), keepdims=True)) / made.std((-2, -1), keepdims=True)


def one_layer(filters: np.ndarray) -> nn.Module:
    """A network of one convolution with ``filters`` (K, h, w), so that what it projects is a filter."""
    convolution = nn.Conv2d(1, len(filters), filters.shape[-1], bias=False)
    with torch.no_grad():
        convolution.weight.copy_(torch.from_numpy(filters[:, None] / filters[0].size))
    return nn.Sequential(OrderedDict(conv1=convolution, relu1=nn.ReLU())).eval()


@pytest.mark.slow
def test_claims_says_whether_projections_that_are_learned_filters_are_found_to_be_learned(planted_answers):
    generator = np.random.default_rng(0)
    grey = np.clip(128 + 40 * smooth(generator, 4 * PEOPLE, SIDE, SIDE), 0, 255).astype(np.uint8)
    table = pd.DataFrame({"subject": [f"p{k // 4:02}" for k in range(len(grey))], "sequence": "", "frame": 0})
    faces = FaceSet("planted", grey, table.assign(dataset="planted", emotion="neutral", split="test"))
    learned = smooth(generator, FILTERS, FIELD, FIELD)
    networks = []
    for number in range(NETWORKS):
        again = learned + 0.3 * smooth(generator, *learned.shape)
        blank = generator.normal(size=learned.shape)
        for population, filters in ((TRAINED_NETWORKS, again), (UNTRAINED_NETWORKS, blank)):
            model = one_layer(filters)
            view = view_layer(model, faces, "relu1")
            units = np.full(FILTERS, "AU12", dtype=object)
            networks.append(NetworkView(f"{population} {number}", population, model, view, units))
    metrics = sanity_metrics(checks_summary(check_projections(networks, FILTERS)))
    answers, finds = planted_answers("filters_drawn", deconvolution=metrics)
    assert (answers == {"yes"}) is finds
