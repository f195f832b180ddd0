"""How distributed a unit's code is: how well the best filter, a few, or all of them predict the unit.

Each person has A changes of the K filters' maximal responses, one for each activated unit. A linear read-out
is fitted to discriminate one unit's changes from the others', on the people of all families but one, and
tested on that family. Random directions in the same responses are the control.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV, orthogonal_mp

from book.truth.family_faces import family_of
from book.truth.maps import HALF, EvaluatedNetwork, answer
from fer_lib.aus.heads import one_blas_thread
from fer_lib.aus.interventions import Interventions
from fer_lib.look.layers import last_conv
from fer_lib.look.responses import maximal_responses
from fer_lib.stats.two_way import PEOPLE_GROUPS, all_but_one, networks_and_people
from ferbook.estimate import Estimate

FILTERS, TURNED = "filters", "random rotation"
BASES = (FILTERS, TURNED)
"""Directions that a read-out may use: single filters, or these rotated at random."""

FEW = (1, 4, 16)
"""Numbers of directions that a read-out may use, besides all."""

ALL = 0
"""Means all directions in place of a number of them."""

PENALTIES = tuple(10.0**power for power in range(-1, 5))
"""Ridge penalties of the read-out by all directions, chosen by leave-one-out error."""

EXPLAINED_TOLERANCE = 0.1
"""How far an explained proportion may move between processors, which add up in different orders."""


def unit_changes(maxima: np.ndarray, switched: Interventions) -> np.ndarray:
    """Compute how much each of A units changes each of K responses of each of S people: float64 (S, A, K)."""
    off, on = switched.arranged(maxima.astype(np.float64))
    return on[:, :, -1] - off[:, None]


def explained_units(changes: np.ndarray, families: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """Measure how well a read-out predicts each unit in people of another family.

    Few directions are chosen one by one by orthogonal matching pursuit (Pati et al. 1993), with least squares
    on those chosen; all by ridge regression. Predictions are clipped to 0 and 1, since a filter that is
    nearly silent in some people diverges in others.

    Parameters
    ----------
    changes : (S, A, K) float array
        From ``unit_changes``.
    families : (S,) array of str
    seed : int
        Of the random rotation.

    Returns
    -------
    DataFrame
        ``basis``, ``size`` (of ``FEW``, or ``ALL``), ``row`` (of a person), ``unit`` (its number) and
        ``explained``: 1 minus the mean squared error over that of a constant one half, where the unit's own
        change and those of all others weigh alike. 1 is perfect; overfitting gives values below 0.
    """
    people, units, filters = changes.shape
    shares = {(basis, size): np.full((people, units), np.nan) for basis in BASES for size in (*FEW, ALL)}
    for family in np.unique(families):
        mask = families == family
        train, test = changes[~mask].reshape(-1, filters), changes[mask].reshape(-1, filters)
        # Standardised, so that no direction is one filter's alone; silent filters are left out.
        spread = train.std(axis=0)
        driven = spread > 1e-9 * spread.max(initial=1e-9)
        train, test = (part[:, driven] / spread[driven] for part in (train, test))
        for basis, turn in _bases(train, seed):
            for unit in range(units):
                for size, readings in _readouts(turn(train), turn(test), unit, units):
                    error = (readings.clip(0, 1).reshape(-1, units) - (np.arange(units) == unit)) ** 2
                    shares[basis, size][mask, unit] = 1 - 4 * (error @ _weights(unit, units))
    rows, numbers = np.indices((people, units)).reshape(2, -1)
    tables = [
        pd.DataFrame({"basis": basis, "size": size, "row": rows, "unit": numbers, "explained": own.ravel()})
        for (basis, size), own in shares.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _weights(unit: int, units: int) -> np.ndarray:
    """float64 (A,): one half for the unit's own change, and one half for all others together."""
    weights = np.full(units, 0.5 / (units - 1))
    weights[unit] = 0.5
    return weights


