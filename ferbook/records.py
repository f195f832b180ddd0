"""Forms of the records of a run. A run may come from another machine, so every record is validated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from ferbook.errors import RunStoreError, first_fault
from ferbook.files import LARGEST_RECORD, parse_json, read_plain

# Fields of records whose text no page shows as it is, so that it may hold any character.
WORDS = ("alt", "caption", "error")

Tolerances = float | dict[str, float] | None
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Commit = Annotated[str, Field(pattern=r"^[0-9a-z]+(-dirty)?$", max_length=60)]


class Record(BaseModel, extra="allow", strict=True):
    """Fields beyond those that are named are a book's own, and are allowed."""


class ResultInputs(Record):
    """What a chapter's result was made from."""

    notebook: str = ""
    code: dict[str, _Digest] = {}
    parameters: dict[str, bool | int | float | str] = {}
    resolved: dict[str, object] = {}
    packages: dict[str, str] = {}
    data: dict[str, str] = {}
    upstream: dict[str, str] = {}


class Manifest(Record):
    """``DONE.json``: when a chapter was finished, from what, and the digest of each of its files."""

    finished: str
    inputs: ResultInputs
    files: dict[str, _Digest]


class ShownData(Record):
    """A figure or a table of a chapter, as its record has it."""

    alt: str = ""
    caption: str = ""
    tolerance: Tolerances = None


class ChapterRecord(Record):
    """``record.json``: what a chapter noted of itself. A book whose chapters note more has a subclass, whose
    properties interpret that.
    """

    seconds: Annotated[float, Field(ge=0)] | None = None
    commit: _Commit = "unknown"
    device: str = ""
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    reference: str | None = None
    figures: dict[str, ShownData] = {}
    tables: dict[str, ShownData] = {}

    @property
    def outdated(self) -> str:
        """The data that it read in versions that are not made here; empty if none."""
        return ""

    @property
    def stored_networks(self) -> frozenset[str]:
        """The stored networks that it evaluated; empty where it trained its own."""
        return frozenset()

    @property
    def opened_pictures(self) -> frozenset[str]:
        """Digests of the pictures that it opened."""
        return frozenset()

    @property
    def extent(self) -> str:
        """In few words how much it is about, such as ``10 networks``."""
        return ""

    @property
    def provenance(self) -> list[tuple[str, str]]:
        """Rows for the table that ends its page."""
        return []


class RunRequest(Record):
    """The request of a run."""

    profile: str
    every: dict[str, bool | int | float | str] = {}
    parameters: dict[str, dict[str, bool | int | float | str]]


class RunRecord(Record):
    """``run.yaml``."""

    request: RunRequest
    changed: str
    created: str = ""
    commit: _Commit = "unknown"
    versions: dict[str, str] = {}


def require_form(content: object, form: type[BaseModel]) -> dict:
    """Return ``content`` if it is of that ``form``. Raises ValueError that names the first wrong field."""
    try:
        form.model_validate(content)
    except ValidationError as fault:
        raise ValueError(first_fault(fault)) from fault
    return content


def record_of(file: Path, content: bytes, form: type[BaseModel] | None = None) -> dict:
    """Return the JSON object in ``content``, which was read from ``file``.

    Raises RunStoreError, naming file and field, for anything else, and where it is not of that ``form``.
    """
    try:
        values = parse_json(content, WORDS)
        if not isinstance(values, Mapping):
            raise ValueError("expected a JSON object")
        return require_form(values, form) if form else values
    except ValueError as fault:
        raise RunStoreError(f"{file}: not readable as JSON ({fault}); run the chapter again") from fault


def read_json(path: Path, form: type[BaseModel] | None = None) -> dict:
    """Return the JSON object at ``path``, of that ``form``. Raises RunStoreError as ``record_of``, and for a
    file that is absent or no plain one.
    """
    return record_of(path, read_vouched(path, LARGEST_RECORD), form)


def read_vouched(path: Path, most: int) -> bytes:
    """Return the content of a file of a run, of at most so many bytes. Raises RunStoreError where there is
    none.
    """
    try:
        return read_plain(path, most)
    except OSError as fault:
        raise RunStoreError(f"{path}: not readable ({fault.strerror}); run the chapter again") from fault
