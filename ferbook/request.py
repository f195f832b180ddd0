"""The user's request: a profile and overrides, resolved into each chapter's parameters."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path

from ferbook.book import Chapter, chapters, find_chapter, suite
from ferbook.errors import ParameterError, nearest_name
from ferbook.files import read_yaml
from ferbook.parameters import Parameters, parse_value, type_name

# Runs of one command.
MOST_RUNS = 100
# Characters of a run's derived name before the rest of it becomes a digest.
LONGEST_NAME = 50
# Values that a run's name holds as they are; of others it has a digest, too.
_SPELLED = re.compile(r"[A-Za-z0-9]([._-]?[A-Za-z0-9])*")


@dataclass(frozen=True)
class Request:
    """The user's request: a profile and overrides, either for all chapters or for one."""

    profile: str = field(default_factory=lambda: suite().profile)
    # ``name`` or ``chapter.name`` -> value (text from the command line, or a value from a YAML file). Where
    # two of them concern one parameter, the later wins: ``merge_overrides`` puts them in order.
    overrides: Mapping[str, object] = field(default_factory=dict)

    _resolved: dict[str, Parameters] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of_chapter(self, chapter: Chapter) -> Parameters:
        """Return the chapter's parameters, resolved at their first use. Raises ParameterError."""
        if chapter.name not in self._resolved:
            own: dict[str, object] = {}
            for name, value in self.overrides.items():
                scope, dot, short = name.rpartition(".")
                if scope == chapter.name or (not dot and short in chapter.parameters.model_fields):
                    own[short] = value
            self._resolved[chapter.name] = chapter.resolve(self.profile, own)
        return self._resolved[chapter.name]

    def check_names(self) -> None:
        """Raise ParameterError for an override that names no chapter, or no parameter of any chapter."""
        fields = {name for chapter in chapters().values() for name in chapter.parameters.model_fields}
        for name in self.overrides:
            scope, dot, short = name.rpartition(".")
            if dot:
                find_chapter(scope)
            elif short not in fields:
                what = f"no chapter has a parameter {name!r}{nearest_name(name, fields)}"
                raise ParameterError(f"{what}; `ferbook params` lists them")

    def check(self, first: Sequence[str] = ()) -> None:
        """Raise ParameterError for an unknown profile, for an override that names no chapter or no parameter
        of any chapter, and for a value that some chapter does not allow: of several such one named ``first``.
        """
        self.check_names()
        for chapter in sorted(chapters().values(), key=lambda chapter: chapter.name not in first):
            try:
                self.of_chapter(chapter)
            except ParameterError as fault:
                every = [name for name in self.overrides if f"{chapter.name}.{name} = " in str(fault)]
                if not every:
                    raise
                raise ParameterError(f"{fault}; -p CHAPTER.{every[0]}=… is for one chapter only") from fault

    def require_effect(self, closure: list[Chapter]) -> None:
        """Raise ParameterError for an override that no chapter of ``closure``, which are to run, takes, and
        for one that acts on nothing in all that do.
        """
        idle = {c.name: c.parameters.idle(self.of_chapter(c).model_dump()) for c in closure}
        for name in self.overrides:
            short, (first, *others) = name.rpartition(".")[2], takers(name, closure)
            if all(short in idle[chapter.name] for chapter in (first, *others)):
                raise ParameterError(f"{first.name}.{short} acts on nothing: {idle[first.name][short]}")

    @property
    def default_run_name(self) -> str:
        """The run's name where the user gives none: what the book says names one, profile and overrides,
        ``laptop-epochs-5``.

        Other parameters make another run, so trying a value never touches the runs one has: what cannot be
        spelled in a name, such as the sign of -1, is in a digest at its end.
        """
        first = suite().named_by
        values = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in sorted(self.overrides.items())
        }
        words = [*(values[name] for name in first if name in values), self.profile]
        words += [f"{name}-{value}" for name, value in values.items() if name not in first]
        name = re.sub(r"[^A-Za-z0-9._]+|\.\.+", "-", "-".join(words)).strip("-._")
        if len(name) > LONGEST_NAME or not all(map(_SPELLED.fullmatch, values.values())):
            digest = hashlib.sha256(repr([*values.items()]).encode()).hexdigest()
            name = f"{name[:LONGEST_NAME]}-{digest[:8]}"
        return name


def takers(name: str, closure: list[Chapter]) -> list[Chapter]:
    """Return the chapters of ``closure``, which are to run, that an override of that ``name`` concerns.
    Raises ParameterError where there is none.
    """
    scope, _, short = name.rpartition(".")
    found = [c for c in closure if short in c.parameters.model_fields and scope in ("", c.name)]
    if not found:
        names = ", ".join(chapter.name for chapter in closure)
        raise ParameterError(f"{name}: no chapter that is to run takes it: these are {names}")
    return found


_SIGNS = re.compile(r"\.\.|,|;")


def requests_of(request: Request, closure: list[Chapter]) -> list[Request]:
    """``request`` alone, or where texts list several values of a parameter (``parameter_values``) one request
    for each combination, in order, for the chapters ``closure``.

    Raises ParameterError for more than ``MOST_RUNS`` of them.
    """
    request.check_names()
    given = request.overrides.items()
    texts = {name: text for name, text in given if isinstance(text, str) and _SIGNS.search(text)}
    values = {name: parameter_values(name, text, closure) for name, text in texts.items()}
    count = prod(map(len, values.values()))
    if count > MOST_RUNS:
        raise ParameterError(f"{count:,} runs are more than {MOST_RUNS}; request some of them at a time")
    combinations = (dict(zip(values, some, strict=True)) for some in product(*values.values()))
    # In their old places: of two that concern one parameter the later wins.
    return [Request(request.profile, {**request.overrides, **own}) for own in combinations]


