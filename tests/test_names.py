"""Names in the house: a public one means one thing, a local one is a noun, no two files import each other."""

import ast
from collections import Counter
from pathlib import Path

from ferbook.imports import imported_modules

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    file
    for room in ("book", "fer_lib", "ferbook", "synthetic_faces", "benchmarks")
    for file in (ROOT / room).rglob("*.py")
)
PROTOCOL = {"CHAPTER", "NO_EMOTIONS", "PUBLISHED", "main", "open_chapter", "setup"}
"""What each file of a kind has under one name, because others look for it there."""

PARTICIPLES = """
found told asked said given kept known drawn taught learned seen named wanted shown made done judged
answered called put held counted lost moved meant chosen heard used trained tested
"""
"""What has been done to a thing does not say what it is."""


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


def local_names(source: str) -> set[str]:
    """Variables and parameters of a module's functions, without their leading underscores."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    nodes = [
        part for node in ast.walk(ast.parse(source)) if isinstance(node, functions) for part in ast.walk(node)
    ]
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return {name.lstrip("_") for name in names | {node.arg for node in nodes if isinstance(node, ast.arg)}}


def test_public_names_are_those_at_the_top():
    source = "A, _B = 1, 2\nC: int = 3\ndef d(): e = 1\nclass F: g = 1\nI = [h for h in ()]\n"
    assert public_names(source) == {"A", "C", "d", "F", "I"}


def test_a_public_name_is_in_one_file_only():
    counts = Counter(name for file in FILES for name in public_names(file.read_text(encoding="utf-8")))
    shared = {name for name, count in counts.items() if count > 1} - PROTOCOL
    assert not shared


def test_local_names_are_those_in_functions():
    source = (
        "a = 1\nclass B:\n    c: int = 2\n    def d(self, e, *f, g=a, **h):\n        _i, j = k(l=m.n)\n"
        "        return [o for o in j if (p := o)]\nq = lambda r: r.s\n"
    )
    assert local_names(source) == {"self", *"efghijopr"}


def test_a_name_is_a_noun():
    names = {
        f"{file.relative_to(ROOT).as_posix()}: {name}"
        for file in FILES
        for name in local_names(file.read_text(encoding="utf-8")) & set(PARTICIPLES.split())
    }
    assert not names


def test_no_two_files_import_each_other():
    imports = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): imported_modules(
            file.read_text(encoding="utf-8")
        )
        for file in FILES
    }
    mutual = {
        frozenset({one, other})
        for one, reached in imports.items()
        for other in reached & imports.keys()
        if one in imports[other]
    }
    assert not mutual
