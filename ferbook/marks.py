"""What stands in a stored figure, read from its SVG as matplotlib writes it: a page tells each mark's value
where it is pointed at, knows where a value lies on an axis, and draws the figure in the colours of its theme.
"""

import html
import math
import re
import xml.etree.ElementTree as tree
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from ferbook.text import MINUS

_SVG = "{http://www.w3.org/2000/svg}"
_DRAWN = ("path", "use", "image", "text", "rect")
_TAG = re.compile(rf"<(?:{'|'.join(_DRAWN)})\b[^>]*>")
_NUMBER = re.compile(rf"[{MINUS}+-]?[\d,]*\.?\d+( ?%)?")
_POINT = re.compile(r"[A-Z]?\s*(-?[\d.]+) (-?[\d.]+)(?=\s|$)")
_CELL = re.compile(r"(?<![^,\n])-?\d[\d.]*(?:e[-+]?\d+)?(?=[,\r\n])")
_COLOUR = re.compile(r"\b(fill|stroke): (#[0-9a-f]{6})")
_NEAR = 0.3
"""Points that rounding moves a mark."""
_SNAP = 0.6
"""Points that a square is moved to the grid of pixels."""
_HALF_LETTER = 3.4
"""Points from a label's foot to its middle."""
_THICK = 4.0
"""Points of a bar that stands behind a mark, which is no interval."""
_MOST_POINTS = 24
"""Of a line without marks, the places that tell their value."""

_KEPT = ' class="kept"'
"""Of an element whose colour a picture has."""

_THEMED = {
    "#ffffff": "ground",
    "#222222": "ink",
    "#5f5f5f": "muted",
    "#d0d0d0": "rule",
    "#0173b2": "blue",
    "#d55e00": "vermilion",
    "#de8f05": "orange",
    "#56b4e9": "sky",
}
"""The colours of ``ferbook.page.style``, and what ``suite.css`` calls them; others are of cells and pictures.
"""


@dataclass(frozen=True)
class _Scale:
    """One axis of a panel: where its numbers or names stand, what they measure, and the ``numbers`` that the
    figure's CSV has.
    """

    places: tuple[tuple[float, str], ...]
    label: str = ""
    numbers: tuple[float, ...] = ()

    @cached_property
    def measures(self) -> bool:
        """Whether numbers stand on it, not names."""
        return all(_NUMBER.fullmatch(name) for _, name in self.places)

    @cached_property
    def line(self) -> tuple[float, float] | None:
        """Place of 0, and points for each unit; None where names stand, or the steps are not even. Two
        numbers are even in any case: where one is ten times the other, the axis is taken for logarithmic.
        """
        values = [_value(name) for _, name in self.places] if self.measures else []
        if len(values) == 2 and min(values) > 0 and max(values) >= 10 * min(values):
            return None
        return self._even(values)

    @cached_property
    def decades(self) -> tuple[float, float] | None:
        """Place of 1, and points for each power of ten; None where the axis is not logarithmic."""
        values = [_value(name) for _, name in self.places] if self.measures and self.line is None else []
        return self._even([math.log10(value) for value in values]) if min(values, default=0) > 0 else None

    def _even(self, values: Sequence[float]) -> tuple[float, float] | None:
        if len(values) < 2 or values[0] == values[-1]:
            return None
        first, low = self.places[0][0], values[0]
        step = (self.places[-1][0] - first) / (values[-1] - low)
        places = zip(self.places, values, strict=True)
        even = all(abs(first + step * (value - low) - place) < 1 for (place, _), value in places)
        return (first - step * low, step) if even else None

    def text(self, place: float, room: float) -> str:
        """The number at a place, of the CSV where one lies there, by a step that ``room`` points can show, or
        of three digits on a logarithmic axis; or the nearest name; nothing where too few numbers stand.
        """
        if self.decades:
            zero, step = self.decades
            value = 10 ** ((place - zero) / step)
            positive = [number for number in self.numbers if number > 0]
            near = min(positive, key=lambda number: abs(math.log10(number / value)), default=value)
            value = near if abs(math.log10(near / value) * step) < _SNAP else value
            return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"
        if self.line is None:
            return "" if self.measures else min(self.places, key=lambda each: abs(each[0] - place))[1]
        zero, step = self.line
        digits = max(0, math.floor(3 - math.log10(abs(room / step))))
        value, unit = (place - zero) / step, " %" if self.places[0][1].endswith("%") else ""
        factor = 100 if unit else 1
        after = bisect(self.numbers, value / factor)
        own = (number * factor for number in self.numbers[max(0, after - 1) : after + 1])
        near = min(own, key=lambda number: abs(number - value), default=math.inf)
        text = f"{near if abs(near - value) * abs(step) < _SNAP else value:,.{digits}f}"
        return re.sub(r"^-(?=[0.]*$)", "", text).replace("-", MINUS) + unit


