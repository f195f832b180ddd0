"""Verified filters are asked about other people, of whom the answers are planted here."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book.faces import kept_filters
from fer_lib.aus.interventions import Effects
from fer_lib.faces.faceset import FaceSet

SHOWN = ("AU4", "AU12", "AU25")
MOVED = (0, 1, 2, 1)
"""The unit that moves filters 0 to 3; filter 4 nothing moves."""


def people(name: str, seed: int, answers: tuple[int, ...]) -> tuple[FaceSet, np.ndarray]:
    """160 happy pictures of 40 people, and responses (160, 5): filter k goes with unit ``answers[k]``, the
    last with none.
    """
    rng = np.random.default_rng(seed)
    shown = (rng.random((160, 3)) < 0.4).astype(float)
    who = [f"{name}-{k // 4}" for k in range(160)]
    about = {"dataset": name, "subject": who, "sequence": [f"{name}-{k}" for k in range(160)], "frame": 0}
    table = pd.DataFrame(
        about | {"emotion": "happiness", "split": "test"} | dict(zip(SHOWN, shown.T, strict=True))
    )
    maxima = rng.random((160, 5))
    maxima[:, :4] += 2 * shown[:, answers]
    return FaceSet(name, table=table, pixels=np.zeros((160, 8, 8), np.uint8)), maxima


@pytest.fixture
def found(monkeypatch):
    own, told = people("own", 0, (0, 1, 2, 0))
    other, said = people("other", 1, (0, 0, 2, 0))
    maxima = {"own": told, "other": said, "switched": None}
    effect = np.zeros((5, 3, 1))
    effect[range(4), MOVED] = 3
    p = np.where(effect[..., 0] > 0, 0.01, 1.0)
    effects = Effects(SHOWN, (1.0,), effect, effect, effect, effect[None], np.zeros(5, bool), p)
    monkeypatch.setattr(
        kept_filters,
        "maximal_responses",
        lambda model, faces, layer, **_: SimpleNamespace(maxima=maxima[faces.name]),
    )
    switched = SimpleNamespace(faces=SimpleNamespace(name="switched"))
    monkeypatch.setattr(kept_filters, "interventions", lambda *_, **__: switched)
    monkeypatch.setattr(kept_filters, "matched_doses", lambda _: SimpleNamespace(intensities={}))
    monkeypatch.setattr(kept_filters, "effects_of", lambda *_, **__: effects)
    monkeypatch.setattr(kept_filters, "last_conv", lambda _: "relu3")
    network = SimpleNamespace(model=None)
    return kept_filters.kept_filters([network, network], own, {"other": other}, permutations=199)


def test_filters_that_say_another_unit_of_other_people_do_not_keep_theirs(found):
    assert len(found) == 2 * 2, "two networks, with the mouth's opening and without"
    whole, aside = (found[found["mouth"].eq(mouth)].iloc[0] for mouth in (True, False))
    # Filters 0, 1, 2 are verified for AU4, AU12, AU25, and say AU4, AU4, AU25 of the others; filter 3, which
    # is claimed for AU4, is moved by AU12.
    assert (whole["verified"], whole["kept"]) == (3, 2)
    assert whole["expected"] == pytest.approx((1 * 2 + 1 * 0 + 1 * 1) / 3)
    assert (aside["verified"], aside["kept"]) == (2, 1), "without AU25"
    assert aside["expected"] == pytest.approx(1 * 2 / 2)


def test_the_table_gives_shares_beside_chance_and_counts_the_networks(found):
    row = kept_filters.kept_table(found).data.loc["other"]
    assert row["keep it"].value == pytest.approx(2 / 3) and row["by chance"] == pytest.approx(1 / 3)
    assert (row["filters"], row["networks"]) == (6, 2)


def test_networks_without_a_verified_filter_give_no_share():
    nothing = pd.DataFrame([("other", mouth, 0, 0, 0.0) for mouth in (True, False)])
    nothing.columns = ["asked", "mouth", "verified", "kept", "expected"]
    row = kept_filters.kept_table(nothing).data.loc["other"]
    assert "keep it" not in row and (row["filters"], row["networks"]) == (0, 1)
