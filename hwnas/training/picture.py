"""One image file: opened, checked by its header, and decoded into upright pixels of 8 bits."""

from __future__ import annotations

import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from hwnas.training.pixels import Unreadable, eight_bits, is_grey, is_transparent, middle, rectangle
from profilers.errors import InputError
from profilers.limited import open_judged

# Nothing else is opened, whatever a file is called: PIL would hand an EPS file to Ghostscript.
FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
# A file that claims more pixels is an attack or a mistake.
LARGEST_PIXELS = 100_000_000
# What one decoded image may take; JPEGs are decoded smaller where that is enough.
LARGEST_DECODED_BYTES = 256 << 20
LARGEST_FILE_BYTES = 512 << 20
# Only the middle square is used: of a longer strip it shows nothing.
LONGEST_STRIP = 100
# Images that take more than this are decoded one at a time, whatever the number of readers.
_LARGE_BYTES = 32 << 20
# A JPEG may be decoded smaller, to at least so many times the side that is wanted.
JPEG_MARGIN = 4

_EXIF_ORIENTATION = 274
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Bytes of a pixel in PIL's memory.
_PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
_OTHERS = (
    (b"GIF8", "a GIF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "a PDF"),
    (b"<", "a page or a drawing in text"),
    (b"\x00\x05\x16\x07", "a companion file of macOS"),
)
# PIL's remarks on damaged files are for programmers; what keeps a file from being read is raised.
warnings.filterwarnings("ignore", module=r"PIL\.")
# `warnings.catch_warnings` changes the whole process: one thread at a time.
_OPENING, _DECODING = threading.Lock(), threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Header:
    """What an image file states before it is decoded.

    `mode` is PIL's name of the pixel type. `transparent`: pixels may be. `more_pages`: pages or
    frames follow that are not read.
    """

    mode: str
    width: int
    height: int
    grey: bool
    transparent: bool
    more_pages: bool


def probe(path: str) -> Header:
    """Return what the header states, or raise `InputError` where the file can't be used."""
    with _opened(path) as file:
        return _header(file)


def read_image(
    path: str, image: tuple[int, int, int], cut: tuple[float, float, float, float] | None = None
) -> Tensor:
    """Read one file as uint8 (C, H, W) of the size `image`, or raise `InputError` that names it.

    The picture is turned as its EXIF orientation says, its middle square, or the rectangle `cut`
    (hwnas.training.pixels.rectangle), is cut out and resized.
    16-bit grey keeps its upper 8 bits; transparent pixels are laid on white.
    """
    channels, side, _ = image
    with _errors(path), upright(path, side) as picture:
        wanted = "L" if channels == 1 else "RGB"
        whole = picture if picture.mode == wanted else picture.convert(wanted)
        part = middle(whole, side) if cut is None else rectangle(whole, side, cut)
        pixels = np.asarray(part)
    return torch.from_numpy(np.array(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)))


@contextmanager
def upright(path: str, side: int | None = None) -> Iterator[Image.Image]:
    """Yield the whole picture as "L" or "RGB", turned as its EXIF orientation says.

    With `side` a JPEG may come smaller, but with a shorter side of several times `side`. Where
    several threads read, large pictures are there one at a time. Raises `InputError`.
    """
    with ExitStack() as held:
        picture, turned = _decode(path, side, held)
        yield picture.transpose(_TURNS[turned]) if turned in _TURNS else picture


def orientation(path: str) -> int:
    """Return the EXIF orientation, 1 (upright) to 8; 1 where none or no valid one is stated."""
    with _opened(path) as file:
        return _orientation(file)


