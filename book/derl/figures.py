"""Figures of de-expression: faces with the expression taken off, how the generator learned, how near it
comes, and where its layers answer.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from book.derl.adversary import TERMS
from book.derl.neutral_quality import GENERATED, HEADS, TRUTH
from ferbook.page import style
from ferbook.page.forest import forest
from ferbook.page.pictures import picture_grid, show

ROWS = ("input", "generated", "true neutral", "what was changed", "what is still wrong")
"""The rows of ``neutral_grid``, from above."""

STRETCH = 2.0
"""By how much differences of pictures are enlarged around the middle grey."""


def neutral_grid(
    inputs: np.ndarray, generated: np.ndarray, truth: np.ndarray, emotions: list[str]
) -> style.Drawn:
    """Faces with an expression, what the generator makes of them, the true neutral ones, and two differences
    around the middle grey.

    ``inputs``, ``generated`` and ``truth`` uint8 (N, H, W), at most eight; ``emotions``: what the inputs
    show. Data: a row per face: ``emotion``, the mean absolute difference in grey levels between input and
    truth (``input_error``), generated and truth (``generated_error``), input and generated (``change``).
    """
    pixels = [part.astype(np.float64) for part in (inputs, generated, truth)]
    changed, wrong = pixels[1] - pixels[0], pixels[1] - pixels[2]
    around = [np.clip(127.5 + STRETCH * part, 0, 255).astype(np.uint8) for part in (changed, wrong)]
    columns = max(4, len(inputs))
    figure, grid = picture_grid(len(ROWS), columns, 0.15)
    for row, (name, pictures) in enumerate(zip(ROWS, (inputs, generated, truth, *around), strict=True)):
        for place, picture in enumerate(pictures):
            show(grid[row, place], picture, emotions[place] if row == 0 else name if place == 0 else "", 7.5)
    errors = {
        "input_error": np.abs(pixels[0] - pixels[2]).mean(axis=(1, 2)),
        "generated_error": np.abs(wrong).mean(axis=(1, 2)),
        "change": np.abs(changed).mean(axis=(1, 2)),
    }
    data = pd.DataFrame({"emotion": emotions, **errors})
    means = data.mean(numeric_only=True)
    alt = (
        f"Grid of {len(inputs)} people ({style.listing(emotions)}): above, the input, then the generated and "
        "the true neutral face, then what the generator changed and what is still wrong. "
        f"On average the generated faces differ from the true ones by {means['generated_error']:.1f} grey "
        f"levels of 255, the inputs by {means['input_error']:.1f}."
    )
    return style.Drawn(figure, data, alt, tolerance=dict.fromkeys(errors, 8))


def gan_curves(curve: pd.DataFrame) -> style.Drawn:
    """How the two players learned: the L1 distance of training pairs and of the pairs watched, and how often
    the discriminator is right.

    ``curve`` of ``derl.stage_one.GanTraining`` with validation pairs. Data: ``epoch``, ``adversarial_loss``,
    ``l1``, ``discriminator_loss``, ``real_accuracy``, ``fake_accuracy``, ``valid_l1``.
    """
    columns = ["epoch", *TERMS[1:], "valid_l1"]
    data = curve[columns].reset_index(drop=True)
    figure, (distance, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 2.7))
    marks = {"marker": "o" if len(data) < 12 else None, "markersize": 4}
    for axes, scale, name, label, colour, dashes in (
        (distance, 255, "l1", "learned from", style.BLUE, "--"),
        (distance, 255, "valid_l1", "watched (averaged weights)", style.VERMILION, "-"),
        (right, 1, "real_accuracy", "true pairs", style.INK, "-"),
        (right, 1, "fake_accuracy", "generated pairs", style.ORANGE, "--"),
    ):
        axes.plot(data["epoch"], scale * data[name], color=colour, linestyle=dashes, label=label, **marks)
    distance.set(title="Distance to the true face", ylabel="grey levels of 255", ylim=(0, None))
    right.set(title="Discriminator is right", ylabel="share of patches", ylim=(0, 1.02))
    right.axhline(0.5, color=style.MUTED, linewidth=1, linestyle=":")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    for axes in (distance, right):
        axes.set_xlabel("epoch")
        axes.title.set_fontsize(9.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.legend(loc="best", fontsize=8)
        axes.grid(axis="y")
        if len(data) == 1:
            axes.set_xlim(0, 2)
    first, last = data.iloc[0], data.iloc[-1]
    alt = (
        f"Two line charts over {len(data)} {'epoch' if len(data) == 1 else 'epochs'}. Left, the distance of "
        f"the pairs watched goes from {255 * first['valid_l1']:.1f} to {255 * last['valid_l1']:.1f} grey "
        f"levels, that of the pairs learned from from {255 * first['l1']:.1f} to {255 * last['l1']:.1f}. "
        f"Right, at the end the discriminator is right on {style.percent(last['real_accuracy'])} of true and "
        f"{style.percent(last['fake_accuracy'])} of generated patches; a dotted line marks guessing."
    )
    return style.Drawn(figure, data, alt, tolerance=dict.fromkeys(columns[1:], 0.5))


def quality_dots(summary: pd.DataFrame) -> style.Drawn:
    """Each candidate for the true neutral face in each measure, with intervals.

    ``summary`` from ``derl.neutral_quality.summarise_quality``. Data: ``candidate``, ``measure``, ``value``,
    ``low``, ``high``, ``gain``, ``gain_low``, ``gain_high``, ``n``; rows without a value are left out.
    """
    numbers = ["value", "low", "high", "gain", "gain_low", "gain_high"]
    columns = ["candidate", "measure", *numbers, "n"]
    data = summary.loc[summary["value"].notna(), columns].reset_index(drop=True)
    rows = data.assign(
        label=data["candidate"], panel=data["measure"].map(HEADS), main=data["candidate"].eq(GENERATED)
    )
    # In the order of the measures, and the truth, which bounds all others, below them.
    order = rows["measure"].map(list(HEADS).index) + 0.5 * rows["candidate"].eq(TRUTH)
    shares = {head: "share" for measure, head in HEADS.items() if measure not in ("psnr", "ssim")}
    return forest(
        rows.iloc[order.argsort(kind="stable")],
        measured="mean over the pictures, with its interval over people",
        unit=shares,
        limits=dict.fromkeys(shares, (-0.03, 1.03)),
        across=2,
        alt=f"Dots with intervals for {data['candidate'].nunique()} stand-ins of the true neutral face in "
        f"{data['measure'].nunique()} measures.",
        data=data,
        tolerance=dict.fromkeys(numbers, 3.0),
    )


def residue_grid(pictures: np.ndarray, maps: dict[str, np.ndarray], emotions: list[str]) -> style.Drawn:
    """Faces, and below each where every layer pair, and the plain difference of the pixels, answers to its
    expression: bright is more.

    ``pictures`` uint8 (N, H, W), at most six; ``maps``: by layer float (N, H, W), of these pictures, each
    drawn from 0 to its own maximum. Data: a row per picture and layer: ``emotion``, ``layer``, ``row`` and
    ``column`` of the map's centre of gravity (0 to 1 from above and from the left), and ``spread``, the share
    of the picture's area that holds half of the map.
    """
    columns = max(4, len(pictures))
    figure, grid = picture_grid(1 + len(maps), columns, 0.15)
    rows = []
    for place, (picture, emotion) in enumerate(zip(pictures, emotions, strict=True)):
        show(grid[0, place], picture, emotion, 7.5)
        for number, (layer, its) in enumerate(maps.items(), start=1):
            axes, own = grid[number, place], its[place].astype(np.float64)
            axes.imshow(own, cmap="magma", vmin=0, vmax=max(own.max(), 1e-12))
            if place == 0:
                axes.set_title(layer_name(layer), fontsize=7.5, loc="left", pad=2)
            rows.append({"emotion": emotion, "layer": layer, **_moments(own)})
    data = pd.DataFrame(rows)
    means = data.groupby("layer", sort=False)["spread"].mean()
    told = [f"{layer_name(layer)} {style.percent(share)}" for layer, share in means.items()]
    alt = (
        f"Grid of {len(pictures)} faces ({style.listing(emotions)}) with a map of each layer below. Half of "
        f"a map lies in this share of the picture on average: {style.listing(told)}."
    )
    return style.Drawn(figure, data, alt, tolerance=dict.fromkeys(("row", "column", "spread"), 0.3))


def layer_name(layer: str) -> str:
    """``pair24`` as ``24 × 24``; the difference of the pictures as ``pixels``."""
    side = layer.removeprefix("pair")
    return layer if side == layer else f"{side} × {side}"


def _moments(its: np.ndarray) -> dict[str, float]:
    total = its.sum()
    if total <= 0:
        return {"row": np.nan, "column": np.nan, "spread": np.nan}
    height, width = its.shape
    ordered = np.sort(its.ravel())[::-1].cumsum()
    return {
        "row": float((its.sum(axis=1) * (np.arange(height) + 0.5)).sum() / total / height),
        "column": float((its.sum(axis=0) * (np.arange(width) + 0.5)).sum() / total / width),
        "spread": float((np.searchsorted(ordered, total / 2) + 1) / its.size),
    }


_OF_LAYERS = {
    "ours": "moved skin",
    "untrained": "generator never trained",
    "not_shown": "skin of other action units",
    "other_expression": "maps of other expressions",
}
_OF_PICTURES = {"edges": "edges", "centre": "middle of the picture", "random": "noise"}
_PLACED = {"concentration": "energy / area", "pointing_game": "peak in the skin"}


def layer_place_dots(table: pd.DataFrame) -> style.Drawn:
    """How far the energy of each layer's maps lies in the skin that the expression moves, and how often its
    peak does, beside the controls.

    ``table`` as ``derl.places.located`` has it. Data: its rows of the measures ``concentration`` and
    ``pointing_game``: ``layer``, ``measure``, ``kind``, ``value``, ``low``, ``high``, ``n``.
    """
    columns = ["layer", "measure", "kind", "value", "low", "high", "n"]
    data = table.loc[table["measure"].isin(_PLACED), columns].reset_index(drop=True)
    rows = data.assign(
        label=data["layer"].map(layer_name),
        series=data["kind"].map(_OF_LAYERS),
        panel=data["measure"].map(_PLACED),
    )
    # What needs no network is the same for every layer, and stands below them once.
    once = rows["layer"].eq(rows["layer"].iloc[0]) & rows["kind"].isin(_OF_PICTURES)
    beside = rows[once].assign(
        label=data["kind"].map(_OF_PICTURES), series="no network", minor=True, kind="pictures"
    )
    return forest(
        pd.concat([rows[rows["series"].notna()].assign(minor=False, kind="layers"), beside]),
        measured="mean over the pictures, with its interval over people",
        unit={"peak in the skin": "share"},
        null={"energy / area": 1},
        limits=dict.fromkeys(_PLACED.values(), (0, None)),
        across=2,
        alt="Dots with intervals by layer: the energy of its maps in the skin that moves, over what its area "
        "would give, and how often their peak lies there.",
        data=data,
        tolerance=dict.fromkeys(("value", "low", "high"), 0.5),
    )
