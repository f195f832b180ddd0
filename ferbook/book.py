"""A book, found and read: ``book/suite.py`` says what the engine cannot know, and each
``book/<name>/chapter.py`` declares one chapter.

A chapter that cannot be read stops every command, by one line that says what to correct.
"""

import ast
import importlib
import importlib.util
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ferbook import paths
from ferbook.errors import BookError, FerError, ParameterError, first_fault, nearest_name, require_name
from ferbook.files import plain_values, read_yaml
from ferbook.parameters import Parameters, Profiles, allowed_values, parse_value, type_name

# Names of folders that the engine makes itself.
RESERVED = {"interactive", "metrics"}
NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLAIN_TYPES = (bool, int, float, str)


@dataclass(frozen=True)
class Resources:
    """Upper bounds of what a job takes, as a cluster schedules it.

    Parameters
    ----------
    cores, gpus : int
    memory : float
        GiB.
    minutes : int
        About three times those of the run ``reference``. On one machine the chapters divide the cores.
    """

    cores: int = 2
    memory: float = 8
    gpus: int = 0
    minutes: int = 60


@dataclass(frozen=True)
class Chapter:
    """A computed page of the book; ``chapter.py`` declares it as ``CHAPTER``.

    Parameters
    ----------
    title : str
    parameters : subclass of Parameters
        Its fields are the parameters of the notebook.
    upstream : tuple of str
        Chapters whose results it reads.
    after : tuple of str
        Chapters that explain its terms, to be read before.
    key_metrics : tuple of str
        Metrics that its page shows first, and that a comparison of several runs shows.
    profiles : mapping
        Profile -> field -> value: what the profile changes of the model's defaults.
    learn, needs : str
        What a reader learns from it; what it takes to run it, besides the chapters upstream.
    resources : Resources
    seconds : mapping
        By profile, or by another key of ``profiles``: execution time on one of two busy cores.
    name, folder, constants
        Set by the engine: the name of its folder, the folder, and the other public constants of
        ``chapter.py``, which the chapter's modules may import.
    """

    title: str
    parameters: type[Parameters]
    upstream: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    key_metrics: tuple[str, ...] = ()
    profiles: Profiles = field(default_factory=dict)
    learn: str = ""
    needs: str = ""
    resources: Resources = Resources()
    seconds: Mapping[object, int] = field(default_factory=dict)
    name: str = ""
    folder: Path = Path()
    constants: Mapping[str, object] = field(default_factory=dict)

    @property
    def notebook(self) -> Path:
        """The chapter's source: a notebook without outputs."""
        return self.folder / f"{self.name}.ipynb"

    def resolve(
        self, profile: str | None = None, overrides: Mapping[str, object] | None = None
    ) -> Parameters:
        """Return all parameters: the model's defaults, then the profile, then ``overrides``.

        Raises ParameterError for an unknown profile or name, a wrong type or an impossible value.
        """
        profile = suite().profile if profile is None else profile
        require_name("profile", profile, suite().profiles)
        model = self.parameters
        values = {key: parse_value(self.name, model, key, value) for key, value in (overrides or {}).items()}
        try:
            resolved = model(**model.of_profile(self.profiles, profile, values) | values)
        except ValidationError as fault:
            raise ParameterError(f"{self.name}: {first_fault(fault)}") from fault
        for name, value in resolved.model_dump().items():
            try:
                plain_values(value)
            except ValueError as fault:  # no record could hold it
                reason = str(fault).lstrip(": ")
                raise ParameterError(f"{self.name}.{name} = {value!r} is not allowed: {reason}") from fault
        return resolved

    def expected(self, profile: str, parameters: Parameters) -> int | None:
        """Its ``seconds`` by these ``parameters`` of ``profile``, None where none are given."""
        given = {key: {"seconds": value} for key, value in self.seconds.items()}
        return self.parameters.of_profile(given, profile, parameters.model_dump()).get("seconds")

    def parameter_rows(self) -> list[dict[str, object]]:
        """Return one row per field: name, type, the default in each profile, range and meaning."""
        defaults = {profile: self.resolve(profile) for profile in suite().profiles}
        return [
            {
                "parameter": name,
                "type": type_name(field),
                **{profile: getattr(values, name) for profile, values in defaults.items()},
                "range": allowed_values(field),
                "meaning": field.description or "",
            }
            for name, field in self.parameters.model_fields.items()
        ]


