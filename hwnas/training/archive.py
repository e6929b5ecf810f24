"""The arrays of an `.npz` file: what its headers claim is checked before memory is taken.

An archive may come from a stranger. It names its own sizes three times: in the directory of the zip
file, in the header of every array, and as shapes. All three have to agree. Nothing is unpickled.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from profilers.errors import InputError
from profilers.host import available_mib

# More than this does not fit beside a search on the machines we know; a folder of images is read as
# it is needed.
LARGEST_BYTES = 8 << 30
# An archive that unpacks to more than `_BOMB_BYTES` and `_BOMB_RATIO` times its size holds no
# images.
_BOMB_BYTES, _BOMB_RATIO = 1 << 30, 100
_MOST_MEMBERS = 10_000
_LONGEST_HEADER, _MOST_DIMENSIONS = 10_000, 8
MOST_CLASSES = 1 << 20
_LONGEST_NAME = 200
_IMAGES, _LABELS = ("x_train", "x_test"), ("y_train", "y_test")
NAMES: Mapping[str, tuple[str, ...]] = {
    f"{letter}_{part}": (f"{letter.upper()}_{part}", f"{part}_{word}", f"{part}_{letter}")
    for letter, word in (("x", "images"), ("y", "labels"))
    for part in ("train", "test")
}
"""What else arrays are called: MedMNIST says train_images and train_labels."""
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the header of an array says. `start`: bytes before its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int

    @property
    def bytes(self) -> int:
        """Size of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def training_part(path: Path) -> tuple[tuple[int, ...], int]:
    """The shape of the training images, of which none is read, and how many classes their labels
    have.

    Raises `InputError` as `read_npz` does.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    labels = _opened(path, ("y_train",), shapes)["y_train"]
    if labels.ndim > 1 and labels.shape[-1] > 1:
        return shapes["x_train"], labels.shape[-1]
    return shapes["x_train"], len(np.unique(labels))


def read_npz(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return `x_train`, `y_train`, `x_test`, `y_test` and, if present, `classes`, as they are
    stored, also where they have other names (`NAMES`).

    Raises `InputError` that names file and array where one is missing, there twice, damaged, of a
    type that holds no numbers, or larger than the memory.
    """
    return _opened(path, (*_IMAGES, *_LABELS, "classes"), {})


