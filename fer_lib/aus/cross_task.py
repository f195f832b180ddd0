"""Across tasks: which action units a network that learned expressions detects, layer by layer, beside
networks that learned the units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from fer_lib.aus.heads import (
    MACRO,
    SCORES,
    STRENGTHS,
    Heads,
    best_threshold,
    coded,
    drawn_scores,
    fit_heads,
    layer_features,
    mean_of_defined,
    score_table,
)
from fer_lib.aus.presence import Presence, presence
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.handmade import hog_responses
from fer_lib.nets.classifier import Classifier
from fer_lib.stats.resampling import bounds
from fer_lib.train.au_heads import unit_detector
from fer_lib.train.controls import untrained_network
from fer_lib.train.curve import Training
from fer_lib.train.features import features_of
from fer_lib.train.precision import Precision, Request
from fer_lib.train.recipe import Recipe

CONDITIONS: dict[str, str] = {
    "frozen": "linear heads on features of the expression network, which stays as it is",
    "fine-tuned": "the expression network trained on to tell action units, all layers of it",
    "from scratch": "the same structure trained to tell action units from its first weights on",
    "untrained": "linear heads on features of the same structure with its first weights",
    "HOG": "linear heads on histograms of oriented gradients",
    "emotion": "linear heads on the picture's true emotion and nothing else",
}
"""What detects the action units, by name. ``EMOTION`` never saw the picture: it is what a detector gains that
only knows the expression.
"""

FROZEN, TUNED, SCRATCH, UNTRAINED, HOG, EMOTION = CONDITIONS

CHOSEN = "chosen"
"""Stands for a layer where each AU is read from the one that was best on the validation pictures."""

AUROC = SCORES.index("auroc")


@dataclass(frozen=True)
class CrossTask:
    """What ``cross_task`` found.

    ``table``: see there. ``aus``: the AUs that were scored; ``too_few``: the others. ``networks``: (``TUNED``
    or ``SCRATCH``, seed) -> the network, whose outputs are the log-odds of ``aus``; ``trainings``: how each
    was trained. ``precision``: of these trainings.
    """

    table: pd.DataFrame
    aus: tuple[str, ...]
    too_few: tuple[str, ...]
    networks: dict[tuple[str, int], Classifier]
    trainings: dict[tuple[str, int], Training]
    precision: Precision


def cross_task(
    faces: FaceSet,
    expression_model: Classifier,
    classes: tuple[str, ...],
    *,
    recipe: Recipe,
    strengths: Sequence[float] = STRENGTHS,
    seeds: Sequence[int] = (0,),
    draws: int = 1000,
    precision: Request | Precision = "auto",
    device: torch.device | str = "cpu",
) -> CrossTask:
    """How well each of ``CONDITIONS`` detects each action unit of ``faces`` on people that nothing was fitted
    to.

    ``faces`` with AU codes and splits by subject, the same that ``expression_model`` was trained by, or of
    other people; ``classes``: the emotions that it tells apart. ``recipe`` trains the networks of ``TUNED``
    and ``SCRATCH``, as it suits their structure (``Recipe.for_network``), each from all of ``seeds``, which
    also draw the first weights of ``UNTRAINED``. The layers are those of
    ``layer_features``; ``strengths``: see ``fit_heads``. Epochs, strengths, thresholds and layers are chosen
    on the validation pictures.

    The table has a row per condition, layer and AU, and one of macro means: ``condition``; ``layer``, of
    ``FROZEN`` and ``UNTRAINED`` each of the layers, ``FEATURES`` (what the last layer is given) and
    ``CHOSEN``, of the others empty; ``au``, ``n``, ``positives``, ``subjects``, ``prevalence`` and the scores
    with intervals as in ``aus.heads.score_table``, means over the seeds; ``too_few``; ``valid_auroc``;
    ``seeds``, how many, and ``spread``, the standard deviation of the AUROC between them; ``from_layer``, of
    ``CHOSEN`` rows. ``over_untrained`` and ``over_hog``, each with ``_low`` and ``_high``: how much higher
    the AUROC is than that of ``UNTRAINED`` in the same layer (``CHOSEN`` where there is none), and of
    ``HOG``; subjects are drawn for both at once. Intervals cover the luck of the pictures, not that of the
    seeds.

    Raises DataError where there are no AU codes (naming sets that have them) and as ``fit_heads``;
    ParameterError as ``train_units``.
    """
    units = presence(faces)
    split = faces.table["split"].to_numpy(dtype=object).astype(str)
    judge = Judge(units, split, tuple(strengths), draws)
    reads: dict[tuple[str, str], Read] = {}
    for layer, features in layer_features(expression_model, faces).items():
        reads[FROZEN, layer] = judge.linear([features])
    untrained = [layer_features(untrained_network(expression_model, seed), faces) for seed in seeds]
    for layer in untrained[0]:
        reads[UNTRAINED, layer] = judge.linear([features[layer] for features in untrained])
    for condition in (FROZEN, UNTRAINED):
        reads[condition, CHOSEN] = chosen_layers(
            {layer: read for (of, layer), read in reads.items() if of == condition}
        )
    reads[HOG, ""] = judge.linear([hog_responses(faces)])
    reads[EMOTION, ""] = judge.linear([one_hot(faces, classes)])
    aus, too_few = judge.scored
    networks, trainings = {}, {}
    for condition, keep_body in ((TUNED, True), (SCRATCH, False)):
        for seed in seeds:
            networks[condition, seed], trainings[condition, seed] = unit_detector(
                expression_model,
                faces,
                units.only(aus).present,
                recipe,
                keep_body=keep_body,
                precision=precision,
                device=device,
                seed=seed,
            )
            precision = trainings[condition, seed].precision
        reads[condition, ""] = judge.networks([networks[condition, seed] for seed in seeds], faces)
    table = read_table(reads, aus, units.select(split == "test"))
    return CrossTask(table, aus, too_few, networks, trainings, precision)


@dataclass(frozen=True)
class Read:
    """What was read from one layer: ``values`` (seeds, A, scores, 1 + draws) of the test pictures, AUROC
    (seeds, A) of the validation pictures.
    """

    values: np.ndarray
    valid: np.ndarray
    from_layer: tuple[str, ...] = ()


class Judge:
    """Fits on training pictures, chooses on validation pictures and scores on test pictures, the same for all
    conditions.
    """

    def __init__(self, coded: Presence, split: np.ndarray, strengths: tuple[float, ...], draws: int) -> None:
        self.coded, self.split, self.strengths, self.draws = coded, split, strengths, draws
        self.valid, self.test = split == "valid", split == "test"
        self.scored: tuple[tuple[str, ...], tuple[str, ...]] = (), ()

    def linear(self, features: Sequence[np.ndarray]) -> Read:
        """Of heads fitted to ``features``, one array (N, F) per seed."""
        heads = [fit_heads(own, self.coded, self.split, strengths=self.strengths) for own in features]
        self.scored = heads[0].aus, heads[0].too_few
        return self._read(heads, features)

    def networks(self, networks: Sequence[Classifier], faces: FaceSet) -> Read:
        """Of the networks' own last layers, which are heads on what they are given."""
        features = [features_of(network, faces) for network in networks]
        heads = [self._own(network, own) for network, own in zip(networks, features, strict=True)]
        return self._read(heads, features)

    def _own(self, network: Classifier, features: np.ndarray) -> Heads:
        aus, too_few = self.scored
        weights, bias = (
            part.detach().cpu().double().numpy() for part in (network.output.weight, network.output.bias)
        )
        log_odds = features[self.valid].astype(np.float64) @ weights.T + bias
        shown = self.coded.select(self.valid).only(aus).present
        thresholds = [best_threshold(*coded(*pair)) for pair in zip(log_odds.T, shown.T, strict=True)]
        return Heads(aus, weights, bias, np.array(thresholds), np.full(len(aus), np.nan), too_few)

    def _read(self, heads: Sequence[Heads], features: Sequence[np.ndarray]) -> Read:
        test, valid = self.coded.select(self.test), self.coded.select(self.valid)
        pairs = list(zip(heads, features, strict=True))
        values = [drawn_scores(head, own[self.test], test, draws=self.draws) for head, own in pairs]
        shown = valid.only(heads[0].aus).present
        return Read(
            np.stack(values),
            np.stack([_aurocs(head.log_odds(own[self.valid]), shown) for head, own in pairs]),
        )


