"""Every pinned package is used: imported, or needed for what is said here."""

import ast
import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]

OTHER_USES = {
    "axe-playwright-python": "brings the script axe, which the browser tests load",
    "ipykernel": "the kernel that notebooks are executed by",
    "jupyter-book": "run as a command by the build",
    "nbval": "run as pytest's plugin by the check",
    "snakemake": "run as a command",
    "snakemake-executor-plugin-slurm": "loaded by Snakemake for --executor slurm",
    "jupyterlab": "for readers",
    "pytest-xdist": "run by make test",
    "ruff": "run by make lint",
}
"""Pinned without an import of ours -> why."""


def imports_of(source: str) -> set[str]:
    """The first names of all modules that a source imports."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names}


def plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_every_pinned_package_is_imported_or_said_to_be_needed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = [
        *project["dependencies"],
        *(pin for some in project["optional-dependencies"].values() for pin in some),
    ]
    listed = subprocess.check_output(["git", "ls-files", "*.py"], cwd=ROOT, text=True)
    files = [ROOT / name for name in listed.split() if (ROOT / name).is_file()]
    imported = set().union(*(imports_of(file.read_text(encoding="utf-8")) for file in files))
    owners = packages_distributions()
    used = {plain(owner) for name in imported for owner in owners.get(name, ())}
    pinned = {plain(pin.partition("==")[0]) for pin in pins}
    assert pinned - used - OTHER_USES.keys() == set(), "pinned, but imported nowhere"
    assert OTHER_USES.keys() & used == set(), "imported, so no other use has to be named"
    assert OTHER_USES.keys() <= pinned
