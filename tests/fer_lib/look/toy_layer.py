"""A layer small enough to know by heart, for the tests of what is drawn from a ``LayerView``."""

import numpy as np

from fer_lib.look.deconvolution import Projections
from fer_lib.look.receptive import ReceptiveField
from fer_lib.look.responses import LayerView, Responses
from tests.made import made_faces

# On pictures of 16 pixels, with maps of 4 × 4: a neuron sees a pixel more than its own four on each side.
FIELD = ReceptiveField(size=6, stride=4, start=-1)


def toy_faces(count=6, size=16):
    pixels = np.random.default_rng(1).integers(0, 256, (count, size, size), dtype=np.uint8)
    emotions = [("anger", "fear")[n % 2] for n in range(count)]
    return made_faces(pixels, subject=[f"s{n}" for n in range(count)], emotion=emotions)


def toy_view(layer="relu<3>"):
    """Four filters: 0 answers to pictures 0 and 1, 1 most strongly and to all, 2 never, 3 to picture 5
    alone.
    """
    faces = toy_faces()
    maxima = np.zeros((6, 4), np.float32)
    maxima[:2, 0] = 1, 2
    maxima[:, 1] = 3, 4, 5, 6, 7, 8
    maxima[5, 3] = 0.5
    positions = np.zeros((6, 4, 2), np.int16)
    positions[0, 0] = 1, 2
    positions[1, 0] = 1, 2
    positions[:, 1] = [(0, 0), (3, 3), (3, 3), (3, 2), (3, 3), (2, 2)]
    positions[5, 3] = 2, 0
    top = np.array([[1, 0], [5, 4], [-1, -1], [5, -1]])
    filters, rows = np.array([0, 0, 1, 1, 3]), np.array([1, 0, 5, 4, 5])
    maps = np.random.default_rng(2).normal(size=(5, 6, 6)).astype(np.float32)
    places = positions[rows, filters].astype(np.int64)
    projections = Projections(
        maps, FIELD.start + FIELD.stride * places, (16, 16), maxima[rows, filters], places
    )
    return LayerView(faces, Responses(layer, maxima, positions, (4, 4)), top, projections, FIELD)
