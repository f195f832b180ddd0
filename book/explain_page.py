"""The page of ``ferbook explain``: one HTML file that needs no other, in light and dark, wide and narrow."""

import base64
import html
import io
import shlex
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image, ImageDraw

from book.explain import USUAL, Answer, Explanation
from ferbook.text import bounds_text, number_text
from synthetic_faces.facs import ACTION_UNITS

PAGE = Path(__file__).with_name("explain.html")
"""The page with ``$places`` for what depends on the picture."""

HEAT = np.array([0xD5, 0x5E, 0x00])
"""Vermilion of Okabe and Ito, as in the atlas of filters."""

_LONGEST = 640
"""Pixels of the longer side at which the whole picture is shown."""

ENLARGED = 4
"""Pixels of the page for each pixel of the network's picture."""

FINEST = 0.001
"""A probability nearer to 0 or 1 than this is shown as this."""

UNDECIDED = 0.5
"""Probability below which all other emotions together are likelier than the first."""


def explanation_page(told: Explanation) -> str:
    """The whole page, HTML."""
    first, calibration = told.learned[0], told.calibration
    share = float(told.probabilities[0].max())
    lesson, emotion = first.lesson, first.lesson.classes[told.probabilities[0].argmax()]
    undecided = "All other emotions together are more likely." if share < UNDECIDED else ""
    changed = f"As it was read: {'; '.join(told.changed)}." if told.changed else ""
    enlarged = np.kron(told.crop, np.ones((ENLARGED, ENLARGED), np.uint8))
    side = len(told.crop)
    crop = _picture(enlarged, f"The face as the network gets it, {side} by {side} pixels in grey", "crop")
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        file=html.escape(told.path.name),
        emotion=emotion,
        share=_chance(share),
        undecided=undecided,
        strange=_strange(told),
        whole=_whole(told),
        crop=crop,
        side=side,
        pixels=f"{told.crop.size:,}",
        count=_count(told),
        changed=changed,
        emotions=_emotions(told),
        **_others(told, emotion),
        temperature=number_text(calibration.temperature),
        fitted_on=f"{calibration.fitted_on:,}",
        tested_on=f"{calibration.tested_on:,}",
        raw=_chance(told.raw.max()),
        before=bounds_text(calibration.before),
        after=bounds_text(calibration.after),
        error=_share(calibration.after.value),
        faces=html.escape(told.faces),
        layer=told.layer,
        filters=told.filters,
        shown=len(told.strongest),
        tiles="".join(_tile(told, place) for place in range(len(told.strongest))),
        verified=_verified(told),
        units=_units(told),
        classes=", ".join(lesson.classes),
        usual=_usual(told),
        run=told.run.name,
        command=html.escape(_command(told)),
        network=f"{first.name}, <code>{lesson.network}</code>, seed {lesson.seed}",
    )


def _command(told: Explanation) -> str:
    cropped = " --cropped" if told.window is None else ""
    return f"ferbook explain {shlex.quote(told.path.name)} --run {told.run.name}{cropped}"


def _share(value: float) -> str:
    return number_text(float(value), "share")


def _chance(value: float) -> str:
    """A probability in words of which none says that something is certain, or impossible."""
    if value > 1 - FINEST:
        return f"more than {_share(1 - FINEST)}"
    return _share(value) if value >= FINEST else f"less than {_share(FINEST)}"


