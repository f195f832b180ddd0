"""The one family of exceptions: each names what is wrong, where, and what to do about it; and the hint at the
nearest known name.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands that read no form need not wait for it
    from pydantic import ValidationError


class FerError(Exception):
    """Anything this library refuses or fails at. The command line prints it in one line.

    ``exit_code`` is what ``ferbook`` returns: 2 for the user's mistakes, 1 for ours.
    """

    exit_code = 1


class UserError(FerError):
    """The user's mistake."""

    exit_code = 2


class ParameterError(UserError):
    """A chapter parameter is unknown, of the wrong type, or out of range."""


class DataError(UserError):
    """A data set is absent, incomplete, or holds something it must not hold."""


class RunStoreError(UserError):
    """A run's name cannot be used, or what its folder holds cannot be trusted."""


class BookError(UserError):
    """The book's own files, ``book/suite.py`` or a chapter's folder, are not what the engine needs."""


class MissingError(UserError):
    """A program or a package that a command needs is not installed here."""


class ChapterError(FerError):
    """A chapter failed while it was executed, built or checked."""


def nearest_name(name: str, choices: Iterable[str]) -> str:
    """Return a hint such as " (did you mean 'epochs'?)", empty where nothing is near."""
    matches = get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def require_name(kind: str, name: str, choices: Iterable[str]) -> None:
    """Refuse a name that is not among the ``choices``: ParameterError with the nearest and all of them."""
    choices = list(choices)
    if name not in choices:
        raise ParameterError(
            f"no {kind} {name!r}{nearest_name(name, choices)}; the {kind}s are {', '.join(choices)}"
        )


def first_fault(refusal: "ValidationError") -> str:
    """Return the first thing that pydantic refused: its place, entries counted from 1, and what is wrong."""
    first = refusal.errors()[0]
    place = ", ".join(f"entry {part + 1}" if isinstance(part, int) else part for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
