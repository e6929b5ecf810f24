"""Photos of odd sizes and kinds, made up, as users' folders hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def picture(width: int, height: int) -> Image.Image:
    """Colours that change smoothly, with a few sharp edges; asymmetric, so that a turn shows."""
    y, x = np.mgrid[:height, :width]
    values = np.stack(
        [255 * x / width, 255 * y / height, 128 + 100 * np.sin(x / 5) * (y > height / 3)], -1
    )
    return Image.fromarray(values.astype(np.uint8))


def made(folder: Path) -> list[Path]:
    """One file of each kind that is read."""
    folder.mkdir()
    rgb, small = picture(61, 43), picture(16, 29)
    deep = (np.asarray(rgb.convert("L")).astype(np.uint16) << 8) + 77
    images: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "plain.jpg": (rgb, {}),
        "large.jpg": (picture(913, 707), {"quality": 95}),
        "progressive.jpg": (picture(301, 299), {"progressive": True}),
        "of-the-side.png": (small, {}),
        "grey.png": (rgb.convert("L"), {}),
        "grey.jpg": (rgb.convert("L"), {}),
        "bilevel.png": (rgb.convert("1"), {}),
        "printers.jpg": (rgb.convert("CMYK"), {}),
        "palette.png": (rgb.convert("P", palette=Image.Palette.ADAPTIVE), {}),
        "grey-palette.png": (rgb.convert("L").convert("P"), {}),
        "hole.png": (rgb.convert("P"), {"transparency": 7}),
        "deep.png": (Image.fromarray(deep), {}),
        "deep.tif": (Image.fromarray(deep), {}),
        "white-is-zero.tif": (Image.fromarray(deep), {"tiffinfo": {262: 0}}),
        "float.tif": (Image.fromarray((deep / 65535).astype(np.float32)), {}),
        "colour.tif": (rgb, {}),
        "moving.webp": (
            rgb,
            {"save_all": True, "append_images": [rgb.rotate(180)], "lossless": True},
        ),
    }
    for name in ("RGBA", "LA"):
        see_through = rgb.convert(name)
        see_through.putalpha(Image.fromarray(np.asarray(rgb)[..., 0]))
        images[f"{name}.png"] = (see_through, {})
    for number in range(1, 9):
        exif = Image.Exif()
        exif[274] = number
        images[f"turned-{number}.jpg"] = (rgb, {"exif": exif})
    for name, (image, how) in images.items():
        image.save(folder / name, **how)  # type: ignore[arg-type]
    return sorted(folder.iterdir())


def hostile(folder: Path) -> dict[str, Path]:
    """Files that can't be read, by what is wrong with each."""
    folder.mkdir()
    rgb = picture(200, 150)
    rgb.save(folder / "whole.jpg")
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:900])
    (folder / "whole.jpg").unlink()
    rgb.save(folder / "a.gif")
    (folder / "text.jpg").write_text("no image")
    (folder / "empty.png").write_bytes(b"")
    Image.fromarray(np.full((9, 9), 70_000, np.int32)).save(folder / "integers.tif")
    found = {path.stem: path for path in folder.iterdir()}
    return {**found, "missing": folder / "missing.jpg"}
