"""Masks of action units, and what must keep to them: the motion of the picture and what stands in the way."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from synthetic_faces.assets import SKIN
from synthetic_faces.capture import Capture, Rod
from synthetic_faces.facs import AUS
from synthetic_faces.hair import LongHair, fall
from synthetic_faces.people import Glasses, draw_person, measure_head
from synthetic_faces.render import Renderer
from tests.synthetic_faces import plain_shot
from tests.synthetic_faces.plain_shot import NEUTRAL, shown

SIZE = 96
PLAIN = dataclasses.replace(plain_shot.PLAIN, key_azimuth=0.1, key_elevation=0.4, gloss=0.1)
SMOOTH = Capture(wrinkles=0)


def of_unit(masks, au):
    return (masks >> AUS.index(au)) & 1 == 1


@pytest.fixture(scope="module")
def renderer(head):
    return Renderer(head, SIZE)


@pytest.fixture(scope="module")
def person(head):
    return dataclasses.replace(draw_person(head, 0, 3), long_hair=None, glasses=None)


@pytest.fixture(scope="module")
def neutral(renderer, person):
    return renderer.render(person, NEUTRAL, PLAIN, SMOOTH)


def test_movements_are_the_lengths_of_the_summed_actions_of_the_persons_own_muscles(head, renderer, person):
    movements = renderer.unit_movements(person.muscles)
    row = AUS.index("AU12")
    weights = person.muscles.units[row].sum(axis=0)
    assert weights.astype(bool).sum() >= 4
    length = np.linalg.norm(np.einsum("a,anc->nc", weights, head.actions), axis=1)
    skin = np.zeros(len(length), bool)
    skin[head.triangles[head.groups == SKIN]] = True
    skin &= head.regions[:, 1] <= 0.5
    np.testing.assert_allclose(movements[skin, row], length[skin] / length[skin].max(), atol=1e-5)
    assert (movements[~skin] == 0).all()
    np.testing.assert_allclose(movements.max(axis=0), 1)


@pytest.mark.parametrize("au", AUS)
def test_a_unit_changes_the_picture_inside_its_mask_and_almost_nowhere_else(au, renderer, person, neutral):
    after = renderer.render(person, shown(**{au: 1}), PLAIN, SMOOTH)
    region = of_unit(neutral.masks, au) | of_unit(after.masks, au)
    # A pixel may be the mean of four rays; the mask knows one.
    region = ndimage.binary_dilation(region, iterations=1)
    change = np.abs(after.pixels.astype(int) - neutral.pixels)
    strong = change > max(0.3 * change.max(), 20)
    assert strong.any()
    assert region[strong].mean() > 0.7
    # Measured on one person: 49 to 96 % of all change; the rest is skin that moves by less than a fifth,
    # such as the tissue around that goes along.
    assert change[region].sum() > 0.45 * change.sum()
    assert change[region].mean() > 5 * change[~region].mean()


@pytest.mark.parametrize("au", ["AU1", "AU4", "AU6", "AU9", "AU12", "AU15", "AU26"])
def test_most_of_a_mask_is_seen_to_move(au, renderer, person, neutral):
    # Skin texture moves with the skin: where it is in the mask, the picture must not stay as it is.
    rough = dataclasses.replace(person, grain=3.0)
    before, after = (renderer.render(rough, i, PLAIN, SMOOTH) for i in (NEUTRAL, shown(**{au: 1})))
    region = of_unit(before.masks, au) & of_unit(after.masks, au)
    change = np.abs(after.pixels.astype(int) - before.pixels)
    far = ~ndimage.binary_dilation(of_unit(before.masks, au) | of_unit(after.masks, au), iterations=6)
    assert (change[region] > 1).mean() > 0.5
    assert (change[far] > 1).mean() < 0.15


def test_a_mask_goes_with_the_expression(renderer, person, neutral):
    dropped = of_unit(renderer.render(person, shown(AU27=1), PLAIN, SMOOTH).masks, "AU17")
    rows = np.arange(SIZE)[:, None]
    at_rest = of_unit(neutral.masks, "AU17")
    assert (rows * dropped).sum() / dropped.sum() > (rows * at_rest).sum() / at_rest.sum() + 2


def test_masks_of_one_size_are_those_of_another(head, person, neutral):
    double = Renderer(head, 2 * SIZE, antialias=1).render(person, NEUTRAL, PLAIN, SMOOTH).masks
    for au in ("AU4", "AU12", "AU25"):
        fine = of_unit(double, au).reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3))
        assert np.abs(fine - of_unit(neutral.masks, au)).mean() < 0.02


def glasses_for(person, head, tint):
    eyes = person.vertices[np.isin(head.vertex_ids, range(14598, 14742))]
    middle = (*eyes.mean(axis=0)[:1], eyes[:, 1].min() - 0.012, *eyes.mean(axis=0)[2:])
    return Glasses(tuple(map(float, middle)), (0.032, 0.026, 0.02, 0.003), 2.5, 0.02, tint, 0.0)


def covered(person, head, shot):
    """Ways to hide skin of ``person``."""
    bar = Rod((-0.2, -0.06, 0.06), (0.2, -0.06, 0.06), 0.012, 0.9)
    middle, half_head, top = measure_head(person.vertices, head)
    points = fall(middle, half_head, top, volume=0.02, length=0.2, flare=0.1, waves=[(0.0, 6, 0, 0)])
    hair = LongHair(points, (0.5, 0.3, 0.0, 0.0), 8.0, 0.05)
    return {
        "rod": (person, dataclasses.replace(shot, rods=(bar,))),
        "strand": (person, dataclasses.replace(shot, strands=((0.2, 0.1, 0.0, 0.08),))),
        "long hair": (dataclasses.replace(person, long_hair=hair), shot),
        "dark lenses": (dataclasses.replace(person, glasses=glasses_for(person, head, 0.95)), shot),
    }


@pytest.mark.parametrize("thing", ["rod", "strand", "long hair", "dark lenses"])
def test_what_stands_in_the_way_is_in_no_mask(thing, renderer, person, head, neutral):
    looks, shot = covered(person, head, PLAIN)[thing]
    hidden = renderer.render(looks, NEUTRAL, shot, SMOOTH)
    # A mask never grows, and is empty where the picture shows another thing.
    assert (hidden.masks & ~neutral.masks == 0).all()
    lost = hidden.masks != neutral.masks
    other = np.abs(hidden.pixels.astype(int) - neutral.pixels)
    assert lost.sum() > 100
    assert (hidden.masks[lost] == 0).all()
    assert (other[lost] > 8).mean() > 0.9


def test_clear_lenses_hide_nothing_but_their_frame_does(renderer, person, head, neutral):
    looks = dataclasses.replace(person, glasses=glasses_for(person, head, 0.05))
    masks = renderer.render(looks, NEUTRAL, PLAIN, SMOOTH).masks
    lids = of_unit(neutral.masks, "AU43")
    assert (of_unit(masks, "AU43") & lids).sum() > 0.9 * lids.sum()
    assert (masks != neutral.masks).sum() > 50
