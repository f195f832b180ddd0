"""Where a generator's layers answer to the expression, and which action units they keep: what is asked, tables and metrics."""

import numpy as np
import pandas as pd
import torch

from fer_lib.errors import DataError
from fer_lib.explain.regions import region_aus
from fer_lib.explain.residue_maps import PIXELS, locate_residues, residue_maps
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.models.derl import Generator
from fer_lib.report.derl_quality import KnownNeutrals, examples, known_neutrals
from fer_lib.report.metrics import Metric
from fer_lib.units.cross_task import CHOSEN, EMOTION, FROZEN, HOG, UNTRAINED
from fer_lib.units.detect import MACRO

UNLEARNED = "untrained"
"""The kind of the maps of a generator with its first weights, beside ``explain.residue_maps.KINDS``."""

MOST_SEQUENCES = 300
"""Sequences of which a picture is located: more hardly narrow the intervals, and masks are slow to read."""

_SHORT = {FROZEN: "trained", UNTRAINED: "untrained", HOG: "hog", EMOTION: "emotion"}


def has_places(faces: FaceSet) -> bool:
    """Whether it is known of ``faces`` which action units are shown, and where on the face they act."""
    return any(au in faces.aus and faces.table[au].gt(0).any() for au in region_aus(faces))


def known_places(known: KnownNeutrals, beside: FaceSet | None) -> tuple[KnownNeutrals, str]:
    """``known`` where its faces have action units and places, else the rendered faces ``beside``; and whose they are, in a sentence. Raises DataError where neither has them."""
    if has_places(known.faces):
        return known, f"Pictures and action units are those of {known.faces.name}."
    if beside is None:
        raise DataError(f"face set {known.faces.name!r} has no action units whose places are known")
    rendered = known_neutrals(beside.labelled())
    return (
        rendered,
        f"Nobody coded action units in {known.faces.name}. The same generator is asked about the rendered faces of {beside.name}, whose units are known.",
    )


def one_per_sequence(known: KnownNeutrals, seed: int = 0) -> KnownNeutrals:
    """The pair of the apex of each sequence in which the neutral picture is of the same sequence, ``MOST_SEQUENCES`` at most, drawn at random; of sets without such sequences those of all."""
    apexes = known.apexes()
    kept = apexes[known.same_sequence[apexes]]
    kept = kept if len(kept) else apexes
    if len(kept) > MOST_SEQUENCES:
        kept = np.sort(np.random.default_rng(seed).choice(kept, MOST_SEQUENCES, replace=False))
    return known.select(kept)


def layer_maps(
    generator: Generator, known: KnownNeutrals, *, device: torch.device | str = "cpu"
) -> dict[str, np.ndarray]:
    """``explain.residue_maps.residue_maps`` of the pairs of ``known``."""
    return residue_maps(generator, known.pictures, known.truth, device=device)


