"""Files and folders that appear whole or not at all, and files, JSON and YAML that are read with care."""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import yaml
from yaml.constructor import ConstructorError

from ferbook.errors import FerError

# Bytes of a record in JSON or YAML.
LARGEST_RECORD = 2**23
# How deep the values of a record may be nested.
DEEPEST_VALUE = 24
LARGEST_NUMBER = 1e100
_MARKUP = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff`<>{}|\\$*\[\]]")


def _partial(path: Path) -> Path:
    """Return a name in the folder of ``path`` for what is not yet whole.

    Not from tempfile: what that makes is private, and a group that shares a cache or a run could not read it.
    """
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")


def is_leftover(file: Path, path: Path) -> bool:
    """Return whether ``file``, by its name, is what a killed process left of ``path``, or one at work is
    writing.
    """
    match = re.fullmatch(rf"\.{re.escape(path.name)}\.[0-9a-f]{{32}}", file.name)
    return file.parent == path.parent and match is not None


def open_regular(path: Path | str) -> BinaryIO:
    """Return the file at ``path``, open for reading. Raises OSError, as for a file that is absent, for what
    is no regular file: a pipe would wait for a writer for ever.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(number, "rb")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` (text as UTF-8) to ``path``: a reader sees the old content or the new, never a part.

    Parent folders are made. Raises OSError, naming ``path``, where the file cannot be written; nothing is
    left behind then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        with partial.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as fault:
        # On a full disk calls fail that know no name, and the partial file's name says nothing to a user.
        raise OSError(fault.errno, fault.strerror, str(path)) from fault
    finally:
        with suppress(OSError):  # it would hide why the file could not be written
            partial.unlink()


def read_plain(path: Path, most: int = LARGEST_RECORD) -> bytes:
    """Return the content of a file that may come from another machine.

    Raises OSError, naming ``path``, for what is no plain file, such as a link or a pipe, which might never
    be written to, and for one of more than ``most`` bytes.
    """
    if path.is_symlink():
        raise OSError(errno.EINVAL, "a link, no plain file", str(path))
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most:,} bytes", str(path))
        return file.read(most)


def plain_values(content: object, words: Collection[str] = (), place: tuple[str, ...] = ()) -> object:
    """``content`` where it is made of mappings, lists, numbers, truth values and texts as records have them.

    Such a text is shown on pages and in terminals, so it holds neither signs of Markdown or HTML nor control
    characters; below the keys ``words`` it may, since no page shows it. Raises ValueError, naming the field,
    for any other text or number, and for what is nested more deeply than ``DEEPEST_VALUE``.
    """
    # Joined for a fault alone: before each of a million values a long key would be copied a million times.
    if len(place) > DEEPEST_VALUE:
        raise ValueError(f"{_joined(place)}: nested more than {DEEPEST_VALUE} deep")
    if isinstance(content, dict):
        for name, value in content.items():
            plain_values(name, (), (*place, ": the key"))
            if name not in words:
                plain_values(value, words, (*place, f".{name}"))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            plain_values(value, words, (*place, f"[{number}]"))
    elif isinstance(content, str) and (odd := _MARKUP.search(content)):
        raise ValueError(f"{_joined(place)}: holds {odd[0]!r}, which no text of a record does")
    elif isinstance(content, int | float) and not -LARGEST_NUMBER < content < LARGEST_NUMBER:
        raise ValueError(f"{_joined(place)}: no finite number below {LARGEST_NUMBER:.0e}")
    return content


def _joined(place: Sequence[str]) -> str:
    """Return the end of the name of a field."""
    return "".join(place).lstrip(".")[-200:]


def digest_of(values: object) -> str:
    """Return SHA-256 (hex) of plain values, in whatever order their mappings have the keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def parse_json(content: bytes, words: Collection[str] = ()) -> object:
    """Parse JSON that may come from another machine. Raises ValueError unless it is of ``plain_values``."""
    try:
        return plain_values(json.loads(content), words)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key that comes twice is an error, as YAML says; PyYAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in keys:
                    raise ConstructorError(None, None, f"{key.value!r} is given twice", key.start_mark)
                keys.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """As YAML 1.2 and every reader understand it: to YAML 1.1 ``010`` is 8, and ``1:30`` is 90."""
        if re.search(r"^[-+]?0\d|:", node.value):
            raise ConstructorError(None, None, f"{node.value!r} is no plain number", node.start_mark)
        return super().construct_yaml_int(node)


_UniqueKeys.add_constructor("tag:yaml.org,2002:int", _UniqueKeys.construct_yaml_int)


def read_yaml(file: Path, error: type[FerError], remedy: str = "", most: int = 0) -> object:
    """Return the content of a YAML file; with ``most`` of one that may come from another machine, as
    ``read_plain``. Raises ``error``, which names the file and ends in ``remedy``, where it cannot be read or
    is not YAML.
    """
    try:
        text = read_plain(file, most).decode() if most else file.read_text(encoding="utf-8")
        if most and "*" in text:  # an alias, of which nine in each other are nine to the ninth
            raise ValueError("holds '*', which no record does")
        return deepcopy(_parsed(text))
    except OSError as fault:
        raise error(f"{file}: cannot be read ({fault.strerror}){remedy}") from fault
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        # ValueError: not UTF-8, or a date or a number that Python cannot hold.
        raise error(f"{file}: not YAML ({' '.join(str(fault).split())}){remedy}") from fault


@lru_cache(maxsize=32)
def _parsed(text: str) -> object:
    """Parsing a run's record takes .1 s, and a build reads the same ones dozens of times. (libyaml, which is
    quicker, falls over what is nested deeply.)
    """
    return yaml.load(text, _UniqueKeys)


def remove(path: Path) -> None:
    """Remove a folder, or a link in its place; nothing where there is none."""
    path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)


@contextmanager
def whole_folder(folder: Path, replace: bool = False) -> Iterator[Path]:
    """A new folder next to ``folder`` to write into; at the end of the block it takes that name, in one step;
    with ``replace`` also where there is an earlier one, which is moved aside just before and then removed.

    Parent folders are made. Where the block raises, or the folder cannot be made or moved, nothing is left
    behind, and an earlier one is not changed; OSError says why.
    """
    partial, earlier = _partial(folder), _partial(folder)
    try:
        partial.mkdir(parents=True)
        yield partial
        if replace and folder.exists():
            folder.rename(earlier)
        partial.rename(folder)
    finally:
        if earlier.exists() and not folder.exists():
            earlier.rename(folder)
        for rest in (partial, earlier):
            remove(rest)
