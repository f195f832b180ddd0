"""What exercises quote: commands that the command line understands, names that stand on their page."""

import ast
import builtins
import re
import shlex

import pytest
import typer
from typer.exceptions import TyperException

from face_sets.registry import REGISTRY, named_source
from ferbook import paths
from ferbook.book import chapters, find_chapter, suite, with_upstream
from ferbook.cli import command_line
from ferbook.errors import FerError
from ferbook.notebook import code_cells, read_notebook
from ferbook.request import Request, parse_assignments
from ferbook.store import REFERENCE, open_run
from synthetic_faces.facs import AUS

every_chapter = pytest.mark.parametrize("chapter", chapters().values(), ids=list(chapters()))


def exercises(notebook):
    """The exercises of a page, each with what to expect."""
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.split(r"(?m)^\W*\d\. ?", prose.partition("\n## Exercises\n")[2])[1:]


def quoted(text):
    """What stands in backticks, but for roles and the names of what is written in italics."""
    return re.findall(r"`([^`]+)`", re.sub(r"\{[\w:]+\}`[^`]+`", "", text))


def command_fault(text):
    """Why the command line refuses ``text``; empty where it takes it."""
    words = shlex.split(text)[1:]
    command = typer.main.get_command(command_line())
    try:
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        context = command.make_context(command.name, words, resilient_parsing=False)
    except (KeyError, IndexError, TyperException) as fault:
        return f"{text}: {fault}"
    given = context.params
    try:
        asked = parse_assignments(given.get("param") or [])
        asked |= {"faces": given["faces"]} if given.get("faces") else {}
        named = [*(given.get("chapters") or ()), *filter(None, [given.get("chapter")])]
        if "faces" in asked:
            named_source(asked["faces"])
        Request(given.get("profile") or suite().profile, asked).check()
        for name in named:
            find_chapter(name)
        of_chapter = {name: set(each.parameters.model_fields) for name, each in chapters().items()}
        missing = [name for name in asked if named and not _is_field(name, named, of_chapter)]
    except FerError as fault:
        return f"{text}: {fault}"
    if missing:
        return f"{text}: the chapter has no {missing[0]}"
    # Without its chapter's name a parameter is changed in the chapters upstream, too.
    reached = [
        f"{name} of {each.name}"
        for each in (with_upstream(named) if named else ())
        for name in asked
        if each.name not in named and name in set(each.parameters.model_fields) - {"faces"}
    ]
    return f"{text}: changes {reached[0]} as well" if reached else ""


def _is_field(parameter, named, fields):
    """Whether a chapter that the ``parameter`` names, or one of those that are ``named``, has it."""
    chapter, _, name = parameter.rpartition(".")
    return any(name in fields.get(each, ()) for each in ([chapter] if chapter else named))


def names_of(code):
    """Every name and argument that ``code`` has, its attributes too."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        found |= {getattr(node, field, None) for field in ("id", "attr", "arg", "name")}
        if isinstance(node, ast.alias):
            found |= {node.asname, node.name}
    return found


def unknown(text, page, known):
    """The names of the quoted ``text`` that ``page``, and what the exercise assigned, do not have."""
    tree = ast.parse(text)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    used = {node.id for node in names} - bound
    missing = used - page - known - set(dir(builtins))
    known |= bound
    return missing


def faults(notebook, chapter):
    code = [cell.source for cell in code_cells(notebook)]
    page = set().union(*map(names_of, code))
    words = set(re.findall(r"[\w-]+", "\n".join(code)))
    result = open_run(REFERENCE).result(chapter)
    words |= {*AUS, *REGISTRY, *chapters(), *suite().path_variables}
    words |= set(result.metrics() if result.done() else ())
    for exercise in exercises(notebook):
        known = set()
        for text in quoted(exercise):
            if text.startswith("ferbook "):
                if fault := command_fault(text):
                    yield fault
            elif text.startswith("-"):
                if fault := command_fault(f"ferbook run {chapter} {text}"):
                    yield fault
            elif "/" in text and not text.startswith("/") and " " not in text:
                if not (paths.root() / text).is_file():
                    yield f"no file {text}"
            else:
                yield from quoted_fault(text, page | words, known)


def quoted_fault(text, page, known):
    try:
        missing = unknown(text, page, known)
    except SyntaxError:
        missing = set() if text in page else {text}
    if missing:
        yield f"`{text}`: the page has no {', '.join(sorted(missing))}"


@every_chapter
def test_what_an_exercise_quotes_is_there(chapter):
    assert list(faults(read_notebook(chapter.notebook), chapter.name)) == []
