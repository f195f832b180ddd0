"""The house: which room may import from which, read from the imports of every file."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ferbook", "synthetic_faces", "face_sets", "fer_lib", "book")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "book").glob("*/*.ipynb"))
# What ``fer_lib`` takes of the engine.
LEAVES = {"ferbook.estimate", "ferbook.errors", "ferbook.files", "ferbook.steps"}
# The rooms of ``fer_lib``: each imports only from those before it.
LIBRARY = ("stats", "names", "nets", "train", "look", "aus")
DRAWING = {"matplotlib", "seaborn"}
RUNNING = {"papermill", "snakemake", "sphinx", "docutils", "nbval", "nbclient", "nbformat", "jupyter_book"}
LEARNING = {"torch", "torchvision", "fastai"}
SETS = "from face_sets import registry as r; [r.fingerprint(r.FaceRequest(each)) for each in r.REGISTRY]"
KEPT = "from book.populations import populations; assert all(each.key() for each in populations().values())"
# What is to be light -> how it is asked, and what that does not import.
LIGHT = {
    "the command line": ("from ferbook import cli; cli.command_line()", "torch pandas IPython"),
    "the library": ("import fer_lib", "torch fastai pandas"),
    "the generator": ("from synthetic_faces import produce, render, studio", "anny torch"),
    "which face sets are there": (
        f"{SETS}; r.list_sources()",
        "numpy pandas pyarrow torch warp anny PIL pydantic fastai matplotlib",
    ),
    "which networks are kept, as every command asks": (KEPT, "pandas torch"),
}
# Names that an ``__init__`` may hand on; a file with more is a hub, which ties together what it names.
MOST_NAMES_ON = 25


def ours(tree, file):
    """Full names of our own modules that a syntax tree imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides which room it reaches into"
            found |= {module_of(node.module, alias.name) for alias in node.names}
    return found


def module_of(module, name):
    """``module.name`` where that is a module of ours, otherwise ``module``."""
    inner = ROOT / Path(*module.split(".")) / name
    return f"{module}.{name}" if inner.with_suffix(".py").is_file() or inner.is_dir() else module


@cache
def imports_of(file):
    if file.suffix == ".py":
        return ours(ast.parse(file.read_text()), file)
    cells = nbformat.read(file, as_version=4).cells
    return set().union(*(ours(ast.parse(c.source), file) for c in cells if c.cell_type == "code"))


def tops(file):
    return {name.split(".")[0] for name in imports_of(file)}


def in_package(*packages):
    return [file for file in FILES if file.relative_to(ROOT).parts[0] in packages]


def chapter_of(file):
    """The chapter whose folder holds ``file``; empty for what all chapters share."""
    parts = file.relative_to(ROOT / "book").parts
    return parts[0] if len(parts) > 1 else ""


def test_the_engine_knows_nothing_of_faces_and_the_generator_nothing_of_the_others():
    faces = {"face_sets", "fer_lib", "synthetic_faces", "book", *LEARNING}
    assert not [file for file in in_package("ferbook") if tops(file) & faces]
    others = {"face_sets", "fer_lib", "ferbook", "book"}
    assert not [file for file in in_package("synthetic_faces") if tops(file) & others]


def test_face_sets_need_neither_torch_nor_the_library():
    for file in in_package("face_sets"):
        assert not tops(file) & {"fer_lib", "book", *LEARNING}, file
        assert {name for name in imports_of(file) if name.split(".")[0] == "ferbook"} <= LEAVES, file


def test_the_library_goes_one_way():
    for file in in_package("fer_lib"):
        parts = file.relative_to(ROOT / "fer_lib").with_suffix("").parts
        if parts == ("__init__",):
            continue
        imports = imports_of(file)
        assert "book" not in tops(file), file
        engine = {name for name in imports if name.split(".")[0] == "ferbook"}
        assert engine <= LEAVES, f"{file} takes {engine - LEAVES} of the engine"
        later = set(LIBRARY[LIBRARY.index(parts[0]) + 1 :])
        reached = {name.split(".")[1] for name in imports if name.startswith("fer_lib.")}
        assert not reached & later, f"{file} imports from {reached & later}, which come after {parts[0]}"
        assert parts[0] != "stats" or reached <= {"stats"}, file


def test_chapters_never_import_one_another():
    chapters = {chapter_of(notebook) for notebook in NOTEBOOKS}
    for file in [*in_package("book"), *NOTEBOOKS]:
        reached = {n.split(".")[1] for n in imports_of(file) if n.startswith("book.")} & chapters
        assert reached <= {chapter_of(file)}, f"{file} imports from the chapters {reached}"


def test_only_pages_draw_and_only_the_engine_runs():
    for file in FILES:
        place = file.relative_to(ROOT).as_posix()
        if not re.match(r"(ferbook/page|book)/", place):
            assert not tops(file) & DRAWING, place
        if not place.startswith("ferbook/"):
            assert not tops(file) & RUNNING, place


@pytest.mark.parametrize("part", LIGHT)
def test_what_is_asked_often_imports_nothing_heavy(part):
    """In a process of its own: others may have imported them here."""
    asked, heavy = LIGHT[part]
    code = f"{asked}; import sys; print(*{set(heavy.split())} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_no_hub_hands_names_on():
    for file in (file for file in FILES if file.name == "__init__.py"):
        imports = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ImportFrom)]
        assert sum(len(node.names) for node in imports) <= MOST_NAMES_ON, file


def test_no_file_has_a_name_that_explains_nothing_or_is_left_in_an_old_room():
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert not [file for file in FILES if file.stem in empty]
    rooms = {file.relative_to(ROOT / "fer_lib").parts[0] for file in in_package("fer_lib")}
    assert rooms <= {"__init__.py", "names.py", *LIBRARY}