def parameter_values(name: str, text: str, closure: list[Chapter]) -> list[object]:
    """Return the values that ``text`` gives the parameter ``name`` of the last of the chapters ``closure``
    that takes it.

    ``0..19`` is a range of whole numbers, both ends in it; commas part values and ranges, semicolons those of
    a parameter that is a list itself. Raises ParameterError as ``takers``, and for no value, a range that is
    empty or of what is no whole number or of more than ``MOST_RUNS``, and for a value that is not allowed.
    """
    chapter, short = takers(name, closure)[-1], name.rpartition(".")[2]

    def own(value: str | int) -> object:
        return parse_value(chapter.name, chapter.parameters, short, value)

    field = chapter.parameters.model_fields[short]
    separator = ";" if ";" in text else ","
    if separator == ",":
        with suppress(ParameterError):
            return [own(text)]
    values: dict[object, None] = {}
    for part in map(str.strip, text.split(separator)):
        low, dots, high = part.partition("..")
        if not part:
            raise ParameterError(f"{name} = {text!r}: a value is empty; 0..19 is a range, lab,wild are two")
        if not dots:
            values[own(part)] = None
            continue
        if field.annotation is not int:
            raise ParameterError(
                f"{name} = {part!r}: a range is of whole numbers, and {name} is of type {type_name(field)}; "
                "list its values, with commas between"
            )
        try:
            first, last = own(int(low)), own(int(high))
        except ValueError as fault:
            raise ParameterError(f"{name} = {part!r} is no range; 0..19 is one of twenty numbers") from fault
        if last < first:
            raise ParameterError(f"{name} = {part!r} is empty: {last} is below {first}")
        if last - first >= MOST_RUNS:
            count = last - first + 1
            raise ParameterError(
                f"{name} = {part!r}: {count:,} runs are more than {MOST_RUNS}; request some of them at a time"
            )
        values |= dict.fromkeys(range(first, last + 1))
    return list(values)


def merge_overrides(*sources: Mapping[str, object]) -> dict[str, object]:
    """Return one mapping of overrides from several: a later source wins, and within one ``chapter.name`` over
    ``name``.
    """
    overrides: dict[str, object] = {}
    for source in sources:
        for name in sorted(source, key=lambda name: "." in name):
            overrides.pop(name, None)  # what is applied last wins, so an overridden name moves to the end
            overrides[name] = source[name]
    return overrides


def read_overrides(file: Path) -> dict[str, object]:
    """Return overrides from a YAML mapping: ``name: value``, or ``chapter: {name: value}``. Raises
    ParameterError.
    """
    content = read_yaml(file, ParameterError)
    if not isinstance(content, dict):
        raise ParameterError(f"{file}: expected a mapping of parameter names to values")
    overrides: dict[str, object] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            pairs = {f"{name}.{key}": item for key, item in value.items()}
        else:
            pairs = {str(name): value}
        if twice := pairs.keys() & overrides.keys():
            raise ParameterError(f"{file}: {', '.join(twice)} is given twice")
        overrides |= pairs
    return overrides


def parse_assignments(assignments: list[str]) -> dict[str, object]:
    """Return overrides from ``name=value`` texts. Raises ParameterError where one has no ``=`` or is given
    twice.
    """
    overrides: dict[str, object] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ParameterError(f"{text}: expected NAME=VALUE, for example epochs=5")
        if name in overrides:
            raise ParameterError(f"{name} is given twice")
        overrides[name] = value.strip()
    return overrides


def stored_request(stored: Mapping[str, object]) -> Request:
    """Return the request that a run's record (``run.yaml``) holds, to bring the run up to date.

    A chapter that the run does not have yet takes what was last given for every chapter, and else its own
    defaults. Fields that models have lost since are left out.
    """
    known = {name: chapter.parameters.model_fields for name, chapter in chapters().items()}
    every = stored.get("every", {}).items()
    overrides = {name: value for name, value in every if any(name in fields for fields in known.values())}
    for chapter, parameters in stored["parameters"].items():
        fields = known.get(chapter, {})
        overrides |= {f"{chapter}.{name}": value for name, value in parameters.items() if name in fields}
    return Request(stored["profile"], overrides)


def varied_parameters(requests: Sequence[Mapping[str, Mapping[str, object]]]) -> list[dict[str, object]]:
    """Return, for each run's parameters by chapter, those in which the runs differ: by their name, or by
    ``chapter.name`` where chapters differ in it, too; None where a run has none such, or it acts on nothing
    there. Chapters that some requests lack are left out, and what differs in nothing where it acts.
    """
    columns: dict[str, dict[tuple, list[str]]] = {}
    for chapter in [name for name in requests[0] if all(name in request for request in requests)]:
        idle_in = chapters()[chapter].parameters.idle
        acting = [request[chapter] | dict.fromkeys(idle_in(request[chapter])) for request in requests]
        for name in dict.fromkeys(name for each in acting for name in each):
            values = tuple(each.get(name) for each in acting)
            if len({each.get(name, "absent") for each in acting} - {None}) > 1:
                columns.setdefault(name, {}).setdefault(values, []).append(chapter)
    rows: list[dict[str, object]] = [{} for _ in requests]
    for name, ways in columns.items():
        for values, owners in ways.items():
            for title in [name] if len(ways) == 1 else [f"{owner}.{name}" for owner in owners]:
                for row, value in zip(rows, values, strict=True):
                    row[title] = value
    return rows
