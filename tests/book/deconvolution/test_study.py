"""Deconvolution computed on paper, and the metrics and tables of projections."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from torch import from_numpy, nn

from book.deconvolution import study
from book.deconvolution.chapter import CHAPTER, DeconvolutionParameters
from book.deconvolution.study import TOY_PICTURE, benchmarks_of, degrees_text, overlap_metrics, overlap_table
from face_sets.request import FaceRequest
from fer_lib.aus.projections import NetworkView
from fer_lib.look.deconvolution import project
from fer_lib.look.localisation import cross_fitted_overlap
from fer_lib.train.record import TrainedNetwork
from ferbook import paths
from ferbook.errors import ChapterError, ParameterError
from ferbook.estimate import Estimate
from ferbook.files import read_yaml
from tests.book.deconvolution.toy_overlaps import BY_PERSON, rows
from tests.fer_lib.look.toy_layer import toy_view
from tests.fer_lib.look.toy_twins import network, twins


def test_networks_trained_on_the_held_out_people_are_refused():
    held_out = DeconvolutionParameters(face_seed=4).held_out_request
    assert held_out.face_seed == 5

    def learned(seed, name="lab"):
        return [SimpleNamespace(name="net", record=SimpleNamespace(faces=FaceRequest(name, face_seed=seed)))]

    study.require_held_out(learned(4) + learned(0) + learned(5, "wild"), held_out)
    with pytest.raises(ChapterError, match=r"'net' .* lab with face_seed 5.*another eval_face_seed"):
        study.require_held_out(learned(5), held_out)


def test_beside_real_faces_the_held_out_people_are_rendered():
    real = DeconvolutionParameters(faces="fer2013", held_out_people=30)
    assert [each.name for each in real.face_requests] == ["fer2013", "lab"] and real.domain == "lab"
    assert real.face_requests[1] == real.held_out_request and real.held_out_request.subjects == 30
    (wild,) = DeconvolutionParameters(faces="wild").face_requests
    assert (wild.name, wild.face_seed) == ("wild", 1)
    assert DeconvolutionParameters(**CHAPTER.profiles["reference"]).eval_seed == 20


def trained(seed):
    record = SimpleNamespace(network="zero_bias", seed=seed)
    return TrainedNetwork(f"net {seed}", network(seed), record)


@pytest.fixture(scope="module")
def roles():
    """Three networks of two roles, of more untrained ones as many, and the reader's."""
    p, shown = DeconvolutionParameters(untrained=5), twins()
    stored = {"emotions": [*map(trained, (1, 2, 3))], "units": [*map(trained, (4, 5, 6))]}
    return benchmarks_of(p, [trained(9), trained(10)], stored.get, shown, "")


def test_networks_of_each_role_are_evaluated_on_the_same_faces(roles):
    benchmarks, left_out = roles
    assert left_out == ""
    counts = {"trained": 3, "units": 3, "own": 1, "untrained": 3}
    assert {role: len(each) for role, each in benchmarks.items()} == counts
    assert len({id(each.twins) for some in benchmarks.values() for each in some}) == 1
    assert len({each.name for some in benchmarks.values() for each in some}) == 10


def test_where_stored_networks_are_too_few_the_own_ones_are_measured():
    few = {"emotions": [trained(1)], "units": [trained(4)]}
    own, p = [trained(8), trained(9)], DeconvolutionParameters(untrained=2)
    benchmarks, left_out = benchmarks_of(p, own, few.get, twins(), "")
    assert {role: len(each) for role, each in benchmarks.items()} == {"trained": 2, "untrained": 2}
    assert "'emotions' has 1 networks" in left_out
    found, same = overlap_table(benchmarks["trained"], "deconv"), study.same_places(benchmarks, "deconv")
    metrics, faults = overlap_metrics(found, same)
    assert "iou_at_same_places_degree" not in metrics and metrics["networks_of_each_role"].value == 0
    assert "'emotions' has 1 networks" in degrees_text(metrics, [left_out, *faults])