@dataclass(frozen=True)
class _Panel:
    """The axes of a figure: ``frame`` is left, top, right and bottom."""

    group: tree.Element
    frame: tuple[float, float, float, float]
    scales: dict[str, _Scale]
    title: str


def _value(name: str) -> float:
    return float(name.rstrip("%").strip().replace(MINUS, "-").replace(",", ""))


def _kind(element: tree.Element) -> str:
    return element.get("id", "").rpartition("_")[0]


def _points(path: tree.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in _POINT.findall(path.get("d", ""))]


def _texts(group: tree.Element) -> Iterator[tuple[float, float, str, str]]:
    """Where the texts of a group stand, what they say, and their style."""
    for text in group.iter(f"{_SVG}text"):
        shift = re.match(r"translate\((-?[\d.]+) (-?[\d.]+)\)", text.get("transform", ""))
        x, y = shift.groups() if shift else (text.get("x"), text.get("y"))
        words = " ".join("".join(text.itertext()).split())
        if x and words:
            yield float(x), float(y), words, f"{text.get('style')} {text.get('transform')}"


def _scale(axis: tree.Element, way: str) -> _Scale:
    places, heading, label = [], "", ""
    for group in axis:
        texts = list(_texts(group))
        name = " ".join(words for *_, words, _ in texts)
        if _kind(group) == f"{way}tick":
            tick = group.find(f".//{_SVG}use")
            if tick is not None:
                place = float(tick.get(way))
            elif texts:
                place = sum(each[way == "y"] for each in texts) / len(texts) - _HALF_LETTER * (way == "y")
            else:
                continue
            if texts and re.search(r"font-weight: (?:700|bold)", texts[0][3]):
                heading, name = name, ""
            if name:
                places.append((place, f"{heading}, {name}" if heading else name))
        elif texts:
            label = name
    return _Scale(tuple(places), label)


def _ground(axes: tree.Element) -> tree.Element | None:
    """What is drawn first of all in a panel."""
    return next((group for group in axes if _kind(group) == "patch"), None)


def _panels(figure: tree.Element, numbers: tuple[float, ...]) -> list[_Panel]:
    """All panels; an axis without names has those of one beside it, or below."""
    panels = []
    for group in figure.iter(f"{_SVG}g"):
        ground = _ground(group)
        axes = [each for each in group if _kind(each) == "matplotlib.axis"]
        if _kind(group) != "axes" or ground is None or len(axes) != 2:
            continue
        across, down = zip(*_points(ground[0]), strict=True)
        scales = {way: _scale(axis, way) for way, axis in zip("xy", axes, strict=True)}
        above = (
            words
            for each in group
            for x, y, words, _ in _texts(each)
            if _kind(each) == "text" and y < min(down) and x < max(across)
        )
        panels.append(
            _Panel(group, (min(across), min(down), max(across), max(down)), scales, " ".join(above))
        )
    beyond = [text for each in figure if _kind(each) == "text" for text in _texts(each)]
    labels = {
        way: " ".join(words for *_, words, how in beyond if ("rotate(-90" in how) == (way == "y"))
        for way in "xy"
    }
    for place, panel in enumerate(panels):
        scales = {}
        for way, own in panel.scales.items():
            ends = slice(way == "y", None, 2)
            beside = (each for each in panels if each.frame[ends] == panel.frame[ends])
            shared = (
                own
                if own.places
                else next((each.scales[way] for each in beside if each.scales[way].places), own)
            )
            label = own.label or shared.label or labels[way]
            scales[way] = replace(shared, label=label, numbers=numbers)
        panels[place] = replace(panel, scales=scales)
    return panels


def _look(element: tree.Element) -> tuple[str, ...]:
    """What tells the mark of one series from another's."""
    colours = dict(_COLOUR.findall(element.get("style", "")))
    return tuple(colours.get(part, "") for part in ("fill", "stroke"))


def _legends(figure: tree.Element) -> Iterator[tree.Element]:
    return (group for group in figure.iter(f"{_SVG}g") if _kind(group) == "legend")