def _decode(path: str, side: int | None, held: ExitStack) -> tuple[Image.Image, int]:
    """Return the picture as it is stored, and its orientation; the file's own pixels are let go
    of."""
    with _opened(path) as file:
        # A progressive JPEG is held whole, two bytes a number, however small it is decoded.
        held_whole = 6 * file.width * file.height if "progressive" in file.info else 0
        if side is not None:
            file.draft(None, (JPEG_MARGIN * side, JPEG_MARGIN * side))
        need = file.width * file.height * _PIXEL_BYTES.get(file.mode, 4)
        if need > LARGEST_DECODED_BYTES:
            raise Unreadable(
                f"image {path}: {file.width} x {file.height} pixels of mode {file.mode} take"
                f" {need >> 20} MiB, more than {LARGEST_DECODED_BYTES >> 20}; make it smaller"
            )
        if max(need, held_whole) > _LARGE_BYTES:
            held.enter_context(_DECODING)
        file.load()
        return eight_bits(file, path), _orientation(file)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Yield the image, its size checked, nothing decoded; raise every error as `InputError`."""
    with _errors(path), _regular(path) as content:
        try:
            with _OPENING, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                file = Image.open(content, formats=FORMATS)
        except UnidentifiedImageError:
            raise Unreadable(f"image {path}: cannot be read ({_kind(content)})") from None
        except Image.DecompressionBombError as error:
            raise Unreadable(f"image {path}: too large to be read ({error})") from None
        with file:
            _check_size(file, path)
            yield file


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"image {path}: there is not enough memory to read it") from None
    except Exception as error:  # PIL raises whatever its decoders raise on damaged bytes.
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreadable(f"image {path}: cannot be read ({reason})") from error


@contextmanager
def _regular(path: str) -> Iterator[IO[bytes]]:
    """Open a regular file of a sane size: a FIFO would block, a device would never end."""
    if os.path.islink(path) and not os.path.exists(path):
        raise Unreadable(f"image {path}: cannot be read (a link that leads nowhere)")

    def judge(found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable(f"image {path}: cannot be read (not a regular file)")
        if found.st_size > LARGEST_FILE_BYTES:
            raise Unreadable(
                f"image {path}: {found.st_size >> 20} MiB, more than {LARGEST_FILE_BYTES >> 20}"
            )

    with open_judged(path, judge) as content:
        yield content


def _check_size(file: Image.Image, path: str) -> None:
    width, height = file.size
    if width * height > LARGEST_PIXELS:
        raise Unreadable(f"image {path}: {width} x {height} pixels, too large to be read")
    if max(width, height) > LONGEST_STRIP * min(width, height):
        raise Unreadable(
            f"image {path}: {width} x {height} pixels, a strip of which only the middle square"
            f" would be read; one side may be {LONGEST_STRIP} times the other"
        )


def _kind(content: IO[bytes]) -> str:
    """What a file holds that is no image of a format that is read."""
    content.seek(0)
    start = content.read(16)
    if not start:
        return "the file is empty"
    kinds = [name for magic, name in _OTHERS if start.lstrip(b"\xef\xbb\xbf \n").startswith(magic)]
    if start[4:8] == b"ftyp":
        kinds = [
            f"a file of type {start[8:12].decode('ascii', 'replace').strip()}, such as HEIC or AVIF"
        ]
    formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    return f"{kinds[0]}, not {formats}" if kinds else f"damaged, or not {formats}"


def _header(file: Any) -> Header:
    return Header(
        mode=file.mode,
        width=file.width,
        height=file.height,
        grey=is_grey(file),
        transparent=is_transparent(file),
        more_pages=_more_pages(file),
    )


def _more_pages(file: Any) -> bool:
    if file.format != "TIFF":
        return file.format in ("PNG", "WEBP") and bool(getattr(file, "is_animated", False))
    # `n_frames` would visit every page, and a file may name millions.
    try:
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file.seek(1)
        # A smaller copy of the first page, as editors write it, is nothing that is lost.
        return not int(file.tag_v2.get(254, 0)) & 1
    except Exception:  # EOFError where there is no other page; what else is wrong reading will say.
        return False
    finally:
        with suppress(Exception):
            file.seek(0)


def _orientation(file: Any) -> int:
    try:
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = int(file.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # Damaged EXIF data do not make the pixels unreadable.
        return 1
    return value if value in _TURNS else 1
