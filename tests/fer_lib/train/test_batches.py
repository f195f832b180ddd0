import numpy as np
import pytest
import torch
from fastai.data.core import DataLoaders

from fer_lib.train.batches import Augmentation, FaceBatches, batches, face_loaders
from ferbook.errors import DataError, ParameterError


def numbered(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture i is all i, and so is its label."""
    labels = np.arange(n)
    return np.broadcast_to(labels.astype(np.uint8)[:, None, None], (n, 4, 4)).copy(), labels


def test_batches_are_the_pictures_in_order():
    pixels, labels = numbered(10)
    seen = list(FaceBatches(pixels, labels, 4))
    assert [len(y) for _, y in seen] == [4, 4, 2]
    pictures, found = (torch.cat(part) for part in zip(*seen, strict=True))
    assert pictures.shape == (10, 1, 4, 4) and pictures.dtype == torch.float32
    assert torch.equal(found, torch.arange(10))
    assert torch.allclose(pictures[:, 0, 2, 3], torch.arange(10) / 255)


def test_shuffled_passes_are_permutations_and_differ():
    loader = FaceBatches(*numbered(50), 8, shuffle=True, seed=1)
    passes = []
    for _ in range(2):
        labels = []
        for pictures, y in loader:
            assert torch.equal((pictures[:, 0, 0, 0] * 255).round().long(), y)
            labels += y.tolist()
        passes.append(labels)
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(50))
    assert passes[0] != passes[1] and passes[0] != list(range(50))
    again = [y for _, batch in FaceBatches(*numbered(50), 8, shuffle=True, seed=1) for y in batch.tolist()]
    assert again == passes[0]


def test_order_does_not_depend_on_the_global_generator():
    orders = []
    for _ in range(2):
        torch.rand(3)
        loader = FaceBatches(*numbered(20), 20, shuffle=True, seed=4, augmentation=Augmentation())
        orders.append(next(iter(loader)))
    assert torch.equal(orders[0][0], orders[1][0]) and torch.equal(orders[0][1], orders[1][1])


@pytest.mark.parametrize(
    ("n", "size", "shuffle", "lengths"),
    [
        (9, 4, True, [4, 4]),  # the last would be a single picture
        (9, 4, False, [4, 4, 1]),
        (10, 4, True, [4, 4, 2]),
        (8, 4, True, [4, 4]),
        (3, 4, True, [3]),
        (0, 4, False, []),
    ],
)
def test_only_a_lone_last_picture_is_left_out_of_training(n, size, shuffle, lengths):
    loader = FaceBatches(*numbered(n), size, shuffle=shuffle)
    assert [len(y) for _, y in loader] == lengths and len(loader) == len(lengths)


def test_pixels_are_copied_once_and_never_changed():
    pixels, labels = numbered(12)
    pixels.flags.writeable = False
    loader = FaceBatches(pixels, labels, 4, shuffle=True, augmentation=Augmentation())
    list(loader)
    assert torch.equal(loader.pixels, torch.tensor(pixels)) and loader.pixels.dtype == torch.uint8


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_pictures_are_drawn_at_the_side_that_is_set(augmentation):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 24), dtype=np.uint8)
    loader = FaceBatches(pixels, np.arange(6), 6, augmentation=augmentation, shuffle=True)
    loader.side = 8
    pictures, _ = next(iter(loader))
    assert pictures.shape == (6, 1, 8, 12) and pictures.min() >= 0 and pictures.max() <= 1
    loader.side = None
    assert next(iter(loader))[0].shape == (6, 1, 16, 24)


def test_smaller_pictures_are_not_aliased():
    """A fine chequerboard is grey from afar, rather than black or white."""
    board = np.indices((16, 16)).sum(0) % 2 * 255
    loader = FaceBatches(board.astype(np.uint8)[None].repeat(2, 0), np.arange(2), 2)
    loader.side = 8
    pictures, _ = next(iter(loader))
    assert (pictures - 0.5).abs().max() < 0.1


def test_training_targets_may_be_distributions(faces, classes):
    shares = np.random.default_rng(0).random((30, 2), dtype=np.float32)
    loaders = face_loaders(faces, classes, 30, targets=shares)
    pictures, targets = next(iter(loaders.train))
    split = torch.tensor(faces.split("train").pixels) / 255
    rows = [(split - picture).abs().amax((1, 2)).argmin().item() for picture in pictures[:, 0]]
    assert torch.equal(targets, torch.tensor(shares)[rows])
    assert next(iter(loaders.valid))[1].dtype == torch.int64


def test_loaders_are_fastais(faces, classes):
    loaders = face_loaders(faces, classes, 8, augmentation=Augmentation(), seed=3)
    assert isinstance(loaders, DataLoaders)
    assert loaders.train.n == 30 and loaders.valid.n == 16
    assert loaders.device == torch.device("cpu") and loaders.n_inp == 1 and loaders.bs == 8
    assert loaders.to("cpu") is loaders


def test_only_training_is_shuffled_and_augmented(faces, classes):
    loaders = face_loaders(faces, classes, 16, augmentation=Augmentation())
    valid = faces.split("valid")
    pictures, labels = next(iter(loaders.valid))
    assert torch.equal((pictures[:, 0] * 255).round().byte(), torch.tensor(valid.pixels))
    assert labels.tolist() == valid.labels(classes).tolist()
    whole = torch.tensor(faces.pixels) / 255
    train, _ = next(iter(loaders.train))
    assert not any((whole - picture).abs().amax((1, 2)).min() < 1e-3 for picture in train[:, 0])


def test_plain_training_pictures_are_those_of_the_split(faces, classes):
    train, labels = next(iter(face_loaders(faces, classes, 30).train))
    split = faces.split("train")
    rows = [(torch.tensor(split.pixels) / 255 - p).abs().amax((1, 2)).argmin().item() for p in train[:, 0]]
    assert sorted(rows) == list(range(30))
    assert labels.tolist() == split.labels(classes)[rows].tolist()


def test_prediction_batches_cover_everything_in_order(faces):
    parts = list(batches(faces.pixels, 25))
    assert [len(p) for p in parts] == [25, 25, 10]
    assert torch.equal((torch.cat(parts)[:, 0] * 255).round().byte(), torch.tensor(faces.pixels))


@pytest.mark.parametrize("missing", ["train", "valid"])
def test_names_an_empty_split(faces, classes, missing):
    rest = faces.select((faces.table["split"] != missing).to_numpy())
    with pytest.raises(DataError, match=f"no picture in its split '{missing}'"):
        face_loaders(rest, classes)


def test_refuses_what_cannot_be_batched(faces):
    with pytest.raises(ParameterError, match="batch_size 1"):
        FaceBatches(*numbered(5), 1, shuffle=True)
    with pytest.raises(DataError, match="1 picture"):
        FaceBatches(*numbered(1), 4, shuffle=True)
    with pytest.raises(DataError, match="happiness"):
        face_loaders(faces, ("neutral", "anger"))


def test_each_picture_has_a_label():
    with pytest.raises(DataError, match="5 labels of 4 pictures"):
        FaceBatches(np.zeros((4, 8, 8), np.uint8), np.zeros(5, int), 2)
