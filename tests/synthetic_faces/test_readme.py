"""The README's example, run as it stands there, and its table of names."""

import importlib
import re
from pathlib import Path

import numpy as np

import synthetic_faces

FOLDER = Path(synthetic_faces.__file__).parent
README = (FOLDER / "README.md").read_text()


def test_the_example_does_what_it_says(face_cache, tmp_path, monkeypatch, capsys):
    (tmp_path / "cache").symlink_to(face_cache)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(code, names)
    shape, moved, corner = capsys.readouterr().out.splitlines()
    assert shape == "(96, 96) uint8" and int(moved.split()[-1]) > 200 and "[" in corner
    rest, smile, wink = (names[name].pixels.astype(int) for name in ("rest", "smile", "wink"))
    assert np.abs(smile - rest)[:20].max() <= 8 and np.abs(smile - rest)[50:].max() > 40
    # The subject's left eye is on the right of the picture.
    change = np.abs(wink - rest)
    assert change[:, 48:].sum() > 5 * change[:, :48].sum()


def test_every_name_that_it_lists_is_there():
    for module, name in re.findall(r"^\| `(\w+)\.(\w+)", README, re.MULTILINE):
        assert hasattr(importlib.import_module(f"synthetic_faces.{module}"), name), name
    for file in FOLDER.glob("*.py"):
        assert f"`{file.stem}" in README or file.stem in (
            "__init__",
            "errors",
            "expressions_web",
            "variants",
        ), file


def test_its_picture_is_small():
    assert (FOLDER / "faces.png").stat().st_size < 300_000
