"""Whose the face sets are: licence, citation, how to get them, and where a copy of them is looked for.

The facts are in ``sources.toml``; light to import: the command line lists them many times a session.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One face set that chapters can name.

    ``layouts`` lists the files or folders (glob patterns) of each accepted layout, ``optional`` what is read
    as well if it is there; ``folders`` are the places below ``FER_DATA`` (default: the name). ``reader`` is
    ``module:function``, from folder and size to FaceSet. ``sizes`` are the sides in pixels that the set comes
    in, of which it is reduced to any smaller one, empty where its pictures are cropped and scaled to any;
    ``size`` is what 0 stands for. ``shareable`` says whether pictures may appear in a published page.
    Generated sets have no layouts and no reader. ``clips``: the set has clips with onset, apex and offset,
    and its reader takes ``clip_frames``. ``others``: files of forms that circulate and are not read -> a
    sentence that says why. ``published``: what its publication counts, as ``describe.published_table`` takes
    it; empty where no count is certain enough to compare a copy with.
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
        """The sentence of the first of ``others`` that lies in ``folder``; empty where none does."""
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
    """Whether a folder with one's own ``faces.csv`` may be called ``name``."""
    return bool(_OWN_NAME.fullmatch(name)) and name not in {source.name for source in SOURCES}


CLIP_SETS = tuple(source.name for source in SOURCES if source.clips)
"""The face sets that hold clips, from onset over apex to offset."""
