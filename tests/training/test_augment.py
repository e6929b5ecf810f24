from __future__ import annotations

import torch
from torch.nn import functional

from hwnas.training.augment import Augment, augmented, cut_out
from hwnas.training.dataset import generator

# Every pixel of an image has its own value, and no pixel is black.
IMAGES = (1 + torch.arange(64, dtype=torch.uint8)).view(1, 1, 8, 8).repeat(200, 2, 1, 1)


def test_a_crop_is_a_window_of_the_padded_image():
    cropped = augmented(IMAGES, Augment(crop_padding=1), generator(0))
    padded = functional.pad(IMAGES[0], (1, 1, 1, 1))
    windows = {
        padded[:, i : i + 8, j : j + 8].numpy().tobytes() for i in range(3) for j in range(3)
    }
    assert {image.numpy().tobytes() for image in cropped} == windows


def test_a_flip_mirrors_about_half_of_the_images():
    flipped = augmented(IMAGES, Augment(flip=True), generator(0))
    mirrored = (flipped == IMAGES.flip(-1)).flatten(1).all(1)
    assert torch.equal(flipped[~mirrored], IMAGES[~mirrored])
    assert 70 <= int(mirrored.sum()) <= 130


def test_cutout_sets_one_square_to_zero_that_may_leave_the_image():
    hidden = cut_out(IMAGES.float(), 4, generator(0)) == 0
    assert torch.equal(hidden[:, 0], hidden[:, 1])
    counts = hidden[:, 0].flatten(1).sum(1)
    # The centre is inside, so at least half of each side is, rounded as the centre of an even side
    # must be.
    assert set(counts.tolist()) <= {a * b for a in (2, 3, 4) for b in (2, 3, 4)}
    assert 16 in counts


def test_a_resized_crop_keeps_the_range_and_a_flat_image():
    flat = torch.full((20, 3, 8, 8), 77, dtype=torch.uint8)
    assert torch.equal(augmented(flat, Augment(smallest_area=0.1), generator(0)), flat)
    crops = augmented(IMAGES, Augment(smallest_area=0.1), generator(0))
    assert crops.min() >= 1
    assert crops.max() <= 64
    assert len(crops.flatten(1).unique(dim=0)) > 100


def test_the_input_is_left_as_it_was():
    before = IMAGES.clone()
    augmented(IMAGES, Augment(crop_padding=2, flip=True, smallest_area=0.5), generator(1))
    cut_out(IMAGES, 3, generator(1))
    assert torch.equal(IMAGES, before)


def test_a_window_is_cut_anywhere_in_training_and_in_the_middle_otherwise() -> None:
    from hwnas.training.augment import middle_window, random_window

    pixels = torch.arange(2 * 1 * 7 * 6).reshape(2, 1, 7, 6).to(torch.uint8)
    middle = middle_window(pixels, (3, 4))
    assert torch.equal(middle, pixels[:, :, 2:5, 1:5])
    seen = set()
    for seed in range(60):
        found = random_window(pixels, (3, 4), torch.Generator().manual_seed(seed))
        assert found.shape == (2, 1, 3, 4)
        top, left = divmod(int(found[0, 0, 0, 0]), 6)
        assert torch.equal(found[0, 0], pixels[0, 0, top : top + 3, left : left + 4])
        seen.add((top, left))
    assert seen == {(top, left) for top in range(5) for left in range(3)}


def test_images_of_the_wanted_size_are_left_alone_without_a_draw() -> None:
    from hwnas.training.augment import middle_window, random_window

    pixels = torch.arange(32).reshape(2, 1, 4, 4).to(torch.uint8)
    generator = torch.Generator().manual_seed(3)
    before = generator.get_state()
    assert random_window(pixels, (4, 4), generator) is pixels
    assert torch.equal(generator.get_state(), before)
    assert torch.equal(middle_window(pixels, (4, 4)), pixels)