def _series(figure: tree.Element) -> dict[tuple[str, ...], str]:
    """The looks that legends name."""
    names, before = {}, None
    for legend in _legends(figure):
        for group in legend:
            if _kind(group) == "text":
                if before is not None:
                    names[_look(before)] = " ".join(words for *_, words, _ in _texts(group))
            else:
                handles = list(group.iter(f"{_SVG}use")) or list(group.iter(f"{_SVG}path"))
                before = handles[-1] if handles else None
    return names


def _middle(element: tree.Element) -> tuple[float, float]:
    if element.tag == f"{_SVG}use":
        return float(element.get("x")), float(element.get("y"))
    across, down = zip(*_points(element), strict=True)
    return (min(across) + max(across)) / 2, (min(down) + max(down)) / 2


def _marks(panel: _Panel) -> Iterator[tuple[tree.Element, tuple[float, float]]]:
    """The marks of a panel, each with the place that it stands for."""
    ground = _ground(panel.group)
    for group in panel.group:
        # A path with a name is the shape of a mark, defined once.
        own = [path for path in group.iter(f"{_SVG}path") if not path.get("id")]
        if _kind(group) == "PathCollection":
            yield from (
                (path, _middle(path))
                for path in [*own, *group.iter(f"{_SVG}use")]
                if _points(path) or path.get("x")
            )
        elif _kind(group) == "line2d":
            yield from ((use, _middle(use)) for use in group.iter(f"{_SVG}use"))
        elif _kind(group) == "patch" and len(own) == 1 and len(corners := _points(own[0])) == 4:
            top, bottom = min(y for _, y in corners), max(y for _, y in corners)
            if group is not ground and bottom - top > _NEAR:
                yield own[0], (_middle(own[0])[0], top)


