"""Atlas: every filter of a layer in one HTML fragment that opens filter by filter, without a script and
without network requests. ``book/_static/atlas.js`` adds search, sorting and verdicts.

Pictures are in sprite sheets, one per kind, that the fragment's own style holds as data; a tile is a small
element that shows its place on a sheet. Details of a filter are in a ``<details>`` element, which keyboards
and screen readers can open.
"""

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from face_sets.faceset import FaceSet
from fer_lib.look.responses import LayerView, extremum_counts
from ferbook.text import number_text

FEWEST_IN_MEAN = 5
"""Fewest people of a real set whose mean face is shown: that of fewer resembles one of them."""
GREY = 128
TILE = 48
"""Largest side of a picture on a sheet, in pixels; larger pictures are averaged down."""

MOST_BYTES = 1_600_000
"""Of the whole fragment. The pictures' quality goes down, step by step, until they fit."""

QUALITIES = (70, 55, 40, 25, 10)
HISTOGRAM_BARS = 24
"""Bars of a filter's histogram."""

HEAT_COLOUR = (0xD5, 0x5E, 0x00)
"""Vermilion of Okabe and Ito, on a grey face."""

WHITE = 0.6
"""Proportion of a map's largest magnitude that is drawn white."""

_RIM = 1
"""Empty cells around each heat map on its sheet: a tile of a fractional size then never shows its
neighbour's.
"""


@dataclass(frozen=True)
class Sheet:
    """Equal pictures in rows of ``across``. ``data``: a data URI; ``across``, ``down``: tiles in a row and in
    a column.
    """

    data: str
    across: int
    down: int

    def style(self, name: str) -> str:
        """The CSS rule by which elements of the class ``name`` show the tile at their ``--x`` and ``--y``."""
        # A percentage of background-position is one of what the sheet is larger than the tile.
        x, y = (100 / max(count - 1, 1) for count in (self.across, self.down))
        return (
            f".filter-atlas .{name}{{background-image:url({self.data});background-size:{100 * self.across}% "
            f"{100 * self.down}%;background-position:calc(var(--x)*{x:.6g}%) calc(var(--y)*{y:.6g}%)}}"
        )

    def place(self, number: int) -> str:
        """The custom properties that show tile ``number``."""
        return f"--x:{number % self.across};--y:{number // self.across}"


