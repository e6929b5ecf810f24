"""Macro architectures: how widths are rounded and scaled, and which strides small images leave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.space.known_macros import MOBILENET_V2
from hwnas.space.macro import fewest_pixels, last_side, rounded, scaled, strides
from hwnas.space.space import SPACES


@given(st.floats(0.1, 5000), st.sampled_from([1, 2, 4, 8, 16]))
def test_a_width_is_a_multiple_near_it_and_never_below_nine_tenths(
    width: float, divisor: int
) -> None:
    found = rounded(width, divisor)
    assert found % divisor == 0
    assert found >= max(divisor, 0.9 * width)
    assert found <= max(divisor, width + divisor)


def test_a_multiplier_counts_always_or_only_above_one_or_never() -> None:
    assert [scaled(1280, 1.0, m, "yes", 8) for m in (0.35, 1.0, 1.4)] == [448, 1280, 1792]
    assert [scaled(1280, 1.0, m, "up", 8) for m in (0.35, 1.0, 1.4)] == [1280, 1280, 1792]
    assert [scaled(1280, 1.0, m, "no", 8) for m in (0.35, 1.0, 1.4)] == [1280, 1280, 1280]
    assert scaled(1280, 0.5, 0.5, "no", 8) == 640  # a narrower chain is narrower everywhere


@pytest.mark.parametrize(
    ("side", "kept"),
    [
        (224, (2, 1, 2, 2, 2, 1, 2, 1)),
        (65, (2, 1, 2, 2, 2, 1, 2, 1)),  # 65 / 32 is 3 pixels, rounded up
        (64, (1, 1, 2, 2, 2, 1, 2, 1)),
        (32, (1, 1, 1, 2, 2, 1, 2, 1)),
        (28, (1, 1, 1, 2, 2, 1, 2, 1)),
        (8, (1, 1, 1, 1, 1, 1, 2, 1)),
        (2, (1, 1, 1, 1, 1, 1, 1, 1)),
    ],
)
def test_small_images_leave_out_the_first_strides(side: int, kept: tuple[int, ...]) -> None:
    assert strides(MOBILENET_V2, side) == kept


@pytest.mark.parametrize("name", [name for name, space in SPACES.items() if space.macro])
def test_one_pixel_below_the_fewest_a_stride_is_left_out(name: str) -> None:
    macro = SPACES[name].macro
    assert macro is not None
    whole = (macro.stem.stride, *(stage.stride for stage in macro.stages))
    fewest = fewest_pixels(macro)
    assert strides(macro, fewest) == whole
    assert fewest == 1 or strides(macro, fewest - 1) != whole


@given(st.integers(1, 512))
def test_no_stride_is_left_out_without_need(side: int) -> None:
    kept = list(strides(MOBILENET_V2, side))
    assert last_side(kept, side) >= min(3, side)
    whole = [2, *(stage.stride for stage in MOBILENET_V2.stages)]
    dropped = [
        number
        for number, (one, all_of) in enumerate(zip(kept, whole, strict=True))
        if one != all_of
    ]
    if dropped:
        # With the last one that was left out put back, the map would be too small.
        kept[dropped[-1]] = whole[dropped[-1]]
        assert last_side(kept, side) < 3
