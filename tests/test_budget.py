"""What the house may hold. A door enters when another closes: whoever goes past a number takes something
out. The numbers are to fall: 30,300 in all is the
goal, of which ferbook 6,100, book 10,800, fer_lib 5,000, face_sets 3,400 and tests beside them 28,500.
"""

import ast
import io
import subprocess
import tokenize
from functools import cache
from pathlib import Path

import typer.main

from ferbook.cli import command_line
from tests.test_names import imported_modules

ROOT = Path(__file__).resolve().parent.parent

MOST = {
    "all": 31633,
    "face_sets": 3488,
    "fer_lib": 5002,
    "ferbook": 6631,
    "book": 11145,
    "synthetic_faces": 3925,
    "benchmarks": 713,
    "tests": 29698,
    "files": 253,
    "commands": 23,
    "floors of ferbook": 8,
    "lines of scripts and styles": 2358,
}


def tracked(*patterns):
    listed = subprocess.check_output(["git", "ls-files", *patterns], cwd=ROOT, text=True)
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


def code_lines(text):
    """Lines that carry a token, without comments and docstrings."""
    prose = set()
    for node in ast.walk(ast.parse(text)):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            prose |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE}
    layout |= {tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in layout:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - prose)


def floors(package):
    """The longest chain of imports among the files of ``package``."""
    modules = {}
    for name in tracked(f"{package}/*.py"):
        module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        modules[module] = imported_modules((ROOT / name).read_text(encoding="utf-8"))

    @cache
    def floor(module):
        return 1 + max((floor(each) for each in modules[module] & modules.keys() - {module}), default=0)

    return max(map(floor, modules))


def commands(group):
    children = getattr(group, "commands", {})
    return sum(commands(child) for child in children.values()) if children else 1


def test_the_house_holds_no_more_than_it_may():
    lines = {name: code_lines((ROOT / name).read_text(encoding="utf-8")) for name in tracked("*.py")}
    rooms = ("face_sets", "fer_lib", "ferbook", "book", "synthetic_faces", "benchmarks", "tests")
    now = {room: sum(n for name, n in lines.items() if name.startswith(f"{room}/")) for room in rooms}
    outside = {name: number for name, number in lines.items() if not name.startswith("tests/")}
    pages = tracked("book/*.js", "book/*.css", "book/*.html")
    now |= {
        "all": sum(outside.values()),
        "files": len(outside),
        "commands": commands(typer.main.get_command(command_line())),
        "floors of ferbook": floors("ferbook"),
        "lines of scripts and styles": sum(
            len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in pages
        ),
    }
    assert {name: number for name, number in now.items() if number > MOST[name]} == {}
