"""The pieces of the training, as every command sees them."""

from book.derl import pieces
from book.derl.chapter import DerlParameters


def test_seeds_folds_and_drawing_make_no_other_recipe():
    asked = DerlParameters(population="derl", ablation=True, folds=2, seeds=2)
    more = asked.model_copy(update={"seeds": 5, "folds": 0, "bootstrap": 500, "device": "cpu"})
    assert pieces.recipe_of(more) == pieces.recipe_of(asked)
    assert pieces.recipe_of(asked.model_copy(update={"skips": False})) != pieces.recipe_of(asked)
