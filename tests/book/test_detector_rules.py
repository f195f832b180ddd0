"""Detectors that are simulated from the truth alone: faultless ones, and ones with a planted fault."""

from dataclasses import replace

import numpy as np
import pytest

from book.detector_rules import Audit, Contrasts, Output
from ferbook.errors import DataError
from synthetic_faces.facs import AUS
from synthetic_faces.stimuli import stimuli_table

UNITS = tuple(f"AU{number}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 25))
TRUTH = stimuli_table(12, 0)


def shown(au, side="both"):
    halves = TRUTH[[f"{au}_left", f"{au}_right"]].to_numpy()
    return halves.max(axis=1) if side == "both" else halves[:, ("left", "right").index(side)]


def detector(seed=0, units=UNITS, sides=("both",), noise=None):
    """Outputs that respond to their units with gains, noise and resting values of their own, and differently
    to each person; cheeks go along with smiles, as they should.
    """
    random = np.random.default_rng(seed)
    person = TRUTH["person"].to_numpy()
    noise = random.uniform(0.02, 0.1) if noise is None else noise
    made = []
    for au in units:
        gain = random.uniform(0.3, 0.9) * (1 + 0.2 * random.standard_normal(person.max() + 1))
        rest = random.uniform(0, 0.2) + 0.05 * random.standard_normal(person.max() + 1)
        alike = 0.3 * shown("AU12") if au == "AU6" else 0.3 * shown("AU26") if au == "AU25" else 0
        for side in sides:
            found = rest[person] + gain[person] * (shown(au, side) + alike)
            found = found + noise * random.standard_normal(len(found))
            made.append(Output(au, "" if side == "both" else side, found.clip(0, 1)))
    return made


def audited(outputs):
    return Audit(TRUTH, tuple(outputs))


def alarms(audit):
    named = [each for each in audit.verdicts if each.word != "responds to its unit"]
    return [*named, *audit.faults]


def words(audit):
    return {each.output: each.word for each in audit.verdicts}


def test_a_faultless_detector_is_called_so():
    audit = audited(detector())
    assert set(words(audit).values()) == {"responds to its unit"}
    assert audit.faults == ()


@pytest.mark.parametrize("number", [1, 4, len(AUS)])
def test_a_faultless_detector_that_says_nothing_of_weak_units_gives_no_same_answers(number):
    """In steps, and below a threshold nothing: of all pictures without a strong unit it says the same."""
    steps = [0, 0.2, 0.4, 0.6, 0.8]
    outputs = [Output(au, "", np.digitize(0.8 * shown(au) - 0.3, steps) / 5) for au in AUS[-number:]]
    assert "same answer" not in {each.word for each in audited(outputs).faults}


@pytest.mark.slow
def test_few_false_alarms_over_a_hundred_faultless_detectors():
    assert sum(bool(alarms(audited(detector(seed)))) for seed in range(100)) <= 5


def test_an_output_of_a_known_scale_that_nothing_moves_is_silent_and_joins_no_fault():
    outputs = detector()
    random = np.random.default_rng(3)
    dark = TRUTH["condition"] == "dark skin"
    bent = 1e-4 * shown("AU12") + 1e-3 * dark + 1e-6 * random.random(len(TRUTH))
    for k in range(3, 10):
        outputs[k] = replace(outputs[k], found=np.asarray(bent))
    audit = audited(outputs)
    assert [words(audit)[each.name] for each in outputs[3:10]] == ["silent"] * 7 and audit.faults == ()
    unscaled = audited([replace(each, scaled=False) for each in outputs])
    assert words(unscaled)[outputs[3].name] == "responds to another"
    assert {each.word for each in unscaled.faults} == {"rises at rest"}
    assert {each.word for each in audited(outputs[3:10]).faults} == {"no response"}


def test_effects_are_those_that_were_planted():
    outputs = [Output("AU12", "", 0.1 + 0.5 * shown("AU12"))]
    audit = audited(outputs)
    assert audit.effects[AUS.index("AU12"), 0] == pytest.approx(0.5)
    assert audit.effects[AUS.index("AU4"), 0] == pytest.approx(0)
    doses = np.array([0, 0, 0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1.0])
    far = np.abs(0.1 + 0.5 * doses - doses)
    assert audit.distance(0).value == pytest.approx(far.mean())


@pytest.mark.parametrize("seed", range(3))
class TestPlanted:
    def test_smile_bias(self, seed):
        outputs = [replace(o, found=(o.found + 0.4 * shown("AU12")).clip(0, 1)) for o in detector(seed)]
        assert "AU12" in {each.about for each in audited(outputs).faults if each.word == "bias"}

    def test_shuffled_columns(self, seed):
        outputs = detector(seed)
        moved = [replace(o, unit=outputs[k - 3].unit) for k, o in enumerate(outputs)]
        audit = audited(moved)
        assert [each.word for each in audit.faults] == ["columns shuffled"]
        for k, verdict in enumerate(audit.verdicts):
            # Where units are alike, neither is a fault.
            assert verdict.about in (outputs[k].unit, "")
        assert sum(each.word == "responds to another" for each in audit.verdicts) > len(outputs) / 2

    def test_one_unit_that_is_another(self, seed):
        outputs = detector(seed)
        outputs[8] = replace(outputs[8], found=detector(seed, ("AU18",))[0].found)
        audit = audited(outputs)
        (named,) = alarms(audit)
        assert (named.output, named.word, named.about) == ("AU12", "responds to another", "AU18")

    def test_saturation(self, seed):
        outputs = detector(seed)
        noise = 0.05 * np.random.default_rng(seed).standard_normal(len(TRUTH))
        outputs[2] = Output("AU4", "", 0.1 + 0.6 * (3 * shown("AU4")).clip(0, 1) + noise)
        assert {o for o, word in words(audited(outputs)).items() if word == "saturated"} == {"AU4"}

    def test_swapped_sides(self, seed):
        outputs = detector(seed, ("AU2", "AU4", "AU12", "AU15"), sides=("left", "right"))
        assert alarms(audited(outputs)) == []
        other = {"left": "right", "right": "left"}
        swapped = [replace(o, side=other[o.side]) for o in outputs]
        assert set(words(audited(swapped)).values()) == {"sides swapped"}

    def test_wrong_crop(self, seed):
        random = np.random.default_rng(seed)
        lost = random.random(len(TRUTH)) < 0.4
        none = [replace(o, found=np.where(lost, np.nan, o.found)) for o in detector(seed)]
        audit = audited(none)
        assert "no face" in {each.word for each in audit.faults}
        found = list(words(audit).values())
        assert set(found) <= {"responds to its unit", "uncertain"}, "the rest stands"
        assert found.count("uncertain") <= 2
        same = [replace(o, found=np.where(lost, 0.2, o.found)) for o in detector(seed)]
        assert "same answer" in {each.word for each in audited(same).faults}

    def test_a_deaf_and_a_reversed_output(self, seed):
        outputs = detector(seed)
        outputs[0] = replace(outputs[0], found=0.1 * np.random.default_rng(seed).standard_normal(len(TRUTH)))
        outputs[2] = replace(outputs[2], found=1 - outputs[2].found)
        outputs[4] = replace(outputs[4], found=np.full(len(TRUTH), 0.3))
        found = words(audited(outputs))
        odd = {output: word for output, word in found.items() if word != "responds to its unit"}
        assert odd == {"AU1": "deaf", "AU4": "reversed", "AU6": "says one value"}

    def test_conditions(self, seed):
        turned, dark = (TRUTH["condition"].eq(each) for each in ("turned to the left", "dark skin"))
        outputs = [replace(o, found=np.where(turned, np.median(o.found), o.found)) for o in detector(seed)]
        outputs[2] = replace(outputs[2], found=outputs[2].found + 0.4 * dark)
        named = {(each.output, each.word, each.about) for each in audited(outputs).faults}
        assert named == {("", "loses", "turned to the left"), ("AU4", "rises at rest", "dark skin")}


def test_a_detector_that_hears_nothing():
    random = np.random.default_rng(0)
    outputs = [Output(au, "", random.random(len(TRUTH))) for au in UNITS]
    audit = audited(outputs)
    assert [each.word for each in audit.faults] == ["no response"]
    assert set(words(audit).values()) <= {"deaf", "uncertain"}


def test_an_output_of_two_values_is_not_called_saturated():
    outputs = [replace(o, found=(o.found > 0.3).astype(float)) for o in detector(1, noise=0.02)]
    assert "saturated" not in words(audited(outputs)).values()


def test_without_a_face_at_rest_nothing_can_be_compared():
    outputs = [replace(o, found=np.where(TRUTH["part"].eq("rest"), np.nan, o.found)) for o in detector()]
    with pytest.raises(DataError, match="no face was found in any picture of a face at rest"):
        audited(outputs).verdicts  # noqa: B018


def test_a_unit_that_was_never_seen_is_no_deafness():
    unseen = shown("AU12") > 0
    outputs = [replace(o, found=np.where(unseen, np.nan, o.found)) for o in detector()]
    assert words(audited(outputs))["AU12"] == "uncertain"


def test_people_without_a_face_make_nothing_surer():
    """Of 24 people, a quarter without answers: intervals are those of the others, and hold the truth of 95 in
    100 noises.
    """
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        keys, values = [(f"c{k}",) for k in range(8)], rng.normal(size=(24, 8, 1))
        values[:6] = np.nan
        contrasts, others = Contrasts(keys, values), Contrasts(keys, values[6:])
        low, high = contrasts.intervals
        np.testing.assert_allclose(contrasts.mean, others.mean)
        held.append((low <= 0) & (high >= 0))
    assert np.mean(held) > 0.93


def test_where_nobody_of_a_draw_has_an_answer_the_mean_stands():
    values = np.full((12, 1, 1), np.nan)
    values[:2, 0, 0] = [1.0, 3.0]
    draws = Contrasts([("c",)], values).draws(0)
    assert np.isfinite(draws).all() and (draws == 2.0).any()
