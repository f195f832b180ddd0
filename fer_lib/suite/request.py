"""What the user asked for: a profile and overrides, resolved into each chapter's parameters."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from fer_lib.errors import ParameterError
from fer_lib.params import ChapterParameters, nearest_name, resolve
from fer_lib.suite.chapters import CHAPTERS, Chapter, find_chapter

LONGEST_NAME = 50
"""Characters of a run's derived name before the rest of it becomes a digest."""


@dataclass(frozen=True)
class Request:
    """What the user asked for: a profile and overrides, either for all chapters or for one."""

    profile: str = "laptop"
    overrides: Mapping[str, object] = field(default_factory=dict)
    """``name`` or ``chapter.name`` -> value (text from the command line, or a value from a YAML file)."""

    def of_chapter(self, chapter: Chapter) -> ChapterParameters:
        """The chapter's parameters, all resolved. Raises ParameterError."""
        fields = chapter.parameters.model_fields
        own: dict[str, object] = {}
        for name, value in self.overrides.items():
            scope, dot, short = name.rpartition(".")
            if scope == chapter.name or (not dot and short in fields):
                own[short] = value
        return resolve(chapter.name, chapter.parameters, self.profile, own)

    def check(self) -> None:
        """Raise ParameterError for an override that names no chapter or no parameter of any chapter."""
        known = {name for chapter in CHAPTERS.values() for name in chapter.parameters.model_fields}
        for name in self.overrides:
            scope, dot, short = name.rpartition(".")
            if dot:
                find_chapter(scope)
            elif short not in known:
                raise ParameterError(
                    f"no chapter has a parameter {name!r}{nearest_name(name, known)}; `ferbook params` lists them"
                )

    @property
    def default_run_name(self) -> str:
        """The run's name where the user gives none: face set, profile and overrides, ``laptop-epochs-5``.

        Other parameters make another run, so trying a value never touches the runs one has.
        """
        words = [str(self.overrides["faces"])] if "faces" in self.overrides else []
        words.append(self.profile)
        words += [f"{name}-{value}" for name, value in sorted(self.overrides.items()) if name != "faces"]
        name = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)).strip("-")
        if len(name) > LONGEST_NAME:
            digest = hashlib.sha256(repr(sorted(self.overrides.items())).encode()).hexdigest()
            name = f"{name[:LONGEST_NAME]}-{digest[:8]}"
        return name


def read_overrides(file: Path) -> dict[str, object]:
    """Overrides from a YAML mapping: ``name: value``, or ``chapter: {name: value}``. Raises ParameterError."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise ParameterError(f"{file}: cannot be read ({fault.strerror})") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise ParameterError(f"{file}: not YAML ({' '.join(str(fault).split())})") from fault
    if not isinstance(content, dict):
        raise ParameterError(f"{file}: expected a mapping of parameter names to values")
    overrides: dict[str, object] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            overrides |= {f"{name}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            overrides[str(name)] = value
    return overrides


def parse_assignments(assignments: list[str]) -> dict[str, object]:
    """Overrides from ``name=value`` texts. Raises ParameterError where one has no ``=`` or is given twice."""
    overrides: dict[str, object] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ParameterError(f"-p {text}: expected NAME=VALUE, for example -p epochs=5")
        if name in overrides:
            raise ParameterError(f"-p {name} is given twice")
        overrides[name.strip()] = value.strip()
    return overrides
