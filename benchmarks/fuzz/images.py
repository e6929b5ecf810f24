"""Images: .npz archives and picture files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.parser import Parser, from_file
from hwnas.training.arrays import load_npz
from hwnas.training.picture import orientation, probe, read_image


def image_parsers(folder: Path) -> list[Parser]:
    """What is read of images."""
    archive = folder / "input.npz"
    return [
        Parser(
            name="images .npz",
            seeds=_npz(folder),
            read=from_file(archive, lambda path: load_npz(path, seed=0, noise=0.0)),
        ),
        Parser(name="image", seeds=_pictures(), read=from_file(folder / "input.png", _look)),
    ]


def _npz(folder: Path) -> list[bytes]:
    """Stored and packed, with names of classes and without."""
    x, y = np.arange(6 * 64, dtype=np.uint8).reshape(6, 8, 8), np.arange(6) % 2
    arrays = {"x_train": x, "y_train": y, "x_test": x, "y_test": y}
    np.savez(folder / "stored.npz", **arrays)
    np.savez_compressed(folder / "packed.npz", **arrays, classes=np.array(["oak", "pine"]))
    return [(folder / name).read_bytes() for name in ("stored.npz", "packed.npz")]


def _look(path: Path) -> object:
    """All that is asked of an image file."""
    return probe(str(path)), orientation(str(path)), read_image(str(path), (3, 8, 8))


def _pictures() -> list[bytes]:
    """Every format that is read, of several types of pixels."""
    from PIL import Image

    numbers = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    colour, sixteen = (
        Image.fromarray(numbers),
        Image.fromarray(numbers[:, :, 0].astype(np.uint16) * 257),
    )
    turned = Image.Exif()
    turned[274] = 6
    kinds: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (colour, "PNG", {}),
        (colour.convert("P"), "PNG", {"transparency": 0}),
        (colour.convert("RGBA"), "PNG", {"exif": turned}),
        (sixteen, "PNG", {}),
        (colour, "JPEG", {"exif": turned}),
        (colour, "JPEG", {"progressive": True}),
        (colour.convert("CMYK"), "JPEG", {}),
        (sixteen, "TIFF", {}),
        (colour, "TIFF", {"compression": "tiff_lzw", "save_all": True, "append_images": [colour]}),
        (Image.fromarray(numbers[:, :, 0].astype(np.float32) / 255), "TIFF", {}),
        (colour, "WEBP", {}),
        (colour, "BMP", {}),
        (sixteen, "PPM", {}),
    ]
    found = []
    for picture, kind, options in kinds:
        content = io.BytesIO()
        picture.save(content, kind, **options)
        found.append(content.getvalue())
    return found
