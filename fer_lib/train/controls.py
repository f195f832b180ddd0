"""What stands beside a trained network: the same structure untrained, and trained on shuffled labels.

Neither has learned what an emotion is, so whatever they answer to comes from the pictures, or from the number
of filters.
"""

import numpy as np
import torch

from fer_lib.faces.faceset import SPLITS, UNLABELLED, FaceSet
from fer_lib.nets.classifier import Classifier, require_classifier


def untrained_network(model: Classifier, seed: int) -> Classifier:
    """The architecture of ``model`` with the first weights that ``seed`` draws, in evaluation mode, on the
    CPU.

    ``model`` is left as it is. Raises ParameterError where it does not record its constructor's
    ``arguments``.
    """
    require_classifier(model)
    generator = torch.Generator().manual_seed(seed)
    return type(model)(**model.arguments, generator=generator).eval()


def with_shuffled_labels(faces: FaceSet, seed: int) -> FaceSet:
    """``faces`` with the emotions of each split, and the crowd's votes with them, dealt out anew among its
    labelled pictures.

    Every split keeps its number of pictures per emotion, pictures keep all the rest, action units among it. A
    network that learns from them learns single pictures by heart and nothing about emotions (Zhang et al.
    2017, arXiv 1611.03530).
    """
    table, order = faces.table, np.arange(len(faces))
    labelled = table["emotion"].ne(UNLABELLED)
    generator = np.random.default_rng(seed)
    for split in SPLITS:
        rows = np.flatnonzero(labelled & table["split"].eq(split))
        order[rows] = generator.permutation(rows)
    labels = ["emotion", *(column for column in table if column.startswith("vote_"))]
    return faces.assign(**{column: table[column].to_numpy()[order] for column in labels})
