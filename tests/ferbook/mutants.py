"""Solutions that differ from the right one in one idea: it, with one place of its code changed."""

import ast
import copy
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

from ferbook.course.judge import Bench, in_folder
from ferbook.course.sandbox import TRUST, Box, Worker
from ferbook.course.source import defined, is_check, is_given, is_solution, name_of, source_of
from ferbook.course.worker import decode

LONG = 3600
"""Seconds of the processor that all mutants may take."""
ALARM = "import signal; signal.setitimer(signal.ITIMER_PROF, 20)"
"""Ends a process, lest one of them never ends, after so many seconds of the processor."""

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
    line that differs from the right one. ``bundle``: what the judge holds, of variant 0.
    """
    notebook, variant = assignment.notebook, bundle / "variant-0"
    told = json.loads((variant / "key.json").read_text())
    key = SimpleNamespace(**{name: decode(value) for name, value in told.items()})
    found = []
    with in_folder(variant / "data.npz"), ExitStack() as stack:
        bench = None
        for cell in filter(is_solution, notebook.cells):
            names = set(defined(cell.source))
            checks = [each for each in notebook.cells if is_check(each) and names & _used(each.source)]
            for mutant in mutants(cell.source):
                if bench is None or bench.worker.ended:
                    stack.close()
                    bench = _bench(stack, assignment, variant / "data.npz")
                bench.worker.ask(do="cell", source=ALARM)
                answer = bench.worker.ask(do="cell", source=mutant)
                if "raised" not in answer and all(bench.check(each, key).points for each in checks):
                    right = ast.unparse(ast.parse(cell.source)).splitlines()
                    lines = [line.strip() for line in mutant.splitlines() if line not in right]
                    found.append(f"{name_of(cell)}: {' / '.join(lines)}")
            bench.worker.ask(do="cell", source=cell.source)
    return found


def _used(source: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _bench(stack: ExitStack, assignment, data: Path) -> Bench:
    """A process in which the right solutions are defined."""
    worker = stack.enter_context(Worker(TRUST, Box((), (data,)), LONG))
    bench = Bench(worker, assignment.names)
    for cell in assignment.notebook.cells:
        if is_given(cell):
            bench.give(source_of(cell, 0))
        if cell.cell_type == "code" and (is_given(cell) or is_solution(cell)):
            worker.ask(do="cell", source=source_of(cell, 0))
    return bench
