"""Figures of de-expression: generated neutral faces, learning curves of the generator, quality of its faces,
and maps of the residue.
"""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from book.derl.neutral_quality import GENERATED, INPUT, OTHERS, QUALITY_MEASURES, TRUTH
from book.derl.stage_one import TERMS
from ferbook.page import style
from ferbook.page.forest import Axis, forest
from ferbook.page.pictures import picture_grid, show
from ferbook.page.tables import in_numbers

HEADED = ("generated", "true neutral", "changed", "still wrong")
"""The columns of ``neutral_grid``, right of the inputs."""

STRETCH = 2.0
"""By how much differences of pictures are enlarged around the middle grey."""


def neutral_grid(
    inputs: np.ndarray, generated: np.ndarray, truth: np.ndarray, emotions: list[str]
) -> style.Drawn:
    """Show faces with an expression, the generated and the true neutral faces, and two differences around the
    middle grey.

    ``inputs``, ``generated`` and ``truth`` uint8 (N, H, W), a row each; ``emotions``: what the inputs
    show. Data: a row per face: ``emotion``, the root mean square difference in grey levels between input and
    truth (``input_error``), generated and truth (``generated_error``), input and generated (``change``).
    """
    pixels = [part.astype(np.float64) for part in (inputs, generated, truth)]
    change, wrong = pixels[1] - pixels[0], pixels[1] - pixels[2]
    around = [np.clip(127.5 + STRETCH * part, 0, 255).astype(np.uint8) for part in (change, wrong)]
    figure, grid = picture_grid(len(inputs), 1 + len(HEADED))
    for row, pictures in enumerate(zip(inputs, generated, truth, *around, strict=True)):
        heads = (emotions[row], *(HEADED if row == 0 else [""] * len(HEADED)))
        for axes, picture, head in zip(grid[row], pictures, heads, strict=True):
            show(axes, picture, head)
    apart = {"input_error": pixels[0] - pixels[2], "generated_error": wrong, "change": change}
    errors = {name: np.sqrt(np.square(part).mean(axis=(1, 2))) for name, part in apart.items()}
    data = pd.DataFrame({"emotion": emotions, **errors})
    means = data.mean(numeric_only=True)
    farther = data["emotion"][data["generated_error"].gt(data["input_error"])].to_list()
    remark = f"; {style.listing(farther)}: no gain" if farther else ""
    alt = (
        f"Grid of {len(inputs)} people ({style.listing(emotions)}): left, the input, then the generated and "
        "the true neutral face, then what the generator changed and what is still wrong. "
        f"On average the generated faces differ from the true ones by {means['generated_error']:.1f} grey "
        f"levels of 255, the inputs by {means['input_error']:.1f}."
    )
    return style.Drawn(
        figure,
        data,
        alt,
        f"{len(inputs)} held-out people. The generated neutral faces are {means['generated_error']:.1f} grey "
        "levels from the true ones (root mean square, on average), the inputs "
        f"{means['input_error']:.1f}{remark}.",
        tolerance=dict.fromkeys(errors, 8),
    )


def gan_curves(curve: pd.DataFrame) -> style.Drawn:
    """Show the L1 distance of training and validation pairs, and how often the discriminator is right.

    ``curve`` of ``derl.stage_one.GanTraining`` with validation pairs. Data: ``epoch``, ``adversarial_loss``,
    ``l1``, ``discriminator_loss``, ``real_accuracy``, ``fake_accuracy``, ``valid_l1``.
    """
    columns = ["epoch", *TERMS[1:], "valid_l1"]
    data = curve[columns].reset_index(drop=True)
    figure, (distance, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 2.8))
    marks = {"marker": "o" if len(data) < 12 else None, "markersize": 4}
    for axes, scale, name, label, colour, dashes in (
        (distance, 255, "l1", "training people", style.BLUE, "--"),
        (distance, 255, "valid_l1", "held-out people", style.VERMILION, "-"),
        (right, 1, "real_accuracy", "true pairs", style.INK, "-"),
        (right, 1, "fake_accuracy", "generated pairs", style.ORANGE, "--"),
    ):
        axes.plot(data["epoch"], scale * data[name], color=colour, linestyle=dashes, label=label, **marks)
    highest = 255 * data[["l1", "valid_l1"]].max(axis=None)
    distance.set(title="Grey levels from the truth", ylim=(0, 1.45 * highest))
    right.set(title="Discriminator is right", ylim=(0, 1.45), yticks=(0, 0.25, 0.5, 0.75, 1))
    right.axhline(0.5, color=style.MUTED, linewidth=1, linestyle=":")
    style.in_percent(right.yaxis)
    for axes in (distance, right):
        axes.set_xlabel("epoch")
        axes.title.set_fontsize(10)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        axes.legend(loc="upper right", fontsize=9.5)
        axes.grid(axis="y")
        if len(data) == 1:
            axes.set_xlim(0, 2)
    first, last = data.iloc[0], data.iloc[-1]
    right_true, right_made = (style.percent(last[name]) for name in ("real_accuracy", "fake_accuracy"))
    alt = (
        f"Two line charts over {len(data)} {'epoch' if len(data) == 1 else 'epochs'}. Left, the distance of "
        f"held-out people goes from {255 * first['valid_l1']:.1f} to {255 * last['valid_l1']:.1f} grey "
        f"levels, that of training people from {255 * first['l1']:.1f} to {255 * last['l1']:.1f}. Right, at "
        f"the end the discriminator is right on {right_true} of true and {right_made} of generated patches; "
        "a dotted line marks guessing."
    )
    return style.Drawn(
        figure,
        data,
        alt,
        f"Left, distance of generated neutral faces from the true ones. Right, how often the discriminator "
        f"is right: at the end on {right_true} of true pairs and {right_made} of generated pairs.",
        tolerance=dict.fromkeys(columns[1:], 0.5),
    )


