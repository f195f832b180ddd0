"""Where the layers answer: what the metrics take from the maps of a trained and an untrained generator."""

import numpy as np
import pandas as pd
import pytest

from book.derl import places
from fer_lib.faces.faceset import FaceSet


def posed(people: int = 4, *, masks: bool = True) -> FaceSet:
    """Each person happy in two takes; AU12 moves a square."""
    rows = [
        {"subject": f"p{k}", "sequence": f"{k}-{take}", "frame": 0, "emotion": "happiness", "AU12": 1.0}
        for k in range(people)
        for take in range(2)
    ]
    table = pd.DataFrame(rows).assign(dataset="lab", split="test")
    pixels = np.random.default_rng(0).integers(0, 256, (len(rows), 16, 16), dtype=np.uint8)
    square = np.zeros((len(rows), 16, 16), np.uint32)
    square[:, 4:8, 4:8] = 1
    if not masks:
        return FaceSet("lab", pixels, table)
    return FaceSet("lab", pixels, table, masks=square, mask_aus=("AU12",))


def test_where_no_place_is_known_there_is_neither_a_table_nor_a_metric():
    faces = posed(masks=False)
    maps = {"pair8": np.ones((len(faces), 16, 16))}
    assert places.place_residues(maps, maps, faces) is None and places.place_metrics(None) == {}
    assert places.place_residues(maps, maps, posed().assign(AU12=0.0)) is None, "nobody shows a unit"


def test_maps_in_the_moved_skin_beat_those_of_an_untrained_generator():
    faces = posed()
    square = faces.mask("AU12").astype(float)
    flat = np.ones((8, 16, 16))
    maps = {"pair8": square, "pixels": flat}
    located = places.place_residues(maps, {"pair8": flat, "pixels": flat}, faces, draws=50)
    metrics = places.place_metrics(located)
    assert metrics["pair8_concentration"].value == pytest.approx(256 / 16)
    assert metrics["pair8_untrained"].value == pytest.approx(1)
    assert metrics["pixels_concentration"].value == pytest.approx(1)
    assert "pixels_untrained" not in metrics, "it needs no generator"
    assert metrics["edges_concentration"].n == 8
