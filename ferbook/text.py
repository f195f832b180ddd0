"""Numbers and intervals as text, as pages and the command line show them."""

import math
from collections.abc import Iterable

from ferbook.errors import FerError, nearest_name
from ferbook.estimate import Estimate

METRIC_PARTS = ("value", "interval", "low", "high", "n")

# Ending of the file next to a chapter's metrics which says that other code than today's produced them.
OTHER_CODE = ".other-code"

NO_BREAK = "\u00a0"
PERCENT = f"{NO_BREAK}%"
MINUS = "\u2212"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class MetricError(FerError):
    """A metric lacks a part that is quoted, or holds something that is not a number."""


def number_text(value: float, unit: str = "", decimals: int | None = None) -> str:
    """Format a number for a reader.

    Parameters
    ----------
    value : float
    unit : str
        ``share`` (0 to 1): ``93.1 %``; ``points`` (differences of percentages): ``+1.2``; ``count``:
        ``1,728``; ``seconds``: ``84 s``, ``2 min 10 s`` or ``1 h 05 min``; anything else: three significant
        digits, ``5.89 × 10⁻⁴``.
    decimals : int or None
        Of a share, points and anything else.

    Returns
    -------
    str
        With a minus sign, and without a place where a line may break; only zero is shown as zero.

    Raises
    ------
    MetricError
        For what is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MetricError(f"{value!r} is not a finite number")
    if unit == "share":
        return f"{_fixed(100 * value, 1 if decimals is None else decimals)}{PERCENT}"
    if unit == "points":
        text = _fixed(value, 1 if decimals is None else decimals)
        return f"+{text}" if value > 0 and text.strip("0.") else text
    if unit == "count":
        return _fixed(value, 0)
    if unit == "seconds":
        return _duration_text(value)
    return _significant(value) if decimals is None else _fixed(value, decimals)


def _fixed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    return text.replace("-", MINUS if text.strip("-0.,") else "")


def _significant(value: float) -> str:
    rounded = float(f"{value:.3g}")
    if rounded == 0:
        return "0"
    power = math.floor(math.log10(abs(rounded)))
    if -4 < power < 9:
        return _fixed(rounded, max(0, 2 - power))
    return f"{_fixed(rounded / 10**power, 2)}{NO_BREAK}×{NO_BREAK}10{str(power).translate(_RAISED)}"


def decimals_of(metrics: Iterable[Estimate], unit: str = "") -> int | None:
    """Return the decimals that show two digits of half an interval, of the narrowest of several ``metrics``;
    None where there is no interval, and where they differ so much that they measure different things.
    """
    halves = [
        (each.high - each.low) / 2 * (100 if (unit or each.unit) == "share" else 1)
        for each in metrics
        if each.low is not None and each.high > each.low
    ]
    decimals = {min(6, max(0, 1 - math.floor(math.log10(half)))) for half in halves}
    return max(decimals) if decimals and max(decimals) - min(decimals) <= 1 else None


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
    """Format one part of a metric: ``value``, ``low``, ``high``, ``n``, or ``interval``, the value with it.

    Raises
    ------
    MetricError
        For an unknown part, and for one that the metric does not have.
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
    if part == "n":
        return number_text(metric.n, "count")
    return number_text(getattr(metric, part), metric.unit, decimals_of([metric]))


def _limits_text(metric: Estimate, unit: str, decimals: int | None) -> str:
    low, high = (number_text(end, unit, decimals) for end in (metric.low, metric.high))
    to = " to " if metric.low < 0 else "–"  # a dash next to a minus sign cannot be read
    return f"{low.removesuffix(PERCENT)}{to}{high}"


def bounds_text(metric: Estimate, unit: str = "", decimals: int | None = None, bare: str = "") -> str:
    """Format a value with its bounds, short enough for a cell of a table: ``93.1 % (90.2–95.4)``.

    Parameters
    ----------
    metric : Estimate
    unit : str
        As of ``number_text``; by default that of the metric.
    decimals : int or None
        By default as many as the width of the interval justifies.
    bare : str
        Follows a value that has no bounds and is not a count.
    """
    unit = unit or metric.unit
    decimals = decimals_of([metric], unit) if decimals is None else decimals
    text = number_text(metric.value, unit, decimals)
    if metric.low is None:
        return text + bare * (metric.unit != "count")
    return f"{text} ({_limits_text(metric, unit, decimals).removesuffix(PERCENT)})"


def interval_text(metric: Estimate) -> str:
    """Format an estimate with its interval, ``93.1 % (95 % interval 90.2–95.4 %)``, or why it has none.

    Raises MetricError where it has neither.
    """
    decimals = decimals_of([metric])
    value = number_text(metric.value, metric.unit, decimals)
    if metric.why:
        return f"{value} (no interval: {metric.why})"
    if metric.low is None:
        raise MetricError("it has no interval, and nothing says why")
    limits = _limits_text(metric, metric.unit, decimals)
    return f"{value} ({100 * metric.level:g}{PERCENT} interval {limits})"