def _picture(pixels: np.ndarray, alt: str, css: str = "") -> str:
    """An ``<img>`` that holds ``pixels`` uint8, grey (H, W) or in colours (H, W, 3)."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", quality=80)
    data = base64.b64encode(stream.getvalue()).decode()
    height, width = pixels.shape[:2]
    return (
        f'<img class="{css}" src="data:image/webp;base64,{data}" width="{width}" height="{height}" '
        f'alt="{html.escape(alt)}">'
    )


def _count(told: Explanation) -> str:
    """How many faces were found, and whether the one that was taken is too small."""
    if told.window is None:
        return "The picture was taken whole, as the crop of a face."
    many = f"{told.found} faces were found; the largest was taken."
    small = ""
    if told.window.side < len(told.crop):
        small = f" It is only {told.window.side:.0f} pixels wide and was enlarged to {len(told.crop)}."
    return ("One face was found." if told.found == 1 else many) + small


def _whole(told: Explanation) -> str:
    """The whole picture, reduced, with the frame around the face; nothing where it was taken whole."""
    if told.window is None:
        return ""
    height, width = told.picture.shape
    scale = min(1, _LONGEST / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(told.picture).resize(size, Image.Resampling.BOX).convert("RGB")
    window = told.window
    left, top, side = (scale * value for value in (window.left, window.top, window.side))
    draw = ImageDraw.Draw(image)
    for grow, colour in ((1, "white"), (0, tuple(HEAT.tolist()))):
        box = (left - grow, top - grow, left + side + grow, top + side + grow)
        draw.rectangle(box, outline=colour, width=3 - grow)
    across, down = (window.left + window.side / 2) / width, (window.top + window.side / 2) / height
    alt = (
        f"The whole picture, {width:,} by {height:,} pixels; the face in it is {window.side:.0f} pixels "
        f"wide, its middle {100 * across:.0f} % from the left and {100 * down:.0f} % from the top"
    )
    caption = "The picture in grey, with the frame around the face."
    return f"<figure>{_picture(np.asarray(image), alt)}<figcaption>{caption}</figcaption></figure>"


def _strange(told: Explanation) -> str:
    """A warning where more filters answer beyond what they know than to usual pictures."""
    if told.beyond <= told.usual:
        return ""
    return (
        '<p class="doubt"><strong>This picture is unlike those that the network was tried on.</strong> '
        f"{told.beyond} of its {told.filters} filters answer more strongly than to any of "
        f"{told.calibration.fitted_on:,} validation pictures; in {100 * USUAL:.0f} of 100 test pictures at "
        f"most {told.usual} do. How often the network is right on such a picture nobody has measured.</p>"
    )


def _usual(told: Explanation) -> str:
    if told.beyond > told.usual:
        return "This picture is unlike these, as said above."
    return (
        f"{told.beyond} of {told.filters} filters answer more than to any validation picture, which is usual "
        f"(up to {told.usual}); that alone does not make this picture like those."
    )


def _emotions(told: Explanation) -> str:
    """A row for each emotion, the most probable first; with dots and a range where there are other
    networks.
    """
    rows = []
    for k in np.argsort(-told.probabilities[0], kind="stable"):
        share, others = told.probabilities[0, k], told.probabilities[1:, k]
        dots = "".join(f'<b style="left:{100 * other:.1f}%"></b>' for other in others)
        spread = ""
        if len(others) and others.max() >= FINEST:
            spread = f'<span class="soft">others: {_chance(others.min())} to {_chance(others.max())}</span>'
        rows.append(
            f'<tr><th scope="row">{told.learned[0].lesson.classes[k]}</th><td><div class="bar" aria-hidden='
            f'"true"><i style="width:{100 * share:.1f}%"></i>{dots}</div>{spread}</td><td class="number">'
            f"{_chance(share)}</td></tr>"
        )
    return "".join(rows)


def _others(told: Explanation, emotion: str) -> dict[str, str]:
    """What the page says of networks beside the first, by place; nothing where there are none."""
    count = len(told.learned)
    if count == 1:
        return dict.fromkeys(("dots", "agreement"), "")
    same = int((told.probabilities.argmax(axis=1) == told.probabilities[0].argmax()).sum())
    return {
        "dots": f"A dot is each of {count - 1} other networks, which differ in their seed only.",
        "agreement": f"<li>{same} of {count} networks that were taught alike say <em>{emotion}</em>; where "
        "they differ, luck decides.</li>",
    }


def _unit(au: str) -> str:
    return f"{au}, {ACTION_UNITS[au].name}" if au in ACTION_UNITS else au


def _verdict(answer: Answer) -> tuple[str, str]:
    """The class of style and the words for what a filter was found to detect."""
    found = answer.detector
    if found is None:
        return "soft", "– no unit shown"
    if found.verified:
        return "yes", "✓ verified"
    return (
        "half",
        f"~ {found.moved_by} moves it most" if found.moved_by else "~ no unit switched on raises it",
    )


def _tile(told: Explanation, place: int) -> str:
    """One of the strongest filters: its projection over the face, and what is known of it."""
    answer, energy = told.strongest[place], np.abs(told.projections.whole(place))
    alt = f"What drove filter {answer.filter}: pixels around the {_place(energy)} of the crop"
    css, words = _verdict(answer)
    unit = f"{_unit(answer.detector.au)} " if answer.detector else ""
    return (
        f"<li>{_picture(heated(told.crop, energy), alt)}<h3>Filter {answer.filter}</h3>"
        f'<p>{unit}<span class="{css}">{words}</span></p>'
        f'<p class="soft">answers more than to {_share(answer.above)} of the validation pictures</p></li>'
    )


def _place(energy: np.ndarray) -> str:
    """In which ninth of the crop the centre of ``energy`` (H, W) lies."""
    total = energy.sum() or 1
    row, column = (
        min(int(3 * (energy.sum(axis=1 - axis) @ np.arange(side)) / total / side), 2)
        for axis, side in enumerate(energy.shape)
    )
    return f"{('upper', 'middle', 'lower')[row]} {('left', 'centre', 'right')[column]}"


def heated(crop: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3), ``ENLARGED`` times: the face ``crop`` with ``energy`` (H, W) ≥ 0 laid over it in
    ``HEAT``.
    """
    share = np.sqrt(energy / (energy.max() or 1))
    share, grey = (np.kron(each, np.ones((ENLARGED, ENLARGED)))[:, :, None] for each in (share, crop / 1.0))
    return np.round((1 - 0.85 * share) * (255 + 2 * grey) / 3 + 0.85 * share * HEAT).astype(np.uint8)


def _verified(told: Explanation) -> str:
    """What the marks mean; where the run has not asked for detectors, how it would."""
    if told.units is None:
        command = f"<code>ferbook run au_verification --run {told.run.name}</code>"
        return f'<p class="doubt">The run has not asked what its filters detect: {command} does.</p>'
    return (
        "<p>A unit stands where the filter goes with it more than chance and the emotion explain; "
        "<strong>verified</strong>: of all units switched on one at a time, that one moves it most.</p>"
    )


def _units(told: Explanation) -> str:
    """The best detector of each unit, and its answer; nothing where there are none."""
    if not told.units:
        return ""
    rows = []
    for answer in told.units:
        css, words = _verdict(answer)
        rows.append(
            f'<tr><th scope="row">{_unit(answer.detector.au)}</th><td class="number">{answer.filter}</td>'
            f'<td class="number">{_share(answer.above)}</td><td class="{css}">{words}</td></tr>'
        )
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("Unit", "Filter", "Answers less to", "Verdict over many faces")
    )
    return (
        "<h2>Action units</h2>\n<p>For each unit the filter that detects it best, and to how many of the "
        "validation pictures it answers less than to this one. Near 100 % the unit may be there, or anything "
        "else that the filter takes for it.</p>\n<table><caption>Detectors and their answers</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