def _aurocs(log_odds: np.ndarray, present: np.ndarray) -> list[float]:
    columns = (coded(said, shown) for said, shown in zip(log_odds.T, present.T, strict=True))
    return [roc_auc_score(shown, said) for said, shown in columns]


def chosen_layers(reads: Mapping[str, Read]) -> Read:
    """Each AU from the layer with the highest AUROC on the validation pictures, mean over the seeds; of
    equals the first.
    """
    names = tuple(reads)
    best = np.argmax([read.valid.mean(axis=0) for read in reads.values()], axis=0)
    columns = [(reads[names[layer]], a) for a, layer in enumerate(best)]
    return Read(
        np.stack([read.values[:, a] for read, a in columns], axis=1),
        np.stack([read.valid[:, a] for read, a in columns], axis=1),
        tuple(names[layer] for layer in best),
    )


def one_hot(faces: FaceSet, classes: tuple[str, ...]) -> np.ndarray:
    """float32 (N, C): which of ``classes`` a picture shows; none where it shows another or is not
    labelled.
    """
    emotions = faces.table["emotion"].to_numpy(dtype=object)
    return (emotions[:, None] == np.array(classes, dtype=object)).astype(np.float32)


def read_table(reads: Mapping[tuple[str, str], Read], aus: tuple[str, ...], test: Presence) -> pd.DataFrame:
    """The table that ``cross_task`` describes, of what was read of ``aus`` on the pictures of ``test``.

    ``reads``: by condition and layer; those of ``UNTRAINED`` (each layer, or ``CHOSEN`` in its place) and of
    ``HOG`` must be among them.
    """
    parts = []
    for condition in CONDITIONS:
        for (of, layer), read in reads.items():
            if of != condition:
                continue
            rivals = {
                "over_untrained": reads.get((UNTRAINED, layer), reads[UNTRAINED, CHOSEN]),
                "over_hog": reads[HOG, ""],
            }
            part = score_table(aus, test, read.values.mean(axis=0)).set_index("au", drop=False)
            part.insert(0, "layer", layer)
            part.insert(0, "condition", condition)
            part["valid_auroc"] = _by_au(aus, read.valid.mean(axis=0), read.valid.mean())
            part["seeds"] = len(read.values)
            part["spread"] = _spread(aus, read.values[:, :, AUROC, 0])
            from_layer = dict(zip(aus, read.from_layer, strict=False))
            part["from_layer"] = [from_layer.get(au, "") for au in part.index]
            for column, rival in rivals.items():
                part = part.join(_differences(column, aus, read, rival, test))
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _by_au(aus: tuple[str, ...], values: np.ndarray, macro: float) -> pd.Series:
    return pd.Series([*values, macro], index=[*aus, MACRO], dtype=np.float64)


