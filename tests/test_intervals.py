"""The house: two rules decide intervals, both in ``fer_lib/stats``, and nothing else does."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("ferbook", "face_sets", "fer_lib", "book", "synthetic_faces", "benchmarks")
FILES = sorted(file.relative_to(ROOT) for room in ROOMS for file in (ROOT / room).rglob("*.py"))
STATS = Path("fer_lib/stats")
# Names of ``scipy.stats`` that make intervals.
RULES = {"t", "norm", "chi2", "f", "binom", "beta", "binomtest", "bootstrap", "sem"}
QUANTILES = {"quantile", "percentile", "nanquantile", "nanpercentile"}
# File -> what its quantiles are of; none bounds an estimate.
NO_INTERVALS = {
    "book/au_verification/figures.py": "bars that chance passes in one of twenty deals",
    "book/au_verification/study.py": "the bar that chance passes in one of twenty deals",
    "book/yardstick.py": "responses, and how many others answer more, usually",
    "fer_lib/aus/nulls.py": "the middle of a block",
    "synthetic_faces/develop.py": "black and white of a picture",
}
# The mean of a number over runs of several seeds, which the engine compares, is its own.
OVER_SEEDS = {"ferbook/estimate.py": {"Estimate", "stats"}}


def deciders(source: str) -> set[str]:
    """What in a file's ``source`` would decide an interval by itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in ("scipy", "scipy.stats"):
            found |= {alias.name for alias in node.names} & (RULES | {"stats"})
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            keywords = {keyword.arg for keyword in node.keywords}
            if called in QUANTILES:
                found.add("quantile")
            elif called == "Estimate" and (len(node.args) > 1 or keywords & {"low", "high"}):
                found.add("Estimate")
    return found


def test_nothing_outside_stats_decides_an_interval():
    allowed = OVER_SEEDS | {file: {"quantile"} for file in NO_INTERVALS}
    outside = (file for file in FILES if STATS not in file.parents)
    found = {str(file): deciders((ROOT / file).read_text()) for file in outside}
    assert {file: what for file, what in found.items() if what} == allowed
