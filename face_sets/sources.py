"""Sources of the face sets: licence, citation, how to get them, and where a copy is searched for.

The facts are in ``sources.toml``; light to import: the command line lists them many times a session.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One face set that chapters can use.

    Attributes
    ----------
    name, title, licence, citation, citation_key, how_to_get : str
    shareable : bool
        Whether pictures may appear in a published page.
    size : int
        Side of the pictures if 0 is requested.
    sizes : tuple of int
        The sides in pixels in which the set is published, reduced to any smaller one; empty if its pictures
        are cropped and scaled to any size.
    folders : tuple of str
        Places below ``FER_DATA`` (by default the name).
    layouts : tuple
        Files or folders (glob patterns) of each accepted layout; none for a generated set.
    optional : tuple of str
        What is read as well if it exists.
    reader : str
        ``module:function``, from folder and size to FaceSet; empty for a generated set.
    clips : bool
        The set has clips with onset, apex and offset, and its reader accepts ``clip_frames``.
    others : mapping
        Files of forms that circulate and are not read -> a sentence with the reason.
    published : mapping
        Counts of its publication, as of ``describe.published_table``; empty if no count is certain enough.
    """

    name: str
    title: str
    licence: str
    citation: str
    how_to_get: str
    citation_key: str = ""
    shareable: bool = False
    size: int = 96
    sizes: tuple[int, ...] = ()
    folders: tuple[str, ...] = ()
    layouts: tuple[tuple[str, ...], ...] = ()
    optional: tuple[str, ...] = ()
    reader: str = ""
    clips: bool = False
    others: Mapping[str, str] = field(default_factory=dict, compare=False)
    published: Mapping[str, int] = field(default_factory=dict, compare=False)

    def other_form(self, folder: Path) -> str:
        """Return the sentence of the first of ``others`` in ``folder``; empty if there is none."""
        return next((why for name, why in self.others.items() if (folder / name).exists()), "")

    @property
    def module(self) -> str:
        """The module that reads the set; empty for a generated one."""
        return self.reader.split(":")[0]

    @property
    def expected(self) -> str:
        """The accepted layouts in words, for messages and listings."""
        if not self.layouts:
            return "nothing: generated"
        return ", or ".join(" and ".join(layout) for layout in self.layouts)


def _sources() -> Iterator[Source]:
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    generated, real = (
        {name: {field: _tuples(value) for field, value in facts.items()} for name, facts in table.items()}
        for table in (tables["generated"], tables["real"])
    )
    for name, facts in generated.items():
        like = generated.get(facts.pop("like", ""), {})
        yield Source(name, **like | facts)
    for name, facts in real.items():
        module = f"face_sets.readers.{facts.pop('module', name)}"
        yield Source(name, reader=f"{module}:read_{name}", **facts)


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


SOURCES = tuple(_sources())


_OWN_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


def may_be_own(name: str) -> bool:
    """Return whether a folder with the user's ``faces.csv`` may be called ``name``."""
    return bool(_OWN_NAME.fullmatch(name)) and name not in {source.name for source in SOURCES}


# The face sets that have clips, from onset over apex to offset.
CLIP_SETS = tuple(source.name for source in SOURCES if source.clips)
