"""The result of the chapter on de-expression residue learning, in words and in a table, from its metrics."""

import html
from collections.abc import Mapping

from book.derl.page import SHORT
from ferbook.page.style import listing
from ferbook.text import interval_text, number_text

_CLAIMED = ("pixel_difference", "cnn")
_FURTHER = ("best_layer", "untrained_generator", "shuffled_neutrals", "feature_difference")

_NAMES = {slug: name for slug, (_, name) in SHORT.items()} | {"best_layer": "the best single layer"}


def answer(metrics: Mapping[str, Mapping]) -> str:
    """The chapter's result in plain words, as HTML paragraphs, from its metrics; what was not computed is
    left out.
    """
    told = [_about_claim(metrics), *_about_nulls(metrics), *_about_neutrals(metrics)]
    told += [*_about_places(metrics), *_about_units(metrics)]
    return "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in told)


def _about_claim(metrics: Mapping[str, Mapping]) -> str:
    ahead = [slug for slug in _CLAIMED if _sign(metrics[f"ahead_of_{slug}"]) > 0]
    behind = [slug for slug in _CLAIMED if _sign(metrics[f"ahead_of_{slug}"]) < 0]
    values = [
        f"{_NAMES[slug]} {number_text(metrics[f'{slug}_accuracy']['value'], 'share')}, DeRL "
        f"{_apart(metrics[f'ahead_of_{slug}'])}"
        for slug in _CLAIMED
    ]
    if len(ahead) == len(_CLAIMED):
        verdict = "Here the claim holds: the residue in the layers beats both."
    elif behind:
        verdict = (
            f"Here the claim does not hold: DeRL is clearly behind {listing([_NAMES[s] for s in behind])}"
            + (f", and clearly ahead of {listing([_NAMES[s] for s in ahead])}." if ahead else ".")
        )
    elif ahead:
        open_ = [slug for slug in _CLAIMED if slug not in ahead]
        verdict = f"Half of the claim holds here: DeRL is clearly ahead of {listing([_NAMES[s] for s in ahead])}; against {listing([_NAMES[s] for s in open_])} it is not shown."
    else:
        verdict = "That DeRL beats either is not shown here: both intervals include zero."
    people = metrics["people"]["value"]
    who = f" of {number_text(people, 'count')} people whom nothing has seen" if people else ""
    return f"On {number_text(metrics['tested']['value'], 'count')} pictures{who} DeRL is right in {interval_text(metrics['accuracy'])}. On the same pictures: {'; '.join(values)}. {verdict}"


def _about_nulls(metrics: Mapping[str, Mapping]) -> list[str]:
    there = [slug for slug in _FURTHER if f"ahead_of_{slug}" in metrics]
    if not there:
        return []
    values = [
        f"{_NAMES[slug]} {number_text(metrics[f'{slug}_accuracy']['value'], 'share')} (DeRL "
        f"{_apart(metrics[f'ahead_of_{slug}'])})"
        for slug in there
    ]
    said = f"Beside it: {'; '.join(values)}."
    if "untrained_generator" in there:
        said += (
            " To have learned neutral faces helps."
            if _sign(metrics["ahead_of_untrained_generator"]) > 0
            else " Random weights do better than a generator that learned."
            if _sign(metrics["ahead_of_untrained_generator"]) < 0
            else " That the generator needs to have learned anything for this is not shown: random weights "
            "do as well."
        )
    if "shuffled_neutrals" in there:
        said += (
            " That it learned the neutral face of the same person helps."
            if _sign(metrics["ahead_of_shuffled_neutrals"]) > 0
            else " That the neutral faces were the same person's made no difference that could be shown."
        )
    return [said]


def _about_neutrals(metrics: Mapping[str, Mapping]) -> list[str]:
    if "generated_psnr" not in metrics:
        return []
    near = _sign(metrics["psnr_over_input"])
    said = (
        f"The generated neutral faces reach a PSNR of {metrics['generated_psnr']['value']:.1f} dB and an "
        f"SSIM of {metrics['generated_ssim']['value']:.2f} against the true ones; handing back the input "
        f"gives {metrics['input_psnr']['value']:.1f} dB and {metrics['input_ssim']['value']:.2f}, a mean "
        f"face {metrics['mean_face_psnr']['value']:.1f} dB and {metrics['mean_face_ssim']['value']:.2f}. "
        + (
            "They are nearer to the truth than the input is."
            if near > 0
            else "They are farther from the truth than the input is, which never left the person."
            if near < 0
            else "They are neither clearly nearer to the truth than the input nor farther."
        )
    )
    if "generated_identity" in metrics:
        said += f" The same person is found by {number_text(metrics['generated_identity']['value'], 'share')} of them, and by {number_text(metrics['input_identity']['value'], 'share')} of the inputs."
    if "generated_p_neutral" in metrics:
        said += (
            " A network that knows neither calls them neutral with a probability of "
            f"{number_text(metrics['generated_p_neutral']['value'], 'share')}, the inputs "
            f"{number_text(metrics['input_p_neutral']['value'], 'share')}, the true "
            f"neutral faces {number_text(metrics['truth_p_neutral']['value'], 'share')}."
        )
    return [said]


