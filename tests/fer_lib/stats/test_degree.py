"""The degree by hand, by a second way, and how often its interval holds the truth."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t

from fer_lib.stats.degree import Role, degree_and_distance
from ferbook.errors import DataError

GROUPS = 10


def roles(generator, degree, networks, people=60, luck=0.02, between=0.15):
    """Three roles of so many networks, asked of the same people, whose truth is known: what a network gives
    is the mean over people of its role's part, the person's, which is the same in all networks of a role and
    shared by half between roles, and a network's own.
    """
    means = {"floor": 0.0, "measure": 0.3 * degree, "ceiling": 0.3}
    common = generator.standard_normal(people)
    made = []
    for name, mean in means.items():
        own = mean + luck * generator.standard_normal(networks)
        spread = between * (0.05 + mean / 0.3)
        person = spread * (0.7 * common + 0.7 * generator.standard_normal(people))
        answers = own[:, None] + person + 0.02 * generator.standard_normal((networks, people))
        parts = answers.reshape(networks, GROUPS, -1)
        without = [np.delete(parts, group, axis=1).mean(axis=(1, 2)) for group in range(GROUPS)]
        made.append(Role(name, answers.mean(axis=1), np.array(without)))
    return made


def test_a_degree_by_hand():
    """Without people: one-way, both ends by the root of the statistic, not by the quadratic."""
    floor, measure, ceiling = (
        Role(name, np.array(values), np.tile(np.mean(values), (GROUPS, len(values))))
        for name, values in (("floor", [0, 0.02]), ("measure", [0.2, 0.24, 0.22]), ("ceiling", [0.3, 0.36]))
    )
    degree, room = degree_and_distance(floor, measure, ceiling)
    assert degree.value == pytest.approx((0.22 - 0.01) / (0.33 - 0.01))
    assert room.value == pytest.approx(0.32)
    v_floor, v_measure, v_ceiling = 0.0002 / 2, 0.0004 / 3, 0.0018 / 2
    assert room.high - room.value == pytest.approx(
        t.ppf(0.975, (v_floor + v_ceiling) ** 2 / (v_floor**2 + v_ceiling**2)) * (v_floor + v_ceiling) ** 0.5
    )
    rho = degree.value
    parts = np.array([v_measure, rho**2 * v_ceiling, (1 - rho) ** 2 * v_floor])
    far = t.ppf(0.975, parts.sum() ** 2 / (parts**2 / [2, 1, 1]).sum())

    def apart(ratio):
        variance = v_measure + ratio**2 * v_ceiling + (1 - ratio) ** 2 * v_floor
        return (0.21 - ratio * 0.32) ** 2 - far**2 * variance

    assert degree.low == pytest.approx(brentq(apart, -2, rho))
    assert degree.high == pytest.approx(brentq(apart, rho, 5))


SIMULATED = [(degree, networks) for networks in (5, 10) for degree in (0.24, 0, 0.1, 0.5, 0.9)]


@pytest.mark.parametrize(
    ("degree", "networks"),
    [SIMULATED[0], *(pytest.param(*each, marks=pytest.mark.slow) for each in SIMULATED[1:])],
)
def test_the_interval_holds_the_truth_as_often_as_it_says(degree, networks):
    generator = np.random.default_rng((int(100 * degree), networks))
    below = above = 0
    draws = 1200
    for _ in range(draws):
        try:
            estimate, _ = degree_and_distance(*roles(generator, degree, networks))
        except DataError as fault:
            assert "lies above 1" in str(fault)
            above += 1
            continue
        below += estimate.high < degree
        above += estimate.low > degree
    assert 1 - (below + above) / draws >= 0.93
    assert max(below, above) / draws <= 0.045


def test_people_whom_all_roles_share_make_the_interval_shorter():
    generator = np.random.default_rng(3)
    floor, measure, ceiling = roles(generator, 0.6, 10, luck=0.001)
    shared, _ = degree_and_distance(floor, measure, ceiling)
    order = generator.permutation(GROUPS)
    others = Role("ceiling", ceiling.values, ceiling.without[order])
    apart, _ = degree_and_distance(floor, measure, others)
    assert shared.high - shared.low < apart.high - apart.low


def test_networks_that_all_roles_share_enter_by_their_differences():
    """The reference's overlaps of maps: edges in the field, own maps, the change itself, of five networks."""
    overlaps = {
        "edges": [0.272140532, 0.269534088, 0.257590706, 0.283164711, 0.286001547],
        "own maps": [0.246305876, 0.215630382, 0.24142638, 0.249293416, 0.247254233],
        "the change": [0.434639428, 0.431495518, 0.43606194, 0.433085011, 0.429721688],
    }
    made = [Role(name, own, np.tile(np.mean(own), (GROUPS, 5))) for name, own in overlaps.items()]
    degree, room = degree_and_distance(*made, same_networks=True)
    widths = np.subtract(overlaps["the change"], overlaps["edges"])
    error = np.std(widths, ddof=1) / 5**0.5
    assert room.high - room.value == pytest.approx(t.ppf(0.975, 4) * error)
    # All that is left of a ratio of means of the same networks: measure − floor − ρ · (ceiling − floor).
    gains = np.subtract(overlaps["own maps"], overlaps["edges"])

    def apart(ratio):
        left = gains - ratio * widths
        return left.mean() ** 2 - t.ppf(0.975, 4) ** 2 * left.var(ddof=1) / 5

    assert degree.low == pytest.approx(brentq(apart, -2, degree.value))
    assert degree.high == pytest.approx(brentq(apart, degree.value, 2))
    assert gains.std(ddof=1) / 5**0.5 == pytest.approx(0.0063, abs=1e-4)


