"""What a page cites, as a list with links: from ``references.bib``, by DOI or arXiv."""

import re
from collections.abc import Sequence

from pybtex import PybtexEngine
from pybtex.exceptions import PybtexError

from ferbook import paths
from ferbook.errors import BookError
from ferbook.files import read_yaml

_CITED = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


def cited(text: str) -> list[str]:
    """The keys that ``text`` cites, in their order."""
    keys = (key.strip() for match in _CITED.finditer(text) for key in match[1].split(","))
    return list(dict.fromkeys(keys))


def references_text(keys: Sequence[str]) -> str:
    """The works of these ``keys`` as a list of Markdown, by author. Empty where there is none.
    Raises BookError for a key that the book's list of works lacks."""
    files = [
        str(paths.root() / name) for name in read_yaml(paths.config(), BookError).get("bibtex_bibfiles", ())
    ]
    if not keys or not files:
        return ""
    try:
        text = PybtexEngine().format_from_files(
            files, style="plain", citations=list(keys), output_backend="markdown", output_filename=None
        )
    except (PybtexError, KeyError) as fault:
        raise BookError(f"{', '.join(files)}: no work {fault}, which a page cites") from fault
    works = re.split(r"(?m)^\[\d+\] ", text)[1:]
    return "\n".join(f"- {' '.join(work.split())}" for work in works)
