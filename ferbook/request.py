"""What the user asked for: a profile and overrides, resolved into each chapter's parameters."""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ferbook.book import Chapter, chapters, find_chapter, suite
from ferbook.errors import ParameterError, nearest_name
from ferbook.files import read_yaml
from ferbook.parameters import Parameters, parse_value

LONGEST_NAME = 50
"""Characters of a run's derived name before the rest of it becomes a digest."""


@dataclass(frozen=True)
class Request:
    """What the user asked for: a profile and overrides, either for all chapters or for one."""

    profile: str = field(default_factory=lambda: suite().profile)
    overrides: Mapping[str, object] = field(default_factory=dict)
    """``name`` or ``chapter.name`` -> value (text from the command line, or a value from a YAML file). Where
    two of them concern one parameter, the later wins: ``merge_overrides`` puts them in order."""

    def of_chapter(self, chapter: Chapter) -> Parameters:
        """The chapter's parameters, all resolved. Raises ParameterError."""
        fields = chapter.parameters.model_fields
        own: dict[str, object] = {}
        for name, value in self.overrides.items():
            scope, dot, short = name.rpartition(".")
            if scope == chapter.name or (not dot and short in fields):
                own[short] = value
        return chapter.resolve(self.profile, own)

    def check_names(self) -> None:
        """Raise ParameterError for an override that names no chapter, or no parameter of any chapter."""
        fields = {name for chapter in chapters().values() for name in chapter.parameters.model_fields}
        for name in self.overrides:
            scope, dot, short = name.rpartition(".")
            if dot:
                find_chapter(scope)
            elif short not in fields:
                raise ParameterError(
                    f"no chapter has a parameter {name!r}{nearest_name(name, fields)}; `ferbook params` "
                    "lists them"
                )

    def check(self) -> None:
        """Raise ParameterError for an unknown profile, for an override that names no chapter or no parameter
        of any chapter, and for a value that is not allowed, whichever chapters are to run."""
        self.check_names()
        for chapter in chapters().values():
            self.of_chapter(chapter)

    @property
    def default_run_name(self) -> str:
        """The run's name where the user gives none: what the book says names one, profile and overrides,
        ``laptop-epochs-5``.

        Other parameters make another run, so trying a value never touches the runs one has.
        """
        first = suite().named_by
        values = {name: _plain(value) for name, value in sorted(self.overrides.items())}
        words = [values[name] for name in first if name in values]
        words.append(self.profile)
        words += [f"{name}-{value}" for name, value in values.items() if name not in first]
        name = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)).strip("-")
        if len(name) > LONGEST_NAME:
            digest = hashlib.sha256(repr([*values.items()]).encode()).hexdigest()
            name = f"{name[:LONGEST_NAME]}-{digest[:8]}"
        return name


def _plain(value: object) -> str:
    """A value as names of runs have it, the same for a text of the command line and what it means there."""
    if isinstance(value, list | tuple):
        return ",".join(map(_plain, value))
    text = str(value)
    if text.casefold() in ("true", "false"):
        return text.casefold()
    with suppress(ValueError):
        return text if "_" in text else str(int(text))
    with suppress(ValueError):
        return str(float(text)).removesuffix(".0")
    return text


def merge_overrides(*sources: Mapping[str, object]) -> dict[str, object]:
    """One mapping of overrides from several: a later source wins, and within one ``chapter.name`` over
    ``name``.
    """
    overrides: dict[str, object] = {}
    for source in sources:
        for name in sorted(source, key=lambda name: "." in name):
            overrides.pop(name, None)  # what is applied last wins, so an overridden name moves to the end
            overrides[name] = source[name]
    return overrides


def line_overrides(
    assignments: list[str], file: Path | None, options: Mapping[str, object]
) -> dict[str, object]:
    """Overrides of a command line: ``name=value`` texts and the book's own ``options`` over those of a
    ``file``. Raises ParameterError for a parameter that has a value by both of the former.
    """
    line = parse_assignments(assignments)
    if twice := next((name for name in options if name in line), ""):
        raise ParameterError(f"{twice} is given twice: by -p, and by an option of its own")
    return merge_overrides(read_overrides(file) if file else {}, line | options)


def read_overrides(file: Path) -> dict[str, object]:
    """Overrides from a YAML mapping: ``name: value``, or ``chapter: {name: value}``. Raises
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
    """Overrides from ``name=value`` texts. Raises ParameterError where one has no ``=`` or is given twice."""
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


def stored_request(record: Mapping[str, object]) -> Request:
    """The request that a run's record (``run.yaml``) holds, to bring the run up to date as it was asked for.

    Fields that every chapter has, such as the seed, hold for chapters that the run does not have yet, where
    these allow the value. Fields that models have lost since are left out.
    """
    profile, by_chapter = record["request"]["profile"], record["request"]["parameters"]
    overrides: dict[str, object] = {}
    others = [chapter for chapter in chapters().values() if chapter.name not in by_chapter]
    models = [set(chapter.parameters.model_fields) for chapter in chapters().values()]
    for name in sorted(set.intersection(*models)) if models else ():
        values = [parameters[name] for parameters in by_chapter.values() if name in parameters]
        if values and all(value == values[0] for value in values):
            allowing = [chapter.name for chapter in others if _allows(chapter, name, values[0])]
            if len(allowing) == len(others):
                overrides[name] = values[0]
            else:
                overrides |= {f"{chapter}.{name}": values[0] for chapter in allowing}
    for chapter, parameters in by_chapter.items():
        fields = chapters()[chapter].parameters.model_fields if chapter in chapters() else {}
        overrides |= {f"{chapter}.{name}": value for name, value in parameters.items() if name in fields}
    return Request(profile, overrides)


def _allows(chapter: Chapter, name: str, value: object) -> bool:
    with suppress(ParameterError):
        parse_value(chapter.name, chapter.parameters, name, value)
        return True
    return False
