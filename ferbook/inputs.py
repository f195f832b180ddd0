"""What a chapter's result depends on, by content, and why a stored result is out of date."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ferbook import paths
from ferbook.book import Chapter, suite
from ferbook.files import digest_of
from ferbook.notebook import code_sources, read_notebook
from ferbook.parameters import Parameters

ENGINE_CODE = ("ferbook.page", "ferbook.text", "ferbook.estimate")
"""What of the engine shapes numbers and figures; the rest runs chapters rather than computing for them."""


def _within(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _counts(place: str) -> bool:
    """Whether a file can make a result out of date. What a chapter declares does not: its parameters are
    compared by value."""
    name = ".".join(Path(place).with_suffix("").parts).removesuffix(".__init__")
    if not _within(name, ("book", *suite().code, *ENGINE_CODE)):
        return False
    declares = name.startswith("book.") and name.split(".")[2:3] == ["chapter"]
    return not declares and not _within(name, suite().not_code)


def homes() -> list[Path]:
    """The folders whose files a result may depend on."""
    packages = {module.partition(".")[0] for module in ("book", *suite().code)}
    places = (place / name for place in (paths.root(), paths.ENGINE.parent) for name in sorted(packages))
    return [*(place for place in dict.fromkeys(places) if place.is_dir()), paths.ENGINE]


def code_files(noted: Mapping[Path, str]) -> dict[str, str]:
    """Relative path -> SHA-256 of those of the ``noted`` files that can make a result out of date."""
    roots = [root.resolve() for root in (paths.root(), paths.ENGINE.parent)]
    digests = {}
    for file, digest in noted.items():
        root = next((root for root in roots if file.is_relative_to(root)), None)
        if root and _counts(place := file.relative_to(root).as_posix()):
            digests[place] = digest
    return digests


def code_inputs(chapter: Chapter, before: Mapping[str, object]) -> dict[str, object]:
    """What is there now of the chapter's cells, never prose, and of the files that a result was made from
    ``before``: modules, and data that these opened.
    """
    return {
        "notebook": cells_digest(chapter.notebook),
        "code": {place: _digest_at(place) for place in before.get("code", {})},
    }


def cells_digest(notebook: Path) -> str:
    """SHA-256 (hex) over the code cells of a notebook."""
    return digest_of(code_sources(read_notebook(notebook)))


def _digest_at(place: str) -> str:
    for root in (paths.root(), paths.ENGINE.parent):
        with suppress(OSError):
            about = (root / place).stat()
            return _digest(root / place, about.st_mtime_ns, about.st_size)
    return "absent"


@cache
def _digest(file: Path, mtime: int, size: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def package_versions() -> dict[str, str]:
    """The version of each package that numbers depend on, of those that are installed here: the environment
    of `make read` lacks most.
    """
    found = {}
    for name in suite().packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def chapter_inputs(chapter: Chapter, parameters: Parameters) -> dict[str, object]:
    """Everything the chapter's result depends on but its upstream chapters and the files that its kernel
    opens, which are known when it ends; as plain JSON values.
    """
    return {
        "notebook": cells_digest(chapter.notebook),
        "parameters": parameters.model_dump(),
        "packages": package_versions(),
        "data": parameters.data_key(),
    }


def reasons_out_of_date(previous: Mapping[str, object], current: Mapping[str, object]) -> list[str]:
    """Why a result made from ``previous`` inputs is not what ``current`` inputs would give; empty if it
    is.
    """
    reasons = [] if previous.get("notebook") == current.get("notebook") else ["notebook changed"]
    for kind in ("parameters", "packages"):
        before, now = previous.get(kind, {}), current.get(kind, {})
        reasons += [
            f"{kind[:-1]} {name} {before.get(name, 'absent')} → {now.get(name, 'absent')}"
            for name in _changed(before, now)
            # Whether a package that is not installed here has changed is not known.
            if kind == "parameters" or name in now
        ]
    before, now = previous.get("upstream", {}), current.get("upstream", {})
    reasons += [f"upstream {name} ran" for name in _changed(before, now) if name in now]
    if changes := _changed(previous.get("code", {}), current.get("code", {})):
        names = ", ".join(changes[:3]) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")
        reasons.append(f"code changed ({names})")
    # Data that were not asked for before are told by the parameters that ask for them.
    before, now = previous.get("data", {}), current.get("data", {})
    changes = [(before[name], now[name]) for name in _changed(before, now) if name in before and name in now]
    if "absent" in (after for _, after in changes):
        reasons.append(f"data not found ({', '.join(suite().places)})")
    elif changes:
        reasons.append("data changed ({:.30} → {:.30})".format(*changes[0]))
    return reasons


def made_otherwise(one: Mapping[str, object], other: Mapping[str, object]) -> str:
    """In what two results' inputs differ beside their parameters, in words; empty if in nothing."""
    alike = {"parameters": {}, "upstream": {}}
    return "; ".join(reasons_out_of_date({**one, **alike}, {**other, **alike}))


def _changed(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]
