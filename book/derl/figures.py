"""Figures of de-expression: faces with the expression taken off, how the generator learned, how near it
comes, and where its layers answer.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from book.derl.neutral_quality import GENERATED, MEASURES, TRUTH
from ferbook.page.pictures import picture_grid, show
from ferbook.page.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    SKY,
    VERMILION,
    WIDTH,
    Drawn,
    FigureError,
    listing,
    percent,
    require_columns,
)

ROWS = ("input", "generated", "true neutral", "what was changed", "what is still wrong")
"""The rows of ``neutral_grid``, from above."""

STRETCH = 2.0
"""By how much differences of pictures are enlarged around the middle grey."""


def neutral_grid(inputs: np.ndarray, generated: np.ndarray, truth: np.ndarray, emotions: list[str]) -> Drawn:
    """Faces with an expression, what the generator makes of them, the true neutral ones, and two differences
    around the middle grey.

    ``inputs``, ``generated`` and ``truth`` uint8 (N, H, W), at most eight; ``emotions``: what the inputs
    show. Data: a row per face: ``emotion``, the mean absolute difference in grey levels between input and
    truth (``input_error``), generated and truth (``generated_error``), input and generated (``change``).
    Raises FigureError for none or more than eight.
    """
    if not 1 <= len(inputs) <= 8 or len(emotions) != len(inputs):
        raise FigureError(
            f"{len(inputs)} faces and {len(emotions)} emotions to draw: give one to eight of each"
        )
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
        f"Grid of {len(inputs)} people ({listing(emotions)}): above, the input, then the generated and the "
        "true neutral face, then what the generator changed and what is still wrong. "
        f"On average the generated faces differ from the true ones by {means['generated_error']:.1f} grey "
        f"levels of 255, the inputs by {means['input_error']:.1f}."
    )
    return figure, data, alt


def gan_curves(curve: pd.DataFrame) -> Drawn:
    """How the two players learned: the L1 distance of training pairs and of the pairs watched, and how often
    the discriminator is right.

    ``curve`` of ``derl.stage_one.GanTraining`` with validation pairs. Data: ``epoch``, ``adversarial_loss``,
    ``l1``, ``discriminator_loss``, ``real_accuracy``, ``fake_accuracy``, ``valid_l1``.
    """
    columns = ["epoch", "adversarial_loss", "l1", "discriminator_loss", "real_accuracy", "fake_accuracy"]
    columns.append("valid_l1")
    require_columns(curve, columns)
    data = curve[columns].reset_index(drop=True)
    marker = "o" if len(data) < 12 else None
    figure, (distance, right) = plt.subplots(1, 2, figsize=(WIDTH, 2.7))
    for name, label, colour, dashes in (
        ("l1", "learned from", BLUE, "--"),
        ("valid_l1", "watched (averaged weights)", VERMILION, "-"),
    ):
        distance.plot(
            data["epoch"],
            255 * data[name],
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=4,
            label=label,
        )
    distance.set(title="Distance to the true face", ylabel="grey levels of 255", ylim=(0, None))
    for name, label, colour, dashes in (
        ("real_accuracy", "true pairs", INK, "-"),
        ("fake_accuracy", "generated pairs", ORANGE, "--"),
    ):
        right.plot(
            data["epoch"],
            data[name],
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=4,
            label=label,
        )
    right.set(title="Discriminator is right", ylabel="share of patches", ylim=(0, 1.02))
    right.axhline(0.5, color=MUTED, linewidth=1, linestyle=":")
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
        "levels, "
        f"that of the pairs learned from from {255 * first['l1']:.1f} to {255 * last['l1']:.1f}. Right, at "
        f"the end the discriminator is right on {percent(last['real_accuracy'])} of true and "
        f"{percent(last['fake_accuracy'])} of generated patches; a dotted line marks guessing."
    )
    return figure, data, alt


_QUALITY = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "identity": "person found",
    "identity_other_take": "person found in other takes",
    "p_neutral": "probability of neutral",
    "p_emotion": "probability of the expression",
}


def quality_dots(summary: pd.DataFrame) -> Drawn:
    """Each candidate for the true neutral face in each measure, with intervals.

    ``summary`` from ``derl.neutral_quality.summarise_quality``. Data: ``candidate``, ``measure``, ``value``,
    ``low``, ``high``, ``gain``, ``gain_low``, ``gain_high``, ``n``; rows without a value are left out.
    """
    columns = ["candidate", "measure", "value", "low", "high", "gain", "gain_low", "gain_high", "n"]
    require_columns(summary, columns)
    data = summary.loc[summary["value"].notna(), columns].reset_index(drop=True)
    measures = [name for name in MEASURES if name in set(data["measure"])]
    names = sorted(dict.fromkeys(data["candidate"]), key=lambda name: name == TRUTH)
    across = 2
    down = -(-len(measures) // across)
    figure, grid = plt.subplots(
        down, across, figsize=(WIDTH, down * (0.75 + 0.24 * len(names))), sharey=True, squeeze=False
    )
    told = []
    for axes, measure in zip(grid.flat, measures, strict=False):
        part = data[data["measure"].eq(measure)].set_index("candidate")
        for place, name in enumerate(names):
            if name not in part.index:
                continue
            row, own = part.loc[name], name == GENERATED
            colour = VERMILION if own else BLUE
            axes.plot(row["value"], place, "D" if own else "o", color=colour, markersize=6)
            if np.isfinite(row["low"]):
                axes.hlines(place, row["low"], row["high"], color=colour, linewidth=1.8)
        axes.set_title(_QUALITY[measure], fontsize=9)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8)
        if measure not in ("psnr", "ssim"):
            axes.set_xlim(-0.03, 1.03)
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        values = [f"{name} {part.loc[name, 'value']:.2f}" for name in names if name in part.index]
        told.append(f"{_QUALITY[measure].replace(chr(10), ' ')}: {listing(values)}")
    for axes in list(grid.flat)[len(measures) :]:
        axes.set_axis_off()
    grid[0, 0].set_yticks(range(len(names)), names, fontsize=8.5)
    grid[0, 0].set_ylim(len(names) - 0.5, -0.5)
    alt = f"Dots with intervals for {len(names)} stand-ins of the true neutral face in {len(measures)} measures. {'; '.join(told)}."
    return figure, data, alt


def residue_grid(pictures: np.ndarray, maps: dict[str, np.ndarray], emotions: list[str]) -> Drawn:
    """Faces, and below each where every layer pair, and the plain difference of the pixels, answers to its
    expression: bright is more.

    ``pictures`` uint8 (N, H, W), at most six; ``maps``: by layer float (N, H, W), of these pictures, each
    drawn from 0 to its own maximum. Data: a row per picture and layer: ``emotion``, ``layer``, ``row`` and
    ``column`` of the map's centre of gravity (0 to 1 from above and from the left), and ``spread``, the share
    of the picture's area that holds half of the map.
    """
    if not 1 <= len(pictures) <= 6 or len(emotions) != len(pictures):
        raise FigureError(
            f"{len(pictures)} faces and {len(emotions)} emotions to draw: give one to six of each"
        )
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
    told = [f"{layer_name(layer)} {percent(share)}" for layer, share in means.items()]
    alt = f"Grid of {len(pictures)} faces ({listing(emotions)}) with a map of each layer below. Half of a map lies in this share of the picture on average: {listing(told)}."
    return figure, data, alt


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


_MARKS = {
    "ours": ("moved skin", VERMILION, "D"),
    "untrained": ("generator never trained", ORANGE, "v"),
    "not_shown": ("skin of other units", BLUE, "o"),
    "other_expression": ("maps of other expressions", SKY, "s"),
}
_OF_PICTURES = {"edges": "edges", "centre": "middle of the picture", "random": "noise"}


def layer_place_dots(table: pd.DataFrame) -> Drawn:
    """How far the energy of each layer's maps lies in the skin that the expression moves, and how often its
    peak does, beside the controls.

    ``table`` as ``derl.places.located`` has it. Data: its rows of the measures ``concentration`` and
    ``pointing_game``: ``layer``, ``measure``, ``kind``, ``value``, ``low``, ``high``, ``n``.
    """
    columns = ["layer", "measure", "kind", "value", "low", "high", "n"]
    require_columns(table, columns)
    measures = {"concentration": "energy / area", "pointing_game": "peak in the skin"}
    data = table.loc[table["measure"].isin(measures), columns].reset_index(drop=True)
    layers = list(dict.fromkeys(data["layer"]))
    names = [layer_name(layer) for layer in layers] + list(_OF_PICTURES.values())
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 1.3 + 0.36 * len(names)), sharey=True)
    for axes, (measure, label) in zip(panels, measures.items(), strict=True):
        part = data[data["measure"].eq(measure)]
        for place, layer in enumerate(layers):
            own = part[part["layer"].eq(layer)].set_index("kind")
            for shift, (kind, (_, colour, marker)) in enumerate(_MARKS.items()):
                if kind in own.index:
                    _dot(axes, own.loc[kind], place + 0.16 * (shift - 1.5), colour, marker)
        first = part[part["layer"].eq(layers[0])].set_index("kind")
        for place, kind in enumerate(_OF_PICTURES, start=len(layers)):
            if kind in first.index:
                _dot(axes, first.loc[kind], place, MUTED, "o")
        axes.set_xlabel(label, fontsize=9)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, None)
    panels[0].axvline(1, color=INK, linewidth=1, linestyle="--")
    panels[1].xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    panels[0].set_yticks(range(len(names)), names, fontsize=9)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    handles = [
        plt.Line2D([], [], color=colour, marker=marker, linestyle="none", label=label)
        for label, colour, marker in _MARKS.values()
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, fontsize=8.5)
    energy = data[data["measure"].eq("concentration") & data["kind"].eq("ours")].set_index("layer")["value"]
    told = [f"{layer_name(layer)} {value:.2f}" for layer, value in energy.items()]
    first = data[data["measure"].eq("concentration") & data["layer"].eq(layers[0])].set_index("kind")["value"]
    beside = [f"{name} {first[kind]:.2f}" for kind, name in _OF_PICTURES.items() if kind in first]
    alt = (
        "Dots with intervals by layer. The energy in the skin that moves, over what its area would give: "
        f"{listing(told)}; of maps that know no network, {listing(beside)}. "
        "A dashed line marks no preference."
    )
    return figure, data, alt


def _dot(axes: Axes, row: pd.Series, place: float, colour: str, marker: str) -> None:
    axes.plot(row["value"], place, marker, color=colour, markersize=5)
    if np.isfinite(row["low"]):
        axes.hlines(place, row["low"], row["high"], color=colour, linewidth=1.4)
