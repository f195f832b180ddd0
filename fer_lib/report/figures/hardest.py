"""The test pictures that a network gets most wrong."""

import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.report.figures.pictures import grey_table, picture_grid, require_pictures, show
from fer_lib.report.figures.style import Drawn, FigureError, listing, percent, require_columns

PER_ROW = 4


def hardest_grid(tested: FaceSet, hardest: pd.DataFrame, classes: tuple[str, ...]) -> Drawn:
    """The ``hardest`` of the ``tested`` pictures, each below what it shows and what it was taken for. Shows faces: only for sets that may be shown.

    ``hardest``: ``picture`` (row of ``tested``), ``true``, ``predicted``, ``p_true``, ``p_predicted``, ``loss``, as ``report.evaluation.hardest_pictures``
    makes it. Data: ``rank`` from 1, ``picture``, ``true`` and ``predicted`` as numbers (indices of ``classes``), ``p_true``, ``p_predicted``, ``loss``, ``mean_grey``, ``contrast``.
    Raises FigureError where a column is absent or there is no picture.
    """
    columns = ["picture", "true", "predicted", "p_true", "p_predicted", "loss"]
    require_columns(hardest, columns)
    require_pictures(tested)
    unknown = set(hardest["true"]) | set(hardest["predicted"])
    if unknown - set(classes):
        raise FigureError(f"{', '.join(sorted(unknown - set(classes)))} not among {', '.join(classes)}")
    pictures = tested.gather(hardest["picture"].to_numpy())
    rows = -(-len(pictures) // PER_ROW)
    figure, grid = picture_grid(rows, PER_ROW, title=0.34)
    for axes, picture, row in zip(grid.flat, pictures, hardest.itertuples(), strict=False):
        show(
            axes,
            picture,
            f"true: {row.true} {100 * row.p_true:.0f} %\nsaid: {row.predicted} {100 * row.p_predicted:.0f} %",
        )
    data = hardest[columns].reset_index(drop=True)
    for name in ("true", "predicted"):
        data[name] = data[name].map(classes.index)
    data.insert(0, "rank", range(1, len(data) + 1))
    data = pd.concat([data, grey_table(pictures)], axis=1)
    told = [
        f"{row.true} taken for {row.predicted} ({percent(row.p_predicted)})"
        if row.true != row.predicted
        else f"{row.true}, named rightly with {percent(row.p_true)}"
        for row in hardest.head(3).itertuples()
    ]
    alt = (
        f"{len(pictures)} test pictures with the highest loss, the worst first; above each the true emotion and below it the "
        f"one named, with the probability that the network gave them. The first: {listing(told)}."
    )
    return figure, data, alt
