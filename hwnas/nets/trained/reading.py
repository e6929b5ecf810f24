"""Tensors by name out of a file of somebody else's: .safetensors, or what torch.save wrote.

A pickle is read by torch's restricted reader, which runs nothing. What a file claims about sizes is
looked at before anything is unpacked.
"""

from __future__ import annotations

import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from hwnas.nets.trained.sources import LARGEST
from profilers.errors import InputError

_WRAPPERS = ("state_dict", "model", "model_state_dict", "state_dict_ema", "ema", "net", "network")
_PREFIXES = ("module.", "_orig_mod.", "model.")
MOST_TENSORS = 10_000


@dataclass(frozen=True, kw_only=True)
class Tensors:
    """What a file holds.

    ``ordered``: whether tensors stand in the order in which they were saved; a .safetensors file
    keeps none. ``notes``: what the file says about itself, such as our own header.
    """

    tensors: Mapping[str, Tensor]
    ordered: bool
    notes: Mapping[str, Any] = field(default_factory=dict)


def read(content: bytes, where: str) -> Tensors:
    """The tensors of a file's bytes; ``where`` begins each error.

    Raises InputError where they are no weights, are damaged, or hold more than tensors.
    """
    if _is_safetensors(content):
        return _safetensors(content, where)
    found = _unwrapped(_torch(content, where), where)
    return Tensors(tensors=_without_prefix(found), ordered=True)


def _is_safetensors(content: bytes) -> bool:
    """8 bytes with the length of a JSON header, and the header."""
    return content[8:9] == b"{" and int.from_bytes(content[:8], "little") <= len(content) - 8


def _safetensors(content: bytes, where: str) -> Tensors:
    size = int.from_bytes(content[:8], "little")
    try:
        tensors = load_safetensors(content)
        said = json.loads(content[8 : 8 + size]).get("__metadata__", {})
        notes = json.loads(said.get("hwnas", "{}"))
    except (
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise InputError(f"{where}: damaged ({_first_line(error)})") from None
    if not isinstance(notes, dict):
        raise InputError(f"{where}: damaged (its header is no table)")
    return Tensors(tensors=_without_prefix(_checked(tensors, where)), ordered=False, notes=notes)


def _torch(content: bytes, where: str) -> object:
    file = io.BytesIO(content)
    _check_unpacked_size(file, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files make torch warn about itself
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{where}: holds more than tensors, or is no file of weights; nothing in it was run."
            " Save the state_dict of the network alone"
        ) from None
    except Exception as error:  # whatever damaged bytes lead torch to
        # Of the kinds that torch raises itself the text is for people.
        why = f" ({_first_line(error)})" if isinstance(error, RuntimeError) else ""
        raise InputError(
            f"{where}: neither a .safetensors file nor weights that torch saved, or damaged{why}"
        ) from None


def _check_unpacked_size(file: io.BytesIO, where: str) -> None:
    """torch's newer files are zip archives, and a small one may claim to unpack to anything."""
    total = 0
    try:
        if zipfile.is_zipfile(file):  # it raises, too, for some ends of archives
            with zipfile.ZipFile(file) as archive:
                total = sum(member.file_size for member in archive.infolist())
    except Exception as error:  # as above
        raise InputError(f"{where}: damaged ({_first_line(error)})") from None
    if total > LARGEST:
        raise InputError(f"{where}: unpacks to more than {LARGEST} bytes")
    file.seek(0)


def _unwrapped(found: object, where: str) -> dict[str, Tensor]:
    """The state_dict itself, or the one that a training state carries."""
    if isinstance(found, Mapping):
        # Beside it a tensor may stand, such as the best accuracy.
        inside = next(
            (found[key] for key in _WRAPPERS if isinstance(found.get(key), Mapping)), None
        )
        found = found if inside is None else inside
    if not isinstance(found, Mapping):
        raise InputError(f"{where}: holds a {type(found).__name__}, not tensors by name")
    return _checked(found, where)


def _checked(found: Mapping[Any, Any], where: str) -> dict[str, Tensor]:
    if not found:
        raise InputError(f"{where}: holds no tensors")
    if len(found) > MOST_TENSORS:
        raise InputError(f"{where}: {len(found)} tensors, at most {MOST_TENSORS} are read")
    tensors: dict[str, Tensor] = {}
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            kind = type(tensor).__name__
            raise InputError(f"{where}: {str(name)[:60]!r} is a {kind}, not a tensor with a name")
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
            raise InputError(f"{where}: {name[:60]!r} is sparse, quantised or without numbers")
        tensors[name] = tensor.detach()
    return tensors


def _without_prefix(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what wrappers such as DataParallel put before every name."""
    found = dict(tensors)
    for _ in _PREFIXES:
        for prefix in _PREFIXES:
            if all(name.startswith(prefix) for name in found):
                found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return found


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
