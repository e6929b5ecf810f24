"""Where files of weights lie: in an installed package, in a folder of downloads, or where the
user says."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import BinaryIO

import torch

from hwnas import files
from hwnas.nets.trained.value import Download, OwnFile, PackageFile, Source
from profilers.errors import InputError

LARGEST = 512 * files.MIB
"""Bytes of a file of weights. The largest known network has 28 MB, a training state of it a few
times that."""
_SECONDS = 60.0
_CHUNK = 2**20


def default_folder() -> Path:
    """Where downloaded weights are kept, beside downloaded data."""
    return Path.home() / ".cache" / "hwnas" / "weights"


def found(source: Source) -> Path | None:
    """The file, where it is on this machine; nothing is fetched and nothing is checked."""
    if isinstance(source, OwnFile):
        return source.path if os.path.isfile(source.path) else None
    if isinstance(source, PackageFile):
        return _in_package(source)
    # torchvision and timm keep what they fetch in a folder of torch's.
    folders = (default_folder(), Path(torch.hub.get_dir()) / "checkpoints")
    return next((path for one in folders if os.path.isfile(path := one / source.file)), None)


def content(name: str, source: Source, download: bool = False) -> bytes:
    """The bytes of a file, its hash checked where one is known.

    ``name``: of the weights, for messages. ``download``: fetch what is not here.

    Raises InputError where there is no such file, or not the right one.
    """
    path = found(source)
    if path is None and isinstance(source, Download) and download:
        return _fetched(name, source)
    if path is None:
        own = isinstance(source, OwnFile)
        raise InputError(_missing(source) if own else f"weights {name}: {_missing(source)}")
    try:
        read = files.read(path, None, LARGEST)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not isinstance(source, OwnFile):
        _check(name, str(path), read, source.sha256, "remove it, and get it again")
    return read


def is_of(read: bytes, source: Source) -> bool:
    """Whether bytes are those of a published file, wherever they lie."""
    if isinstance(source, OwnFile):
        return False
    return hashlib.sha256(read).hexdigest().startswith(source.sha256)


def _in_package(source: PackageFile) -> Path | None:
    """By what pip wrote down: no code of the package is run."""
    try:
        listed = metadata.distribution(source.package).files or []
    except metadata.PackageNotFoundError:
        return None
    paths = [Path(str(one.locate())) for one in listed if one.name == source.file]
    return next((path for path in paths if os.path.isfile(path)), None)


def _missing(source: Source) -> str:
    if isinstance(source, PackageFile):
        return f"not installed; run: pip install 'hwnas[{source.extra}]'"
    if isinstance(source, Download):
        return f"not on this machine; --download fetches them from {source.url}"
    there = os.path.lexists(source.path)
    return f"{source.path}: {'not a file that can be read' if there else 'no such file'}"


def _fetched(name: str, source: Download) -> bytes:
    """Download a file, check it and keep it."""
    try:
        with urllib.request.urlopen(source.url, timeout=_SECONDS) as answer:
            read = _read(
                answer, lambda: f"weights {name}: {source.url} is larger than {LARGEST} bytes"
            )
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"weights {name}: {source.url} could not be fetched ({reason})") from error
    _check(name, source.url, read, source.sha256, "nothing was kept")
    folder = default_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.replace(folder / source.file, folder, read)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from None
    return read


def _read(answer: BinaryIO, too_large: Callable[[], str]) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := answer.read(_CHUNK):
        size += len(part)
        if size > LARGEST:
            raise InputError(too_large())
        parts.append(part)
    return b"".join(parts)


def _check(name: str, where: str, read: bytes, wanted: str, then: str) -> None:
    own = hashlib.sha256(read).hexdigest()
    if not own.startswith(wanted):
        raise InputError(
            f"weights {name}: {where} is not the file that was published (SHA-256"
            f" {own[: len(wanted)]}, not {wanted}; {len(read)} bytes); {then}"
        )
