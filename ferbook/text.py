"""Numbers and tables as the page shows them."""

import math

from ferbook.errors import FerError, nearest_name
from ferbook.estimate import Estimate

METRIC_PARTS = ("value", "interval", "low", "high", "n")

OTHER_CODE = ".other-code"
"""Ending of the file that says, beside a chapter's metrics, that other code than today's made them."""

NO_BREAK = "\u00a0"
PERCENT = f"{NO_BREAK}%"


class MetricError(FerError):
    """A metric lacks what is asked of it, or holds something that is not a number."""


def number_text(value: float, unit: str = "") -> str:
    """``value`` as a reader wants it, by ``unit``.

    ``share`` (0 to 1): ``93.1 %``; ``count``: ``1,728``; ``seconds``: ``84 s``, ``2 min 10 s`` or
    ``1 h 05 min``; anything else: three significant digits, without an exponent between 0.001
    and a million. Spaces inside a number do not break. Raises MetricError for what is not a
    finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MetricError(f"{value!r} is not a finite number")
    if unit == "share":
        return f"{100 * value:.1f}{PERCENT}"
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


def metric_text(metric: Estimate, part: str = "value") -> str:
    """One part of a metric as text: its value, low, high, n, or value with interval.

    Raises MetricError for an unknown part and for one that the metric does not have.
    """
    if part not in METRIC_PARTS:
        near = nearest_name(part, METRIC_PARTS)
        raise MetricError(
            f"{part!r} is not a part of a metric{near}; the parts are {', '.join(METRIC_PARTS)}"
        )
    if part == "interval":
        return interval_text(metric)
    if getattr(metric, part) is None:
        raise MetricError(f"it has no {part}")
    return number_text(getattr(metric, part), "count" if part == "n" else metric.unit)


def _limits_text(metric: Estimate, unit: str) -> str:
    low, high = number_text(metric.low, unit), number_text(metric.high, unit)
    to = " to " if metric.low < 0 else "–"  # a dash beside a minus sign cannot be read
    return f"{low.removesuffix(PERCENT)}{to}{high}"


def bounds_text(metric: Estimate, unit: str = "") -> str:
    """``93.1 % (90.2–95.4)``: a value, by its own unit or ``unit``, with its bounds, if it has any, short
    enough for a table's cell.
    """
    unit = unit or metric.unit
    text = number_text(metric.value, unit)
    return text if metric.low is None else f"{text} ({_limits_text(metric, unit).removesuffix(PERCENT)})"


def interval_text(metric: Estimate) -> str:
    """``93.1 % (95 % interval 90.2–95.4 %)``: an estimate with its interval, or with the reason why it has
    none. Raises MetricError where it has neither.
    """
    value = number_text(metric.value, metric.unit)
    if metric.why:
        return f"{value} (no interval: {metric.why})"
    if metric.low is None:
        raise MetricError("it has no interval, and nothing says why")
    return f"{value} ({100 * metric.level:g}{PERCENT} interval {_limits_text(metric, metric.unit)})"
