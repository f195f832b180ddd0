"""Numbers of the reference say whose they are, on every page of the book."""

import pytest

from ferbook import paths
from ferbook.book import chapters
from ferbook.errors import BookError
from ferbook.labels import require_labels, unlabelled_references
from ferbook.notebook import read_notebook

NUMBER = "{reference}`training.accuracy`"


@pytest.mark.parametrize(
    ("text", "labelled"),
    [
        (f"The network has {NUMBER}.", False),
        (f"In the reference the network has {NUMBER}.", True),
        (f"The reference is large.\n\nThe network has {NUMBER}.", False),
        (f"## In short\n\nIt has {NUMBER}.", True),
        (f"## In short\n\nIt has.\n\n## Later\n\nIt has {NUMBER}.", False),
        (f":::{{dropdown}} Answer\n{NUMBER}.\n:::", True),
        (f":::{{dropdown}} Answer\nYes.\n:::\n\nIt has {NUMBER}.", False),
        (f":::{{dropdown}} What to expect\n{NUMBER}.\n:::", False),
        (f"| claim | reference |\n|---|---|\n| it | {NUMBER} |", True),
        (f"| claim | found |\n|---|---|\n| of the reference | 1 |\n| it | {NUMBER} |", False),
    ],
)
def test_a_number_of_the_reference_needs_a_label_outside_in_short_and_folded_answers(text, labelled):
    assert unlabelled_references([("a", text)]) == ([] if labelled else ["a: training.accuracy"])


def test_a_page_with_an_unlabelled_number_is_refused_by_page_cell_and_number():
    with pytest.raises(BookError, match=r"book/training, cell b: training\.accuracy"):
        require_labels("book/training", [("a", "## What"), ("b", f"It has {NUMBER}.")])


@pytest.mark.defect("E1")
def test_no_page_of_the_book_shows_an_unlabelled_number_of_the_reference():
    pages = {str(file): [("text", file.read_text())] for file in paths.pages().rglob("*.md")}
    for name, chapter in chapters().items():
        cells = read_notebook(chapter.notebook).cells
        pages[name] = [(cell.id, cell.source) for cell in cells if cell.cell_type == "markdown"]
    for page, cells in pages.items():
        require_labels(page, cells)
