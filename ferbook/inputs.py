"""What a chapter's result depends on, and whether a stored result is what its present inputs would give:
judged by content and never by time stamps.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ferbook import paths
from ferbook.book import Chapter, chapters, suite
from ferbook.environment import DIRTY
from ferbook.errors import RunStoreError
from ferbook.files import digest_of, plain_values
from ferbook.notebook import code_cells, read_notebook
from ferbook.opened import ANY, file_digest, names_digest
from ferbook.parameters import Parameters
from ferbook.records import read_json
from ferbook.reference_run import matching_reference
from ferbook.request import stored_request
from ferbook.steps import steps
from ferbook.store import REFERENCE, Run

# What of the engine shapes numbers and figures; the rest runs chapters rather than computing for them.
ENGINE_CODE = ("ferbook.page", "ferbook.text", "ferbook.estimate")

# Begins the reason of a result that may well be what its inputs would give, if its data were here.
NOT_FOUND = "data not found"


def _within(name: str, modules: tuple[str, ...]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _counts(place: str) -> bool:
    """Return whether a file can make a result stale. What a chapter declares does not: its parameters, and
    what they resolve to, are compared by value.
    """
    name = ".".join(Path(place).with_suffix("").parts).removesuffix(".__init__")
    if not _within(name, ("book", *suite().code, *ENGINE_CODE)):
        return False
    declares = name.startswith("book.") and name.split(".")[2:3] == ["chapter"]
    return not declares and not _within(name, suite().not_code)


def homes() -> list[Path]:
    """Return the folders whose files a result may depend on."""
    packages = {module.partition(".")[0] for module in ("book", *suite().code)}
    places = (place / name for place in (paths.root(), paths.ENGINE.parent) for name in sorted(packages))
    return [*(place for place in dict.fromkeys(places) if place.is_dir()), paths.ENGINE]


def code_files(noted: Mapping[Path, str]) -> dict[str, str]:
    """Relative path -> SHA-256 of those of the ``noted`` files that can make a result stale."""
    roots = [root.resolve() for root in (paths.root(), paths.ENGINE.parent)]
    ways = {file: [file.relative_to(root) for root in roots if file.is_relative_to(root)] for file in noted}
    places = {file: way[0].as_posix() for file, way in ways.items() if way}
    return {place: noted[file] for file, place in places.items() if _counts(place)}


def code_inputs(chapter: Chapter, before: Mapping[str, object]) -> dict[str, object]:
    """Return what is there now of the chapter's cells, never prose, and of the files that a result was made
    from ``before``: modules, and data that these opened or looked for.
    """
    code = {place: _digest_at(place) for place in before.get("code", {})}
    return {"notebook": cells_digest(chapter.notebook), "code": code}


def cells_digest(notebook: Path) -> str:
    """Return SHA-256 (hex) over the code cells of a notebook."""
    return digest_of([cell.source for cell in code_cells(read_notebook(notebook))])


def _digest_at(place: str) -> str:
    roots = paths.root(), paths.ENGINE.parent
    for root in roots:
        with suppress(OSError):
            return file_digest(root / place)
    return names_digest(place.replace(ANY, "*"), *roots) if ANY in place else "absent"


def package_versions() -> dict[str, str]:
    """Return the version of each package that numbers depend on, of those that are installed here: the
    environment of `make read` lacks most.
    """
    found = {}
    for name in suite().packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def chapter_inputs(chapter: Chapter, parameters: Parameters) -> dict[str, object]:
    """Return everything the chapter's result depends on but its upstream chapters and the files that its
    kernel opens, which are known when it ends; as plain JSON values.
    """
    return {
        "notebook": cells_digest(chapter.notebook),
        "parameters": parameters.model_dump(),
        "resolved": resolved_values(chapter, parameters),
        "packages": package_versions(),
        "data": parameters.data_key(),
    }


def resolved_values(chapter: Chapter, parameters: Parameters) -> dict[str, object]:
    """Return what a chapter computes from besides its parameters: the constants of ``chapter.py``, and what
    its model derives (requests, options), the value of each property. Not what a method with arguments
    returns.

    Results are compared by these values, not by the text of ``chapter.py``.
    """
    models = [each for each in type(parameters).__mro__ if issubclass(each, Parameters)]
    names = {name for model in models for name, member in vars(model).items() if isinstance(member, property)}
    values = {name: recordable(getattr(parameters, name)) for name in sorted(names)}
    for name, constant in chapter.constants.items():
        with suppress(TypeError):  # a function, say
            values[name] = recordable(constant)
    return values


def recordable(value: object) -> object:
    """Return ``value`` as plain JSON, or as a digest where its texts hold characters that no record may.

    Raises TypeError for what JSON cannot express, such as a function.
    """
    try:
        plain = to_jsonable_python(value)
    except PydanticSerializationError as fault:
        raise TypeError(str(fault)) from fault
    try:
        return plain_values(plain)
    except ValueError:
        return digest_of(plain)


def stale_reasons(previous: Mapping[str, object], current: Mapping[str, object]) -> list[str]:
    """Return why a result made from ``previous`` inputs is not what ``current`` inputs would give; empty if
    it is.
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
    other_parameters = previous.get("parameters") != current.get("parameters")
    if not other_parameters:  # or else these say it already
        before, now = previous.get("resolved"), current.get("resolved", {})
        if before is None and now:
            reasons.append("stored without what its parameters resolve to (requests, options)")
        else:
            reasons += [_resolution(name, before or {}, now) for name in _changed(before or {}, now)]
    before, now = previous.get("upstream", {}), current.get("upstream", {})
    reasons += [f"upstream {name} ran" for name in _changed(before, now) if name in now]
    if changes := _changed(previous.get("code", {}), current.get("code", {})):
        names = ", ".join(changes[:3]) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")
        reasons.append(f"code changed ({names})")
    before, now = previous.get("data", {}), current.get("data", {})
    changes = [(before.get(name, "none"), now.get(name, "none")) for name in _changed(before, now)]
    if "absent" in (after for _, after in changes):
        reasons.append(" ".join([NOT_FOUND, *(f"({name})" for name in suite().path_variables[:1])]))
    elif other_parameters:  # which say already that other data are read
        pairs = [(before[name], now[name]) for name in before if name in now and before[name] != now[name]]
        reasons += ["data changed ({:.30} → {:.30})".format(*pair) for pair in pairs[:1]]
    elif sorted(before.values()) != sorted(now.values()):
        reasons.append("data changed ({:.30} → {:.30})".format(*changes[0]))
    return reasons


