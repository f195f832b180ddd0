"""Where is the expression? What a generator's layers do differently when a face moves, brought to the
picture, beside the skin that has moved.

De-expression residue learning (Yang, Ciftci and Yin 2018) says that what a generator takes off a face stays
in its layer pairs. A map of it must not show the person, whom the layers hold too. Channels of encoder and
decoder cannot be subtracted one from the other: without skip connections nothing makes the k-th filter of the
one see what the k-th of the other sees. Compared are therefore the same channels for two pictures, one with
the expression and one of the same person at rest. N pairs of such pictures of H × W pixels.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

import cv2
import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from book.derl.pairs import KnownNeutrals, known_neutrals
from fer_lib.aus.cross_task import CHOSEN, EMOTION, FROZEN, HOG, UNTRAINED
from fer_lib.aus.heads import MACRO
from fer_lib.aus.presence import named_alone
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.localisation import scores, summarise
from fer_lib.look.regions import region_aus, regions_of
from fer_lib.nets.derl import Generator
from fer_lib.nets.evaluating import evaluating
from fer_lib.train.batches import FaceBatches
from ferbook.errors import DataError
from ferbook.estimate import Estimate
from ferbook.page.tables import Table

PIXELS = "pixels"
"""Name of the map that no layer has: the difference of the two pictures, the plain rival of the residue."""

_RENAMED = {"wrong_au": "not_shown", "other_filter": "other_expression"}

OPENING = 1 / 8
"""Half of the widest opening that counts as part of the skin around it, as a share of the picture's height.

Masks are of skin, but a picture changes most where lids and lips open, and what then shows is no skin.
Without the openings, on ``lab`` at 48 pixels the plain difference of the pictures has less of its energy in
the skin of AU27 (mouth stretch) when the mouth is wide open than when it is not.
"""

UNLEARNED = "untrained"
"""The kind of the maps of a generator with its first weights, beside those of ``locate_residues``."""

MOST_SEQUENCES = 300
"""Sequences of which a picture is located: more hardly narrow the intervals, and masks are slow to read."""

_SHORT = {FROZEN: "trained", UNTRAINED: "untrained", HOG: "hog", EMOTION: "emotion"}

AT_ONCE = 128
"""Pictures whose masks of all action units are in memory at a time: those of all would fill it."""


def residue_maps(
    generator: Generator,
    pictures: np.ndarray,
    neutrals: np.ndarray,
    *,
    batch_size: int = 64,
    device: torch.device | str = "cpu",
) -> dict[str, np.ndarray]:
    """How much each layer pair changes between ``pictures`` and ``neutrals`` of the same people, place by
    place: by name float32 (N, H, W), 0 or more.

    ``pictures`` and ``neutrals`` uint8 (N, H, W), best of one take, or head pose and light are mapped as
    well; where no neutral picture is known, what the ``generator`` makes of the picture may stand for it. At
    each place the root mean square over the channels of the change, each channel divided by its standard
    deviation over all pictures, neutral or not, and all places: else a few loud channels were the map. A
    channel that is the same everywhere counts for nothing. Enlarged bilinearly to the picture, pixels in
    their places, so maps of small layers are coarse: one of 3 × 3 places can only say in which ninth. Last,
    under ``PIXELS``, the absolute difference of the pictures, in [0, 1].

    In evaluation mode; the generator is moved to ``device`` and its mode stays as it was. Raises
    ParameterError as the generator does.
    """

    def answers(shown: np.ndarray) -> Iterator[dict[str, torch.Tensor]]:
        """Batch by batch the maps (B, C, h, w) of each pair, the encoder's channels first."""
        for batch, _ in FaceBatches(shown, np.zeros(len(shown), np.int64), batch_size, device=device):
            yield generator.residues(batch)

    generator.to(device)
    with evaluating(generator):
        scales = _scales(chain(answers(pictures), answers(neutrals)))
        found: dict[str, list[np.ndarray]] = {}
        for one, other in zip(answers(pictures), answers(neutrals), strict=True):
            for name, maps in one.items():
                change = ((maps - other[name]) / scales[name]).square().mean(dim=1, keepdim=True).sqrt()
                enlarged = F.interpolate(change, pictures.shape[1:], mode="bilinear", align_corners=False)
                found.setdefault(name, []).append(enlarged[:, 0].cpu().numpy())
    maps = {name: np.concatenate(parts) for name, parts in found.items()}
    return maps | {PIXELS: np.abs(pictures.astype(np.float32) - neutrals) / 255}


