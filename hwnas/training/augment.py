"""Random crops, flips and cutout of a whole batch at once, on its device, from an explicit
generator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What may happen to a training image.

    `smallest_area`: below 1, a rectangle of that share of the image or more, of sides 3:4 to 4:3,
    is scaled to the full size, as for ImageNet; `crop_padding`: pixels of black added on each side
    before a crop of the old size; `flip`: mirror left and right with probability 1/2; `cutout`:
    side of the square that is set to the mean colour (DeVries and Taylor, arXiv:1708.04552).
    """

    smallest_area: float = 1.0
    crop_padding: int = 0
    flip: bool = False
    cutout: int = 0


def augmented(pixels: Tensor, augment: Augment, generator: torch.Generator) -> Tensor:
    """Return an augmented copy of uint8 `pixels` (n, C, H, W), all but cutout; every image draws
    for itself.

    `generator` lives on the CPU, so that the same seed gives the same images on every device.
    """
    if augment.smallest_area < 1:
        pixels = _resized_crop(pixels, augment.smallest_area, generator)
    count, draws = len(pixels), list[Tensor]()
    if augment.crop_padding:
        draws += torch.randint(2 * augment.crop_padding + 1, (2, count), generator=generator)
    if augment.flip:
        draws.append((torch.rand(count, generator=generator) < 0.5).long())
    if not draws:
        return pixels
    packed = torch.stack(draws).to(pixels.device)  # one copy to a GPU for all draws
    if augment.crop_padding:
        pixels = _crop(pixels, augment.crop_padding, packed[0], packed[1])
    if augment.flip:
        pixels = torch.where(packed[-1].bool().view(-1, 1, 1, 1), pixels.flip(-1), pixels)
    return pixels


def cut_out(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Set a square of normalised images (n, C, H, W) around a random centre to 0, the mean colour,
    as DARTS does.

    At the border part of the square lies outside, as in the paper.
    """
    count, _, height, width = x.shape
    inside = []
    for extent in (height, width):
        centre = torch.randint(extent, (count, 1), generator=generator)
        offset = torch.arange(extent) - (centre - side // 2)
        inside.append((offset >= 0) & (offset < side))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return x.masked_fill(hole.to(x.device), 0)


def mixed(x: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Mix images (n, C, H, W) in pairs: share x + (1 - share) x[partner] (arXiv:1710.09412).

    Returns the images, partner (n,) and the share, which is one of the whole batch, from
    Beta(`alpha`, `alpha`), or 1 minus it where that is more: an image is never the smaller part of
    its own mixture. All is drawn on the CPU, so that every device mixes the same.
    """
    partner = torch.randperm(len(x), generator=generator)
    seed = int(torch.randint(2**62, (1,), generator=generator))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    share = max(share, 1 - share)
    partner = partner.to(x.device)
    return torch.lerp(x[partner], x, share), partner, share


def rectangles(count: int, smallest_area: float, generator: torch.Generator) -> Tensor:
    """A random rectangle for each of `count` images, (4, n): the root of its share of the area, in
    `smallest_area`..1, the root of its width by its height, in 3:4..4:3, and where it lies between
    left and right, top and bottom, in 0..1."""
    area, ratio, x, y = torch.rand((4, count), generator=generator)
    side = (smallest_area + (1 - smallest_area) * area).sqrt()
    stretch = torch.exp((2 * ratio - 1) * math.log(4 / 3) / 2)
    return torch.stack([side, stretch, x, y])


def _resized_crop(pixels: Tensor, smallest_area: float, generator: torch.Generator) -> Tensor:
    """Scale one rectangle of each image to the full size, by bilinear interpolation."""
    count = len(pixels)
    side, stretch, x, y = rectangles(count, smallest_area, generator)
    # In the coordinates of `affine_grid` an image reaches from -1 to 1, so a side is its share of
    # the image.
    width, height = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
    zero = torch.zeros(count)
    rows = (width, zero, (2 * x - 1) * (1 - width)), (zero, height, (2 * y - 1) * (1 - height))
    theta = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1).to(pixels.device)
    grid = functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    scaled = functional.grid_sample(
        pixels.float(), grid, padding_mode="border", align_corners=False
    )
    return scaled.round().to(torch.uint8)


def random_window(pixels: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Of images (n, C, H, W) that are larger than ``size`` a window of it each, anywhere; others as
    they are, without a draw."""
    spare = (pixels.shape[2] - size[0], pixels.shape[3] - size[1])
    if spare == (0, 0):
        return pixels
    top, left = (torch.randint(more + 1, (len(pixels),), generator=generator) for more in spare)
    windows = pixels.unfold(2, size[0], 1).unfold(3, size[1], 1)
    index = torch.arange(len(pixels), device=pixels.device)
    return windows[index, :, top.to(pixels.device), left.to(pixels.device)]


def middle_window(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of images (n, C, H, W), (n, C, *size)."""
    top, left = (
        (there - wanted) // 2 for there, wanted in zip(pixels.shape[2:], size, strict=True)
    )
    return pixels[:, :, top : top + size[0], left : left + size[1]]


def _crop(pixels: Tensor, padding: int, top: Tensor, left: Tensor) -> Tensor:
    count, _, height, width = pixels.shape
    padded = functional.pad(pixels, (padding,) * 4)
    # (n, C, top, left, H, W), a view of every window there is; the index copies one of them per
    # image.
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=pixels.device), :, top, left]