def _bases(train: np.ndarray, seed: int) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Each of ``BASES`` with the function that transforms changes (M, K) into it."""
    yield FILTERS, lambda changes: changes
    turned = np.linalg.qr(np.random.default_rng(seed).normal(size=(train.shape[1],) * 2))[0]
    yield TURNED, lambda changes: changes @ turned


def _readouts(train: np.ndarray, test: np.ndarray, unit: int, units: int) -> Iterator[tuple[int, np.ndarray]]:
    """For each number of directions the predictions of ``unit`` for ``test``, fitted to ``train``."""
    weights = np.sqrt(np.tile(_weights(unit, units), len(train) // units))[:, None]
    labels = np.tile(np.arange(units) == unit, len(train) // units).astype(float)
    middle = (weights**2 * train).sum(axis=0) / (weights**2).sum()
    weighted, target = weights * (train - middle), weights[:, 0] * (labels - 0.5)
    lengths = np.linalg.norm(weighted, axis=0)
    lengths = np.where(lengths > 1e-9 * lengths.max(initial=1e-9), lengths, np.inf)
    most = min(max(FEW), np.isfinite(lengths).sum())
    with warnings.catch_warnings():
        # The residual may be zero before all are chosen.
        warnings.simplefilter("ignore", RuntimeWarning)
        path = orthogonal_mp(weighted / lengths, target, n_nonzero_coefs=most, return_path=True)
    path = path.reshape(len(lengths), -1) / lengths[:, None]
    for size in FEW:
        yield size, 0.5 + (test - middle) @ path[:, min(size, path.shape[1]) - 1]
    ridge = RidgeCV(PENALTIES, fit_intercept=False).fit(weighted, target)
    yield ALL, 0.5 + (test - middle) @ ridge.coef_


def read_networks(
    networks: Iterable[EvaluatedNetwork], switched: Interventions, *, seed: int = 0
) -> pd.DataFrame:
    """Apply ``explained_units`` to every network's last convolution; with the columns ``network``,
    ``population``, ``person``, ``family``, and the unit by its name.
    """
    families, tables = family_of(switched.subjects), []
    for each in networks:
        maxima = maximal_responses(each.model, switched.faces, last_conv(each.model)).maxima
        with one_blas_thread():
            shares = explained_units(unit_changes(maxima, switched), families, seed=seed)
        tables.append(
            shares.assign(
                network=each.name,
                population=each.population,
                person=switched.subjects[shares["row"]],
                family=families[shares["row"]],
                unit=np.array(switched.aus, dtype=object)[shares["unit"]],
            )
        )
    return pd.concat(tables, ignore_index=True).drop(columns="row")


def explained_share(
    read: pd.DataFrame, basis: str, size: int, less: tuple[str, int] | None = None, share: float = 1.0
) -> Estimate:
    """Estimate what read-outs of ``size`` directions of a ``basis`` explain, over networks and people.

    The jackknife leaves tested people out; read-outs are not fitted again without them. In 300 simulated
    studies of three networks the 95 % intervals contain the mean of all studies in 95 to 98 %, in 150 of
    eight networks in 92 to 96 % (``tests/book/truth/test_codes.py`` simulates some).

    Parameters
    ----------
    read : DataFrame
        Rows of one population of ``read_networks``.
    less : (basis, size), optional
        What these explain is subtracted, network by network.
    share : float
        Factor of the first.
    """
    values = share * _explained(read, basis, size)
    if less is not None:
        values = values - _explained(read, *less)
    return networks_and_people(values, n=read["person"].nunique(), tolerance=EXPLAINED_TOLERANCE)


def _explained(read: pd.DataFrame, basis: str, size: int) -> np.ndarray:
    """(R, 1 + G): mean of each network, with all people and without each group of them."""
    own = read[read["basis"].eq(basis) & read["size"].eq(size)]
    table = own.groupby(["network", "person"], sort=False)["explained"].mean().unstack()
    masks = all_but_one(table.columns.to_numpy(), min(PEOPLE_GROUPS, table.shape[1]))
    return np.stack([table.to_numpy()[:, rows].mean(axis=1) for rows in masks], axis=1)


def code_questions(read: pd.DataFrame) -> dict[str, Estimate]:
    """Estimate what decides ``CODE_QUESTIONS``.

    ``privileged``: what the best filter explains minus what the best random direction does. ``distributed``:
    one half of what all filters explain minus what the best one does.
    """
    return {
        "privileged": explained_share(read, FILTERS, 1, less=(TURNED, 1)),
        "distributed": explained_share(read, FILTERS, ALL, less=(FILTERS, 1), share=HALF),
    }


def code_answers(read: pd.DataFrame) -> pd.DataFrame:
    """Answer ``code_questions`` by ``population`` and with each family held out: as ``maps.map_answers``,
    with ``question`` for ``score``.
    """
    rows = []
    for population, own in read.groupby("population", sort=False):
        for without in ("", *own["family"].unique()):
            estimates = code_questions(own[own["family"].ne(without)])
            rows += [
                (population, without, name, estimate, answer(estimate, 0.0))
                for name, estimate in estimates.items()
            ]
    return pd.DataFrame(rows, columns=["population", "without", "question", "estimate", "answer"])


def code_metrics(read: pd.DataFrame, population: str) -> dict[str, Estimate]:
    """Estimate what 1, 4, 16 and all filters explain in a ``population``, and its ``code_questions``."""
    own = read[read["population"].eq(population)]
    sizes = {f"explained_{size or 'all'}": explained_share(own, FILTERS, size) for size in (*FEW, ALL)}
    return {"readers": Estimate(read["person"].nunique(), unit="count")} | sizes | code_questions(own)