@dataclass(frozen=True)
class Suite:
    """Settings of a book; ``book/suite.py`` declares them as ``SUITE``.

    Parameters
    ----------
    title : str
        Help text of the command line.
    profiles : tuple of str
        From the quickest to the largest; ``profile`` is the default, that of the models' defaults.
    named_by : tuple of str
        Parameters of every chapter, whose values begin the name of a run; each is an option of `ferbook run`.
    packages : tuple of str
        Distributions whose version a number may depend on.
    code, not_code : tuple of str
        Packages and modules whose changes make a chapter stale that executed them; modules of these that
        compute no number, or whose effect the key of the data contains.
    run_folders : tuple of str
        Folders of a run besides those of its chapters.
    standalone_by : str
        A parameter; a chapter to which it is given reads no chapter upstream.
    path_variables : tuple of str
        Environment variables that hold a folder, which may be relative; the first is that of the data.
    commands : mapping
        Command -> ``module:name`` of a function with typer's annotations, or of a typer app.
    check : callable
        Takes chapter -> parameters; raises a FerError where these cannot be run here.
    prepare : callable
        Takes the parameters of the chapters that are about to run; makes what several of them need.
    record : subclass of ChapterRecord, or None
        The form of a chapter's record, if it holds more than that of the engine.
    again : tuple of str
        Prefix of metrics that repeat others, and under which conditions: ``prefix_x`` repeats ``x``.
    must_agree : tuple of str
        Parameters that must be equal in a run and the reference for a comparison, besides ``named_by``.
    placeholders : mapping
        Line of a page -> ``module:name`` of a function from the shown results to its text in a built book.
    """

    title: str = "Run, build and check the chapters of a book."
    profiles: tuple[str, ...] = ("smoke", "laptop", "reference", "paper")
    profile: str = "laptop"
    named_by: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    code: tuple[str, ...] = ("book",)
    not_code: tuple[str, ...] = ()
    run_folders: tuple[str, ...] = ()
    standalone_by: str = ""
    path_variables: tuple[str, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Mapping[str, Parameters]], None] = lambda parameters: None
    prepare: Callable[[list[Parameters]], None] = lambda stale: None
    record: type[BaseModel] | None = None
    again: tuple[str, str] = ("", "")
    must_agree: tuple[str, ...] = ()
    placeholders: Mapping[str, str] = field(default_factory=dict)


def load(file: Path, name: str, kind: type) -> dict[str, object]:
    """Return the namespace of the module ``file``. Raises BookError unless ``name`` is of that ``kind``."""
    place = file.relative_to(paths.root())
    spec = importlib.util.spec_from_file_location(".".join(place.with_suffix("").parts), file)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except FerError:
        raise
    except Exception as fault:
        line = f", line {fault.lineno}" if isinstance(fault, SyntaxError) else ""
        reason = " ".join(str(fault).split())
        raise BookError(f"{place}{line}: {type(fault).__name__}: {reason}; correct that file") from fault
    if not isinstance(getattr(module, name, None), kind):
        raise BookError(f"{place}: declares no {name} = {kind.__name__}(…); `ferbook new` shows the form")
    return vars(module)


def _constants(file: Path, namespace: Mapping[str, object]) -> dict[str, object]:
    """Return the public constants that the module ``file`` assigns, but its chapter."""
    nodes = (node for node in ast.walk(ast.parse(file.read_bytes())) if isinstance(node, ast.Name))
    names = {node.id for node in nodes if isinstance(node.ctx, ast.Store) and node.id.isupper()} - {"CHAPTER"}
    return {name: namespace[name] for name in sorted(names & namespace.keys()) if name[0] != "_"}