def locate_residues(
    maps: Mapping[str, np.ndarray],
    faces: FaceSet,
    rows: np.ndarray,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How well the maps of each layer find the skin that the expression moves, beside every control: one row
    per layer, measure and kind.

    ``maps``: by layer (N, H, W), as ``residue_maps`` gives them; ``rows`` (N,): the pictures of ``faces``
    that they are of. The region of a picture is all skin that the action units that it shows move
    (``look.regions``), and the ``OPENING`` of mouth or eyes that it surrounds. One
    picture per sequence will do: frames of one are alike.

    ``layer``, ``measure`` (``look.localisation.MEASURES``), ``kind``, and ``value`` to
    ``subjects`` as in ``look.localisation.summarise``. The kinds: ``ours``, the map itself in the skin that
    the picture's action units move; ``not_shown``, in the skin of those that it does not show;
    ``other_expression``, the map of a picture with another expression in this picture's skin; and ``edges``,
    ``centre`` and ``random``, see ``look.controls``; the share of two regions of unequal size is compared
    by the measure ``concentration``. Pictures that show no action unit are left out.

    Raises DataError where ``faces`` has no action units or regions, no picture shows one, or fewer than two
    people do.
    """
    coded = _intensities(faces, rows)
    shown = coded > 0
    keep = np.flatnonzero(shown.any(axis=1).to_numpy())
    if not len(keep):
        raise DataError(f"face set {faces.name!r}: none of the {len(rows)} pictures shows an action unit")
    regions = np.empty((len(keep), 2, *faces.size), bool)
    kept = np.asarray(rows)[keep]
    for start in range(0, len(kept), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        skin = regions_of(faces, kept[part], tuple(coded))
        visible = shown.to_numpy()[keep[part], :, None, None]
        moved = _closed((skin & visible).any(axis=1))
        regions[part] = np.stack([moved, _closed(skin.any(axis=1)) & ~moved], axis=1)
    chosen = faces.select(kept)
    expressions = pd.factorize(chosen.table["emotion"])[0]
    subjects = named_alone(chosen.table["subject"])
    tables = []
    for layer, its in maps.items():
        about = (subjects, expressions, chosen.pixels)
        scored = scores(its[keep], regions[:, 0], regions[:, 1:], *about, seed=seed)
        summary = summarise(scored, draws=draws, seed=seed)
        tables.append(summary.assign(layer=layer, kind=summary["kind"].replace(_RENAMED)))
    found = pd.concat(tables, ignore_index=True)
    return found[["layer", *found.columns.drop("layer")]]


def _scales(batches: Iterator[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """By pair (1, C, 1, 1): the standard deviation of each channel over pictures and places; infinite where
    it does not vary.
    """
    totals: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}
    for batch in batches:
        for name, maps in batch.items():
            exact = maps.double()
            sums = torch.stack([exact.sum(dim=(0, 2, 3)), exact.square().sum(dim=(0, 2, 3))])
            totals[name] = totals.get(name, 0) + sums
            counts[name] = counts.get(name, 0) + maps[:, 0].numel()
    scales = {}
    for name, (total, squares) in totals.items():
        mean = total / counts[name]
        variance = squares / counts[name] - mean**2
        varies = variance > 1e-10 * mean**2
        scale = torch.where(varies, variance.clamp(min=0).sqrt(), torch.inf)
        scales[name] = scale.float()[None, :, None, None]
    return scales


def _intensities(faces: FaceSet, rows: np.ndarray) -> pd.DataFrame:
    """The intensities of the AUs that have regions, of the pictures ``rows``."""
    aus = [au for au in region_aus(faces) if au in faces.aus]
    if not aus:
        raise DataError(
            f"face set {faces.name!r} has no action units with regions; take a synthetic set, or a real one "
            "with AU codes and landmarks, such as ckplus"
        )
    return faces.table[aus].iloc[rows].astype(float).reset_index(drop=True)


def _closed(regions: np.ndarray) -> np.ndarray:
    """``regions`` bool (..., H, W) with the openings that they surround: the morphological closing by a
    disc.
    """
    height, width = regions.shape[-2:]
    radius = max(1, round(OPENING * height))
    reach = np.arange(-radius, radius + 1)
    disc = (np.hypot(reach[:, None], reach) <= radius).astype(np.uint8)
    closed = np.empty_like(regions)
    for index in np.ndindex(regions.shape[:-2]):
        # With room around it, or the picture's edge would surround things too.
        padded = np.pad(regions[index].view(np.uint8), radius)
        filled = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)
        closed[index] = filled[radius : radius + height, radius : radius + width]
    return closed


def has_places(faces: FaceSet) -> bool:
    """Whether it is known of ``faces`` which action units are shown, and where on the face they act."""
    return any(au in faces.aus and faces.table[au].gt(0).any() for au in region_aus(faces))


def known_places(known: KnownNeutrals, beside: FaceSet | None) -> tuple[KnownNeutrals, str]:
    """``known`` where its faces have action units and places, else the rendered faces ``beside``; and whose
    they are, in a sentence. Raises DataError where neither has them.
    """
    if has_places(known.faces):
        return known, f"Pictures and action units are those of {known.faces.name}."
    if beside is None:
        raise DataError(f"face set {known.faces.name!r} has no action units whose places are known")
    rendered = known_neutrals(beside.labelled())
    return (
        rendered,
        f"Nobody coded action units in {known.faces.name}. The same generator is asked about the rendered "
        f"faces of {beside.name}, whose units are known.",
    )


def one_per_sequence(known: KnownNeutrals, seed: int = 0) -> KnownNeutrals:
    """The pair of the apex of each sequence in which the neutral picture is of the same sequence,
    ``MOST_SEQUENCES`` at most, drawn at random; of sets without such sequences those of all.
    """
    apexes = known.apexes()
    kept = apexes[known.same_sequence[apexes]]
    kept = kept if len(kept) else apexes
    if len(kept) > MOST_SEQUENCES:
        kept = np.sort(np.random.default_rng(seed).choice(kept, MOST_SEQUENCES, replace=False))
    return known.select(kept)


def located(
    maps: dict[str, np.ndarray],
    untrained: dict[str, np.ndarray],
    known: KnownNeutrals,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """``derl.places.locate_residues`` of the trained generator's ``maps``, and as a further kind
    ``UNLEARNED`` what the maps of an ``untrained`` one reach.
    """
    settings = {"draws": draws, "seed": seed}
    own = locate_residues(maps, known.faces, known.inputs, **settings)
    blank = {layer: its for layer, its in untrained.items() if layer != PIXELS}
    null = locate_residues(blank, known.faces, known.inputs, **settings)
    null = null[null["kind"].eq("ours")].assign(kind=UNLEARNED)
    gain = [f"gain{end}" for end in ("", "_low", "_high")]
    return pd.concat([own, null.assign(**dict.fromkeys(gain, np.nan))], ignore_index=True)


def place_metrics(table: pd.DataFrame) -> dict[str, Estimate]:
    """``<layer>_concentration``: how many times as much of the energy of a layer's maps lies in the skin that
    moves as its area would give (``pixels`` for the plain difference); ``<layer>_untrained``, without
    training; ``edges_concentration``.
    """
    names = {"ours": "{}_concentration", UNLEARNED: "{}_untrained", "edges": "edges_concentration"}
    found: dict[str, Estimate] = {}
    for row in table[table["measure"].eq("concentration") & table["kind"].isin(names)].itertuples():
        # The edges, which are no layer's, are those of the first layer.
        found.setdefault(
            names[row.kind].format(row.layer), _bounded(row.value, row.low, row.high, row.n, 0.3)
        )
    return found


def unit_cells(table: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """AUROC of each layer pair on each action unit and in the mean, for ``figures.unit_map``; ``framed``: the
    pair that the validation pictures choose.

    Below the pairs the best pair of a generator that never learned, ``HOG``, and the true expression.
    ``table`` from ``derl.kept_units.kept_units``, ``best`` from ``aus.cross_task.best_layer``.
    """
    rows = table[~table["too_few"]]
    layers = rows[rows["condition"].eq(FROZEN) & rows["layer"].ne(CHOSEN)]
    rivals = rows[rows["condition"].ne(FROZEN) & rows["layer"].isin(("", CHOSEN))]
    chosen = set(zip(best["layer"], best["au"], strict=True))
    framed = [pair in chosen for pair in zip(layers["layer"], layers["au"], strict=True)]
    both = [
        layers.assign(row=layers["layer"], framed=framed),
        rivals.assign(row=rivals["condition"], framed=False),
    ]
    cells = pd.concat(both, ignore_index=True).rename(columns={"auroc_low": "low", "auroc_high": "high"})
    columns = ["row", "au", "auroc", "low", "high", "positives", "framed"]
    return cells[columns].astype({"positives": np.float64})


def unit_metrics(table: pd.DataFrame) -> dict[str, Estimate]:
    """Macro means of the AUROC: ``au_trained`` (each unit from the layer pair that validation chooses),
    ``au_untrained``, ``au_hog`` and ``au_emotion``; ``au_over_untrained`` and ``au_over_hog``, paired.

    ``au_scored`` and ``au_too_few``: action units. ``table`` from ``derl.kept_units.kept_units``.
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
    metrics["au_scored"] = Estimate((~units["too_few"]).sum(), unit="count")
    metrics["au_too_few"] = Estimate(units["too_few"].sum(), unit="count")
    return metrics


def best_table(best: pd.DataFrame) -> Table:
    """``aus.cross_task.best_layer`` for the page: ``unit``, ``layer pair``, ``AUROC``, and what lies ``over
    untrained`` in the same pair.
    """
    rows = [
        {
            "unit": row.au,
            "layer pair": row.layer,
            "AUROC": _bounded(row.auroc, row.auroc_low, row.auroc_high),
            "over untrained": _bounded(row.over_untrained, row.over_untrained_low, row.over_untrained_high),
        }
        for row in best.itertuples()
    ]
    caption = "The layer pair that validation chooses for each unit"
    moves = dict.fromkeys(("AUROC", "over untrained"), 0.3)
    return Table(pd.DataFrame(rows), caption, tolerance=moves)


def _bounded(value: float, low: float, high: float, n: int | None = None, tolerance: float = 0.0) -> Estimate:
    how = "95 % expanded percentile bootstrap over subjects"
    return Estimate.bounded(value, low, high, how=how, n=n, tolerance=tolerance)
