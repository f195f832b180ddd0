"""Pairs of an expressive and a neutral face, rendered small, and two estimates of the neutral one."""

import numpy as np

PEOPLE, SIZE, EXPRESSIONS, TAKES, PENALTY = 40, 24, 8, 2, 1.0
VARIANTS, OTHERS = 8, 20  # of people whose pictures are made once, a variant's are so many others
SHOWN = ("anger", "disgust", "happiness", "sadness", "surprise")


def make(variant: int) -> dict[str, np.ndarray]:
    """``faces`` and ``neutrals`` uint8 (N, 24, 24), the same face in the same light with and without its
    expression; ``direct`` and ``change`` uint8 (N, 24, 24), neutral faces by linear maps that were trained
    on the other folds; ``labels`` int64 (N,), the index into ``classes``; ``subjects``, ``takes`` and
    ``folds`` int64 (N,): who, in which take (0 or 1), and in which of eight folds the person is.
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    from book.derl.pairs import expression_pairs

    everybody = PEOPLE + OTHERS * (VARIANTS - 1)
    made, target = expression_pairs(everybody, SIZE, 10, expressions=EXPRESSIONS, takes=TAKES)
    emotion = made.table["emotion"].to_numpy(str)
    number = np.unique(made.table["subject"].to_numpy(str), return_inverse=True)[1] - OTHERS * variant
    rows = np.flatnonzero(np.isin(emotion, SHOWN) & (number >= 0) & (number < PEOPLE))
    table, faces, neutrals = made.table.iloc[rows], made.pixels[rows], made.pixels[target[rows]]
    subjects = number[rows]
    x, y = (part.reshape(len(rows), -1) / 255 for part in (faces, neutrals))
    how = {"groups": subjects % 8, "cv": LeaveOneGroupOut()}
    direct = cross_val_predict(Ridge(PENALTY), x, y, **how)
    change = x + cross_val_predict(Ridge(PENALTY), x, y - x, **how)
    made = {"direct": direct, "change": change}
    made = {name: (255 * np.clip(part, 0, 1)).round().astype(np.uint8) for name, part in made.items()}
    return {
        **{name: part.reshape(faces.shape) for name, part in made.items()},
        "faces": faces,
        "neutrals": neutrals,
        "labels": np.searchsorted(SHOWN, emotion[rows]),
        "classes": np.array(SHOWN),
        "subjects": subjects,
        "takes": table["sequence"].str.endswith("-2").to_numpy(int),
        "folds": subjects % 8,
    }