def _can_be_recorded(kind: object) -> bool:
    """Return whether a run's record can hold every value of a parameter of that type."""
    values = get_args(kind) if get_origin(kind) is Literal else ()
    return kind in _PLAIN_TYPES or (bool(values) and all(type(value) in _PLAIN_TYPES for value in values))


def pages_of_toc() -> list[str]:
    """Return every page that ``_toc.yml`` names, as paths without ending, in order. Raises BookError."""

    def walk(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node[key] for key in ("root", "file") if key in node]
            return own + [page for value in node.values() for page in walk(value)]
        return [page for entry in node for page in walk(entry)] if isinstance(node, list) else []

    return walk(read_yaml(paths.toc(), BookError, "; a book is a folder with _toc.yml and book/"))


def page_of(chapter: Chapter) -> str:
    """Return the chapter's page, as ``_toc.yml`` names it."""
    return chapter.notebook.relative_to(paths.root()).with_suffix("").as_posix()


def require_chapter_name(name: str) -> None:
    """Raise BookError where a chapter cannot be called ``name``."""
    if not NAME.fullmatch(name):
        rule = "small letters, digits and '_', a letter first"
        raise BookError(f"book/{name}: {name!r} cannot name a chapter: {rule}")
    if name in RESERVED or any((paths.pages() / f"{name}.{kind}").exists() for kind in ("py", "md")):
        raise BookError(f"book/{name}: the name {name!r} is taken by the book itself; give another")


def _chapter_in(folder: Path, profiles: tuple[str, ...]) -> Chapter:
    """Return the chapter in ``folder``. Raises BookError."""
    name, file = folder.name, folder / "chapter.py"
    require_chapter_name(name)
    if not file.exists():
        raise BookError(f"book/{name}/chapter.py is missing; write it (see `ferbook new`) or move the folder")
    if not (folder / f"{name}.ipynb").is_file():
        raise BookError(f"book/{name}/{name}.ipynb is missing; a chapter's notebook has its folder's name")
    namespace = load(file, "CHAPTER", Chapter)
    constants = _constants(file, namespace)
    chapter = replace(namespace["CHAPTER"], name=name, folder=folder, constants=constants)
    where, fields = f"book/{name}/chapter.py", chapter.parameters.model_fields
    for field_name, about in fields.items():
        if not _can_be_recorded(about.annotation):
            shown = str(about.annotation).replace("typing.", "")
            raise BookError(
                f"{where}: {field_name} is of type {shown}, which no record of a run can hold; make it bool, "
                "int, float, str or a Literal of these (0 or an empty text can mean none)"
            )
    for key, values in chapter.profiles.items():
        profile = key if isinstance(key, str) else key[0]
        if profile not in profiles:
            near = nearest_name(profile, profiles)
            raise BookError(f"{where}: no profile {profile!r}{near}; there are {', '.join(profiles)}")
        for field_name in values:
            if field_name not in fields:
                sets = f"the profile {profile!r} sets {field_name!r}, which the model has not"
                raise BookError(f"{where}: {sets}{nearest_name(field_name, fields)}; correct one of them")
    return chapter


def _in_order(declared: Mapping[str, Chapter]) -> dict[str, Chapter]:
    """In the order of the table of contents, but each after those it depends on. Raises BookError."""
    for name, chapter in declared.items():
        for other in chapter.upstream:
            if other not in declared:
                names = ", ".join(sorted(declared.keys() - {name}))
                raise BookError(
                    f"book/{name}/chapter.py: no chapter {other!r} to be upstream"
                    f"{nearest_name(other, declared)}; there are {names}"
                )
    try:
        TopologicalSorter({name: chapter.upstream for name, chapter in declared.items()}).prepare()
    except CycleError as fault:
        circle = fault.args[1][::-1]
        raise BookError(
            f"book/{circle[0]}/chapter.py: upstream goes in a circle, {' → '.join(circle)}; take one of them "
            "out"
        ) from fault
    places = {Path(page).name: place for place, page in enumerate(pages_of_toc())}
    chapters: dict[str, Chapter] = {}

    def place(name: str) -> None:
        for other in declared[name].upstream:
            place(other)
        chapters.setdefault(name, declared[name])

    for name in sorted(declared, key=lambda name: (places.get(name, len(places)), name)):
        place(name)
    return chapters