def _resolution(name: str, before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Return how one of the values that a chapter's parameters resolve to has changed, in words."""
    values = before.get(name, "absent"), now.get(name, "absent")
    plain = all(isinstance(value, bool | int | float | str) for value in values)
    return "{} {:.40} → {:.40}".format(name, *map(str, values)) if plain else f"{name} changed"


def provenance_diff(one: Mapping[str, object], other: Mapping[str, object]) -> str:
    """Return how the inputs of two results differ, but for parameters and upstream results; empty if in
    nothing.
    """
    reasons = stale_reasons(one, {**other, "upstream": one.get("upstream", {})})
    return "; ".join(reason for reason in reasons if not reason.startswith("parameter "))


def _changed(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


@dataclass(frozen=True)
class ChapterState:
    """Whether a chapter's stored result is what its present inputs would give."""

    chapter: str
    reasons: tuple[str, ...]
    seconds: float | None = None

    @property
    def up_to_date(self) -> bool:
        """True where nothing makes the stored result stale."""
        return not self.reasons


def states(run: Run, selection: list[Chapter], parameters: Mapping[str, Parameters]) -> list[ChapterState]:
    """Return for each chapter whether it is up to date, or why not, by content and never by time stamps."""
    chapter_states: list[ChapterState] = []
    with steps("chapters compared", len(selection)) as advance:
        for chapter in selection:
            result = run.result(chapter.name)
            current = chapter_inputs(chapter, parameters[chapter.name])
            upstream = [run.result(name) for name in chapter.upstream]
            current["upstream"] = {each.chapter: each.artifact_digest() for each in upstream if each.done()}
            reasons = reasons_to_rerun(run, chapter, current)
            stale = {state.chapter for state in chapter_states if not state.up_to_date}
            if result.done() is not None:
                reasons += [f"upstream {name} is stale" for name in chapter.upstream if name in stale]
            where = ""
            if (failure := result.failed_folder / "failure.json").exists():
                # A damaged report of a failed attempt keeps no chapter from running.
                with suppress(RunStoreError):
                    where = f" in {read_json(failure).get('where', 'an unknown place')}"
                reasons.append(f"last attempt failed{where}")
            seconds = None if reasons else result.record().seconds
            chapter_states.append(ChapterState(chapter.name, tuple(reasons), seconds))
            advance()
    return chapter_states


def reasons_to_rerun(run: Run, chapter: Chapter, current: Mapping[str, object]) -> list[str]:
    """Return what makes the stored result stale of ``chapter`` by itself, where its inputs, those of upstream
    among them, would now be the ``current`` ones.
    """
    result = run.result(chapter.name)
    if (manifest := result.done()) is None:
        return ["not finished" if result.failed_folder.exists() or result.folder.exists() else "never ran"]
    if faults := result.faults():
        return [f"stored result damaged: {faults[0]}"]
    before = manifest["inputs"]
    reasons = stale_reasons(before, {**current, "code": code_inputs(chapter, before)["code"]})
    record = result.record()
    if run.name == REFERENCE and record.commit.endswith(DIRTY):
        reasons.append(f"made of changes that no commit has ({record.commit})")
    if "reference" in record.model_fields_set:
        match = matching_reference(run, chapter, current["parameters"]).result
        if record.reference != (match and match.shown_numbers()):
            reasons.append("the reference changed")
    return reasons


def run_states(run: Run) -> list[ChapterState]:
    """Return the state of every chapter in ``run`` against the run's request."""
    request = stored_request(run.record()["request"])
    request.check()
    all_chapters = list(chapters().values())
    return states(run, all_chapters, {chapter.name: request.of_chapter(chapter) for chapter in all_chapters})
