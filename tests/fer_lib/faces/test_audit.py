"""The audit: planted copies of each kind are named, and none is invented."""

import io

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_lib.faces.audit import COPY_KINDS, audit, points_at_most
from fer_lib.faces.faceset import FaceSet


def textures(count: int, side: int = 48, seed: int = 0) -> np.ndarray:
    """uint8 (count, side, side): smooth noise in three scales, all different."""
    rng = np.random.default_rng(seed)
    noise = (
        sum(
            cv2.resize(
                rng.normal(0, 1, (k, k)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
            )
            for k in (4, 8, 16)
        )
        for _ in range(count)
    )
    return np.stack([np.clip(128 + 35 * each, 0, 255).astype(np.uint8) for each in noise])


def cropped(picture, rng):
    side = len(picture)
    share = rng.uniform(0.78, 0.95) * side
    x, y = rng.uniform(0, side - share, 2)
    box = (x, y, x + share, y + share)
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR, box))


def encoded_anew(picture, rng):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=int(rng.integers(35, 80)))
    return np.asarray(Image.open(file))


def changed(picture, rng):
    side = len(picture)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(2, 6), 1)
    turned = cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    lit = rng.uniform(0.8, 1.2) * turned + rng.uniform(-20, 20) + rng.normal(0, 3, turned.shape)
    return np.clip(lit, 0, 255).astype(np.uint8)


PLANT = {
    "exact": lambda picture, rng: picture,
    "mirrored": lambda picture, rng: picture[:, ::-1],
    "cropped": cropped,
    "re-encoded": encoded_anew,
    "changed": changed,
}


def planted(pixels: np.ndarray, each: int) -> tuple[FaceSet, dict[tuple[int, int], str]]:
    """The first half of ``pixels`` in training, the second in the test, and in it ``each`` copies a kind."""
    rng, half = np.random.default_rng(1), len(pixels) // 2
    pixels, truth = pixels.copy(), {}
    pairs = zip(rng.permutation(half), half + rng.permutation(half), strict=True)
    for kind, plant in PLANT.items():
        for _ in range(each):
            first, second = map(int, next(pairs))
            pixels[second] = plant(pixels[first], rng)
            truth[first, second] = kind
    return a_set(pixels, ["train"] * half + ["test"] * half), truth


def a_set(pixels, split, subject="", emotion="anger") -> FaceSet:
    table = pd.DataFrame({"split": split, "subject": subject, "emotion": emotion})
    return FaceSet("set", pixels, table.assign(dataset="set", sequence="", frame=0))


def found(pairs: pd.DataFrame) -> dict[tuple[int, int], str]:
    return dict(zip(zip(pairs["first"], pairs["second"], strict=True), pairs["kind"], strict=True))


def test_the_kinds_are_those_that_are_planted():
    assert tuple(PLANT) == COPY_KINDS


def test_a_copy_of_each_kind_is_named():
    faces, truth = planted(textures(40), 2)
    pairs = audit(faces)
    assert found(pairs) == truth
    assert pairs["splits"].all() and not pairs["labels"].any() and pairs["alike"].min() > 0.95


def test_copies_on_one_side_are_no_leak():
    pixels = textures(6)
    pixels[1], pixels[3] = pixels[0], pixels[2]
    split = ["train", "train", "train", "test", "valid", "valid"]
    assert found(audit(a_set(pixels, split))) == {(2, 3): "exact"}
    assert found(audit(a_set(pixels, split, list("aabccd")))) == {(2, 3): "exact"}
    assert found(audit(a_set(pixels, "train", list("abccdd")))) == {(0, 1): "exact"}
    assert not len(audit(a_set(pixels, "train", ["a", "", "b", "", "b", ""])))


def test_flat_pictures_and_few_are_no_trouble():
    flat = np.full((4, 24, 24), 9, np.uint8)
    flat[1:] += np.arange(1, 4, dtype=np.uint8)[:, None, None]
    assert not len(audit(a_set(flat, ["train", "test"] * 2)))
    assert not len(audit(a_set(flat[:1], ["train"])))


def test_points_are_the_share_of_test_pictures_that_are_remembered_with_their_label():
    pixels = textures(8)
    pixels[4:7] = pixels[:3]
    split, emotion = ["train"] * 4 + ["test"] * 4, ["anger"] * 6 + ["fear"] * 2
    faces = a_set(pixels, split, emotion=emotion)
    pairs = audit(faces)
    assert pairs["labels"].tolist() == [False, False, True]
    assert points_at_most(faces, pairs) == 50  # two of four; the third was learned as anger


def test_the_order_of_the_pictures_does_not_matter():
    """The test picture equals one of each other split; the one that training has goes by the same label."""
    pixels, rows = textures(10), np.arange(10)
    pixels[1] = pixels[2] = pixels[3] = pixels[0]
    split, emotion = (
        ["valid", "train", "test", *["train"] * 7],
        ["fear", "anger", "anger", "fear", *["happiness"] * 6],
    )
    faces = a_set(pixels, split, emotion=emotion)
    for order in (rows, rows[::-1], np.roll(rows, 3)):
        some = faces.select(order)
        assert points_at_most(some, audit(some)) == 100
    near = pixels.copy()
    near[0], near[1], near[3] = (PLANT["re-encoded"](pixels[2], np.random.default_rng(n)) for n in (5, 6, 7))
    splits = {tuple(sorted(np.array(split)[[*pair]])) for pair in found(audit(a_set(near, split)))}
    assert splits == {("test", "valid"), ("test", "train"), ("train", "valid")}


@pytest.mark.slow
def test_thirty_leaks_of_each_kind_are_named_and_none_is_invented():
    faces, truth = planted(textures(400), 30)
    assert found(audit(faces)) == truth
