"""What trained networks say of the faces that they know: by it their answer about another face is judged."""

from collections.abc import Sequence

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from face_sets.leakage import independent_groups
from face_sets.registry import open_faces
from fer_lib.look.responses import maximal_responses
from fer_lib.stats.classification import calibration_error
from fer_lib.train.predict import predict
from fer_lib.train.record import TrainedNetwork
from ferbook.estimate import Estimate

YARDSTICK = "yardstick"
"""Name of the artefact of chapter ``au_verification``."""

TEMPERATURES = (1 / 8, 8.0)
"""Between which the temperature is looked for: where every validation picture is named rightly, none is low
enough."""

_ROUNDING = 1e-3
"""Proportion of a response by which it may differ with the batch that it was computed in."""

_LEVELS = 200
"""Parts into which the validation pictures are divided by a filter's response."""

USUAL = 0.95
"""Proportion of the test pictures that count as usual."""


class Calibration(BaseModel):
    """The ``temperature`` that the logits are divided by, fitted on ``fitted_on`` validation pictures, and
    the expected calibration error on ``tested_on`` test pictures ``before`` and ``after``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float
    fitted_on: int
    tested_on: int
    before: Estimate
    after: Estimate


class Yardstick(BaseModel):
    """By network its temperature, ``temperatures``; the ``calibration`` of the ``first``, and for each filter
    of its ``layer`` the ``quantiles`` of its responses to the validation pictures, from the lowest to the
    highest. ``usual``: what 95 in 100 test pictures do not exceed of filters that answer more than to any
    validation picture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: str
    layer: str
    temperatures: dict[str, float]
    calibration: Calibration
    quantiles: tuple[tuple[float, ...], ...]
    usual: int

    def shares_below(self, maxima: np.ndarray) -> np.ndarray:
        """(K,): in which proportion of the validation pictures each filter responds less than ``maxima`` (K,)
        says, to half a per cent.
        """
        levels = map(np.searchsorted, self.quantiles, maxima)
        return np.minimum(1, np.array(list(levels)) / _LEVELS)

    def beyond(self, maxima: np.ndarray) -> np.ndarray:
        """(N,): how many filters answer more, by ``maxima`` (N, K), than to any validation picture."""
        highest = np.array([own[-1] for own in self.quantiles])
        return (maxima > highest * (1 + _ROUNDING)).sum(axis=1)


def yardstick_of(networks: Sequence[TrainedNetwork], layer: str, device: torch.device | str) -> Yardstick:
    """Evaluate ``networks``, which were trained alike, on the faces that the first learned from. Raises as
    ``open_faces``.
    """
    first = networks[0]
    fold = first.record.fold_of(open_faces(first.record.faces))
    valid, test = fold.split("valid"), fold.split("test")
    labels, test_labels = (part.labels(first.record.classes) for part in (valid, test))
    temperatures = {
        each.name: fitted_temperature(predict(each.model, valid, device=device), labels) for each in networks
    }
    probabilities, groups = predict(first.model, test, device=device), independent_groups(test)
    before, after = (
        calibration_error(each, test_labels, groups, draws=1000, seed=0)
        for each in (probabilities, tempered(probabilities, temperatures[first.name]))
    )
    on_valid, on_test = (
        maximal_responses(first.model, part, layer, device=device).maxima for part in (valid, test)
    )
    levels = np.quantile(on_valid, np.linspace(0, 1, _LEVELS + 1), axis=0, method="inverted_cdf")
    yardstick = Yardstick(
        first=first.name,
        layer=layer,
        temperatures=temperatures,
        calibration=Calibration(
            temperature=temperatures[first.name],
            fitted_on=len(valid),
            tested_on=len(test),
            before=before,
            after=after,
        ),
        quantiles=[[float(f"{value:.5g}") for value in own] for own in levels.T],
        usual=0,
    )
    usual = np.quantile(yardstick.beyond(on_test), USUAL, method="higher")
    return yardstick.model_copy(update={"usual": int(usual)})


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (N, C) as they are once the logits are divided by ``temperature`` > 0 (Guo et al. 2017,
    arXiv 1706.04599, section 4.2).
    """
    return softmax(np.log(np.clip(np.asarray(probabilities, np.float64), 1e-12, None)) / temperature, axis=1)


def fitted_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature within ``TEMPERATURES`` at which the cross-entropy of ``labels`` (N,) is least."""

    def loss(log: float) -> float:
        return -np.log(tempered(probabilities, np.exp(log))[np.arange(len(labels)), labels]).mean()

    return float(np.exp(minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x))
