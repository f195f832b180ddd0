"""What a page cites, as a list with links (``references.bib``, by DOI or arXiv), and what papers report."""

import re
from collections.abc import Sequence
from functools import lru_cache

import pandas as pd
from pybtex.database import BibliographyData, parse_string
from pybtex.exceptions import PybtexError
from pybtex.plugin import find_plugin

from ferbook import paths
from ferbook.claims import CERTAINTIES, read_claims
from ferbook.errors import BookError
from ferbook.files import read_yaml
from ferbook.page.tables import Table
from ferbook.text import PERCENT

_CITED = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


def cited(text: str) -> list[str]:
    """The keys that ``text`` cites, in their order."""
    keys = (key.strip() for match in _CITED.finditer(text) for key in match[1].split(","))
    return list(dict.fromkeys(keys))


def references_text(keys: Sequence[str]) -> str:
    """The works of these ``keys`` as a list of Markdown, by author. Empty where there is none.
    Raises BookError for a key that the book's list of works lacks, and for a list that cannot be read."""
    files = [paths.root() / name for name in read_yaml(paths.config(), BookError).get("bibtex_bibfiles", ())]
    if not keys or not files:
        return ""
    try:
        works = _works(tuple(file.read_text(encoding="utf-8") for file in files))
    except (PybtexError, OSError, ValueError) as fault:
        raise BookError(f"{', '.join(map(str, files))}: {fault}") from fault
    if absent := [key for key in keys if key not in works]:
        raise BookError(f"{', '.join(map(str, files))}: no work {absent[0]!r}, which a page cites")
    return "\n".join(f"- {text}" for key, text in works.items() if key in keys)


@lru_cache(maxsize=1)
def _works(lists: tuple[str, ...]) -> dict[str, str]:
    """Key -> a work as Markdown, by author, of the BibTeX ``lists``."""
    works = BibliographyData()
    for text in lists:
        works.add_entries(parse_string(text, "bibtex").entries.items())
    style = find_plugin("pybtex.style.formatting", "plain")()
    markdown = find_plugin("pybtex.backends", "markdown")()
    formatted = style.format_bibliography(works)
    return {each.key: " ".join(each.text.render(markdown).split()) for each in formatted}


def reported_table(chapter: str) -> Table:
    """What papers report on the subject of a chapter, for its page: ``paper``, ``data``, ``accuracy`` with
    the digits that the paper gives, ``how sure``, and ``remark``, ``users report`` and ``where`` if there are
    any.
    """
    report = read_claims(paths.claims_file()).reported[chapter]
    rows = [
        {
            "paper": each.paper or None,
            "data": each.data or None,
            "accuracy": each.accuracy,
            "how sure": f"{each.certainty}: {CERTAINTIES[each.certainty]}",
            "remark": each.remark or None,
            "users report": ", ".join(f"{100 * share:g} %" for share in each.users) or None,
            "where": each.where or None,
        }
        for each in report.numbers
    ]
    table = pd.DataFrame(rows).astype({"accuracy": float}).dropna(axis="columns", how="all")
    return Table(table, report.caption, {"accuracy": lambda share: f"{100 * share:.4g}{PERCENT}"})
