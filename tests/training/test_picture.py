"""An image file is opened as one of a few formats, measured by its header, and turned upright."""

from __future__ import annotations

import os
import struct
import threading
import time
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.training import picture
from hwnas.training.picture import orientation, probe, read_image
from profilers.errors import InputError
from tests.training.handmade import png

RNG = np.random.default_rng(0)
UPRIGHT = Image.fromarray(RNG.integers(0, 256, (24, 40, 3), dtype=np.uint8))
# How a camera stores an upright picture so that the orientation of the same number turns it back.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def oriented(number):
    exif = Image.Exif()
    exif[274] = number
    return exif


@pytest.mark.parametrize("number", STORED)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_a_photo_stored_turned_is_the_upright_one(tmp_path, name, number):
    lossless = {"lossless": True} if name == "a.webp" else {}
    UPRIGHT.save(tmp_path / f"upright-{name}", **lossless)
    UPRIGHT.transpose(STORED[number]).save(tmp_path / name, exif=oriented(number), **lossless)
    assert orientation(str(tmp_path / name)) == number
    expected = read_image(str(tmp_path / f"upright-{name}"), (3, 16, 16))
    assert torch.equal(read_image(str(tmp_path / name), (3, 16, 16)), expected)


def test_a_jpeg_on_its_side_is_turned(tmp_path):
    half = Image.new("RGB", (40, 24))
    half.paste((255, 255, 255), (20, 0, 40, 24))  # bright on the right
    half.transpose(STORED[6]).save(tmp_path / "a.jpg", exif=oriented(6))
    pixels = read_image(str(tmp_path / "a.jpg"), (3, 16, 16)).float()
    assert pixels[:, :, :6].mean() < 20 and pixels[:, :, 10:].mean() > 235


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", oriented(9), oriented(0)]
)
def test_damaged_exif_data_turn_nothing(tmp_path, exif):
    UPRIGHT.save(tmp_path / "a.png")
    UPRIGHT.save(tmp_path / "b.png", exif=exif)
    a, b = (read_image(str(tmp_path / name), (3, 16, 16)) for name in ("a.png", "b.png"))
    assert torch.equal(a, b) and orientation(str(tmp_path / "b.png")) == 1


def test_a_jpeg_is_a_jpeg_under_any_name(tmp_path):
    UPRIGHT.save(tmp_path / "a.jpg")
    expected = read_image(str(tmp_path / "a.jpg"), (3, 16, 16))
    for name in ("a.png", "a.jfif", "a.jpe"):
        (tmp_path / name).write_bytes((tmp_path / "a.jpg").read_bytes())
        assert torch.equal(read_image(str(tmp_path / name), (3, 16, 16)), expected)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\xc5\xd0\xd3\xc6" + bytes(60), "PostScript"),
        (b"GIF89a" + bytes(60), "a GIF"),
        (b"\0\0\0\x18ftypheic" + bytes(60), "HEIC"),
        (b"<!DOCTYPE html>", "text"),
        (b"%PDF-1.4", "a PDF"),
        (b"", "the file is empty"),
        (b"\0\x05\x16\x07" + bytes(60), "macOS"),
    ],
)
def test_another_format_is_not_opened_and_is_named(tmp_path, content, kind):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"image .*a\.png: cannot be read \(.*{kind}"):
        read_image(str(tmp_path / "a.png"), (3, 16, 16))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(100_001, 1000), "100001 x 1000 pixels, too large"),
        (png(2**31 - 1, 2**31 - 1), "cannot be read|too large"),
        (png(9990, 9990, 16, 6), "9990 x 9990 pixels of mode RGBA take 380 MiB, more than 256"),
        (png(2, 30_000_000), "2 x 30000000 pixels, a strip"),
        (png(0, 5), "cannot be read"),
        (png(16, 16), "cannot be read"),  # no pixels at all
        (b"BM" + bytes(8) + struct.pack("<IIiiHHIIIIII", 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
         "too large|cannot be read"),
        (b"P6 99999999 99999999 255\n", "too large|cannot be read"),
        (b"P5 16 16 255\n", "cannot be read"),
    ],
)  # fmt: skip
def test_what_a_header_claims_is_checked_before_memory_is_taken(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        read_image(str(tmp_path / "a.png"), (3, 16, 16))
    assert str(tmp_path / "a.png") in str(refused.value)


def test_a_text_that_unpacks_to_much_is_refused(tmp_path):
    content = b"zTXtk\0\0" + zlib.compress(bytes(80 << 20))
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    (tmp_path / "a.png").write_bytes(png(16, 16, extra=chunk, data=bytes(17 * 16)))
    with pytest.raises(InputError, match=r"image .*a\.png: cannot be read"):
        read_image(str(tmp_path / "a.png"), (3, 16, 16))


def test_a_large_jpeg_is_decoded_smaller(tmp_path):
    smooth = np.add.outer(np.arange(800), np.arange(800)) * 255 // 1598
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "a.png")
    with picture.upright(str(tmp_path / "a.jpg"), 16) as smaller:
        assert smaller.size == (100, 100)  # by 8, and still four times 16
    a, b = (read_image(str(tmp_path / name), (1, 16, 16)).float() for name in ("a.jpg", "a.png"))
    assert (a - b).abs().max() <= 2


@pytest.mark.parametrize("name", ["fifo.png", "zero.png", "nowhere.png", "loop.png", "folder.png"])
def test_what_is_no_regular_file_is_named_at_once(tmp_path, name):
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "nowhere.png").symlink_to("gone")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match=rf"image .*{name}: cannot be read"):
        read_image(str(tmp_path / name), (3, 16, 16))


def test_a_file_of_more_bytes_than_any_image_is_not_read(tmp_path):
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(picture.LARGEST_FILE_BYTES + 1)  # sparse: takes no disk
    with pytest.raises(InputError, match="512 MiB, more than 512"):
        read_image(str(tmp_path / "a.png"), (3, 16, 16))


def test_pages_after_the_first_are_noticed_and_a_small_copy_is_none(tmp_path):
    UPRIGHT.save(tmp_path / "a.tif", save_all=True, append_images=[UPRIGHT])
    UPRIGHT.save(tmp_path / "b.png", save_all=True, append_images=[UPRIGHT.rotate(90)])
    UPRIGHT.save(tmp_path / "c.webp", save_all=True, append_images=[UPRIGHT.rotate(90)])
    UPRIGHT.save(tmp_path / "d.tif")
    pages = [
        probe(str(tmp_path / name)).more_pages for name in ("a.tif", "b.png", "c.webp", "d.tif")
    ]
    assert pages == [True, True, True, False]
    first = read_image(str(tmp_path / "d.tif"), (3, 24, 24))
    assert torch.equal(read_image(str(tmp_path / "a.tif"), (3, 24, 24)), first)


def test_large_pictures_are_there_one_at_a_time_and_small_ones_together(tmp_path, monkeypatch):
    UPRIGHT.save(tmp_path / "a.png")

    def most_at_once():
        inside, most = 0, 0
        lock = threading.Lock()

        def look():
            nonlocal inside, most
            with picture.upright(str(tmp_path / "a.png")):
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.02)
                with lock:
                    inside -= 1

        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return most

    assert most_at_once() > 1
    monkeypatch.setattr(picture, "_LARGE_BYTES", 0)
    assert most_at_once() == 1