def _lines(panel: _Panel) -> Iterator[tuple[tree.Element, list[tuple[float, float]]]]:
    """The lines without marks of a panel, and the outlines of histograms, each with places on it."""
    bare = []
    for group in panel.group:
        paths = list(group.iter(f"{_SVG}path"))
        if (
            len(paths) != 1
            or next(group.iter(f"{_SVG}use"), None) is not None
            or len(points := _points(paths[0])) < 3
        ):
            continue
        if _kind(group) == "line2d":
            bare.append((paths[0], points))
        elif _kind(group) == "patch" and len(points) > 4:
            steps = [
                ((one[0] + other[0]) / 2, one[1]) for one, other in pairwise(points) if one[1] == other[1]
            ]
            bare.append((paths[0], [step for step in steps if step[1] < panel.frame[3] - 1]))
    most = _MOST_POINTS if len(bare) <= 4 else _MOST_POINTS // 4
    left, top, right, bottom = panel.frame
    for path, points in bare:
        within = [(x, y) for x, y in points if left - 1 <= x <= right + 1 and top - 1 <= y <= bottom + 1]
        yield path, within[:: max(1, -(-len(within) // most))]


def _interval(panel: _Panel, way: str, place: tuple[float, float]) -> str:
    """The ends of the line that lies ``way`` over a mark, of several near it the nearest."""
    along, across = (0, 1) if way == "x" else (1, 0)
    left, top, right, bottom = panel.frame
    lines = []
    for group in (each for each in panel.group if _kind(each) == "LineCollection"):
        for path in group.iter(f"{_SVG}path"):
            ends = _points(path)
            width = re.search(r"stroke-width: ([\d.]+)", path.get("style", ""))
            if len(ends) != 2 or (width and float(width[1]) > _THICK):
                continue
            first, last = sorted(end[along] for end in ends)
            apart = max(abs(end[across] - place[across]) for end in ends)
            if apart < _NEAR and first - _NEAR <= place[along] <= last + _NEAR:
                lines.append((apart, first, last))
    if not lines:
        return ""
    _, first, last = min(lines, key=lambda line: line[0])
    room = right - left if way == "x" else bottom - top
    ends = (first, last) if way == "x" else (last, first)
    low, high = (panel.scales[way].text(end, room) for end in ends)
    return f" ({low.removesuffix(' %')} to {high})"


def _mark_text(panel: _Panel, place: tuple[float, float], series: str) -> str:
    """What a mark says: its row, its series and its value with the interval; or its values on both axes."""
    left, top, right, bottom = panel.frame
    x, y = panel.scales["x"], panel.scales["y"]
    across, down = x.text(place[0], right - left), y.text(place[1], bottom - top)
    if x.measures and y.measures and across and down:
        subject = ", ".join(filter(None, (panel.title if y.label else "", series)))
        values = f"{x.label or 'across'} {across}; {y.label or panel.title or 'up'} {down}"
        return f"{subject}: {values}{_interval(panel, 'y', place)}" if subject else values
    way, row, value, label = (
        ("x", down, across, x.label) if x.measures and across else ("y", across, down, y.label)
    )
    measured = ", ".join(dict.fromkeys(filter(None, (panel.title, label))))
    subject = ", ".join(filter(None, (row, series)))
    return (
        f"{subject}: " * bool(subject)
        + f"{value}{_interval(panel, way, place)}"
        + f"; {measured}" * bool(measured)
    )


def _cells(panel: _Panel) -> Iterator[tuple[tree.Element, str]]:
    """The cells of a heat map, with the number written into each."""
    texts = [text for group in panel.group if _kind(group) == "text" for text in _texts(group)]
    rows, columns = ([name for _, name in panel.scales[way].places] for way in "yx")
    for mesh in (group for group in panel.group if _kind(group) == "QuadMesh"):
        paths = list(mesh.iter(f"{_SVG}path"))
        for number, path in enumerate(paths if len(paths) == len(rows) * len(columns) else []):
            (left, right), (top, bottom) = (
                (min(side), max(side)) for side in zip(*_points(path), strict=True)
            )
            own = next((words for x, y, words, _ in texts if left < x < right and top < y < bottom), "")
            if own:
                yield path, f"{rows[number // len(columns)]}, {columns[number % len(columns)]}: {own}"


def _attributes(words: str) -> str:
    return f' class="hover" tabindex="-1" role="img" aria-label="{html.escape(words)}"'


def element_marks(svg: bytes, csv: str = "") -> dict[int, tuple[str, str]]:
    """Of the drawn elements of a figure, counted in the order of its file: the attributes by which a mark
    says its value and a panel's ground where a number lies, and what comes before a line to tell its own.
    """
    root = tree.fromstring(svg)
    elements = (each for each in root.iter() if each.tag.removeprefix(_SVG) in _DRAWN)
    order = {element: place for place, element in enumerate(elements)}
    series, additions = _series(root), {}
    if not (
        panels := _panels(root.find(f"{_SVG}g"), tuple(sorted(map(float, _CELL.findall(csv)))))
    ):  # of pictures alone, whose colours a legend explains
        swatches = (path for legend in _legends(root) for path in legend.iter(f"{_SVG}path"))
        additions |= {order[path]: (_KEPT, "") for path in swatches}
    for panel in panels:
        lines = {way: scale.line for way, scale in panel.scales.items() if scale.line}
        where = (f' data-{way}="{zero:.3f} {step:.6g}"' for way, (zero, step) in lines.items())
        additions[order[_ground(panel.group)[0]]] = ("".join(where), "")
        scales = panel.scales.values()
        if any(scale.line or scale.decades for scale in scales) and all(scale.places for scale in scales):
            for element, place in _marks(panel):
                additions[order[element]] = (
                    _attributes(_mark_text(panel, place, series.get(_look(element), ""))),
                    "",
                )
            for element, places in _lines(panel):
                name = series.get(_look(element), "")
                spots = (
                    f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="3"'
                    f"{_attributes(_mark_text(panel, place, name))}></circle>"
                    for place in places
                )
                additions[order[element]] = ("", "".join(spots))
        additions |= {order[path]: (_attributes(text), "") for path, text in _cells(panel)}
    return additions


def on_page(markup: str, svg: bytes, csv: str = "") -> str:
    """The ``markup`` of a figure whose files are ``svg`` and ``csv``, as a page shows it: its marks say their
    values, and its colours follow the page's. What a chapter has said of its marks by itself stays.
    """
    additions = (
        element_marks(svg, csv) if len(_TAG.findall(svg.decode())) == len(_TAG.findall(markup)) else {}
    )
    places = iter(range(len(_TAG.findall(markup))))

    def element(match: re.Match) -> str:
        attributes, before = additions.get(next(places), ("", ""))
        name, rest = match[0].split(maxsplit=1)
        if name != "<text" or "#ffffff" not in rest:  # on a dark cell
            rest = rest if attributes == _KEPT else _COLOUR.sub(in_theme, rest)
        return f"{before}{name}{attributes} {rest}"

    def in_theme(match: re.Match) -> str:
        return f"{match[1]}: var(--figure-{_THEMED[match[2]]})" if match[2] in _THEMED else match[0]

    speaks = any("aria-label" in part for parts in additions.values() for part in parts)
    return _TAG.sub(element, markup.replace('role="img"', 'role="group"', 1) if speaks else markup)