def test_every_map_is_compared_with_the_skin_of_its_own_unit(roles):
    one = roles[0]["trained"][0]
    found = overlap_table([one], "deconv")
    assert set(found["kind"]) == {"ours", "change", *study.MAP_CONTROLS}
    own = found.set_index("kind").loc["change"]
    assert own["row"].tolist() == one.rows.tolist()
    region = one.twins.regions[0][one.rows]
    drawn = np.abs(one.twins.on.pixels.astype(float) - one.twins.off.pixels)[one.rows]
    np.testing.assert_allclose(own["iou"], cross_fitted_overlap(drawn, region, own["subject"].to_numpy()))


def test_at_the_same_places_every_role_draws_as_often(roles):
    same = study.same_places(roles[0], "deconv")
    assert set(same["population"]) == {"trained", "units", "untrained"}
    each = [roles[0][role][0] for role in ("trained", "units", "untrained")]
    common = set.intersection(*(set(benchmark.rows.tolist()) for benchmark in each))
    for benchmark in each:
        assert same[same["network"].eq(benchmark.name)]["row"].tolist() == sorted(common) * 3


def with_controls(**lifts):
    lifts = {"field_edges": 0, "ours": 0.1, "change": 0.4} | lifts
    found = pd.concat(
        rows("trained", f"net {n}", BY_PERSON + lift * (1 + 0.01 * n) + 0.01 * n, kind)
        for kind, lift in lifts.items()
        for n in range(3)
    )
    same = pd.concat(
        rows(role, f"{role} {n}", BY_PERSON + lift + 0.01 * (n - 1) * (1 + lift))
        for role, lift in (("untrained", 0), ("trained", 0.1), ("units", 0.2))
        for n in range(3)
    )
    return found, same


def test_degrees_lie_between_their_controls():
    found, same = with_controls()
    same.loc[same["network"].eq("units 0") & same["subject"].eq("a"), "iou"] = np.nan
    metrics, faults = overlap_metrics(found, same)
    assert not faults and metrics["iou"].value == pytest.approx(0.361)
    assert metrics["iou_degree"].value == pytest.approx(0.1 / 0.4)
    assert metrics["iou_over_edges"].value == pytest.approx(0.101)
    units = metrics["units_iou_at_same_places"].value
    assert units == pytest.approx((0.3 + 0.2 - 0.012 + 0.45 + 0.45 + 0.012) / 3, abs=0.02)
    room = units - metrics["untrained_iou_at_same_places"].value
    assert metrics["iou_at_same_places_room"].value == pytest.approx(room)
    assert metrics["iou_at_same_places_degree"].value == pytest.approx(0.1 / room)
    assert metrics["networks_of_each_role"].value == 3
    told = degrees_text(metrics | {"iou_degree": Estimate(1.19, why="too uncertain")}, [])
    assert "Does training improve this overlap?" in told and "1.19" not in told
    assert told.count("degree") == 1


def test_all_maps_of_the_degree_are_of_the_same_networks():
    """Where all maps of a network are better alike, the degree is as sure as if they were not (A5)."""
    found, same = with_controls()
    apart = found.assign(iou=found["iou"] + found["network"].map({f"net {n}": 0.1 * n for n in range(3)}))
    degrees = [overlap_metrics(each, same)[0]["iou_degree"] for each in (found, apart)]
    assert (degrees[0].low, degrees[0].high) == pytest.approx((degrees[1].low, degrees[1].high))


def test_controls_that_are_none_are_refused_by_name():
    low, high = {"change": -0.05}, {"ours": 0.5}
    for lifts, told in ((low, ".*'the change'.*'edges'"), (high, "the degree.*'the change'.*'own maps'")):
        metrics, faults = overlap_metrics(*with_controls(**lifts))
        assert "iou_degree" not in metrics and "iou_at_same_places_degree" in metrics
        assert re.search(f"iou: {told}", *faults)


