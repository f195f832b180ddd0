"""Labels of numbers of the reference: a page of a user's run must say which numbers are not its own."""

import re
from collections.abc import Sequence

from ferbook.errors import BookError

_ROLE = re.compile(r"\{reference\}`([^`]+)`")
_FENCE = re.compile(r":{3,}(?:\{(\w+)\} *(.*))?$")
_EXEMPT_SECTION, _EXEMPT_FOLD = "In short", "Answer"


def unlabelled_references(cells: Sequence[tuple[str, str]]) -> list[str]:
    """Return each role ``{reference}`` of a page that no word *reference* labels, after its cell's name.

    Parameters
    ----------
    cells : sequence of (name, text)
        The page's Markdown in its order.

    Notes
    -----
    A label is the word in the same paragraph, or in the row or the head of a table. Roles in the section *In
    short* and in folded answers need none.
    """
    found, heading, folds = [], "", []
    for cell, text in cells:
        for block in re.split(r"\n\s*\n", text):
            lines = block.splitlines()
            head = next((line for line in lines if line.startswith("|")), "")
            for line in lines:
                if line.startswith("#"):
                    heading = line.strip("# ")
                if fence := _FENCE.fullmatch(line.strip()):
                    folds = [*folds, fence[2] or ""] if fence[1] else folds[:-1]
                label = _ROLE.sub("", head + line if line.startswith("|") else block)
                exempt = heading == _EXEMPT_SECTION or any(each.startswith(_EXEMPT_FOLD) for each in folds)
                if not exempt and not re.search(r"\breference", label, re.IGNORECASE):
                    found += [f"{cell}: {role}" for role in _ROLE.findall(line)]
    return found


def require_labels(page: str, cells: Sequence[tuple[str, str]]) -> None:
    """Raise BookError, naming page, cell and number, unless each number of the reference has its label."""
    if found := unlabelled_references(cells):
        mend = "write *reference* in its paragraph, or in the row or head of its table"
        raise BookError(f"{page}, cell {found[0]} is a number of the reference without a label; {mend}")