def _spread(aus: tuple[str, ...], aurocs: np.ndarray) -> pd.Series:
    """Standard deviation of ``aurocs`` (seeds, A) between the seeds, and that of their means over AUs; NaN of
    one seed.
    """
    if len(aurocs) < 2:
        return _by_au(aus, np.full(len(aus), np.nan), np.nan)
    return _by_au(aus, aurocs.std(axis=0, ddof=1), aurocs.mean(axis=1).std(ddof=1))


def _differences(column: str, aus: tuple[str, ...], read: Read, rival: Read, test: Presence) -> pd.DataFrame:
    """By AU, and of the macro means: the AUROC of ``read`` minus that of ``rival``, with its interval; NaN
    where both are the same.
    """
    names = [column, f"{column}_low", f"{column}_high"]
    own, other = (one.values[:, :, AUROC].mean(axis=0) for one in (read, rival))
    gaps = np.vstack([own - other, mean_of_defined(own) - mean_of_defined(other)])
    if read is rival:
        gaps = np.full_like(gaps, np.nan)
    people = [*test.only(aus).fewest_subjects, len(np.unique(test.subjects))]
    found = gaps[:, 0], *bounds(gaps[:, 1:].T, np.array(people), gaps[:, 0])
    return pd.DataFrame(dict(zip(names, found, strict=True)), index=[*aus, MACRO])


def best_layer(table: pd.DataFrame) -> pd.DataFrame:
    """Which layer carries which AU: chosen on the validation pictures, scored on the test pictures; one row
    per AU.

    ``table``: that of ``cross_task``, of which the rows of ``FROZEN`` count. Columns: ``au``; ``layer``;
    ``valid_auroc``, by which it was chosen, and ``lead``, how much higher it is than the next layer's;
    ``auroc``, ``auroc_low`` and ``auroc_high`` of the test pictures; ``over_untrained`` with ``_low`` and
    ``_high``, over the same layer of the untrained network. AUs that too few people show are left out.
    """
    layers = table[(table["condition"] == FROZEN) & (table["layer"] != CHOSEN)]
    over = [f"over_untrained{end}" for end in ("", "_low", "_high")]
    rows = []
    scored = layers[~layers["too_few"] & layers["au"].ne(MACRO)]
    for _, part in scored.groupby("au", sort=False):
        ranked = part.sort_values("valid_auroc", ascending=False, kind="stable")
        best = ranked.iloc[0]
        lead = best["valid_auroc"] - ranked["valid_auroc"].iloc[1] if len(ranked) > 1 else np.nan
        row = best[["au", "layer", "valid_auroc"]].to_dict() | {"lead": lead}
        rows.append(row | best[["auroc", "auroc_low", "auroc_high", *over]].to_dict())
    return pd.DataFrame(rows)
