"""The pieces of the trial, as every command sees them."""

import subprocess
import sys

from book.derl import pieces
from book.derl.chapter import DerlParameters
from ferbook import paths

ASK = """
import sys
from book.populations import populations
assert all(population.key() for population in populations().values())
print(*sorted({"pandas", "torch"} & sys.modules.keys()))
"""


def test_seeds_folds_and_drawing_make_no_other_recipe():
    asked = DerlParameters(population="derl", ablation=True, folds=2, seeds=2)
    more = asked.model_copy(update={"seeds": 5, "folds": 0, "bootstrap": 500, "device": "cpu"})
    assert pieces.recipe_of(more) == pieces.recipe_of(asked)
    assert pieces.recipe_of(asked.model_copy(update={"skips": False})) != pieces.recipe_of(asked)


def test_what_is_kept_is_asked_without_a_heavy_library():
    """Every command asks it: pieces, too, are light to import."""
    answer = subprocess.run(
        [sys.executable, "-c", ASK], cwd=paths.root(), capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []
