"""Official layouts at their published size, here smaller: what is written is what is read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_lib.faces.export import export_faces
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.registry import REGISTRY, read_anew
from fer_lib.faces.request import FaceRequest

AT_HAND = ("fer2013", "ferplus", "own")
SHOWN = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "contempt")
LAYOUTS = [name for name, source in REGISTRY.items() if source.reader and name not in AT_HAND]


@pytest.fixture
def layouts(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import layouts

    table = pd.DataFrame(
        [
            {"subject": f"s{person}", "sequence": f"{person}-{emotion}", "frame": 0, "emotion": emotion}
            for person in range(3)
            for emotion in SHOWN
        ]
    ).assign(dataset="lab", split="train", AU4=1.0, AU12=0.0)
    pixels = np.kron(np.arange(len(table))[:, None, None], np.full((1, 48, 48), 8)).astype(np.uint8)
    monkeypatch.setattr(layouts, "open_faces", lambda request: FaceSet("lab", pixels, table))
    return layouts


def test_every_layout_has_an_extent_or_is_at_hand(layouts):
    assert set(LAYOUTS) == {*layouts.EXTENTS} and len(LAYOUTS) + len(AT_HAND[:2]) == 14


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_is_written_at_its_size_is_read_with_as_many_people(layouts, name, tmp_path, monkeypatch):
    whole = layouts.EXTENTS[name]
    few = replace(
        whole, people=10, sequences=60, frames=min(whole.frames, 5), unlabelled=whole.unlabelled // 2_000
    )
    monkeypatch.setitem(layouts.EXTENTS, name, few)
    faces = layouts.published_size(name)
    assert len(faces) == few.sequences * few.frames + few.unlabelled
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    export_faces(faces, name, tmp_path)
    read = read_anew(FaceRequest(name, size=48))
    assert len(set(read.table["subject"]) - {""}) == few.people
    assert (read.table["emotion"] == "").sum() in (0, few.unlabelled, len(read))


def test_of_a_command_is_known_how_it_ended_and_what_it_took(layouts):
    most, said, ended = layouts.peaks(
        ["python", "-c", "print('here'); x = bytearray(200 * 2**20); import time; time.sleep(1); exit(3)"], {}
    )
    assert said.strip() == "here" and ended == 3 and 190 < most[""] < 1_000
