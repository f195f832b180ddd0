"""Numbers and tables as the page shows them."""

import math
from collections.abc import Mapping

from ferbook.errors import FerError
from ferbook.estimate import Estimate

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


def metric_text(metric: Mapping | Estimate, part: str = "value") -> str:
    """One part of a ``metrics.json`` entry as text: its value, low, high, n, or value with interval.

    Raises MetricError for an unknown part and for one that the metric does not have.
    """
    if part not in METRIC_PARTS:
        raise MetricError(f"{part!r} is not a part of a metric; the parts are {', '.join(METRIC_PARTS)}")
    metric = metric.to_json() if isinstance(metric, Estimate) else metric
    if part == "interval":
        return interval_text(metric)
    if metric.get(part) is None:
        raise MetricError(f"it has no {part}")
    return number_text(metric[part], "count" if part == "n" else metric.get("unit", ""))


def bounds_text(value: float, low: float | None, high: float | None, unit: str = "") -> str:
    """``93.1 % (90.2–95.4)``: a value with its bounds, if it has any, short enough for a table's cell."""
    text = number_text(value, unit)
    if low is None or high is None:
        return text
    percent = f"{NO_BREAK}%"
    to = " to " if low < 0 else "–"  # a dash beside a minus sign cannot be read
    first, last = (number_text(bound, unit).removesuffix(percent) for bound in (low, high))
    return f"{text} ({first}{to}{last})"


def interval_text(metric: Mapping | Estimate) -> str:
    """``93.1 % (95 % interval 90.2–95.4 %)``: an estimate with its interval, or with the reason why it has
    none.

    ``metric`` is an estimate or its entry in ``metrics.json``. Raises MetricError where it has neither an
    interval nor a reason, or low > high.
    """
    entry = metric.to_json() if isinstance(metric, Estimate) else metric
    value, unit = number_text(entry["value"], entry.get("unit", "")), entry.get("unit", "")
    if entry.get("why"):
        return f"{value} (no interval: {entry['why']})"
    absent = [name for name in ("low", "high") if entry.get(name) is None]
    if absent:
        raise MetricError(f"it has no interval, and nothing says why: {', '.join(absent)} absent")
    if entry["low"] > entry["high"]:
        raise MetricError(f"its interval is upside down: low {entry['low']} > high {entry['high']}")
    low, high = number_text(entry["low"], unit), number_text(entry["high"], unit)
    if unit == "share":
        low = low.removesuffix(f"{NO_BREAK}%")
    to = " to " if entry["low"] < 0 else "–"  # a dash beside a minus sign cannot be read
    level = 100 * entry.get("level", 0.95)
    return f"{value} ({level:g}{NO_BREAK}% interval {low}{to}{high})"