def test_where_the_room_is_uncertain_the_degree_says_why_it_has_no_interval():
    generator = np.random.default_rng(0)
    floor, measure, _ = roles(generator, 0.5, 5)
    near = Role(
        "ceiling", floor.values + 0.002, floor.without[::-1] + 0.002 + generator.normal(0, 0.02, (GROUPS, 5))
    )
    degree, room = degree_and_distance(floor, measure, near)
    assert degree.low is None and "too uncertain" in degree.why and room.low < 0 < room.high


def test_a_role_that_is_a_number_has_no_variance():
    generator = np.random.default_rng(1)
    _, measure, ceiling = roles(generator, 0.5, 10)
    zero, _ = degree_and_distance(Role.fixed("floor", 0.0), measure, ceiling)
    assert zero.low < 0.5 < zero.high and zero.n == 10


def test_what_is_no_ruler_is_refused():
    generator = np.random.default_rng(2)
    floor, measure, ceiling = roles(generator, 0.5, 5)
    with pytest.raises(DataError, match="below its floor 'ceiling': no ceiling"):
        degree_and_distance(ceiling, measure, floor)
    with pytest.raises(DataError, match="'measure' is no ceiling of 'ceiling'"):
        degree_and_distance(floor, ceiling, measure)
    with pytest.raises(DataError, match=r"same groups of people: floor 10, measure 10, ceiling 9"):
        degree_and_distance(floor, measure, Role("ceiling", ceiling.values, ceiling.without[1:]))
    with pytest.raises(DataError, match="same networks: floor 5, measure 5, ceiling 4"):
        fewer = Role("ceiling", ceiling.values[1:], ceiling.without[:, 1:])
        degree_and_distance(floor, measure, fewer, same_networks=True)
    with pytest.raises(DataError, match="'measure' has 1 network; the least are two"):
        Role("measure", [0.1], np.ones((GROUPS, 1)))
    with pytest.raises(DataError, match=r"'measure': \(5,\) numbers and \(10, 4\)"):
        Role("measure", measure.values, measure.without[:, 1:])
    with pytest.raises(DataError, match="not finite"):
        Role("measure", [0.1, np.nan], np.ones((GROUPS, 2)))
