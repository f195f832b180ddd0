"""Where the layers answer: which pictures are asked about, and what the metrics and tables take from the
studies.
"""

import numpy as np
import pandas as pd
import pytest

from book.derl import places
from book.derl.pairs import KnownNeutrals, examples, known_neutrals
from fer_lib.faces.faceset import FaceSet
from ferbook.errors import DataError


def posed(people: int = 4, *, name: str = "lab", masks: bool = True) -> FaceSet:
    """Each person in two sequences, at rest, half and wholly happy; AU12 moves a square."""
    rows = [
        {"subject": f"p{k}", "sequence": f"{k}-{take}", "frame": frame, "emotion": emotion, "AU12": level}
        for k in range(people)
        for take in range(2)
        for frame, (emotion, level) in enumerate((("neutral", 0.0), ("happiness", 0.5), ("happiness", 1.0)))
    ]
    table = pd.DataFrame(rows).assign(dataset=name, split="train")
    pixels = np.random.default_rng(0).integers(0, 256, (len(rows), 16, 16), dtype=np.uint8)
    square = np.zeros((len(rows), 16, 16), np.uint32)
    square[:, 4:8, 4:8] = 1
    if not masks:
        return FaceSet(name, pixels, table.drop(columns="AU12"))
    return FaceSet(name, pixels, table, masks=square, mask_aus=("AU12",))


def test_places_are_those_of_the_faces_where_they_are_known_and_else_of_rendered_ones():
    known = known_neutrals(posed())
    assert places.has_places(known.faces)
    own, about = places.known_places(known, None)
    assert own is known and about == "Pictures and action units are those of lab."
    bare = known_neutrals(posed(name="jaffe", masks=False))
    assert not places.has_places(bare.faces)
    found, about = places.known_places(bare, posed())
    assert found.faces.name == "lab" and "Nobody coded action units in jaffe" in about
    with pytest.raises(DataError, match="'jaffe' has no action units"):
        places.known_places(bare, None)


def test_one_picture_stands_for_a_sequence_the_last_one_and_only_if_its_neutral_is_of_it(monkeypatch):
    known = known_neutrals(posed())
    chosen = places.one_per_sequence(known)
    assert chosen.table["frame"].eq(2).all() and len(chosen.inputs) == 8
    apart = np.ones(16, bool)
    apart[:2] = False
    mixed = KnownNeutrals(known.faces, known.inputs, known.targets, apart, "", True)
    assert len(places.one_per_sequence(mixed).inputs) == 7
    none = KnownNeutrals(known.faces, known.inputs, known.targets, np.zeros(16, bool), "", True)
    assert len(places.one_per_sequence(none).inputs) == 8, "better of another sequence than none"
    monkeypatch.setattr(places, "MOST_SEQUENCES", 3)
    few = places.one_per_sequence(known, seed=1)
    assert len(few.inputs) == 3 and (np.diff(few.inputs) > 0).all()


def test_examples_are_places_among_the_pairs():
    known = places.one_per_sequence(known_neutrals(posed()))
    assert examples(known, 3) == [0, 2, 4], "one sequence of each person"


def bright_in(region: np.ndarray, count: int) -> np.ndarray:
    return np.repeat(region[None].astype(np.float32), count, axis=0)


def test_maps_in_the_moved_skin_beat_those_of_an_untrained_generator():
    known = places.one_per_sequence(known_neutrals(posed()))
    square = known.faces.mask("AU12")[0]
    flat = np.ones((16, 16))
    maps = {"pair8": bright_in(square, 8), "pixels": bright_in(flat, 8)}
    blank = {"pair8": bright_in(flat, 8), "pixels": bright_in(flat, 8)}
    located = places.located(maps, blank, known, draws=50)
    metrics = places.place_metrics(located)
    assert metrics["pair8_concentration"].value == pytest.approx(256 / 16)
    assert metrics["pair8_untrained"].value == pytest.approx(1)
    assert metrics["pixels_concentration"].value == pytest.approx(1)
    assert "pixels_untrained" not in metrics, "it needs no generator"
    assert metrics["edges_concentration"].n == 8


def kept() -> pd.DataFrame:
    """A table as ``kept_units`` gives it, of two pairs and two units, of which one was shown by too few."""
    rows = []
    values = {"frozen": 0.8, "untrained": 0.7, "HOG": 0.9, "emotion": 0.6}
    for condition, value in values.items():
        layers = ("pair8", "pair4", "chosen") if condition in ("frozen", "untrained") else ("",)
        for layer in layers:
            for au in ("AU1", "AU9", "macro"):
                rows.append(
                    {
                        "condition": condition,
                        "layer": layer,
                        "au": au,
                        "auroc": value,
                        "auroc_low": value - 0.1,
                    }
                    | {"auroc_high": value + 0.1, "positives": 5, "n": 20, "too_few": au == "AU9"}
                    | {"over_untrained": value - 0.7, "over_untrained_low": 0.0, "over_untrained_high": 0.2}
                    | {"over_hog": value - 0.9, "over_hog_low": -0.2, "over_hog_high": 0.0}
                )
    return pd.DataFrame(rows).astype({"positives": "Int64"})


def best() -> pd.DataFrame:
    row = {"au": "AU1", "layer": "pair4", "auroc": 0.8, "auroc_low": 0.7, "auroc_high": 0.9}
    row |= {"over_untrained": -0.1, "over_untrained_low": -0.2, "over_untrained_high": 0.0}
    return pd.DataFrame([row])


def test_units_are_read_from_their_chosen_pair_and_rivals_stand_below():
    cells = places.unit_cells(kept(), best())
    assert list(dict.fromkeys(cells["row"])) == ["pair8", "pair4", "untrained", "HOG", "emotion"]
    assert set(cells["au"]) == {"AU1", "macro"}, "AU9 was shown by too few"
    assert cells[cells["framed"]][["row", "au"]].to_numpy().tolist() == [["pair4", "AU1"]]
    found = places.unit_metrics(kept())
    assert {name: found[f"au_{name}"].value for name in ("trained", "untrained", "hog", "emotion")} == {
        "trained": 0.8,
        "untrained": 0.7,
        "hog": 0.9,
        "emotion": 0.6,
    }
    assert found["au_over_untrained"].value == pytest.approx(0.1) and found["au_over_hog"].low == -0.2
    assert found["au_scored"].value == 1 and found["au_too_few"].value == 1
    (row,) = places.best_table(best()).data.to_dict("records")
    assert (row["unit"], row["layer pair"], row["AUROC"].value, row["AUROC"].high) == (
        "AU1",
        "pair4",
        0.8,
        0.9,
    )
    assert (row["over untrained"].value, row["over untrained"].low) == (-0.1, -0.2)
