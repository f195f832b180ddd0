"""Stimuli for detectors: balanced, told by nothing but the truth, and rendered as ordered."""

import numpy as np
import pytest

from synthetic_faces.errors import SettingError
from synthetic_faces.facs import AUS, SIDED
from synthetic_faces.stimuli import CHANGED_UNITS, CHANGES, DOSES, render_stimuli, stimuli_table


def test_everybody_shows_the_same():
    table = stimuli_table(6)
    named = ["part", "condition", "unit", "dose", "side", "emotion"]
    shown = {person: sorted(map(tuple, own[named].to_numpy())) for person, own in table.groupby("person")}
    assert all(each == shown[0] for each in shown.values()) and len(shown) == 6
    counts = table["part"].value_counts() / 6
    assert counts["rest"] == 5 and counts["dose"] == len(AUS) * len(DOSES)
    assert counts["side"] == 2 * SIDED.sum()
    assert counts[["pose", "skin", "age", "light"]].sum() == len(CHANGES) * (1 + len(CHANGED_UNITS))


def test_the_intensities_are_those_of_the_row():
    table = stimuli_table(6)
    columns = [name for name in table if name.startswith("AU")]
    row = table[table["unit"].eq("AU12") & table["side"].eq("left")].iloc[0]
    assert row["AU12_left"] == 1 and row[columns].astype(float).sum() == 1
    row = table[table["unit"].eq("AU6 AU12")].iloc[0]
    assert {name for name in columns if row[name]} == {
        f"{au}_{s}" for au in ("AU6", "AU12") for s in ("left", "right")
    }
    assert not table.loc[table["part"].eq("rest"), columns].to_numpy().any()
    assert (table.loc[table["part"].eq("emotion"), columns].sum(axis=1) > 0).all()


def test_names_tell_nothing():
    table = stimuli_table(8, seed=3)
    assert sorted(table["file"]) == list(table["file"]) and table["file"].is_unique
    place = np.arange(len(table))
    for known in (table["person"], table["dose"], table["part"].eq("rest")):
        assert abs(np.corrcoef(place, known.astype(float))[0, 1]) < 0.1
    assert not stimuli_table(8, seed=4)["unit"].equals(table["unit"])


@pytest.mark.parametrize(
    ("wrong", "limits"),
    [
        ({"people": 5}, "6 and 1000"),
        ({"people": 1001}, "6 and 1000"),
        ({"people": 6, "seed": -1}, "0 and 2147483647"),
        ({"people": 6, "seed": 2**31}, "0 and 2147483647"),
    ],
)
def test_what_cannot_be_made_is_refused(wrong, limits):
    with pytest.raises(SettingError, match=f"must lie between {limits}$"):
        stimuli_table(**wrong)


def test_pictures_are_those_of_their_rows(face_cache):
    table = stimuli_table(6)
    rest = table[table["part"].eq("rest") & table["person"].isin([0, 1])].groupby("person").head(2)
    kept = table[table["person"].isin([0, 1])]
    names = ["turned to the left", "dark skin", "light skin", "old", "dim light"]
    changed = kept[kept["condition"].isin(names) & kept["unit"].eq("")]
    smiles = kept[kept["part"].eq("side") & kept["unit"].eq("AU12")]
    asked = table.loc[sorted([*rest.index, *changed.index, *smiles.index])].reset_index(drop=True)
    pixels = render_stimuli(asked, 48, workers=1, cache=face_cache).astype(int)
    assert (render_stimuli(asked, 48, workers=2, cache=face_cache) == pixels).all()

    def of(person, **wanted):
        own = asked["person"].eq(person)
        for name, value in wanted.items():
            own &= asked[name].eq(value)
        return pixels[own.to_numpy()]

    for person in (0, 1):
        still = of(person, part="rest")
        noise = np.abs(still[0] - still[1]).mean()
        assert 0 < noise < 9, "the same face, in another place by a hair"
        middle = (slice(18, 40), slice(14, 34))
        dark, light, dim = (
            of(person, condition=c)[0][middle].mean() for c in ("dark skin", "light skin", "dim light")
        )
        assert dark + 20 < light and dim + 20 < still[0][middle].mean()
        assert np.abs(of(person, condition="turned to the left")[0] - still[0]).mean() > 2 * noise
        assert np.abs(of(person, condition="old")[0] - still[0]).mean() > noise
        left, right = (np.abs(of(person, side=s)[0] - still.mean(axis=0))[26:36] for s in ("left", "right"))
        # The subject's left is on the picture's right.
        assert left[:, 24:].sum() / left[:, :24].sum() > right[:, 24:].sum() / right[:, :24].sum()
    assert np.abs(of(0, part="rest")[0] - of(1, part="rest")[0]).mean() > 8