@cache
def _read(root: Path) -> tuple[Suite, dict[str, Chapter]]:
    file = root / "book" / "suite.py"
    own = load(file, "SUITE", Suite)["SUITE"] if file.exists() else Suite()
    if own.profile not in own.profiles:
        raise BookError(f"book/suite.py: profile = {own.profile!r} is none of profiles; name one of them")
    declared: dict[str, Chapter] = {}
    for folder in sorted(f for f in paths.pages().iterdir() if f.is_dir() and f.name[0] not in "_."):
        if (folder / "chapter.py").exists() or any(folder.glob("*.ipynb")):
            declared[folder.name] = _chapter_in(folder, own.profiles)
    return own, _in_order(declared)


def clear_cached_book() -> None:
    """Read the book again at its next use, since its files have changed."""
    _read.cache_clear()


def suite() -> Suite:
    """Return what the book below ``paths.root()`` says of itself. Raises BookError where ``book/suite.py``,
    ``_toc.yml`` or a chapter is broken.
    """
    return _read(paths.root())[0]


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment with ``more``: the same book, engine and, absolute, the same runs and other
    places.

    ``FER_RUNS`` and its like may be relative, and the child's working directory is another.
    """
    search = (str(paths.root()), str(paths.ENGINE.parent), os.environ.get("PYTHONPATH"))
    places = {name: os.environ[name] for name in suite().path_variables if os.environ.get(name)}
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(place for place in search if place)),
        paths.ROOT_VARIABLE: str(paths.root()),
        paths.RUNS_VARIABLE: str(paths.runs_dir()),
        **{name: str(paths.absolute(place)) for name, place in places.items()},
        **more,
    }


def chapters() -> Mapping[str, Chapter]:
    """Name -> chapter, every chapter after those it depends on. Raises BookError as ``suite``."""
    return _read(paths.root())[1]


def import_named(what: str, place: str) -> object:
    """Return what lies at ``place``, ``module:name``, which ``book/suite.py`` gives for ``what``. Raises
    BookError where it is not there.
    """
    module, _, inner = place.partition(":")
    try:
        return getattr(importlib.import_module(module), inner)
    except (ImportError, AttributeError, ValueError) as fault:
        raise BookError(
            f"book/suite.py: {what} is to be {place!r} (module:name), which is absent ({fault}); correct it "
            "or take it out"
        ) from fault


def find_chapter(name: str) -> Chapter:
    """Return the chapter called ``name``. Raises ParameterError with the nearest known name."""
    require_name("chapter", name, chapters())
    return chapters()[name]


def longest_chain(name: str, seconds: Mapping[str, int | None]) -> int:
    """Seconds of the longest chain of chapters, each of which waits for the one before, that begins with the
    chapter called ``name``, by the ``seconds`` of each, or else by their ``resources``: where cores are few,
    what to start first.
    """
    chains: dict[str, int] = {}
    for chapter in reversed(chapters().values()):  # each before those it depends on
        waiting = [chains[other.name] for other in chapters().values() if chapter.name in other.upstream]
        own = seconds.get(chapter.name) or 60 * chapter.resources.minutes
        chains[chapter.name] = own + max(waiting, default=0)
    return chains[name]


def with_upstream(names: Iterable[str]) -> list[Chapter]:
    """Return the named chapters and what they depend on, in running order; all where none is named."""
    closure = list(names) or [*chapters()]
    for name in closure:
        closure += find_chapter(name).upstream  # these are gone through, too
    return [chapter for name, chapter in chapters().items() if name in closure]