def _opened(
    path: Path, names: tuple[str, ...], shapes: dict[str, tuple[int, ...]]
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of ``names``; ``shapes`` gets those of all. Raises InputError."""
    try:
        # NumPy remarks on headers that Python 2 wrote.
        with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
            warnings.simplefilter("ignore")
            members = _members(archive, path)
            claims = {name: _claim(archive, member, path) for name, member in members.items()}
            _check_memory(archive, members, claims, path)
            shapes.update({name: claim.shape for name, claim in claims.items()})
            wanted = [name for name in names if name in members]
            return {name: _read(archive, members[name], claims[name]) for name in wanted}
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path}: there is not enough memory to read it") from None
    except Exception as error:  # zipfile and NumPy raise whatever damaged bytes lead them to.
        reason = str(error)[:200] or type(error).__name__
        raise InputError(
            f"{path}: not a readable .npz archive of plain arrays ({reason})"
        ) from error


def class_names(classes: np.ndarray[Any, Any], path: Path) -> tuple[str, ...]:
    """Return the names that the array `classes` holds, or raise `InputError`."""
    if classes.dtype.kind not in "USiu":
        raise InputError(f"{path}: classes is of type {classes.dtype}, expected names")
    try:
        names = tuple(
            name.decode() if isinstance(name, bytes) else str(name)
            for name in classes.reshape(-1).tolist()
        )
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: classes holds bytes that are not UTF-8 ({error.reason})"
        ) from None
    for name in names:
        if not name or len(name) > _LONGEST_NAME:
            raise InputError(
                f"{path}: classes holds a name of {len(name):,} characters, expected 1 to"
                f" {_LONGEST_NAME}"
            )
    return names


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The members to read, by the name of their array."""
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise InputError(f"{path}: {len(infos):,} arrays, more than {_MOST_MEMBERS:,}")
    counts = Counter(info.filename for info in infos)
    found = {}
    for name in (*_IMAGES, *_LABELS, "classes"):
        stored = [one for one in (name, *NAMES.get(name, ())) if counts[f"{one}.npy"]]
        if len(stored) > 1:
            raise InputError(f"{path}: both '{stored[0]}' and '{stored[1]}' are there: keep one")
        if stored and counts[f"{stored[0]}.npy"] > 1:
            count = counts[f"{stored[0]}.npy"]
            raise InputError(f"{path}: the array '{stored[0]}' is there {count} times")
        if stored:
            found[name] = archive.getinfo(f"{stored[0]}.npy")
        elif name != "classes":
            present = [info.filename.removesuffix(".npy") for info in infos]
            raise InputError(f"{path}: no array '{name}' (arrays: {', '.join(present) or 'none'})")
    for name, member in found.items():
        if (
            member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            or member.flag_bits & 1
        ):
            raise InputError(f"{path}: {name} is encrypted, or not packed as NumPy packs arrays")
    return found


def _claim(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Claim:
    """What the header of an array says, where it can be true."""
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as content:
        shape, dtype, start = _header(content, f"{path}: {name}")
    claim = Claim(shape=shape, dtype=dtype, start=start)
    kinds = "USiu" if name == "classes" else "fiub"
    if dtype.hasobject:
        raise InputError(
            f"{path}: {name}: not a readable .npz archive of plain arrays (it holds objects)"
        )
    if dtype.kind not in kinds + "c" or not dtype.itemsize:
        wanted = "names" if name == "classes" else "numbers"
        raise InputError(f"{path}: {name} is of type {dtype}, expected {wanted}")
    if name == "classes" and math.prod(shape) > MOST_CLASSES:
        raise InputError(
            f"{path}: classes holds {math.prod(shape):,} names, more than {MOST_CLASSES:,}"
        )
    if claim.start + claim.bytes != member.file_size:
        raise InputError(
            f"{path}: {name} claims the shape {_shown(shape)} of {dtype}, {claim.bytes:,} bytes,"
            f" but holds {max(0, member.file_size - claim.start):,}"
        )
    return claim


def _header(content: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return shape, type and the bytes before the numbers."""
    prefix = content.read(12)
    version = np.lib.format.read_magic(io.BytesIO(prefix))
    if version not in _HEADERS:
        raise InputError(f"{where} has version {version} of the format; 1.0 and 2.0 are read")
    before = 10 if version == (1, 0) else 12
    length = int.from_bytes(prefix[8:before], "little")
    # NumPy would read all of it first: 4 GiB in a packed member of 4 MiB.
    if length > _LONGEST_HEADER:
        raise InputError(f"{where}: a header of {length:,} bytes, more than {_LONGEST_HEADER:,}")
    text = prefix + content.read(before + length - len(prefix))
    try:
        shape, _, dtype = _HEADERS[version](io.BytesIO(text[8:]))
    except (RecursionError, MemoryError):  # too many brackets or signs
        raise InputError(f"{where}: its header is damaged") from None
    if len(shape) > _MOST_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise InputError(f"{where}: its header claims the shape {_shown(shape)}")
    return shape, dtype, before + length


def _check_memory(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    claims: Mapping[str, Claim],
    path: Path,
) -> None:
    """Images become bytes beside what is stored: both have to fit."""
    unpacked = sum(claim.bytes for claim in claims.values())
    packed = sum(member.compress_size for member in members.values())
    if unpacked > LARGEST_BYTES:
        raise InputError(
            f"{path}: {unpacked >> 20:,} MiB unpacked, more than {LARGEST_BYTES >> 20:,}; use a"
            " folder"
        )
    if unpacked > max(_BOMB_BYTES, _BOMB_RATIO * packed):
        raise InputError(
            f"{path}: {packed >> 10:,} KiB unpack to {unpacked >> 20:,} MiB, more than"
            f" {_BOMB_RATIO} times as much; images do not"
        )
    copies = sum(math.prod(claims[name].shape) for name in _IMAGES)
    free = available_mib()
    if free and (unpacked + copies) >> 20 > free:
        raise InputError(
            f"{path}: takes {(unpacked + copies) >> 20:,} MiB of memory, of {free:,} MiB free; use"
            " a folder"
        )


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, claim: Claim) -> np.ndarray[Any, Any]:
    """The array; a sum of its bytes is checked when all of them have been read."""
    with archive.open(member) as content:
        array: np.ndarray[Any, Any] = np.lib.format.read_array(content, allow_pickle=False)
        content.read(1)
    return array


def _shown(shape: object) -> str:
    text = str(shape)
    return text if len(text) <= 60 else f"{text[:60]}..."
