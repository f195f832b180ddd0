"""Names in the house: a public one means one thing, no two files import each other."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("book", "face_sets", "fer_lib", "ferbook", "synthetic_faces", "benchmarks")
FILES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
SOURCES = {file: file.read_text(encoding="utf-8") for file in FILES}
# What each file of a kind has under one name, because others look for it there.
PROTOCOL = {"CHAPTER", "NO_EMOTIONS", "main", "open_chapter", "setup"}


def public_names(source: str) -> set[str]:
    """Functions, classes and values that a module defines at its top level, without a leading underscore."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = [part for target in targets for part in ast.walk(target)]
            names |= {part.id for part in parts if isinstance(part, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def imported_modules(source: str) -> set[str]:
    """Names of the modules that a module imports; those of a ``from`` may be names inside a module, too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_a_public_name_is_in_one_file_only():
    counts = Counter(name for source in SOURCES.values() for name in public_names(source))
    assert not ({name for name, count in counts.items() if count > 1} - PROTOCOL)


def test_no_two_files_import_each_other():
    imports = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): imported_modules(source)
        for file, source in SOURCES.items()
    }
    every = [(one, other) for one, reached in imports.items() for other in reached & imports.keys()]
    assert not [{one, other} for one, other in every if one in imports[other]]


# Arguments that may be given by their place; further ones are given by their names.
MOST_POSITIONAL = 5
# Where more may be: the generator, whose kernels know no names, and the protocol of ``explain``.
BY_PLACE = ("synthetic_faces/", "fer_lib/look/attribution.py")


def many_arguments(source: str) -> list[str]:
    """Functions of a module that take more than ``MOST_POSITIONAL`` arguments by their place, ``self`` and
    ``cls`` aside. Commands are called by the names of their options.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
            command = any("command" in ast.unparse(each) for each in node.decorator_list)
            if len(set(given) - {"self", "cls"}) > MOST_POSITIONAL and not command:
                found.append(node.name)
    return found


def test_no_function_takes_many_arguments_by_their_place():
    files = {file.relative_to(ROOT).as_posix(): source for file, source in SOURCES.items()}
    many = {name: many_arguments(source) for name, source in files.items() if not name.startswith(BY_PLACE)}
    assert {name: functions for name, functions in many.items() if functions} == {}


@pytest.mark.defect("M5")
def test_equal_values_are_sorted_alike_on_every_processor():
    """NumPy's default order of ties depends on the processor's instructions, and pandas' with it."""
    loose = []
    for file, source in SOURCES.items():
        for node in ast.walk(ast.parse(source)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            several = bool(node.args) and isinstance(node.args[0], ast.List)  # then pandas' order is stable
            if node.func.attr in ("argsort", "sort_values") and not several:
                settings = {keyword.arg for keyword in node.keywords}
                if not settings & {"kind", "stable"}:
                    loose.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    # Random numbers, all different; a stable order takes a fifth longer of what tests of chance wait for.
    assert [place for place in loose if "aus/nulls.py" not in place] == []
