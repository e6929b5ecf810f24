"""Pixels of every type keep what they show; where that is not sure, the file is refused by name
and type."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hwnas.training.picture import probe, read_image
from profilers.errors import InputError
from tests.training.handmade import png

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16)
SIXTEEN = LEVELS.astype(np.uint16) * 257  # 0..65535: both bytes are the level


def read(path, channels=1):
    return read_image(str(path), (channels, 16, 16)).numpy()


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bits_over_the_full_range_become_the_8_bits_of_the_same_grey(tmp_path, name):
    Image.fromarray(SIXTEEN).save(tmp_path / name)
    assert probe(str(tmp_path / name)).grey
    assert np.array_equal(read(tmp_path / name)[0], LEVELS)


def test_the_order_of_bytes_in_a_tiff_changes_nothing(tmp_path):
    big = Image.frombytes("I;16B", (16, 16), SIXTEEN.astype(">u2").tobytes())
    big.save(tmp_path / "big.tif")
    assert probe(str(tmp_path / "big.tif")).mode == "I;16B"
    assert np.array_equal(read(tmp_path / "big.tif")[0], LEVELS)


def test_the_rule_is_the_same_for_a_dark_image_and_a_bright_one(tmp_path):
    for name, value in (("dark", 3000), ("bright", 60000)):
        Image.fromarray(np.full((16, 16), value, np.uint16)).save(tmp_path / f"{name}.png")
    assert read(tmp_path / "dark.png").max() == 3000 >> 8
    assert read(tmp_path / "bright.png").max() == 60000 >> 8


def test_a_tiff_whose_white_is_zero_is_turned_round(tmp_path):
    Image.fromarray(SIXTEEN).save(tmp_path / "a.tif")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    # Tag 262, photometric interpretation, one short: 1 (black is zero) becomes 0.
    at = content.index((262).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    content[at + 8] = 0
    (tmp_path / "a.tif").write_bytes(content)
    assert np.array_equal(read(tmp_path / "a.tif")[0], 255 - LEVELS)


def test_16_bits_a_colour_keep_the_upper_eight(tmp_path):
    colours = np.stack([SIXTEEN, SIXTEEN.T, SIXTEEN[::-1]], 2)
    numbers = colours.astype(">u2")
    (tmp_path / "a.ppm").write_bytes(b"P6 16 16 65535\n" + numbers.tobytes())
    rows = b"".join(b"\0" + row.tobytes() for row in numbers)
    (tmp_path / "a.png").write_bytes(png(16, 16, 16, 2, data=rows))
    for name in ("a.ppm", "a.png"):
        assert np.array_equal(read(tmp_path / name, 3).transpose(1, 2, 0), colours >> 8)


def test_floating_point_is_read_in_0_to_1_and_refused_outside(tmp_path):
    Image.fromarray((LEVELS / 255).astype(np.float32)).save(tmp_path / "unit.tif")
    assert np.array_equal(read(tmp_path / "unit.tif")[0], LEVELS)
    for value in (255.0, -1.0, np.nan, np.inf):
        Image.fromarray(np.full((16, 16), value, np.float32)).save(tmp_path / "a.tif")
        with pytest.raises(InputError, match=r"image .*a\.tif: mode F .*only 0\.\.1"):
            read(tmp_path / "a.tif")


def test_32_bit_integers_are_refused_with_mode_and_file(tmp_path):
    Image.fromarray(SIXTEEN.astype(np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"image .*a\.tif: mode I .*range is not known"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white_and_what_is_opaque_is_kept(tmp_path, mode):
    alpha = np.where(LEVELS < 128, 0, 255).astype(np.uint8)
    bands = [LEVELS] * (3 if mode == "RGBA" else 1)
    Image.fromarray(np.stack([*bands, alpha], 2), mode=None).convert(mode).save(tmp_path / "a.png")
    expected = np.where(LEVELS < 128, 255, LEVELS)
    assert probe(str(tmp_path / "a.png")).transparent
    assert np.array_equal(read(tmp_path / "a.png", 3), np.stack([expected] * 3))
    assert probe(str(tmp_path / "a.png")).grey == (mode == "LA")


def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    indices = Image.fromarray((LEVELS % 2).astype(np.uint8)).convert("P")
    indices.putpalette([200, 10, 20, 30, 40, 50])
    indices.save(tmp_path / "a.png", transparency=0)
    assert np.unique(read(tmp_path / "a.png", 3).reshape(3, -1), axis=1).T.tolist() == [
        [30, 40, 50],
        [255, 255, 255],
    ]


def test_a_palette_of_greys_is_grey_and_one_of_colours_is_not(tmp_path):
    for name, colours in (("grey", [7, 7, 7, 9, 9, 9]), ("red", [7, 0, 0, 9, 9, 9])):
        picture = Image.fromarray((LEVELS % 2).astype(np.uint8)).convert("P")
        picture.putpalette(colours)
        picture.save(tmp_path / f"{name}.png")
        assert probe(str(tmp_path / f"{name}.png")).grey == (name == "grey")
    assert set(np.unique(read(tmp_path / "grey.png"))) == {7, 9}


def test_printers_colours_are_read_as_they_look(tmp_path):
    paper = Image.new("CMYK", (16, 16), (0, 0, 0, 0))
    paper.paste((0, 0, 0, 255), (0, 0, 8, 16))
    for name in ("a.jpg", "a.tif"):
        paper.save(tmp_path / name)
        pixels = read(tmp_path / name, 3)
        assert pixels[:, :, :6].max() < 20 and pixels[:, :, 10:].min() > 235


def test_a_bilevel_image_is_black_and_white(tmp_path):
    Image.fromarray(LEVELS > 99).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png")[0], np.where(LEVELS > 99, 255, 0))


def test_the_lab_colours_of_a_tiff_are_read_as_they_look(tmp_path):
    Image.new("LAB", (16, 16), (255, 128, 128)).save(tmp_path / "white.tif")
    assert read(tmp_path / "white.tif", 3).min() > 250
