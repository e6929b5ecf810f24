"""Cases of image files and folders of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.cases.case import Case

TINY = """
objectives = [{ metric = "params" }]
space = "darts"
channels = 2
exponents = [0.0]
stages = [{ cells = 3, epochs = 1, frozen_epochs = 0 }]
finalists_per_policy = 1
[evaluation]
channels = 2
cells = 3
[weight_step]
batch_size = 8
[alpha_step]
samples = 1
every = 1
images = 4
"""
SIDE = 12
Save = Callable[[np.ndarray, Path], None]


def search(*words: str) -> tuple[str, ...]:
    """A search of a second on the folder `data`."""
    return ("search", "--config", "tiny.toml", "--data", "data", "--out", "run", *words)


def pixels(seed: int, level: int = 128) -> np.ndarray:
    """An RGB picture around a level, of its own for every seed."""
    noise = np.random.default_rng(seed).integers(-20, 21, (SIDE, SIDE, 3))
    return (noise + level).clip(0, 255).astype(np.uint8)


def save_png(picture: np.ndarray, path: Path) -> None:
    """As usual."""
    Image.fromarray(picture).save(path.with_suffix(".png"))


def classes(
    here: Path,
    names: Sequence[str] = ("oak", "pine"),
    count: int = 10,
    save: Save = save_png,
    folder: str = "data",
) -> None:
    """A folder of each class, the first of them dark, and the config of a tiny search."""
    (here / "tiny.toml").write_text(TINY)
    for label, name in enumerate(names):
        (here / folder / name).mkdir(parents=True)
        for i in range(count):
            save(
                pixels(1000 * label + i, 12 if label == 0 else 220),
                here / folder / name / f"leaf{i}.png",
            )


LOOK = ("doctor", "--data", "data")


def plain(here: Path) -> None:
    """Two classes of ten images."""
    classes(here)


def searched_on(names: Sequence[str], channels: int) -> Callable[[Path], None]:
    """Check the classes and channels that the run was searched on."""

    def check(here: Path) -> None:
        summary = json.loads((here / "run" / "front.json").read_text())
        assert summary["classes"] == list(names)
        assert summary["image"] == [channels, SIDE, SIDE]

    return check


TWO = searched_on(("oak", "pine"), 3)


def grey(here: Path) -> None:
    """Half of the pixels are around 12, half around 220, of 255."""
    from hwnas.training.data import load

    dataset = load(here / "data")
    assert dataset.classes == ("oak", "pine") and dataset.image == (1, SIDE, SIDE)
    assert abs(dataset.mean[0] - (12 + 220) / 2 / 255) < 0.02
    assert abs(dataset.std[0] - (220 - 12) / 2 / 255) < 0.02


def grey16(suffix: str) -> Callable[[Path], None]:
    """16-bit grey over the full range."""

    def save(picture: np.ndarray, path: Path) -> None:
        values = picture[:, :, 0].astype(np.uint16) * 257
        if suffix == "big.tif":
            Image.frombytes("I;16B", (SIDE, SIDE), values.astype(">u2").tobytes()).save(
                path.with_suffix(".tif")
            )
        else:
            Image.fromarray(values).save(path.with_suffix(suffix))

    return lambda here: classes(here, save=save)


def float_tif(scale: float) -> Callable[[Path], None]:
    """Floating point, 0..1 times a scale."""

    def save(picture: np.ndarray, path: Path) -> None:
        values = picture[:, :, 0].astype(np.float32) / 255 * np.float32(scale)
        Image.fromarray(values).save(path.with_suffix(".tif"))

    return lambda here: classes(here, save=save)


def int32_tif(here: Path) -> None:
    """32-bit integers, whose range nobody knows."""

    def save(picture: np.ndarray, path: Path) -> None:
        Image.fromarray(picture[:, :, 0].astype(np.int32) * 257).save(path.with_suffix(".tif"))

    classes(here, save=save)


def parts(train: str, test: str) -> Callable[[Path], None]:
    """Classes within two parts."""

    def make(here: Path) -> None:
        classes(here, count=8, folder=f"data/{train}")
        classes(here, count=3, folder=f"data/{test}")

    return make


def companions(here: Path) -> None:
    """What macOS puts into an archive beside each file, and what other systems leave."""
    plain(here)
    fork = b"\0\5\26\7\0\2\0\0Mac OS X        " + bytes(40)
    for name in (
        "oak/._leaf0.png",
        "__MACOSX/oak/._leaf0.png",
        ".ipynb_checkpoints/leaf0.png",
        "@eaDir/a.jpg",
    ):
        (here / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "data" / name).write_bytes(fork)
    (here / "data" / "oak" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")


def other_endings(here: Path) -> None:
    """Images of other types beside the known ones, and JPEGs under two rarer endings."""
    plain(here)
    Image.fromarray(pixels(1)).save(here / "data" / "oak" / "a.gif")
    (here / "data" / "pine" / "b.heic").touch()
    for name in ("c.jfif", "d.jpe"):
        Image.fromarray(pixels(2)).save(here / "data" / "pine" / name, "JPEG")


def on_their_side(here: Path) -> None:
    """Photos whose class is which half is bright, every other one stored turned, as a phone
    does."""
    (here / "tiny.toml").write_text(TINY)
    exif = Image.Exif()
    exif[274] = 6
    for name in ("down", "up"):
        (here / "data" / name).mkdir(parents=True)
        for i in range(10):
            photo = np.full((SIDE, SIDE, 3), 20 + i, np.uint8)
            photo[: SIDE // 2] = 230
            picture = Image.fromarray(photo if name == "up" else photo[::-1])
            path = here / "data" / name / f"photo{i}.jpg"
            if i % 2:
                picture.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, exif=exif)
            else:
                picture.save(path, quality=95)


def upright(here: Path) -> None:
    """Every image of `up` is bright above, every one of `down` below."""
    from hwnas.training.data import load

    dataset = load(here / "data")
    for images, labels in (
        (dataset.train, dataset.train_labels),
        (dataset.test, dataset.test_labels),
    ):
        brighter_above = images[:, :, :4].float().mean((1, 2, 3)) > images[:, :, -4:].float().mean(
            (1, 2, 3)
        )
        assert brighter_above.tolist() == labels.bool().tolist()


def broken(here: Path) -> None:
    """One file cut, one empty, one that leads nowhere, one that never ends and one that nobody
    writes to."""
    plain(here)
    whole = here / "data" / "oak" / "leaf3.png"
    whole.write_bytes(whole.read_bytes()[:100])
    (here / "data" / "oak" / "empty.jpg").touch()
    (here / "data" / "pine" / "gone.png").symlink_to("nowhere")
    (here / "data" / "pine" / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(here / "data" / "pine" / "fifo.png")


def cut(here: Path) -> None:
    """A download that stopped."""
    plain(here)
    whole = here / "data" / "oak" / "leaf3.png"
    whole.write_bytes(whole.read_bytes()[:100])


def circles(here: Path) -> None:
    """Links that lead back into the folder, to themselves, and one file linked twice."""
    plain(here)
    (here / "data" / "oak" / "round").symlink_to("..")
    (here / "data" / "again").symlink_to(".")


def postscript(here: Path) -> None:
    """An EPS file called .png, and a Ghostscript that leaves a mark where it is started."""
    plain(here)
    (here / "data" / "oak" / "evil.png").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 12\n%%EndComments\nshowpage\n%%EOF\n"
    )
    gs = here / "gs"
    gs.write_text(f"#!/bin/sh\necho 10.0\ntouch '{here}/started'\n")
    gs.chmod(0o755)
    os.environ["PATH"] = f"{here}:{os.environ['PATH']}"


def nothing_started(here: Path) -> None:
    """The Ghostscript of the case was not asked."""
    os.environ["PATH"] = os.environ["PATH"].removeprefix(f"{here}:")
    assert not (here / "started").exists()


def claims(width: int, height: int, depth: int, colour: int) -> Callable[[Path], None]:
    """Six PNG files of a few bytes that claim many pixels."""

    def make(here: Path) -> None:
        import struct
        import zlib

        def chunk(kind: bytes, content: bytes) -> bytes:
            body = kind + content
            return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

        plain(here)
        header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
        content = (
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9)))
        )
        for i in range(6):
            (here / "data" / "oak" / f"bomb{i}.png").write_bytes(content + chunk(b"IEND", b""))

    return make


def config_says_skip(here: Path) -> None:
    """The run remembers, and reads the same images again."""
    TWO(here)
    from hwnas.config import load

    assert load(here / "run" / "config.toml").data.skip_broken


CASES: tuple[Case, ...] = (
    Case(name="C01 a search on 16-bit grey", make=grey16(".png"), command=search(), check=grey,
         says=("2 classes, 12 x 12 pixels, grey",)),
    *(
        Case(name=f"C01 16-bit grey {suffix}", make=grey16(suffix), command=LOOK, check=grey,
             says=("2 classes, 12 x 12 pixels, grey",))
        for suffix in (".png", ".tif", "big.tif", ".pgm")
    ),
    Case(name="C01 floating point in 0..1", make=float_tif(1), command=LOOK, check=grey),
    Case(name="C01 floating point in 0..255", make=float_tif(255), command=search(), code=2,
         says=("error: image ", ".tif: ", "mode F (floating point)", "only 0..1 is read")),
    Case(name="C01 32-bit integers", make=int32_tif, command=search(), code=2,
         says=("error: image ", ".tif: ", "mode I (TIFF")),
    *(
        Case(name=f"C02 {train}/ and {test}/", make=parts(train, test), command=LOOK,
             says=("22 images in 2 classes", "oak: 4 to train, 4 to compare, 3 to test"))
        for train, test in (("Training", "Testing"), ("TRAIN", "TEST"), ("train", "validation"), ("train_set", "Dev"))
    ),
    Case(name="C02 a search on parts", make=parts("Training", "Testing"), command=search(), check=TWO,
         says=("22 images in 2 classes",)),
    Case(name="C02 parts without a counterpart", make=parts("Training", "More"), command=search(), code=2,
         says=("error: data folder", "Training/ without test/ or val/ beside it", "More/ may be classes")),
    Case(name="C04 companions of other systems", make=companions, command=search(), check=TWO,
         says=("20 images in 2 classes", "not read: 5 hidden")),
    Case(name="C05 a class called train", make=lambda here: classes(here, ("bus", "car", "train")),
         command=search(), check=searched_on(("bus", "car", "train"), 3)),
    Case(name="C29 photos on their side", make=on_their_side, command=LOOK, check=upright,
         says=("turned upright by their EXIF orientation (10)", "photo1.jpg: orientation 6")),
    Case(name="P06 a cut file is named", make=cut, command=search(), code=2,
         says=("error: image ", "oak/leaf3.png: cannot be read", "--skip-broken")),
    Case(name="P06 endings that are not read are said", make=other_endings, command=search("-q"), check=TWO,
         never=("Traceback", "not read")),
    Case(name="P06 endings that are not read are counted", make=other_endings, command=LOOK,
         says=("22 images in 2 classes", "not read: 1 .gif, 1 .heic")),
    Case(name="links in circles", make=circles, command=LOOK,
         says=("20 images in 2 classes", "not read: 2 links to folders")),
    Case(name="broken files, FIFOs and devices are left out", make=broken, command=search("--skip-broken"),
         check=config_says_skip, says=("left out: 5 files that cannot be read", "19 images in 2 classes")),
    Case(name="broken files, FIFOs and devices are listed", make=broken, command=("doctor", "--data", "data"), code=2,
         says=("cannot be read (5)", "leaf3.png", "empty.jpg", "gone.png", "zero.png", "fifo.png")),
    Case(name="a FIFO called .png is named", make=broken, command=search(), code=2,
         says=("error: image ", "cannot be read", "doctor --data")),
    Case(name="F11 PostScript called .png", make=postscript, command=search(), code=2, check=nothing_started,
         says=("evil.png: cannot be read (PostScript, not BMP, JPEG, PNG, PPM, TIFF or WEBP)",)),
    Case(name="F12 six PNG files of 380 MiB each", make=claims(9990, 9990, 16, 6), command=search(), code=2,
         says=(".png: 9990 x 9990 pixels of mode RGBA take 380 MiB, more than 256",)),
    Case(name="F12 a PNG of 4 thousand million pixels", make=claims(65535, 65535, 8, 2), command=search(), code=2,
         says=(".png: too large to be read",)),
    Case(name="F13 a strip of 2 x 30 million pixels", make=claims(2, 30_000_000, 8, 0), command=search(), code=2,
         says=("png: 2 x 30000000 pixels, a strip",)),
)  # fmt: skip
