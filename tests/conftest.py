"""What tests of several rooms share: rendered faces, which a face detector finds."""

import numpy as np
import pytest

from fer_lib.faces.synthetic import facs
from fer_lib.faces.synthetic.assets import load_assets
from fer_lib.faces.synthetic.domains import LAB
from fer_lib.faces.synthetic.people import draw_person
from fer_lib.faces.synthetic.render import Renderer
from fer_lib.faces.synthetic.studio import draw_shot


@pytest.fixture(scope="session")
def rendered_faces(tmp_path_factory) -> np.ndarray:
    """uint8 (4, 96, 96): four people at rest, framed and lit as those of the set ``lab``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_CACHE", str(tmp_path_factory.mktemp("cache")))
        assets = load_assets()
        renderer = Renderer(assets, 96, antialias=1)
    pictures = []
    for person in range(4):
        shot = draw_shot(np.random.default_rng(person), LAB.studio)
        looks = draw_person(assets, 7, person, LAB.looks)
        pictures.append(renderer.render(looks, np.zeros((len(facs.AUS), 2)), shot, LAB.studio).pixels)
    return np.array(pictures)
