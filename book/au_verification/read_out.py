"""Linear read-outs of a layer as filters: what single filters would be if each had learned a unit."""

import copy

import numpy as np
import torch
from torch import nn

from fer_lib.faces.faceset import FaceSet
from fer_lib.nets.classifier import Classifier
from fer_lib.train.predict import collected

_PARTS = 3
"""Parts of the picture, by side, that a detector tells apart."""

_STRENGTH = 100.0
"""Of the penalty on a detector's weights, whose inputs have a variance of 1."""

ABOVE_ZERO = 3.0
"""Standard deviations of its score by which a detector's mean response lies above the zero of its ReLU."""


def with_detectors(trunk: Classifier, taught: FaceSet, labels: np.ndarray) -> tuple[Classifier, str]:
    """A copy of ``trunk`` with a filter for each column of ``labels`` (N, A) behind its third layer, by ridge
    regression on what that layer gives of the pictures ``taught``; and the name of the layer of filters.
    """
    parts = nn.AdaptiveAvgPool2d(_PARTS)
    maps = collected(trunk, taught, {"maps": (trunk.relu3, lambda _, made: parts(made).flatten(1))})["maps"]
    mean, spread = maps.mean(axis=0), maps.std(axis=0) + 1e-6
    features, targets = (maps - mean) / spread, labels - labels.mean(axis=0)
    gram = features @ features.T + _STRENGTH * np.eye(len(features))
    weights = features.T @ np.linalg.solve(gram, targets)
    weights /= (features @ weights).std(axis=0)
    model, filters = copy.deepcopy(trunk), nn.Conv2d(maps.shape[1] // _PARTS**2, labels.shape[1], _PARTS)
    with torch.no_grad():
        filters.weight.copy_(torch.from_numpy((weights / spread[:, None]).T).view_as(filters.weight))
        filters.bias.copy_(torch.from_numpy(ABOVE_ZERO - (mean / spread) @ weights))
    model.pool3 = nn.Sequential(parts, filters, nn.ReLU())
    model.dense, model.output = nn.Identity(), nn.Linear(labels.shape[1], model.output.out_features)
    return model.eval(), "pool3.2"
