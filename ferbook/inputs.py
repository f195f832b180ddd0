"""What a chapter's result depends on, by content, and why a stored result is out of date."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ferbook import paths
from ferbook.book import Chapter, suite
from ferbook.errors import ChapterError
from ferbook.imports import imported_modules, reached_files
from ferbook.notebook import code_sources, read_notebook
from ferbook.parameters import Parameters

ENGINE_CODE = ("ferbook.page", "ferbook.text", "ferbook.estimate")
"""What of the engine shapes numbers and figures; the rest runs chapters rather than computing for them."""


def _within(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _counts(file: Path) -> bool:
    """Whether a module can make a result out of date. What a chapter declares does not: its parameters are
    compared by value."""
    name = ".".join(Path(_place(file)).with_suffix("").parts).removesuffix(".__init__")
    if not _within(name, ("book", *suite().code, *ENGINE_CODE)):
        return False
    declares = name.startswith("book.") and name.split(".")[2:3] == ["chapter"]
    return not declares and not _within(name, suite().not_code)


def code_files(sources: list[str], notebook: str = "notebook") -> dict[str, str]:
    """Relative path -> SHA-256 of every file of ours that the code cells ``sources`` reach by imports.

    Raises ChapterError, naming the cell of ``notebook``, for one that is not plain Python.
    """
    modules: set[str] = set()
    for number, source in enumerate(sources, start=1):
        try:
            modules |= imported_modules(source)
        except (SyntaxError, ValueError) as fault:  # ValueError: a null byte
            line = f", line {fault.lineno}" if isinstance(fault, SyntaxError) else ""
            raise ChapterError(
                f"{notebook}, code cell {number}{line}: not plain Python ({getattr(fault, 'msg', fault)})"
            ) from fault
    return {
        _place(file): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in reached_files(modules, _counts)
    }


def _place(file: Path) -> str:
    root = paths.root()
    return file.relative_to(root if file.is_relative_to(root) else paths.ENGINE.parent).as_posix()


def code_inputs(chapter: Chapter) -> dict[str, object]:
    """What the chapter's result depends on of its cells and of the modules that they reach: never prose."""
    sources = code_sources(read_notebook(chapter.notebook))
    return {
        "notebook": hashlib.sha256(json.dumps(sources).encode()).hexdigest(),
        "code": code_files(sources, chapter.notebook.name),
    }


def package_versions() -> dict[str, str]:
    """The version of each package that numbers depend on, of those that are installed here: the environment
    of `make read` lacks most.
    """
    found = {}
    for name in suite().packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def chapter_inputs(
    chapter: Chapter, parameters: Parameters, code: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Everything the chapter's result depends on but its upstream chapters, as plain JSON values. ``code``:
    what ``code_inputs`` gave, where many ask.
    """
    return {
        **(code or code_inputs(chapter)),
        "parameters": parameters.model_dump(),
        "packages": package_versions(),
        "data": dict(suite().data_key(parameters)),
    }


def reasons_out_of_date(previous: Mapping[str, object], current: Mapping[str, object]) -> list[str]:
    """Why a result made from ``previous`` inputs is not what ``current`` inputs would give; empty if it
    is.
    """
    reasons = [] if previous.get("notebook") == current["notebook"] else ["notebook changed"]
    for kind in ("parameters", "packages"):
        before, now = previous.get(kind, {}), current[kind]
        reasons += [
            f"{kind[:-1]} {name} {before.get(name, 'absent')} → {now.get(name, 'absent')}"
            for name in _changed(before, now)
            # Whether a package that is not installed here has changed is not known.
            if kind == "parameters" or name in now
        ]
    before, now = previous.get("upstream", {}), current.get("upstream", {})
    reasons += [f"upstream {name} ran" for name in _changed(before, now) if name in now]
    if changes := _changed(previous.get("code", {}), current["code"]):
        names = ", ".join(changes[:3]) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")
        reasons.append(f"code changed ({names})")
    # Data that were not asked for before are told by the parameters that ask for them.
    before, now = previous.get("data", {}), current["data"]
    changes = [(before[name], now[name]) for name in _changed(before, now) if name in before and name in now]
    if "absent" in (after for _, after in changes):
        reasons.append(f"data not found{suite().data_hint}")
    elif changes:
        reasons.append("data changed ({:.30} → {:.30})".format(*changes[0]))
    return reasons


def _changed(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]
