"""Solutions that differ from the right one in one idea: it, with one place of its code changed."""

import ast
import copy
from collections.abc import Iterator
from pathlib import Path

from ferbook.course.box import run_cells
from ferbook.course.marking import beside
from ferbook.course.source import defined, hidden, is_check, is_solution, name_of, visible

SECONDS, LONG = 20, 200
"""Seconds that a cell may take, lest a mutant never ends; and how often so many all together."""

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
}
NAMES = {
    "max": "min",
    "min": "max",
    "argmax": "argmin",
    "argmin": "argmax",
    "mean": "median",
    "median": "mean",
    "sum": "max",
    "any": "all",
    "all": "any",
    "std": "var",
    "nanmean": "mean",
    "zeros": "ones",
    "abs": "float",
    "maximum": "minimum",
    "minimum": "maximum",
    "cumsum": "cumprod",
    "unique": "array",
    "sort": "array",
    "argsort": "array",
    "permutation": "array",
    "flatnonzero": "array",
}
COMMUTATIVE = {"max", "min", "maximum", "minimum", "convolve"}
"""Functions of two whose order does not matter."""


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """The node with one change, each in turn; a ``Pass`` stands for a statement that is left out."""
    match node:
        case ast.Compare(ops=[op, *rest]) if type(op) in COMPARISONS:
            yield _with(node, ops=[COMPARISONS[type(op)](), *rest])
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            yield _with(node, op=ARITHMETIC[type(node.op)]())
            yield node.left
        case ast.AugAssign() if type(node.op) in ARITHMETIC:
            yield _with(node, op=ARITHMETIC[type(node.op)]())
            yield ast.Pass()
        case ast.UnaryOp():
            yield node.operand
        case ast.BoolOp():
            yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.Constant(value=bool()):
            yield _with(node, value=not node.value)
        case ast.Constant(value=int()):
            yield _with(node, value=1 - node.value if node.value in (0, 1) else node.value + 1)
        case ast.Constant(value=float()):
            yield _with(node, value=node.value * 1.5 + 0.1)
        case ast.Attribute(attr=name) if name in NAMES:
            yield _with(node, attr=NAMES[name])
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.If():
            yield _with(node, test=ast.Constant(value=False))
            yield _with(node, test=ast.Constant(value=True))
        case ast.Slice():
            yield ast.Slice(lower=None, upper=None, step=node.step)
        case ast.Call(args=[first, second, *rest]) if _name(node.func) not in COMMUTATIVE:
            yield _with(node, args=[second, first, *rest])
    if isinstance(node, ast.Call):
        for place in range(len(node.keywords)):
            yield _with(node, keywords=node.keywords[:place] + node.keywords[place + 1 :])


def _name(function: ast.AST) -> str:
    return getattr(function, "id", "") or getattr(function, "attr", "")


def _with(node: ast.AST, **parts: object) -> ast.AST:
    changed = copy.copy(node)
    for name, part in parts.items():
        setattr(changed, name, part)
    return changed


def mutants(source: str) -> list[str]:
    """Every solution that is ``source`` (a cell's code) with one change, in the order of its places."""
    places = len(list(ast.walk(ast.parse(source))))
    found: dict[str, None] = {}
    for place in range(places):
        count = len(list(changes(_node(ast.parse(source), place))))
        for change in range(count):
            tree = ast.parse(source)
            node = _node(tree, place)
            changed = _Replaced(node, list(changes(node))[change]).visit(tree)
            found[ast.unparse(ast.fix_missing_locations(changed))] = None
    return [each for each in found if each != ast.unparse(ast.parse(source))]


def _node(tree: ast.AST, place: int) -> ast.AST:
    return list(ast.walk(tree))[place]


class _Replaced(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """The new node in the old one's place."""
        return self.new if node is self.old else self.generic_visit(node)


def survivors(assignment, bundle: Path) -> list[str]:
    """The mutants of an assignment's solutions that pass every check of a name that they define: for each the
    line that differs from the right one. ``bundle``: what grading holds, of variant 0.
    """
    code = [cell for cell in assignment.notebook.cells if cell.cell_type == "code"]
    cells, tried = [cell.source for cell in code if not is_check(cell)], []
    for cell in filter(is_solution, code):
        names = defined(cell.source)
        checks = [each for each in filter(is_check, code) if names & _used(each.source)]
        tests = [text for each in checks for text in (visible(each), hidden(each))]
        for mutant in mutants(cell.source):
            tried.append((cell, mutant, range(len(cells), len(cells) + 1 + len(tests))))
            cells += [mutant, *tests]
        cells.append(cell.source)
    ran = run_cells(cells, beside(bundle, 0), SECONDS, boxed=False, often=LONG)
    assert not ran.ended, ran.ended
    found = []
    for cell, mutant, numbers in tried:
        if all(map(ran.passed, numbers)):
            right = ast.unparse(ast.parse(cell.source)).splitlines()
            lines = [line.strip() for line in mutant.splitlines() if line not in right]
            found.append(f"{name_of(cell)}: {' / '.join(lines)}")
    return found


def _used(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
