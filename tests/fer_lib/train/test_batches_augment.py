from dataclasses import replace

import numpy as np
import pytest
import torch

from fer_lib.train.batches import AUGMENTATIONS, DRAWS, Augmentation, transformed, window_matrices

# Draws only the identity.
UNCHANGED = Augmentation(
    flip=0.0, rotation=0.0, window=(1.0, 1.0), shift=0.0, gamma=(1.0, 1.0), gain=(1.0, 1.0), offset=0.0
)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(8, 1, 24, 16, generator=torch.Generator().manual_seed(0))


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augment(pictures, augmentation, generator=None, size=None):
    return transformed(pictures, augmentation, torch.rand((len(pictures), DRAWS), generator=generator), size)


def test_no_strength_changes_nothing(pictures):
    assert torch.allclose(augment(pictures, UNCHANGED), pictures, atol=1e-5)


def test_mirror(pictures):
    mirrored = augment(pictures, replace(UNCHANGED, flip=1.0))
    assert torch.allclose(mirrored, pictures.flip(3), atol=1e-5)


def test_mirrors_half_of_the_pictures():
    lopsided = torch.zeros(1000, 1, 8, 8)
    lopsided[..., :4] = 1
    left = augment(lopsided, replace(UNCHANGED, flip=0.5), seeded())[:, 0, :, :4].mean((1, 2)) > 0.5
    assert 440 < left.sum() < 560


def turned(pictures: torch.Tensor, degrees: float) -> torch.Tensor:
    batch, _, height, width = pictures.shape
    matrices = window_matrices(
        torch.zeros(batch, dtype=torch.bool),
        torch.full((batch,), degrees),
        torch.ones(batch),
        torch.zeros(batch, 2),
        height / width,
    )
    grid = torch.nn.functional.affine_grid(matrices, list(pictures.shape), align_corners=False)
    return torch.nn.functional.grid_sample(pictures, grid, align_corners=False)


def test_a_quarter_turn_is_numpys():
    square = torch.rand(2, 1, 16, 16, generator=seeded())
    expected = np.rot90(square.numpy(), axes=(2, 3)).copy()
    assert torch.allclose(turned(square, 90.0), torch.from_numpy(expected), atol=1e-4)


def test_turning_keeps_shapes_in_oblong_pictures():
    """A quarter turn of the central square of an oblong picture: only right if sides are in equal units."""
    oblong = torch.rand(1, 1, 24, 16, generator=seeded())
    centre = oblong[:, :, 4:20]
    expected = torch.from_numpy(np.rot90(centre.numpy(), axes=(2, 3)).copy())
    assert torch.allclose(turned(oblong, 90.0)[:, :, 4:20], expected, atol=1e-4)


def test_a_window_of_half_the_side_doubles_the_size():
    """With the window's position fixed to the centre, 8×8 pixels fill the picture."""
    blocks = torch.rand(1, 1, 8, 8, generator=seeded())
    picture = torch.nn.functional.pad(blocks, (4, 4, 4, 4))
    enlarged = augment(picture, replace(UNCHANGED, window=(0.5, 0.5)))
    # Block means: bilinear interpolation at a quarter and three quarters is symmetric inside.
    expected = torch.nn.functional.interpolate(blocks, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(enlarged[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-5)


def test_a_wide_window_keeps_the_whole_picture_inside_black():
    """Window 1.4 and any shift: all of the picture's light is still there, on 1/1.96 of the area."""
    white = torch.ones(64, 1, 70, 70)
    shrunk = augment(white, replace(UNCHANGED, window=(1.4, 1.4), shift=1.0), seeded())
    assert torch.allclose(shrunk.mean((1, 2, 3)), torch.tensor(1 / 1.96), atol=0.01)
    corners = shrunk[:, 0, 0, 0]
    assert (corners < 0.5).sum() > 32  # moved about: not all stuck in one corner
    assert shrunk[:, 0].mean(0).std() > 0.1


def test_a_narrow_window_stays_inside_the_picture():
    white = torch.ones(64, 1, 32, 32)
    moved = augment(white, replace(UNCHANGED, window=(0.7, 0.7), shift=1.0), seeded())
    assert (moved[..., 1:-1, 1:-1] > 0.999).all()


def test_moves_reach_as_far_as_they_say_either_way():
    """The centre of mass of a small blot in the middle goes where the window does not."""
    blot = torch.zeros(400, 1, 48, 48)
    blot[..., 22:26, 22:26] = 1
    moved = augment(blot, replace(UNCHANGED, shift=1.0, move=0.08), seeded())[:, 0]
    places = torch.arange(48) - 23.5
    for axis in (1, 2):
        centre = (moved.sum(3 - axis) * places).sum(1) / moved.sum((1, 2)) / 48
        assert centre.abs().max() <= 0.08 + 1e-4
        assert centre.min() < -0.077 and centre.max() > 0.077


def test_a_smaller_size_shows_the_same_picture(pictures):
    """Half the size of a smooth picture is the mean of its blocks, whatever moves it."""
    y, x = torch.meshgrid(torch.linspace(0, 0.4, 48), torch.linspace(0, 0.5, 32), indexing="ij")
    smooth = (y + x).expand(6, 1, 48, 32)
    strong = replace(AUGMENTATIONS["standard"], window=(0.6, 0.6), shift=0.0, move=0.0, rotation=0.0)
    large = augment(smooth, strong, seeded(3))
    small = augment(smooth, strong, seeded(3), (24, 16))
    assert small.shape == (6, 1, 24, 16)
    assert torch.allclose(small, torch.nn.functional.avg_pool2d(large, 2), atol=2e-3)


def test_grey_jitter_is_power_gain_offset():
    grey = torch.full((500, 1, 4, 4), 0.5)
    exact = augment(grey, replace(UNCHANGED, gamma=(2.0, 2.0), gain=(1.2, 1.2)), seeded())
    assert torch.allclose(exact, torch.tensor(0.5**2 * 1.2), atol=1e-5)
    shifted = augment(grey, replace(UNCHANGED, offset=0.1), seeded())[:, 0, 0, 0]
    assert 0.4 <= shifted.min() < 0.41 and 0.59 < shifted.max() <= 0.6
    assert (shifted.mean() - 0.5).abs() < 0.01


def test_everything_stays_a_grey_value(pictures):
    changed = augment(pictures, Augmentation(), seeded())
    assert changed.shape == pictures.shape and torch.isfinite(changed).all()
    assert changed.min() >= 0 and changed.max() <= 1
    black_and_white = (pictures > 0.5).float()
    assert torch.isfinite(augment(black_and_white, Augmentation(), seeded())).all()


def test_each_picture_is_drawn_for_itself():
    same = torch.rand(1, 1, 16, 16, generator=seeded()).expand(6, 1, 16, 16)
    changed = augment(same, Augmentation(), seeded())
    assert all(not torch.allclose(changed[0], other, atol=0.01) for other in changed[1:])


def test_seed_decides(pictures):
    first = augment(pictures, Augmentation(), seeded(1))
    assert torch.equal(first, augment(pictures, Augmentation(), seeded(1)))
    assert not torch.equal(first, augment(pictures, Augmentation(), seeded(2)))


def test_keeps_the_type_and_agrees_in_double(pictures):
    double = augment(pictures.double(), Augmentation(), seeded())
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), augment(pictures, Augmentation(), seeded()), atol=1e-4)


def test_leaves_its_input(pictures):
    before = pictures.clone()
    augment(pictures, Augmentation(), seeded())
    assert torch.equal(before, pictures)
