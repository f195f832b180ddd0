"""A cheater: it remembers the public faces, reads masks from the files of the cache, and looks for the
judge's in the frames of whoever calls it. In the open it stands first, sealed where chance stands.
"""

import hashlib

import numpy as np
import pytest

from book.entries import EntryProcess, SealedEntry
from book.evaluation import TrialSize, judged_method, made_trials
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.paths import cache_dir
from ferbook.course.sandbox import choose_isolation
from ferbook.errors import MissingError

CHEATER = """
import gc, hashlib, sys
from pathlib import Path
import numpy as np

def name_of(picture):
    return hashlib.sha256(picture.tobytes()).hexdigest()

def masks_in(faces):
    import pandas as pd
    units = [name for name in faces.table if name.startswith("AU") and name[2:].isdigit()]
    return zip(faces.pixels, faces.masks, faces.table[units].to_numpy(), strict=True)

def cached():
    import pyarrow.parquet as parquet
    for folder in Path({cache!r}, "faces").glob("lab-*script-of-18-*"):
        table = parquet.read_table(folder / "table.parquet").to_pandas()
        units = table[[name for name in table if name.startswith("AU") and name[2:].isdigit()]].to_numpy()
        arrays = [np.load(folder / (name + ".npy")) for name in ("pixels", "masks")]
        yield from zip(*arrays, units, strict=True)

def seen():
    frame = sys._getframe()
    while frame is not None:
        for value in frame.f_locals.values():
            if hasattr(value, "masks"):
                yield from masks_in(value)
        frame = frame.f_back
    for value in gc.get_objects():
        if type(value).__name__ == "FaceSet":
            yield from masks_in(value)

known = {{}}
try:
    known.update(np.load({memory!r}))
except OSError:
    pass
for found in (cached, seen):
    try:
        for picture, mask, units in found():
            known.setdefault(name_of(picture), mask >> int(units.argmax()) & 1 if units.max() else mask * 0)
    except (OSError, ImportError):
        pass

def explain(network, layer, pictures, rows, filters, positions):
    maps = np.random.default_rng(1).random((len(rows), *pictures.shape[1:]))
    for number, row in enumerate(rows):
        if (mask := known.get(name_of(pictures[row]))) is not None:
            maps[number] = mask
    return maps
"""
SIZE = TrialSize(1, 6, ("AU4", "AU12"))
WHERE_IT_LIES = ("pointing", "iou", "right_unit", "contrast")
"""Scores that who knows the masks has in full, nearly."""


def name_of(picture: np.ndarray) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


def quiet(_: str) -> None:
    pass


@pytest.mark.slow
@pytest.mark.isolation
def test_who_cheats_is_first_in_the_open_and_at_chance_where_it_is_sealed(tmp_path):
    try:
        choose_isolation([])
    except MissingError as fault:
        pytest.skip(f"no isolation works here: {fault}")
    public = made_trials(SIZE, 0, quiet)
    memory = {}
    for trial in public:
        on, off = (list(map(name_of, faces.pixels)) for faces in (trial.twins.on, trial.twins.off))
        memory |= dict(zip(on, trial.twins.regions[0].astype(np.uint8), strict=True))
        memory |= dict.fromkeys(off, np.zeros(trial.twins.off.size, np.uint8))
    np.savez(tmp_path / "memory.npz", **memory)
    cheater = tmp_path / "cheater.py"
    cheater.write_text(CHEATER.format(memory=str(tmp_path / "memory.npz"), cache=str(cache_dir())))
    hidden = made_trials(SIZE, 20_001, quiet, True)
    found = {}
    for name, trials, way in (
        ("public", public, EntryProcess),
        ("unseen", hidden, EntryProcess),
        ("sealed", hidden, SealedEntry),
    ):
        with way(cheater) as entry:
            found[name] = judged_method(name, entry, trials, quiet)
    honest = {name: judged_method(name, EXPLAINERS[name], hidden, quiet) for name in ("gradient", "random")}
    for name, own in {**found, **honest}.items():
        print(
            name, {score: round(own[score].value, 2) for score in (*WHERE_IT_LIES, "correctness", "sanity")}
        )
    for score in WHERE_IT_LIES:
        told = {name: own[score] for name, own in {**found, **honest}.items()}
        for name in ("public", "unseen"):  # of faces that nobody has seen the cache still holds masks
            assert told[name].value > told["gradient"].value, (score, name)
        assert abs(told["sealed"].value - told["random"].value) < 0.1, score
        assert told["sealed"].value < told["gradient"].value, score