def _about_places(metrics: Mapping[str, Mapping]) -> list[str]:
    ending = "_concentration"
    layers = [
        name.removesuffix(ending) for name in metrics if name.startswith("pair") and name.endswith(ending)
    ]
    if not layers:
        return []
    values = [
        f"{layer.removeprefix('pair')} × {layer.removeprefix('pair')}: "
        f"{metrics[f'{layer}_concentration']['value']:.2f} ({metrics[f'{layer}_untrained']['value']:.2f} "
        "untrained)"
        for layer in layers
    ]
    best = max(layers, key=lambda layer: metrics[f"{layer}_concentration"]["value"])
    pixels = metrics["pixels_concentration"]
    beaten = metrics[f"{best}_concentration"]["value"] > pixels["value"]
    return [
        "Where is the expression? How many times as much of a layer's change lies in the skin that moves "
        f"as its area would give: {'; '.join(values)}. The difference of the pictures themselves has "
        f"{pixels['value']:.2f}, and edges have "
        f"{metrics['edges_concentration']['value']:.2f}. "
        + (
            "The layers point to the moving skin better than the pixels do."
            if beaten
            else "No layer points to the moving skin better than the pixels themselves."
        )
    ]


def _about_units(metrics: Mapping[str, Mapping]) -> list[str]:
    if "au_trained" not in metrics:
        return []
    value = {name: f"{metrics[f'au_{name}']['value']:.3f}" for name in ("trained", "untrained", "hog")}
    gap = _sign(metrics["au_over_untrained"])
    return [
        f"Linear heads on the residues detect {number_text(metrics['au_scored']['value'], 'count')} action "
        f"units with a mean AUROC of {value['trained']}, each from the layer that validation chooses; on "
        "residues of a generator "
        f"that never learned {value['untrained']}, on HOG {value['hog']}. "
        + (
            "Learning to take expressions off makes units easier to read."
            if gap > 0
            else "Learning to take expressions off has made units harder to read."
            if gap < 0
            else "That learning to take expressions off makes units easier to read is not shown."
        )
    ]


def _sign(metric: Mapping) -> int:
    """1 where the interval lies above zero, −1 where below, else 0."""
    if metric["low"] is None:
        return 0
    return int(metric["low"] > 0) - int(metric["high"] < 0)


def _apart(metric: Mapping) -> str:
    """``4.1 points ahead``, or behind, with the interval in the same direction."""
    value, low, high = metric["value"], metric["low"], metric["high"]
    direction = "behind" if value < 0 else "ahead"
    if low is None:
        return f"{abs(value):.1f} points {direction} (no interval)"
    bounds = (-high, -low) if value < 0 else (low, high)
    text = f"{abs(value):.1f} points {direction} (95 % interval {bounds[0]:.1f} to {bounds[1]:.1f})"
    return text.replace("-0.0", "0.0").replace("-", "−")


_SUMMARY = {
    "accuracy": "DeRL, accuracy",
    "macro_f1": "DeRL, macro F1",
    **{f"{slug}_accuracy": f"{name}, accuracy" for slug, name in _NAMES.items()},
    "ahead_of_cnn": "DeRL ahead of the plain CNN (points)",
    "ahead_of_pixel_difference": "DeRL ahead of the pixel difference (points)",
    "generated_psnr": "PSNR of generated neutral faces (dB)",
    "input_psnr": "PSNR of the input handed back (dB)",
    "generated_ssim": "SSIM of generated neutral faces",
    "input_ssim": "SSIM of the input handed back",
    "generated_identity": "same person found by the generated face",
    "generated_p_neutral": "generated faces called neutral",
    "input_p_neutral": "inputs called neutral",
    "pixels_concentration": "difference of pixels, energy over area",
    "au_trained": "action units, mean AUROC on residues",
    "au_untrained": "the same, generator never trained",
}


def summary_names(metrics: Mapping[str, Mapping]) -> dict[str, str]:
    """Estimate -> what it is, for ``tables.records_table``: those that the page has."""
    return {name: label for name, label in _SUMMARY.items() if name in metrics}
