"""The example book by its own README: run, asked for, built, checked and compared, once; and a chapter
added.
"""

import re

import pytest

from ferbook.book import chapters, clear_cached_book
from ferbook.build import check_toc
from ferbook.errors import BookError
from ferbook.new import write_chapter
from ferbook.notebook import require_parameters_cell


def page(copy, name):
    text = (copy / "_build" / "html" / "book" / f"{name}.html").read_text()
    return " ".join(re.sub("<[^>]+>", " ", text).split())


@pytest.mark.slow
def test_a_book_about_dice_is_run_built_checked_and_compared(copy, clone):
    ferbook, listed = clone.ferbook, clone.ferbook_json
    assert "2 chapter(s) finished" in ferbook("run", "--profile", "smoke", "--run", "a")
    assert "up to date: throws, means" in ferbook("run", "--run", "a")
    changed = ("--run", "a", "-p", "sides=8", "--profile", "smoke")
    assert "a: throws, means\n1 run(s), 2 chapter(s)" in ferbook("run", *changed, "--update", "--dry-run")
    assert "book built from run 'a'" in ferbook("build")
    means = page(copy, "means/means")
    assert "The mean, and how sure it is" in means and "3 minutes" in means
    assert "ferbook run means --profile smoke" in means and "95 % interval" in means.replace("\u00a0", " ")
    assert " yes " in page(copy, "answers") and "between which bounds" in page(copy, "index")
    assert "2 chapter(s) finished" in ferbook("run", "--profile", "smoke", "--run", "b")
    found = listed("compare", "a", "b")
    assert found["parameters"] == found["metrics"] == [] and found["equal"] == 3
    assert found["made"] == {} and found["alone"] == [[], []]

    assert "2 chapter(s) finished" in ferbook("run", "--profile", "reference")
    written = ferbook("new", "gaps")
    assert f"written: {copy / 'book' / 'gaps'}" in written
    assert "1 chapter(s) finished" in ferbook("run", "gaps", "--run", "a")
    assert "book built from run 'a'" in ferbook("build", "--run", "a")
    assert "Key numbers Reference Your run mean" in page(copy, "means/means")
    assert "Compared with run reference" in page(copy, "means/means")
    assert "Your run: yes" in page(copy, "answers")
    assert "Figure 3.1 shows 10 cases" in page(copy, "gaps/gaps")


def test_a_new_chapter_passes_every_check_and_stands_behind_the_others(copy):
    folder = write_chapter("odd_gaps")
    assert list(chapters()) == ["throws", "means", "odd_gaps"]
    made = chapters()["odd_gaps"]
    assert made.title == "Odd gaps" and made.folder == folder
    require_parameters_cell(made.notebook, made.parameters().model_dump())
    check_toc()
    lines = (copy / "_toc.yml").read_text().splitlines()
    assert lines.index("  - file: book/odd_gaps/odd_gaps") == lines.index("  - file: book/means/means") + 1


@pytest.mark.parametrize(
    "name", ["means", "Means", "interactive", "suite", "index", "two words", "../x", "", "assets"]
)
def test_a_name_that_is_taken_or_impossible_is_refused_and_nothing_is_written(copy, name):
    def stands():
        # What is imported meanwhile may be compiled.
        files = [file for file in copy.rglob("*") if "__pycache__" not in file.parts]
        return sorted(files), (copy / "_toc.yml").read_text()

    (copy / "book" / "assets").mkdir()
    before = stands()
    with pytest.raises(BookError, match=r"is taken by|cannot name a chapter"):
        write_chapter(name)
    assert stands() == before


def test_a_table_of_contents_without_a_place_is_left_as_it_is(copy):
    (copy / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    clear_cached_book()
    with pytest.raises(BookError, match="lists no page behind which a chapter could go"):
        write_chapter("gaps")
    assert not (copy / "book" / "gaps").exists()
