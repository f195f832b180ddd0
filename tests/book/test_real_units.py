"""Units on real pictures, by heads that were fitted on rendered ones."""

import numpy as np
import pandas as pd
import pytest
import torch

from book import real_units
from book.real_units import VOTED, UnitEvidence, evidence_of, evidence_page, evidence_table, shown_units
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.nets.build import build_network
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate
from synthetic_faces.facs import AUS


def voted(emotions: list[str]) -> FaceSet:
    """Pictures of emotions that voters named, as FER+ has them; the first two are equal."""
    pixels = np.random.default_rng(0).integers(0, 255, (len(emotions), 24, 24), dtype=np.uint8)
    pixels[1] = pixels[0]
    about = {"dataset": "ferplus", "subject": "", "sequence": [f"{k}" for k in range(len(emotions))]}
    table = pd.DataFrame({**about, "frame": 0, "emotion": emotions, "split": "test"})
    return FaceSet("ferplus", pixels, table.assign(vote_happiness=5))


def test_each_unit_that_votes_stand_for_is_a_unit_and_an_emotion():
    assert set(VOTED) <= set(AUS)
    assert set(VOTED.values()) == {"surprise", "anger", "happiness", "disgust", "contempt", "sadness", "fear"}


def test_votes_stand_for_units_and_equal_pictures_for_one_person():
    units, known_by = shown_units(voted(["happiness", "happiness", "anger"]))
    assert units.present[:, units.aus.index("AU12")].tolist() == [1, 1, 0]
    assert known_by["AU4"] == "votes for anger"
    assert units.subjects[0] == units.subjects[1] != units.subjects[2]


def test_a_set_without_codes_and_votes_is_refused():
    faces = voted(["anger", "anger"])
    with pytest.raises(DataError, match="ferplus: no picture has action units or the votes"):
        shown_units(FaceSet("ferplus", faces.pixels, faces.table.drop(columns="vote_happiness")))


def test_more_networks_than_are_kept_are_refused():
    with pytest.raises(ParameterError, match="networks = 99: of population 'published' the weights of 10"):
        real_units.networks_with_weights("published", 99)


def test_heads_are_asked_beside_untrained_ones_and_other_heads():
    rendered = open_faces(FaceRequest("lab", subjects=40, size=24))
    asked = open_faces(FaceRequest("lab", subjects=20, size=24, face_seed=1))
    generator = torch.Generator().manual_seed(0)
    network = build_network("zero_bias", 8, 24, gain=1.0, generator=generator).eval()
    evidence = {each.unit: each for each in evidence_of(asked, [network], rendered, draws=40, seed=5)}
    smile = evidence["AU12"]
    assert smile.shown_by == "codes" and smile.shown == np.sum(asked.table["AU12"] > 0)
    assert smile.auroc.value > 0.6, "an untrained network's features know this much on faces of one kind"
    assert smile.over_other_heads.low < smile.over_other_heads.value < smile.auroc.value
    row = evidence_table([smile]).iloc[0]
    assert row["auroc"] == smile.auroc.value and row["over_untrained_low"] == smile.over_untrained.low


@pytest.mark.parametrize("weak", range(3))
def test_a_unit_carries_over_where_all_three_are_above(weak):
    sure = [Estimate(0.8, 0.7, 0.9), Estimate(0.2, 0.1, 0.3), Estimate(0.2, 0.1, 0.3)]
    assert UnitEvidence("AU12", "codes", 9, *sure).carries_over
    sure[weak] = Estimate(sure[weak].value, -0.1, 0.95)
    assert not UnitEvidence("AU12", "codes", 9, *sure).carries_over


def test_the_page_shows_what_is_kept(monkeypatch, tmp_path):
    sure = [Estimate(0.8, 0.7, 0.9), Estimate(0.2, -0.1, 0.3), Estimate(0.2, 0.1, 0.3)]
    file = tmp_path / "kept.csv"
    evidence_table([UnitEvidence("AU12", "votes for happiness", 1200, *sure)]).to_csv(file, index=False)
    monkeypatch.setattr(real_units, "KEPT_EVIDENCE", file)
    first, *_, row = evidence_page({}).splitlines()
    assert first == "**0 of 1 units carry over to photographs: none.**"
    assert "1,200 | 0.80 (0.70 to 0.90) | 0.20 (−0.10 to 0.30) | 0.20 (0.10 to 0.30) | no |" in row
