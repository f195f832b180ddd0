"""What a sweep varies: ranges and lists of values, and each combination of them as a request."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from math import prod

from ferbook.book import Chapter
from ferbook.errors import ParameterError
from ferbook.parameters import parse_value, type_name
from ferbook.request import Request

MOST_RUNS = 100
"""Runs of a sweep that nobody has to confirm."""
SEED_FIELD = "seed"
"""The parameter whose values are repetitions, not settings."""

_SIGNS = re.compile(r"\.\.|,|;")
_RANGE = re.compile(r"\s*(-?\d+)\s*\.\.\s*(-?\d+)\s*")


@dataclass(frozen=True)
class Point:
    """One run of a sweep: the ``values`` of what is varied, and all that is asked for."""

    values: Mapping[str, object]
    request: Request


def is_seed(name: str) -> bool:
    """Whether the parameter, perhaps of one chapter only, is a seed."""
    return name.rpartition(".")[2] == SEED_FIELD


def _own(chapter: Chapter, name: str, value: object) -> object:
    return parse_value(chapter.name, chapter.parameters, name.rpartition(".")[2], value)


def _taker(name: str, closure: list[Chapter]) -> Chapter | None:
    """The chapter of ``closure`` that takes the parameter ``name``, the last where there are several."""
    scope, _, short = name.rpartition(".")
    takers = (c for c in reversed(closure) if short in c.parameters.model_fields and scope in ("", c.name))
    return next(takers, None)


def sweep_values(
    name: str, text: str, closure: list[Chapter], most: int | None = None
) -> list[object] | range:
    """The values that ``text`` gives the parameter ``name`` of the last of the chapters ``closure``, or of
    one that it depends on.

    ``0..19`` is a range of whole numbers, both ends in it; commas part values and ranges, semicolons those of
    a parameter that is a list itself. Raises ParameterError for no value, a range that is empty or of what is
    no whole number, in a list one of more than ``most``, and for a value that is not allowed.
    """
    chapter = _taker(name, closure)
    if chapter is None:
        raise ParameterError(
            f"{name}: neither {closure[-1].name!r} nor a chapter that it depends on takes it: all runs would "
            "find the same"
        )
    field = chapter.parameters.model_fields[name.rpartition(".")[2]]
    separator = ";" if ";" in text else ","
    if separator == ",":
        with suppress(ParameterError):
            return [_own(chapter, name, text)]
    parts = text.split(separator)
    values: dict[object, None] = {}
    for part in map(str.strip, parts):
        if ".." not in part:
            if not part:
                raise ParameterError(
                    f"{name} = {text!r}: a value is empty; 0..19 is a range, lab,wild are two"
                )
            values[_own(chapter, name, part)] = None
            continue
        if field.annotation is not int:
            raise ParameterError(
                f"{name} = {part!r}: a range is of whole numbers, and {name} is of type {type_name(field)}; "
                "list its values, with commas between"
            )
        match = _RANGE.fullmatch(part)
        if not match:
            raise ParameterError(f"{name} = {part!r} is no range; 0..19 is one of twenty whole numbers")
        low, high = map(int, match.groups())
        if high < low:
            raise ParameterError(f"{name} = {part!r} is empty: {high} is below {low}")
        for end in (low, high):
            _own(chapter, name, end)
        numbers = range(low, high + 1)
        if len(parts) == 1:
            return numbers  # however many: they are counted before they are listed
        if most is not None and len(numbers) > most:
            raise ParameterError(
                f"{name} = {part!r}: {len(numbers):,} runs are more than {most}; --yes makes them all"
            )
        values |= dict.fromkeys(numbers)
    return list(values)


def points_of(
    profile: str, choices: Mapping[str, object], closure: list[Chapter], most: int | None
) -> tuple[Request, list[Point]]:
    """What holds for every run, and the runs: each combination of the values in ``choices`` (see
    ``sweep_values``), in order.

    Raises ParameterError where nothing varies, and for more than ``most`` runs.
    """
    Request(profile, choices).check_names()
    values = {
        name: sweep_values(name, text, closure, most)
        for name, text in choices.items()
        if isinstance(text, str) and (_taker(name, closure) or _SIGNS.search(text))
    }
    varied = {name: some for name, some in values.items() if len(some) > 1 or ".." in choices[name]}
    if not varied:
        raise ParameterError("nothing varies; a sweep needs a range or a list, as -p seed=0..19")
    count = prod(map(len, varied.values()))
    if most is not None and count > most:
        raise ParameterError(f"{count:,} runs are more than {most}; --yes makes them all")
    fixed = {name: values.get(name, [text])[0] for name, text in choices.items() if name not in varied}
    combinations = (dict(zip(varied, some, strict=True)) for some in product(*varied.values()))
    return Request(profile, fixed), [point_of(profile, [*choices], fixed, own) for own in combinations]


def point_of(
    profile: str, names: Sequence[str], fixed: Mapping[str, object], own: Mapping[str, object]
) -> Point:
    """The run with its ``own`` values beside the ``fixed`` ones, in the order of ``names``: of two that
    concern one parameter the later wins.
    """
    return Point(own, Request(profile, {name: own[name] if name in own else fixed[name] for name in names}))