def sheet_of(tiles: np.ndarray, quality: int) -> Sheet:
    """A WebP sheet of ``tiles`` uint8, grey (n, h, w) at ``quality`` (1 to 100), or colours with opacity (n,
    h, w, 4) without loss.
    """
    count, height, width = tiles.shape[:3]
    across = max(1, round(np.sqrt(count * height / width)))
    down = -(-count // across)
    sheet = np.zeros((down, across, *tiles.shape[1:]), np.uint8)
    sheet.reshape(-1, *tiles.shape[1:])[:count] = tiles
    sheet = sheet.swapaxes(1, 2).reshape(down * height, across * width, *tiles.shape[3:])
    stream = io.BytesIO()
    lossless = tiles.ndim == 4
    Image.fromarray(sheet).save(stream, "WEBP", quality=quality, method=4, lossless=lossless)
    return Sheet(f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}", across, down)


def grey_levels(maps: np.ndarray) -> np.ndarray:
    """uint8, shaped as the signed ``maps`` (n, h, w): mid-grey 128 is 0, lighter positive, darker negative,
    each map on its own scale.

    White and black are ``WHITE`` of the map's largest magnitude, and what lies beyond: a single strong pixel
    does not make all others grey.
    """
    limit = WHITE * np.abs(maps).max(axis=(1, 2), keepdims=True)
    share = np.divide(maps, limit, out=np.zeros_like(maps), where=limit > 0)
    return np.round(128 + 127 * share.clip(-1, 1)).astype(np.uint8)


def mean_projections(view: LayerView) -> np.ndarray:
    """float32 (K, h, w): the mean of each filter's projections, laid upon each other by their receptive
    fields.

    A projection weighs as much as the response that it comes from; what lies outside the picture counts as
    zero. Zeros where a filter has none.
    """
    maps, filters = view.projections.maps, view.filters
    sums = np.zeros((len(view.top), *maps.shape[1:]), np.float32)
    np.add.at(sums, filters, maps)
    return sums / np.maximum(np.bincount(filters, minlength=len(view.top)), 1)[:, None, None]


def filter_atlas(view: LayerView, *, show_faces: bool) -> str:
    """Write every filter of a layer as an HTML fragment: which pictures drive it, where, and how often.

    Filters are in the order of ``view.ranking``, the strongest first. An opened one shows its top pictures
    with the receptive field framed, their projections, the mean projection, where its extrema lie on the
    mean face, a histogram of its responses, and numbers. Without ``show_faces`` single pictures and what was
    projected from single pictures are left out, and the mean face of fewer than ``FEWEST_IN_MEAN`` people.
    At most ``MOST_BYTES`` bytes where the lowest quality allows it.
    """
    counts = extremum_counts(view.responses)
    for quality in QUALITIES:
        written = _written(view, counts, _sheets(view, counts, show_faces, quality))
        if len(written.encode()) <= MOST_BYTES:
            break
    return written


def _sheets(view: LayerView, counts: np.ndarray, show_faces: bool, quality: int) -> dict[str, Sheet]:
    """The sheets by the class of the elements that show their tiles."""
    subjects = view.faces.table["subject"]
    people = subjects[subjects.ne("")].nunique() + subjects.eq("").sum()
    average = mean_picture(view.faces)
    if not show_faces and people < FEWEST_IN_MEAN:
        average = np.full_like(average, GREY)
    sheets = {
        "mean": sheet_of(_small(grey_levels(mean_projections(view))), quality),
        "heat": sheet_of(_heat_tiles(counts), 100),
        "average": sheet_of(_small(average[None]), 80),
    }
    if show_faces:
        sheets["face"] = sheet_of(_small(view.faces.gather(np.unique(view.rows))), quality)
        sheets["projection"] = sheet_of(_small(grey_levels(view.projections.maps)), quality)
    return sheets


def _written(view: LayerView, counts: np.ndarray, sheets: Mapping[str, Sheet]) -> str:
    entries = [_entry(row, view, counts, sheets) for row in view.ranking.itertuples(index=False)]
    rules = "".join(sheet.style(name) for name, sheet in sheets.items()) + _frame_rules(view)
    layer = html.escape(view.responses.layer)
    words = f"The {len(entries)} filters of {layer}, the one with the strongest response first"
    return (
        f"<style>{rules}</style>"
        f'<div class="filter-atlas" role="group" data-layer="{layer}" aria-label="{words}">'
        f"{''.join(entries)}</div>"
    )


def _small(tiles: np.ndarray) -> np.ndarray:
    """``tiles`` uint8 (n, h, w), averaged down to at most ``TILE`` pixels a side."""
    longest = max(tiles.shape[1:])
    if longest <= TILE:
        return tiles
    height, width = (max(1, round(side * TILE / longest)) for side in tiles.shape[1:])
    return np.stack([cv2.resize(tile, (width, height), interpolation=cv2.INTER_AREA) for tile in tiles])


def mean_picture(faces: FaceSet) -> np.ndarray:
    """uint8 (H, W): the mean of all pictures, of which at most a few thousand are in memory at a time."""
    parts = np.array_split(np.arange(len(faces)), -(-len(faces) // 4096))
    return np.round(sum(faces.gather(part).sum(axis=0) for part in parts) / len(faces)).astype(np.uint8)


def _heat_tiles(counts: np.ndarray) -> np.ndarray:
    """uint8 (K, h + 2, w + 2, 4): one colour, the more opaque the more pictures; an empty rim."""
    share = counts / np.maximum(counts.max(axis=(1, 2), keepdims=True), 1)
    tiles = np.zeros((*counts.shape, 4), np.uint8)
    tiles[..., :3] = HEAT_COLOUR
    # The root keeps rarer places visible.
    tiles[..., 3] = np.round(230 * np.sqrt(share))
    return np.pad(tiles, ((0, 0), (_RIM, _RIM), (_RIM, _RIM), (0, 0)))


def _frame_rules(view: LayerView) -> str:
    """CSS: sizes of the receptive field and of the heat map, as proportions of the picture."""
    (height, width), field = view.faces.size, view.field
    # A cell of the heat map covers the pixels about the middle of its neuron's receptive field.
    first = field.start + field.size / 2 - field.stride / 2 - _RIM * field.stride
    down, across = (100 * (cells + 2 * _RIM) * field.stride for cells in view.responses.map_size)
    return (
        f".filter-atlas .heat{{left:{100 * first / width:.4g}%;top:{100 * first / height:.4g}%;"
        f"width:{across / width:.4g}%;height:{down / height:.4g}%}}"
        ".filter-atlas .face::after,.filter-atlas .projection"
        f"{{width:{100 * field.size / width:.4g}%;height:{100 * field.size / height:.4g}%}}"
        ".filter-atlas .face,.filter-atlas .ground,.filter-atlas .average"
        f"{{aspect-ratio:{width}/{height}}}"
    )


def _entry(row: object, view: LayerView, counts: np.ndarray, sheets: Mapping[str, Sheet]) -> str:
    """One filter, a ``row`` of the ranking: its summary, which is always seen, and what opens below it."""
    number, silent = int(row.filter), row.pictures == 0
    answers = "never responds" if silent else f"strongest response {number_text(float(row.strongest))}"
    tile = f'<i class="mean" style="{sheets["mean"].place(number)}"></i>'
    summary = f'<summary aria-label="Filter {number}, {answers}">{tile}<span>{number}</span></summary>'
    opened = f'<details id="filter-{number}" data-filter="{number}">{summary}'
    if silent:
        return f"{opened}<p>No picture drives this filter.</p></details>"
    parts = (_where(view, number, counts[number], sheets), _numbers(row, view), _pairs(view, number, sheets))
    return f'{opened}<div class="filter">{"".join(parts)}</div></details>'


def _where(view: LayerView, number: int, counts: np.ndarray, sheets: Mapping[str, Sheet]) -> str:
    """The mean projection, and the heat map of the extrema on the mean face."""
    share = number_text(float(counts.max() / counts.sum()), "share")
    field, place = view.field, np.unravel_index(counts.argmax(), counts.shape)
    y, x = (int(field.start + step * field.stride + field.size / 2) for step in place)
    label = (
        f"The mean face; the filter's extrema lie most often about row {y}, column {x}: in {share} of the "
        "pictures that drive it"
    )
    return (
        f'<figure><i class="mean" role="img" aria-label="Mean of {len(view.pairs_of(number))} projections" '
        f'style="{sheets["mean"].place(number)}"></i><figcaption>mean projection</figcaption></figure>'
        f'<figure><i class="average" role="img" aria-label="{label}"><b class="heat" '
        f'style="{sheets["heat"].place(number)}"></b></i>'
        "<figcaption>where its extrema lie</figcaption></figure>"
    )


def _numbers(row: object, view: LayerView) -> str:
    facts = {
        "strongest response": number_text(float(row.strongest)),
        f"mean of the top {row.pictures}": number_text(float(row.mean_top)),
        "mean of all pictures": number_text(float(row.mean)),
        "pictures that drive it": number_text(float(row.share_active), "share"),
        "selectivity (0 to 1)": number_text(float(row.selectivity)),
    }
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())
    bars = _histogram(view.responses.maxima[:, int(row.filter)])
    return f"<figure>{bars}<figcaption>pictures by response</figcaption></figure><dl>{listed}</dl>"


def _histogram(maxima: np.ndarray) -> str:
    """Bars of how many pictures give which response above 0, as an SVG path; silent pictures are among the
    numbers next to it.
    """
    active = maxima[maxima > 0]
    counts, _ = np.histogram(active, bins=HISTOGRAM_BARS, range=(0, float(active.max())))
    heights = np.round(40 * counts / counts.max(), 1)
    bars = "".join(f"M{4 * place} 40v{-h:g}h3v{h:g}z" for place, h in enumerate(heights) if h)
    label = f"Histogram of the {len(active)} responses above 0, from 0 to {number_text(float(active.max()))}"
    path = f"{bars}M0 41h{4 * HISTOGRAM_BARS}v1h-{4 * HISTOGRAM_BARS}z"
    return (
        f'<svg viewBox="0 0 {4 * HISTOGRAM_BARS} 42" role="img" aria-label="{label}"><path d="{path}"/></svg>'
    )


def _pairs(view: LayerView, number: int, sheets: Mapping[str, Sheet]) -> str:
    """The top pictures, each above its projection; empty where single pictures may not be shown."""
    if "face" not in sheets:
        return ""
    (height, width), pairs = view.faces.size, view.pairs_of(number)
    # Each face is once on its sheet, in the order of rows.
    places = np.searchsorted(np.unique(view.rows), view.rows)
    cells = []
    for pair in pairs:
        row, column = view.projections.corners[pair]
        at = f"--l:{100 * column / width:.4g}%;--t:{100 * row / height:.4g}%"
        face, tile = sheets["face"].place(places[pair]), sheets["projection"].place(pair)
        cells.append(
            f'<span style="{at}"><i class="face" style="{face}"></i><i class="ground"><b class="projection" '
            f'style="{tile}"></b></i></span>'
        )
    emotions = [emotion or "no emotion" for emotion in view.faces.table["emotion"].iloc[view.rows[pairs]]]
    label = f"Top pictures above their projections, the strongest first: {', '.join(emotions)}"
    return f'<div class="pairs" role="img" aria-label="{html.escape(label)}">{"".join(cells)}</div>'