def quality_dots(summary: pd.DataFrame) -> style.Drawn:
    """Show each candidate for the true neutral face in each measure, with intervals.

    ``summary`` from ``derl.neutral_quality.summarise_quality``. Data: ``candidate``, ``measure``, ``value``,
    ``low``, ``high``, ``gain``, ``gain_low``, ``gain_high``, ``n``; rows without a value are left out.
    """
    numbers = ["value", "low", "high", "gain", "gain_low", "gain_high"]
    valued = summary.dropna(subset="estimate").reset_index(drop=True)
    data = in_numbers(valued[["candidate", "measure", "estimate", "gain"]])
    data["n"] = [estimate.n for estimate in valued["estimate"]]
    rows = data.assign(
        label=data["candidate"].replace(OTHERS, "wrong neutrals"),
        panel=data["measure"].map(QUALITY_MEASURES),
        main=data["candidate"].eq(GENERATED),
    )
    # In the order of the measures; the truth, the upper bound, last.
    order = rows["measure"].map(list(QUALITY_MEASURES).index) + 0.5 * rows["candidate"].eq(TRUTH)
    gain = valued.set_index(["candidate", "measure"])["gain"].get((INPUT, "psnr"))
    nearer = "is" if gain is not None and (gain.low or 0) > 0 else "is not significantly"
    return forest(
        rows.iloc[order.argsort(kind="stable")],
        measured="mean over pictures, 95 % interval over people",
        axis=dict.fromkeys(QUALITY_MEASURES.values(), Axis(limits=(-0.08, 1.08)))
        | {QUALITY_MEASURES["psnr"]: Axis("", label="dB")},
        alt=f"Dots with intervals for {data['candidate'].nunique()} candidates for the true neutral face in "
        f"{data['measure'].nunique()} measures.",
        caption="Candidates for the true neutral face in the three measures of the gate, farther right is "
        f"better. The generated face {nearer} nearer to the truth than the input.",
        data=data,
        tolerance=dict.fromkeys(numbers, 3.0),
    )


def residue_grid(pictures: np.ndarray, maps: dict[str, np.ndarray], emotions: list[str]) -> style.Drawn:
    """Show faces, and for each the residue map of every layer pair and the difference of the pixels; bright
    is more.

    ``pictures`` uint8 (N, H, W), a row each; ``maps``: by layer float (N, H, W), of these pictures, each
    drawn from 0 to its own maximum. Data: a row per picture and layer: ``emotion``, ``layer``, ``row`` and
    ``column`` of the map's centre of gravity (0 to 1 from above and from the left), and ``spread``, the share
    of the picture's area that holds half of the map.
    """
    figure, grid = picture_grid(len(pictures), max(4, 1 + len(maps)))
    rows = []
    for place, (picture, emotion) in enumerate(zip(pictures, emotions, strict=True)):
        show(grid[place, 0], picture, emotion)
        for number, (layer, its) in enumerate(maps.items(), start=1):
            axes, own = grid[place, number], its[place].astype(np.float64)
            axes.imshow(own, cmap="magma", vmin=0, vmax=max(own.max(), 1e-12))
            if place == 0:
                axes.set_title(layer_name(layer), fontsize=9.5, loc="left", pad=2)
            rows.append({"emotion": emotion, "layer": layer, **_moments(own)})
    data = pd.DataFrame(rows)
    means = data.groupby("layer", sort=False)["spread"].mean().dropna()
    shares = [f"{layer_name(layer)} {style.percent(share)}" for layer, share in means.items()]
    alt = (
        f"Grid of {len(pictures)} faces ({style.listing(emotions)}), each with a map of every layer. Half of "
        f"a map fills this part of the picture on average: {style.listing(shares or ['none'])}."
    )
    caption = "Residue of each layer pair: what differs between the face and its neutral face."
    if len(means):
        caption += (
            f" Bright is more. {layer_name(means.idxmax())} is the coarsest: half of its map fills "
            f"{style.percent(means.max())} of the picture."
        )
    return style.Drawn(figure, data, alt, caption, tolerance=dict.fromkeys(("row", "column", "spread"), 0.3))


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
