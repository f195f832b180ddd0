"""Who stands on the ruler of filters, what is refused as an end of it, and where what is measured lies."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from book.au_verification import ruler
from book.au_verification.chapter import CHAPTER, AuVerificationParameters
from book.au_verification.study import SMALLEST_ROOM
from book.populations import find_population, populations, require_ceiling
from fer_lib.nets.build import build_network
from fer_lib.train.record import TrainedNetwork
from fer_lib.train.weights import save_weights
from ferbook import paths
from ferbook.errors import DataError, ParameterError
from ferbook.files import read_yaml
from tests.book.au_verification.toy_networks import answered

UNITS = ["AU1", "AU4", "AU12"]


def networks(group, rights, *, structure="ZeroBiasCNN", groups=10, elsewhere=False, **about):
    """A network for each of ``rights``: of its twelve claims so many are of the cause, one less without the
    first group of people.
    """
    made = []
    for seed, right in enumerate(rights):
        claims = np.array(UNITS * 4, dtype=object)
        causes = np.where(np.arange(12) < right, claims, np.roll(UNITS, 1).tolist() * 4)
        there = causes.copy() if elsewhere else None
        about |= {"group": group, "seed": seed, "structure": structure, "groups": groups}
        own = answered(claims, causes, there, **about)
        own.caused[1, right - 1 if right else 0] = ""
        own.named["auroc"] = own.claimed
        made.append(own)
    return made


def on_the_ruler(**others):
    groups = {
        "untrained": networks("untrained", (0, 0, 1)),
        "trained": networks("trained", (4, 5, 6)),
        "mixtures": networks("mixtures", (1, 1, 2)),
        "units": networks("units", (8, 9, 10)),
        "units_mixtures": networks("units_mixtures", (1, 2, 2)),
    }
    return groups | others


def test_a_degree_is_the_way_from_the_untrained_networks_to_those_that_were_taught_units():
    groups = on_the_ruler()
    metrics, faults = ruler.degrees(groups)
    assert not faults
    names = {f"{name}_{what}" for name in list(ruler.DEGREES)[:4] for what in ("degree", "room")}
    assert set(metrics) == {"networks_of_each_role"} | names
    gain = {name: np.mean([ruler.GAIN(own)[0] for own in own_group]) for name, own_group in groups.items()}
    floor, measure, ceiling = (gain[name] for name in ("untrained", "trained", "units"))
    found = metrics["verified_gain_degree"]
    assert found.value == pytest.approx((measure - floor) / (ceiling - floor))
    assert found.low < found.value < found.high and found.n == 3
    assert metrics["verified_gain_room"].value == pytest.approx(ceiling - floor)
    assert ruler.place_between(measure, groups) == pytest.approx(found.value)
    # Each role less its own mixtures, and no difference for a floor.
    over = (measure - gain["mixtures"]) / (ceiling - gain["units_mixtures"])
    assert metrics["verified_gain_over_mixtures_degree"].value == pytest.approx(over)
    assert metrics["networks_of_each_role"].value == 3


def test_on_other_heads_the_degree_is_a_second_mark_where_all_roles_were_asked_there():
    assert "other_heads_verified_gain_degree" not in ruler.degrees(on_the_ruler())[0]
    there = {
        "untrained": networks("untrained", (0, 1), elsewhere=True),
        "trained": networks("trained", (4, 6), elsewhere=True),
        "units": networks("units", (9, 10), elsewhere=True),
    }
    metrics, _ = ruler.degrees(there)
    own, other = (metrics[f"{heads}verified_gain_degree"].value for heads in ("", "other_heads_"))
    assert other == pytest.approx(own, abs=0.1)


def test_breuers_networks_have_ends_of_their_own():
    about = {"structure": "BreuerCNN"}
    groups = {
        "untrained_breuer": networks("untrained_breuer", (0, 1), **about),
        "breuer": networks("breuer", (5, 6), **about),
        "breuer_units": networks("breuer_units", (9, 10), **about),
    }
    metrics, _ = ruler.degrees(on_the_ruler(**groups))
    assert metrics["breuer_networks_of_each_role"].value == 2 and metrics["networks_of_each_role"].value == 3
    assert 0 < metrics["breuer_kappa_degree"].value < 1


REFUSED = {
    "other people": ({"units": networks("units", (9, 10), asked="4 people")}, "of other people: .*4 peo"),
    "other groups of people": ({"units": networks("units", (9, 10), groups=9)}, "same groups of people"),
    "another structure": ({"units": networks("units", (9, 10), structure="BreuerCNN")}, "units BreuerCNN"),
    "mixtures of fewer": (
        {"mixtures": networks("mixtures", (1, 1))},
        "verified_gain_over_mixtures: role 'trained on emotions' has 3 networks, and mixtures of 2",
    ),
    "one network": ({"units": networks("units", (9,))}, "role 'trained on units' has 1 network"),
    "a ceiling below its floor": ({"units": networks("units", (0, 0))}, "below its floor 'untrained'"),
    "no ceiling": (
        {"trained": networks("trained", (9, 9, 9)), "units": networks("units", (4, 4, 4))},
        "'trained on units' is no ceiling of 'trained on emotions'",
    ),
}


@pytest.mark.parametrize("others, told", REFUSED.values(), ids=REFUSED)
def test_what_is_no_end_of_a_ruler_is_refused_by_name(others, told):
    metrics, faults = ruler.degrees(on_the_ruler(**others))
    refused = [fault for fault in faults if re.search(told, fault)]
    assert refused and not {f"{fault.partition(':')[0]}_degree" for fault in refused} & metrics.keys()


OTHERS = {
    "recipe": {"recipe": {"epochs": 5}},
    "faces": {"faces": {"face_seed": 12}},
    "options": {"options": {"gain": 2.0}},
    "labels own and own, not own and units": {"labels": "own"},
}


@pytest.mark.parametrize("named, change", OTHERS.items(), ids=OTHERS)
def test_a_ceiling_of_another_recipe_is_refused_by_name(monkeypatch, named, change):
    require_ceiling("emotions", "units")
    emotions, units = find_population("emotions"), find_population("units")
    content = units.model_dump()
    for field, value in change.items():
        content[field] = content[field] | value if isinstance(value, dict) else value
    known = {"emotions": emotions, "units": type(units).model_validate(content)}
    monkeypatch.setattr("book.populations.find_population", known.get)
    with pytest.raises(DataError, match=f"'units' .*{named}"):
        require_ceiling("emotions", "units")


def learned(seed, name="zero_bias"):
    record = SimpleNamespace(network=name, seed=seed)
    return TrainedNetwork(f"some {seed}", None, record)


def kept(number=3):
    return lambda name: [] if name == "nobody" else [learned(seed) for seed in range(number)]


LEFT_OUT = {
    "another size": ({"size": 64}, "'emotions' learned from lab at 48 pixels, not lab at 64"),
    "a real set": ({"faces": "ckplus"}, "the units of 'ckplus' are unknown"),
    "another domain": ({"faces": "wild"}, "learned from lab at 48 pixels, not wild at 48"),
    "people they know": ({"face_seed": 9}, "the people of face_seed 10, .* another eval_face_seed"),
    "another structure": ({"own": "residual"}, "structure zero_bias, not residual"),
    "two networks": ({"number": 2}, "'emotions' has 2 networks; a role takes 3 or more"),
    "four of all": ({"number": 4, "of_each": 0}, "'emotions' has 4 networks; a role takes 5 or more"),
    "other pairs": ({"roles": "emotions:units_free"}, "population 'units_free' has faces .*'emotions'"),
}


@pytest.mark.parametrize("changes, told", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_a_run_cannot_answer_it_says_and_measures_its_own_network(changes, told):
    own = [learned(0, changes.pop("own", "zero_bias"))] if "own" in changes else [learned(0)]
    number = changes.get("number", 3)
    p = AuVerificationParameters(**{name: value for name, value in changes.items() if name != "number"})
    cast = ruler.cast_of(p, own, kept(number))
    assert list(cast.networks) == ["trained"] and cast.networks["trained"] == own
    assert re.search(told, *cast.left_out)


def test_a_run_of_ones_own_is_a_mark_beside_kept_networks():
    p = AuVerificationParameters(beside="emotions_shuffled,nobody")
    cast = ruler.cast_of(p, [learned(7)], kept(4))
    counts = {name: len(each) for name, each in cast.networks.items()}
    assert counts == {"own": 1, "trained": 3, "units": 3, "identity": 3, "shuffled": 3}
    assert cast.left_out == ("no network of 'nobody' is kept",)


def test_the_reference_measures_all_that_are_kept():
    p = AuVerificationParameters(**CHAPTER.profiles["reference"])
    cast = ruler.cast_of(p, kept(10)("emotions"), kept(10))
    assert cast.left_out == () and "own" not in cast.networks
    assert {len(each) for each in cast.networks.values()} == {10}
    assert set(cast.networks) <= set(ruler.GROUP_LABELS) and p.eval_seed == 20
    seeds = {find_population(name).faces.face_seed for name in p.populations}
    assert p.eval_seed not in seeds


@pytest.mark.parametrize("text", ["emotions", "emotions:", "a:b,a:c", "a:b:c"])
def test_roles_are_pairs_of_different_populations(text):
    with pytest.raises((ParameterError, ValueError), match="pairs of populations"):
        AuVerificationParameters(roles=text)


def test_the_rule_of_the_page_is_that_of_the_frozen_claims():
    papers = read_yaml(paths.root() / "claims.yaml", ParameterError)["papers"]
    claims = [claim for paper in papers for claim in paper["claims"]]
    (title,) = [each for each in claims if each["measure"] == "au_verification.verified_gain"]
    assert title["matters"] == SMALLEST_ROOM
    own = {each["measure"].partition(".")[2] for each in claims if each["measure"].startswith("au_verif")}
    assert own == {
        *("verified_gain", "verified_gain_over_mixtures", "verified_gain_over_identity"),
        *("auroc_agreement_share", "breuer_verified_share", "photographs_verified_gain_over_shuffled"),
    }


def test_of_networks_that_are_kept_without_a_tensor_it_has_that_name(tmp_path):
    left_out = [each for each in populations().values() if getattr(each, "without", ())]
    for each in left_out:
        network = build_network(each.network, 8, each.faces.size)
        save_weights(network, tmp_path / "network", {}, without=each.without)
    assert [each.name for each in left_out] == ["identity", "breuer_emotions", "breuer_units"]
