"""Whether a copy is whole: what ``ferbook data check`` counts."""

import numpy as np
import pandas as pd

from fer_lib.faces.describe import equal_pictures
from fer_lib.faces.faceset import FaceSet


def test_of_equal_pictures_all_but_the_first_count():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    pixels[[2, 4]], pixels[5] = pixels[0], pixels[1]
    table = pd.DataFrame({"split": ["train"] * 6, "subject": "", "emotion": "fear"})
    faces = FaceSet("set", pixels, table.assign(dataset="set", sequence="", frame=0))
    assert equal_pictures(faces) == 3
    assert equal_pictures(faces.select(np.array([0, 1, 3]))) == 0
