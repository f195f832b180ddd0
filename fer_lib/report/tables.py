"""Numbers and tables as the page shows them."""

import html
import math
import re
from collections.abc import Callable, Mapping

import pandas as pd

from fer_lib.errors import FerError
from fer_lib.faces.faceset import SPLITS, UNLABELLED, FaceSet

METRIC_PARTS = ("value", "interval", "low", "high", "n")

NO_BREAK = "\u00a0"


class MetricError(FerError):
    """A metric lacks what is asked of it, or holds something that is not a number."""


def number_text(value: float, unit: str = "") -> str:
    """``value`` as a reader wants it, by unit.

    ``share`` (0 to 1): ``93.1 %``; ``count``: ``1,728``; ``seconds``: ``84 s``, ``2 min 10 s`` or
    ``1 h 05 min``; anything else: three significant digits, without an exponent between 0.001
    and a million. Spaces inside a number do not break. Raises MetricError for what is not a
    finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MetricError(f"{value!r} is not a finite number")
    if unit == "share":
        return f"{100 * value:.1f}{NO_BREAK}%"
    if unit == "count":
        return f"{round(value):,}"
    if unit == "seconds":
        return _duration_text(value)
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    if not 1e-3 <= abs(rounded) < 1e6:
        return f"{value:.2e}"
    return f"{rounded:,.{max(0, 2 - math.floor(math.log10(abs(rounded))))}f}"


def _duration_text(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f}{NO_BREAK}s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}{NO_BREAK}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}{NO_BREAK}min{NO_BREAK}{rest}{NO_BREAK}s"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours}{NO_BREAK}h{NO_BREAK}{minutes:02d}{NO_BREAK}min"


def metric_text(metric: Mapping, part: str = "value") -> str:
    """One part of a ``metrics.json`` entry as text: its value, low, high, n, or value with interval.

    Raises MetricError for an unknown part and for one that the metric does not have.
    """
    if part not in METRIC_PARTS:
        raise MetricError(f"{part!r} is not a part of a metric; the parts are {', '.join(METRIC_PARTS)}")
    if part == "interval":
        return interval_text(metric)
    if metric.get(part) is None:
        raise MetricError(f"it has no {part}")
    return number_text(metric[part], "count" if part == "n" else metric.get("unit", ""))


def interval_text(metric: Mapping) -> str:
    """``93.1 % (95 % interval 90.2–95.4 %)``: an estimate with its interval.

    ``metric`` is an entry of ``metrics.json`` with ``value``, ``low``, ``high`` and ``interval``,
    whose text begins with the level (``95 % subject-cluster bootstrap …``). Where no interval could be
    computed the text says why (``none: …``), and so does the result. Raises MetricError where one of
    them is absent without a reason, or low > high.
    """
    why_none = str(metric.get("interval", "")).partition("none: ")[2]
    if why_none:
        return f"{number_text(metric['value'], metric.get('unit', ''))} (no interval: {why_none})"
    absent = [name for name in ("value", "low", "high", "interval") if metric.get(name) is None]
    if absent:
        raise MetricError(f"it has no interval: {', '.join(absent)} absent")
    level = re.match(r"(\d+(?:\.\d+)?)\s*%", metric["interval"])
    if level is None:
        raise MetricError(f"its interval {metric['interval']!r} does not begin with a level such as 95 %")
    if metric["low"] > metric["high"]:
        raise MetricError(f"its interval is upside down: low {metric['low']} > high {metric['high']}")
    unit = metric.get("unit", "")
    low, high = number_text(metric["low"], unit), number_text(metric["high"], unit)
    if unit == "share":
        low = low.removesuffix(f"{NO_BREAK}%")
    to = " to " if metric["low"] < 0 else "–"  # a dash beside a minus sign cannot be read
    return f"{number_text(metric['value'], unit)} ({level[1]}{NO_BREAK}% interval {low}{to}{high})"


def split_table(faces: FaceSet) -> pd.DataFrame:
    """How many pictures and subjects each split holds, and how many pictures of each class.

    Columns: the splits that have pictures, then ``total``. Rows: ``pictures``; ``subjects`` (missing where
    a picture does not say who is on it); one per class in the order of ``faces.classes``; ``no emotion`` where some have none.
    """
    table = faces.table
    classes = {emotion: emotion for emotion in faces.classes}
    if table["emotion"].eq(UNLABELLED).any():
        classes["no emotion"] = UNLABELLED
    columns = {}
    for split in (*SPLITS, "total"):
        part = table if split == "total" else table[table["split"].eq(split)]
        if part.empty:
            continue
        known = part["subject"].ne("").all()
        counts = part["emotion"].value_counts()
        columns[split] = {
            "pictures": len(part),
            "subjects": part["subject"].nunique() if known else pd.NA,
            **{name: int(counts.get(emotion, 0)) for name, emotion in classes.items()},
        }
    return pd.DataFrame(columns, dtype="Int64").rename_axis("")


def au_table(faces: FaceSet) -> pd.DataFrame:
    """How often each action unit was coded and seen; one row per AU of ``faces.aus``.

    Columns: ``coded`` and ``present`` (pictures), ``people`` who show it (missing where a set does not know its
    people), ``intensity`` (mean over the pictures that show it, 0 to 1; NaN where none does).
    """
    rows = {}
    for au in faces.aus:
        values = faces.table[au]
        shown = values.gt(0)
        people = faces.table.loc[shown, "subject"]
        rows[au] = {
            "coded": int(values.notna().sum()),
            "present": int(shown.sum()),
            "people": people.nunique() if people.ne("").all() else pd.NA,
            "intensity": values[shown].mean(),
        }
    columns = ["coded", "present", "people", "intensity"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("")


INFORMATION_FORMATS = {
    "adjusted information": lambda share: f"{share:.2f}",
    "p": lambda p: f"{p:.3f}",
    "acts in": "share",
    "pictures": "count",
}


def information_table(information: pd.DataFrame) -> pd.DataFrame:
    """``faces.au_statistics.mutual_information`` for the page: the unit that the emotion tells most about first.

    ``adjusted information`` is its ``share``.
    """
    kept = information.rename(
        columns={
            "n": "pictures",
            "present": "acts in",
            "share": "adjusted information",
        }
    ).sort_values("adjusted information", ascending=False)
    return kept[list(INFORMATION_FORMATS)].rename_axis("")


def people_table(faces: FaceSet) -> pd.DataFrame:
    """How many pictures and sequences people have: least, median and most, in each split."""
    known = faces.table[faces.table["subject"].ne("")]
    per_person = known.groupby(["split", "subject"]).agg(
        pictures=("frame", "size"), sequences=("sequence", "nunique")
    )
    found = {
        split: {
            "people": len(part),
            **{
                f"{what}, {name}": float(getattr(part[what], function)())
                for what in ("pictures", "sequences")
                for name, function in (("least", "min"), ("median", "median"), ("most", "max"))
            },
        }
        for split, part in ((s, per_person[per_person.index.get_level_values(0) == s]) for s in SPLITS)
        if len(part)
    }
    return pd.DataFrame(found).rename_axis("")


def records_table(metrics: Mapping[str, Mapping], names: Mapping[str, str]) -> pd.DataFrame:
    """Metrics as a table for the page: one row per entry of ``names`` (metric name → what it is).

    Columns: ``measure``, ``value``, ``interval`` (``low–high``, a dash where there is none),
    ``n``. Values are text, formatted by unit. Raises MetricError for a name that ``metrics`` lacks.
    """
    rows = []
    for name, label in names.items():
        if name not in metrics:
            raise MetricError(f"no metric {name!r}; there are {', '.join(sorted(metrics)) or 'none'}")
        metric = metrics[name]
        low, high, n = (metric.get(part) for part in ("low", "high", "n"))
        unit = metric.get("unit", "")
        bounded = low is not None and high is not None
        rows.append(
            {
                "measure": label,
                "value": number_text(metric["value"], unit),
                "interval": f"{number_text(low, unit)} – {number_text(high, unit)}" if bounded else "–",
                "n": "–" if n is None else number_text(n, "count"),
            }
        )
    return pd.DataFrame(rows, columns=["measure", "value", "interval", "n"])


def as_html(
    table: pd.DataFrame,
    caption: str,
    formats: Mapping[str, str | Callable[[object], str]] | None = None,
) -> str:
    """``table`` as an accessible HTML table: a caption, and header cells with their scope, ``_`` shown as a space.

    The index becomes the row headers, unless it is the plain 0 … n-1. ``formats`` gives per column a
    unit of ``number_text``, or a function from a cell to text. Missing cells show a dash. All text
    is escaped.
    """
    formats = formats or {}
    plain_index = isinstance(table.index, pd.RangeIndex) and table.index.name is None
    frame = table if plain_index else table.reset_index()
    texts = [
        [html.escape(_cell_text(cell, formats.get(name, ""))) for cell in frame.iloc[:, place]]
        for place, name in enumerate(frame.columns)
    ]
    kinds = ["number" if all(map(_is_numeric, column)) else "text" for column in texts]
    head = "".join(
        f'<th scope="col" class="{kind}">{html.escape(str(name).replace("_", " "))}</th>'
        for name, kind in zip(frame.columns, kinds, strict=True)
    )
    body = []
    for first, *others in zip(*texts, strict=True):
        cells = [f'<th scope="row">{first}</th>']
        cells += [f'<td class="{kind}">{text}</td>' for text, kind in zip(others, kinds[1:], strict=True)]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="suite-table" tabindex="0" role="region" '
        f'aria-label="{html.escape(caption)}"><table><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _is_numeric(text: str) -> bool:
    return text[:1] in "0123456789-−–"


def _cell_text(cell: object, form: str | Callable[[object], str]) -> str:
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        return "–"
    if callable(form):
        return form(cell)
    if isinstance(cell, str | bool):
        return str(cell)
    # NumPy scalars are not the built-in types that number_text accepts.
    value = cell.item() if hasattr(cell, "item") else cell
    if isinstance(value, int) and form == "":
        return f"{value:,}"
    return number_text(value, form) if isinstance(value, int | float) else str(value)
