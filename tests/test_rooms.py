"""The order of the rooms: each imports only from those before it."""

import ast

import pytest

from fer_lib import paths

ORDER = (
    "errors",
    "files",
    "paths",
    "imports",
    "params",
    "resampling",
    "faces",
    "models",
    "learn",
    "explain",
    "units",
    "report",
    "suite",
    "console",
    "cli_data",
    "cli",
)
FILES = sorted(file for file in paths.LIBRARY.rglob("*.py") if file != paths.LIBRARY / "__init__.py")
DRAWING = {"matplotlib", "seaborn"}
RUNNING = {"papermill", "snakemake", "sphinx", "docutils", "nbval", "nbclient", "nbformat", "jupyter_book"}


def room_of(file):
    return file.relative_to(paths.LIBRARY).with_suffix("").parts[0]


def imports_of(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides which room it reaches into"
            yield node.module
            if node.module == "fer_lib":
                yield from (f"fer_lib.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(paths.LIBRARY).as_posix())
def test_imports_go_one_way(file):
    room = room_of(file)
    assert room in ORDER, f"{file}: {room} is not a room of the design"
    later = set(ORDER[ORDER.index(room) + 1 :])
    reached = {name.split(".")[1] for name in imports_of(file) if name.startswith("fer_lib.")}
    assert not reached & later, f"{file} imports from {reached & later}, which come after {room}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(paths.LIBRARY).as_posix())
def test_only_report_draws_and_only_suite_runs(file):
    packages = {name.split(".")[0] for name in imports_of(file)}
    if ORDER.index(room_of(file)) < ORDER.index("report"):
        assert not packages & DRAWING
    if ORDER.index(room_of(file)) < ORDER.index("suite"):
        assert not packages & RUNNING


def test_no_file_has_a_name_that_explains_nothing():
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert not [file for file in FILES if file.stem in empty]
