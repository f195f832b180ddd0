"""A run of some chapters: the book says of the others how to make them."""

import re

import pytest

pytestmark = [pytest.mark.whole_suite, pytest.mark.slow]


def test_a_run_of_one_chapter_makes_a_book_whose_other_pages_say_how_to_add_theirs(toy_clone):
    """``derl`` stands on no other chapter, and no page of prose quotes its numbers, of which a toy has
    none.
    """
    claims = toy_clone.root / "claims.yaml"
    # Toys draw none of the figures that claims and pages name.
    claims.write_text(re.sub(r"(?m)^ +figure: .*\n", "", claims.read_text()))
    for page in (toy_clone.root / "book").glob("*.md"):
        page.write_text(re.sub(r"\{figure\}`[^`]+`|<!-- figure: .* -->", "", page.read_text()))
    toy_clone.ferbook("run", "derl", "--run", "a")
    assert "no faces, training, " in toy_clone.ferbook("build", "--run", "a")
    pages = toy_clone.root / "_build" / "html" / "book"
    assert "Provenance" in (pages / "derl" / "derl.html").read_text()
    assert "<td><p>not measured yet</p></td>" in (pages / "index.html").read_text()
    page = " ".join(re.sub("<[^>]+>", "", (pages / "faces" / "faces.html").read_text()).split())
    assert "no finished result of this chapter" in page and "ferbook run faces --run a ferbook build" in page
    assert "Not measured: the run has no finished" in toy_clone.ferbook("claims", "--run", "a")
    assert "1 chapter(s) finished" in toy_clone.ferbook("run", "faces", "--run", "a"), "the command works"
