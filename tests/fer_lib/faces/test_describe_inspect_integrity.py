"""Every picture and archive of a copy is opened, and the first that cannot be is named."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from fer_lib.faces.describe import open_every_picture
from ferbook.errors import DataError


@pytest.fixture
def files(tmp_path):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8))
    for name in ("a.png", "b.JPG", "c.tiff"):
        picture.save(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "T1/0001.png")
    (tmp_path / "._a.png").write_bytes(b"litter")
    (tmp_path / "e.wrl").write_bytes(b"mesh")
    return sorted(tmp_path.iterdir())


def test_pictures_and_archives_are_counted_and_nothing_else(files):
    assert open_every_picture(files) == 4


@pytest.mark.parametrize(
    ("number", "content", "told"),
    [
        (0, lambda old: old[:100], "a.png: not a readable picture"),
        (3, lambda old: old[:100], "d.zip: not a readable zip archive"),
        (3, lambda old: old.replace(b"IDAT", b"XDAT"), "d.zip, T1/0001.png: damaged in the archive"),
    ],
)
def test_what_is_damaged_is_named(files, number, content, told):
    file = [f for f in files if f.suffix in (".png", ".JPG", ".tiff", ".zip") and f.name[0] != "."][number]
    file.write_bytes(content(file.read_bytes()))
    with pytest.raises(DataError) as refusal:
        open_every_picture(files)
    assert told in str(refusal.value)
