"""What a page cites, as a list with links."""

import pytest

from ferbook.errors import BookError
from ferbook.references import cited, references_text


def test_what_a_page_cites_is_listed_once_with_its_link(copy):
    assert cited("{cite:p}`b, a` {cite:t}`a` {cite}`c` `d`") == ["b", "a", "c"]
    with (copy / "book" / "references.bib").open("a") as works:
        works.write("@misc{a, author={A, B}, title={T}, year={2015}, eprint={1510.02969}, doi={10.1/x}}\n")
    told = references_text(["pearson1900", "a"]).splitlines()
    assert told[0].startswith("- B A") and told[1].startswith("- Karl Pearson")
    assert "(https://arxiv.org/abs/1510.02969)" in told[0] and "(https://doi.org/10.1/x)" in told[0]
    assert references_text([]) == ""


def test_a_work_that_is_not_listed_is_named(copy):
    with pytest.raises(BookError, match=r"references.bib: .*absent2000"):
        references_text(["absent2000"])


def test_a_list_that_cannot_be_read_is_named(copy):
    works = copy / "book" / "references.bib"
    works.write_text(works.read_text() + "@misc{a, title={T\n")
    with pytest.raises(BookError, match=r"references\.bib: syntax error"):
        references_text(["pearson1900"])
    works.unlink()
    with pytest.raises(BookError, match=r"references\.bib: .*No such file"):
        references_text(["pearson1900"])