def located(
    maps: dict[str, np.ndarray],
    untrained: dict[str, np.ndarray],
    known: KnownNeutrals,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """``explain.residue_maps.locate_residues`` of the trained generator's ``maps``, and as a further kind ``UNLEARNED`` what the maps of an ``untrained`` one reach."""
    settings = {"draws": draws, "seed": seed}
    own = locate_residues(maps, known.faces, known.inputs, **settings)
    blank = {layer: its for layer, its in untrained.items() if layer != PIXELS}
    null = locate_residues(blank, known.faces, known.inputs, **settings) if blank else own.iloc[:0]
    null = null[null["kind"].eq("ours")].assign(kind=UNLEARNED)
    gain = [f"gain{end}" for end in ("", "_low", "_high")]
    return pd.concat([own, null.assign(**dict.fromkeys(gain, np.nan))], ignore_index=True)


def place_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """``<layer>_concentration``: how many times as much of the energy of a layer's maps lies in the skin that moves as its area would give (``pixels`` for the plain difference); ``<layer>_untrained``, without training; ``edges_concentration``."""
    rows = table[table["measure"].eq("concentration")]
    found = {}
    for row in rows[rows["kind"].isin(("ours", UNLEARNED))].itertuples():
        what = "concentration" if row.kind == "ours" else UNLEARNED
        found[f"{row.layer}_{what}"] = _bounded(row.value, row.low, row.high, row.n, 0.3)
    edges = rows[rows["kind"].eq("edges")].iloc[0]
    found["edges_concentration"] = _bounded(edges["value"], edges["low"], edges["high"], edges["n"], 0.3)
    return found


def example_rows(known: KnownNeutrals, count: int = 4) -> np.ndarray:
    """Places among the pairs of ``known`` of up to ``count`` people with different expressions, ascending."""
    rows = examples(known, count).inputs
    return np.sort(pd.Index(known.inputs).get_indexer(rows))


def split_faces(known: KnownNeutrals) -> FaceSet:
    """The pictures of the first fold of the faces' own protocol, with its split, to fit and test heads on."""
    return fold_faces(known.faces, protocol_of(known.faces), 0)


def unit_cells(table: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """AUROC of each layer pair on each action unit and in the mean, for ``figures.unit_map``; ``framed``: the pair that the validation pictures choose.

    Below the pairs the best pair of a generator that never learned, ``HOG``, and the true expression. ``table`` from ``units.residue_units.kept_units``, ``best`` from ``units.cross_task.best_layer``.
    """
    rows = table[~table["too_few"]]
    layers = rows[rows["condition"].eq(FROZEN) & rows["layer"].ne(CHOSEN)]
    rivals = rows[rows["condition"].ne(FROZEN) & rows["layer"].isin(("", CHOSEN))]
    chosen = set(zip(best["layer"], best["au"], strict=True))
    framed = [pair in chosen for pair in zip(layers["layer"], layers["au"], strict=True)]
    names = [*layers["layer"], *rivals["condition"]]
    both = pd.concat([layers, rivals])
    return pd.DataFrame(
        {
            "row": names,
            "au": both["au"].to_numpy(),
            "auroc": both["auroc"].to_numpy(),
            "low": both["auroc_low"].to_numpy(),
            "high": both["auroc_high"].to_numpy(),
            "positives": both["positives"].astype("Float64").to_numpy(np.float64, na_value=np.nan),
            "framed": [*framed, *([False] * len(rivals))],
        }
    )


def unit_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """Macro means of the AUROC: ``au_trained`` (each unit from the layer pair that validation chooses), ``au_untrained``, ``au_hog`` and ``au_emotion``; ``au_over_untrained`` and ``au_over_hog``, paired.

    ``au_scored`` and ``au_too_few``: units. ``table`` from ``units.residue_units.kept_units``.
    """
    macro = table[table["au"].eq(MACRO) & table["layer"].isin((CHOSEN, ""))].set_index("condition")
    n = int(table["n"].max())
    metrics = {
        f"au_{name}": _bounded(
            *macro.loc[condition, ["auroc", "auroc_low", "auroc_high"]].astype(float), n, 0.1
        )
        for condition, name in _SHORT.items()
    }
    for rival in ("untrained", "hog"):
        columns = [f"over_{rival}{end}" for end in ("", "_low", "_high")]
        metrics[f"au_over_{rival}"] = _bounded(*macro.loc[FROZEN, columns].astype(float), n, 0.1)
    units = table[table["condition"].eq(HOG) & table["au"].ne(MACRO)]
    metrics["au_scored"] = Metric((~units["too_few"]).sum(), unit="count")
    metrics["au_too_few"] = Metric(units["too_few"].sum(), unit="count")
    return metrics


def _bounded(value: float, low: float, high: float, n: int, tolerance: float) -> Metric:
    settings = {"n": n, "tolerance": tolerance}
    if np.isnan(low):
        return Metric(value, interval="none: every draw gives the same value", **settings)
    how = "95 % percentile bootstrap over subjects"
    return Metric(value, min(low, value), max(high, value), interval=how, **settings)


def best_table(best: pd.DataFrame) -> pd.DataFrame:
    """``units.cross_task.best_layer`` for the page: ``unit``, ``layer pair``, ``AUROC`` with its interval, and what lies ``over untrained`` in the same pair, as text."""
    return pd.DataFrame(
        {
            "unit": best["au"],
            "layer pair": best["layer"],
            "AUROC": [_text(row.auroc, row.auroc_low, row.auroc_high) for row in best.itertuples()],
            "over untrained": [
                _text(row.over_untrained, row.over_untrained_low, row.over_untrained_high, "+")
                for row in best.itertuples()
            ],
        }
    )


def _text(value: float, low: float, high: float, sign: str = "") -> str:
    text = f"{value:{sign}.2f}"
    if not np.isnan(low):
        text += f" ({low:.2f} to {high:.2f})"
    return text.replace("-", "−")