def test_what_matters_is_what_the_frozen_claims_say():
    papers = read_yaml(paths.root() / "claims.yaml", ParameterError)["papers"]
    claims = {claim["measure"]: claim["matters"] for paper in papers for claim in paper["claims"]}
    for name, (_, matters, _) in study.QUESTIONS.items():
        assert claims[f"deconvolution.{name}"] == matters


def check_rows(check, excess, step=0, method="deconv"):
    values = [None if value is None else Estimate(value, -1, 1, how="made up") for value in excess]
    about = {"check": check, "method": method, "step": step, "networks": 3, "n": 4}
    return pd.DataFrame({"measure": ["absolute", "signed"], "excess": values}).assign(**about)


def test_the_likeness_is_of_the_measure_in_which_most_is_left_with_all_weights_random():
    random = [(1, 1), (0.9, 0.1), (0.2, 0.3)]
    found = [check_rows("random weights", excess, step) for step, excess in enumerate(random)]
    others = {"untrained": (0.5, 0.35), "retrained": (0.4, 0.6), "learned": (-0.1, 0.25)}
    found += [check_rows(check, excess) for check, excess in others.items()]
    found.append(check_rows("random weights", (None, None), step=2, method="gradient"))
    values = {name: metric.value for name, metric in study.sanity_metrics(pd.concat(found)).items()}
    signed = {"untrained_match": 0.35, "retrained_ceiling": 0.6, "retrained_over_untrained": 0.25}
    assert values == {"random_weights_deconv": 0.3} | signed


def test_the_view_in_numbers():
    view, populations = toy_view(), ["trained", "trained", "untrained"]
    networks = [NetworkView(name, each, None, view) for name, each in zip("abc", populations, strict=True)]
    places = pd.DataFrame({"population": np.repeat(populations, 2), "network": list("aabbcc")})
    metrics = study.view_metrics(view, networks, places.assign(share=[0.4, 0.6, 0.7, 0.9, 0.3, 0.3]))
    values = {name: metric.value for name, metric in metrics.items()}
    counts = {"networks": 2, "networks_untrained": 1, "filters": 4, "filters_silent": 1, "pairs": 5}
    shares = {"place_share": pytest.approx(0.65), "place_share_untrained": pytest.approx(0.3)}
    assert values == counts | {"receptive_field": 6, "height": 16} | shares
    assert metrics["place_share_untrained"].why == "fewer than two networks"


def passed(count: int) -> np.ndarray:
    """What the first ``count`` layers make of the picture."""
    layers = nn.Sequential(*list(study.toy_network())[:count])
    return layers(from_numpy(TOY_PICTURE)[None, None])[0, 0].detach().numpy()


def test_the_response_is_the_one_on_paper():
    # Upper left of the picture: (1 + 2 + 1) - (2 + 3 + 0) = -1.
    assert passed(1)[0].tolist() == [-1, 3, 0, 0]
    assert passed(3).tolist() == [[3, 4], [0, 1]]
    assert passed(5).item() == 2 * 3 - 4 + 0 + 1


def test_deconvolution_drops_negative_signals_and_keeps_those_at_inactive_neurons():
    deconv, guided, gradient = (
        project(study.toy_network(), "relu2", TOY_PICTURE[None], [0], [0], method=method).whole(0)
        for method in ("deconv", "guided", "gradient")
    )
    first = np.array([[-1, 0, 1]] * 3)
    pixels = np.zeros((6, 6))
    for row, column, number in ((0, 1, 6), (2, 0, 3), (2, 3, 3)):
        pixels[row : row + 3, column : column + 3] += number * first
    assert deconv == pytest.approx(pixels, abs=1e-6)
    # Guided lacks what stood on the neuron that was off; the gradient has the negative signal besides.
    assert (deconv - guided)[2:5, :3].tolist() == [[-3, 0, 3]] * 3
    assert (gradient - guided)[1:4, 3:].tolist() == [[3, 0, -3]] * 3
