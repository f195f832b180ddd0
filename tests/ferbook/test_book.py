"""Reading a book: its order, and what is wrong with a chapter or with ``suite.py``, in one line with the
mend.
"""

import pytest

from ferbook import book, paths
from ferbook.book import chapters, clear_cached_book, find_chapter, import_named, longest_chain, suite
from ferbook.errors import BookError, ParameterError

CHAPTER = """
from ferbook.book import Chapter
from ferbook.parameters import Parameters

CHAPTER = Chapter(title="T", parameters=Parameters, upstream={upstream}, profiles={profiles})
"""


def test_a_book_is_found_from_any_folder_below_it_and_named_by_a_variable(copy, tmp_path, monkeypatch):
    assert paths.root() == copy
    monkeypatch.delenv("FERBOOK_ROOT")
    monkeypatch.chdir(copy / "book" / "means")
    assert paths.root() == copy and list(chapters()) == ["throws", "means"]
    monkeypatch.chdir(tmp_path)
    assert paths.root() == paths.ENGINE.parent, "the checkout that the engine lies in"


def test_chapters_stand_in_the_order_of_the_contents_after_those_they_depend_on(copy):
    toc = copy / "_toc.yml"
    lines = toc.read_text().splitlines()
    toc.write_text("\n".join([*lines[:3], lines[4], lines[3], *lines[5:]]))
    clear_cached_book()
    assert list(chapters()) == ["throws", "means"]
    assert longest_chain("throws", {}) == 7200 and longest_chain("means", {}) == 3600, "an hour each"
    assert longest_chain("means", {"means": 40}) == 40 and longest_chain("throws", {"means": 40}) == 3640
    assert [chapter.name for chapter in book.with_upstream(["means"])] == ["throws", "means"]


def write(place, name, upstream=(), profiles=(), notebook=True):
    folder = place / "book" / name
    folder.mkdir(exist_ok=True)
    (folder / "chapter.py").write_text(CHAPTER.format(upstream=tuple(upstream), profiles=dict(profiles)))
    if notebook:
        (folder / f"{name}.ipynb").write_text("{}")


MODEL = """from pathlib import Path
from typing import Literal

from ferbook.book import Chapter
from ferbook.parameters import Parameters


class OddParameters(Parameters):
    limit: {}


CHAPTER = Chapter(title="Odd", parameters=OddParameters)
"""


def without_declaration(place):
    write(place, "odd")
    (place / "book" / "odd" / "chapter.py").unlink()


def writing(**declared):
    return lambda place: write(place, "odd", **declared)


def declares(text):
    def spoil(place):
        write(place, "odd")
        (place / "book" / "odd" / "chapter.py").write_text(text)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without_declaration, r"book/odd/chapter\.py is missing; write it"),
        (writing(notebook=False), r"book/odd/odd\.ipynb is missing"),
        (writing(upstream=["thorws"]), r"book/odd/chapter\.py: no chapter 'thorws'.*did you mean 'throws'"),
        (writing(upstream=["odd"]), r"book/odd/chapter\.py: upstream goes in a circle, odd → odd; take"),
        (writing(profiles={"smok": {}}), r"book/odd/chapter\.py: no profile 'smok'.*'smoke'"),
        (writing(profiles={"smoke": {"x": 1}}), r"'smoke' sets 'x', which the model has not"),
        (declares("x = ("), r"book/odd/chapter\.py, line 1: SyntaxError"),
        *(
            (declares(MODEL.format(kind)), r"book/odd/chapter\.py: limit is of type .*, which no record")
            for kind in ("float | None", "list[int]", "Path", "Literal[None, 1]")
        ),
        (declares("CHAPTER = 3"), r"book/odd/chapter\.py: declares no CHAPTER = Chapter\(…\)"),
    ],
)
def test_a_chapter_that_is_wrong_is_named_in_one_line(copy, spoil, told):
    spoil(copy)
    clear_cached_book()
    with pytest.raises(BookError, match=told) as fault:
        chapters()
    assert "\n" not in str(fault.value)


def test_a_circle_of_chapters_is_named(copy):
    for name, upstream in (("one", "two"), ("two", "one"), ("three", "one")):
        write(copy, name, [upstream])
    clear_cached_book()
    with pytest.raises(BookError, match=r"book/(one|two)/.* in a circle, (one → two → one|two → one → two);"):
        chapters()


@pytest.mark.parametrize("name", ["interactive", "metrics", "suite", "index", "Odd", "two-words", "2nd"])
def test_a_name_that_is_taken_or_impossible_is_named(copy, name):
    write(copy, name)
    clear_cached_book()
    told = f"book/{name}: .*({name!r} is taken by the book|{name!r} cannot name)"
    with pytest.raises(BookError, match=told):
        find_chapter(name)


def test_an_unknown_chapter_is_told_with_the_nearest(example):
    told = r"no chapter 'mens' \(did you mean 'means'\?\); .* throws, means"
    with pytest.raises(ParameterError, match=told):
        find_chapter("mens")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("SUITE = 3", r"book/suite\.py: declares no SUITE = Suite"),
        ("SUITE = Suite(chekc=print)", r"book/suite\.py: TypeError: .*'chekc'"),
        ("SUITE = Suite(profile='x')", r"profile = 'x' is none of profiles"),
    ],
)
def test_a_suite_file_that_is_wrong_is_named(copy, text, told):
    (copy / "book" / "suite.py").write_text(f"from ferbook.book import Suite\n\n{text}\n")
    clear_cached_book()
    with pytest.raises(BookError, match=told) as fault:
        suite()
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("place", ["absent_module:data", "ferbook.book:dat_app", "ferbook.book", ""])
def test_a_function_that_is_not_where_the_suite_says_is_named(place):
    told = rf"book/suite\.py: the command 'data' is to be {place!r} .*which is absent"
    with pytest.raises(BookError, match=told):
        import_named("the command 'data'", place)


def test_a_folder_without_a_table_of_contents_is_no_book(copy):
    (copy / "_toc.yml").unlink()
    clear_cached_book()
    with pytest.raises(BookError, match=r"_toc\.yml.*a book is a folder with _toc\.yml and book/"):
        chapters()
