"""What a target is, read from its TOML file, and what is attached to this machine.

The schema is devices/README.md's. Files come from outside: unknown keys, wrong types and costly
regular expressions are refused with one line that names the file and the key.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profilers.errors import InputError, nearest, visible
from profilers.host import Host, host
from profilers.measurement import pairs
from profilers.pattern import found_in, refused

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = ("gpu", "cpu", "edge_gpu", "edge_cpu")
LARGEST_FILE_BYTES = 1_000_000
_LARGEST_FIGURE = 1e15
_TABLES = {
    "peak": ("fp32_gmacs_per_s", "fp16_gmacs_per_s"),
    "bandwidth": ("memory_gb_per_s",),
    "match": ("cuda_name_regex", "cpu_model_regex"),
}
_KEYS = ("name", "aliases", "kind", "description", "memory_mib", "sources", *_TABLES)
LONGEST_NAME = 80
_LONGEST_LINE = 1_000
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
# Windows opens these as devices, whatever follows the first dot.
_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)),
}


@dataclass(frozen=True, kw_only=True)
class Device:
    """A target.

    Figures that are not known are None: peaks in 10^9 MAC/s (dense), bandwidth in 10^9 bytes/s.

    `cuda_name_regex` and `cpu_model_regex` recognise it when it is attached ("": never); `sources`
    are (figure, where it is from) pairs; `path` is the file it was read from.
    """

    name: str
    kind: str
    description: str
    aliases: tuple[str, ...] = ()
    memory_mib: float | None = None
    fp32_gmacs_per_s: float | None = None
    fp16_gmacs_per_s: float | None = None
    memory_gb_per_s: float | None = None
    cuda_name_regex: str = ""
    cpu_model_regex: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What this machine has: the host and the names of its CUDA devices, in CUDA's order."""

    host: Host
    cuda: tuple[str, ...] = ()


def load(path: Path | str) -> Device:
    """Read a device file.

    Raises InputError that names the file, the key and the nearest valid one.
    """
    file = Path(path)
    data = _read(file)
    _known(file, "", data, _KEYS)
    for table, keys in _TABLES.items():
        if not isinstance(data.get(table, {}), dict):
            raise InputError(f"{file}: '{table}' must be a table")
        _known(file, f"{table}.", data.get(table, {}), keys)
    kind = _text(file, data, "kind", required=True)
    if kind not in KINDS:
        raise InputError(f"{file}: kind: unknown kind '{kind}'{nearest(kind, KINDS)}")
    peak, bandwidth, match_ = (data.get(table, {}) for table in _TABLES)
    sources = data.get("sources", {})
    if not isinstance(sources, dict) or not all(isinstance(line, str) for line in sources.values()):
        raise InputError(f"{file}: 'sources' must be a table of texts")
    for figure, source in sources.items():
        _shown(file, "sources", figure)
        _shown(file, f"sources.{figure}", source)
    aliases = data.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise InputError(f"{file}: 'aliases' must be a list of texts")
    for alias in aliases:
        _shown(file, "aliases", alias)
    name = _text(file, data, "name", required=True)
    check_name(name, f"{file}: 'name'")
    return Device(
        name=name,
        kind=kind,
        description=_text(file, data, "description", required=True),
        aliases=tuple(aliases),
        memory_mib=_figure(file, data, "memory_mib"),
        fp32_gmacs_per_s=_figure(file, peak, "fp32_gmacs_per_s"),
        fp16_gmacs_per_s=_figure(file, peak, "fp16_gmacs_per_s"),
        memory_gb_per_s=_figure(file, bandwidth, "memory_gb_per_s"),
        cuda_name_regex=_pattern(file, match_, "cuda_name_regex"),
        cpu_model_regex=_pattern(file, match_, "cpu_model_regex"),
        sources=pairs(sources),
        path=str(file),
    )


def check_name(name: str, where: str) -> None:
    """Raise InputError, which begins with `where`, for a device's name that may not be part of a
    file's name.

    Tables and profiles are kept under it: `NAME.SPACE.json`.
    """
    if not _NAME.fullmatch(name) or ".." in name or name.split(".")[0].lower() in _RESERVED:
        raise InputError(
            f"{where} must be 1 to {LONGEST_NAME} letters, digits, '-', '_' or '.', a letter or"
            f" digit first, no '..', not {name[:80]!r}"
        )


def attached() -> Attached:
    """What is attached.

    Torch, slow to import, is asked for CUDA devices only where there is a driver.
    """
    return Attached(host=host(), cuda=_cuda_names() if has_cuda_driver() else ())


def match(device: Device, here: Attached) -> str | None:
    """Where a target can be measured on this machine: "cuda:0", "cpu", or None when it is not
    attached."""
    if device.cuda_name_regex:
        for index, name in enumerate(here.cuda):
            if "MIG" in name and "MIG" not in device.cuda_name_regex:
                continue  # a slice of a card is not the card: "A100-SXM4-80GB MIG 3g.40gb"
            if found_in(device.cuda_name_regex, name):
                return f"cuda:{index}"
    return "cpu" if found_in(device.cpu_model_regex, here.host.cpu) else None


def has_cuda_driver() -> bool:
    """Whether the system has what a CUDA device needs, as far as can be told without importing
    torch."""
    return sys.platform == "win32" or any(
        Path(path).exists()
        for path in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvmap")
    )


def _cuda_names() -> tuple[str, ...]:
    try:
        import torch
    except ImportError:
        return ()
    if not torch.cuda.is_available():
        return ()
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return tuple(_with_board(name) for name in names)


def _with_board(name: str, model: Path = Path("/proc/device-tree/model")) -> str:
    """CUDA calls every Jetson Orin "Orin"; the board's own name tells which."""
    if name != "Orin":
        return name
    try:
        board = model.read_text(encoding="utf-8", errors="replace").strip("\0 \n")[:60]
    except OSError:
        return name
    return f"{name} ({board})" if board else name


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_FILE_BYTES:
            raise InputError(f"{file}: larger than {LARGEST_FILE_BYTES} bytes, not a device file")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: not a text file in UTF-8") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # not TOML, a number without end, brackets without end
        raise InputError(f"{file}: not valid TOML: {str(error)[:200]}") from None


def _known(file: Path, prefix: str, table: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in table:
        if key not in keys:
            raise InputError(f"{file}: unknown key '{prefix}{key[:80]}'{nearest(key[:80], keys)}")


def _text(file: Path, table: Mapping[str, Any], key: str, required: bool = False) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or (required and not value):
        problem = f"'{key}' is missing" if key not in table else f"'{key}' must be a text"
        raise InputError(f"{file}: {problem}")
    if not key.endswith("regex"):  # a pattern is not shown
        _shown(file, key, value)
    return value


def _shown(file: Path, key: str, text: str) -> None:
    """Raise InputError for a text that a terminal would obey instead of showing it, or that is
    too long to show."""
    if visible(text) != text:
        raise InputError(f"{file}: '{key}' holds characters that are not to be seen: {text[:60]!r}")
    if len(text) > _LONGEST_LINE:
        raise InputError(f"{file}: '{key}' has {len(text)} characters, of at most {_LONGEST_LINE}")


def _figure(file: Path, table: Mapping[str, Any], key: str) -> float | None:
    value = table.get(key)
    if value is None:
        return None
    # bool is an int in Python, but no figure.
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not 0 < value < _LARGEST_FIGURE
    ):
        raise InputError(f"{file}: '{key}' must be a positive number, not {str(value)[:40]!r}")
    return float(value)


def _pattern(file: Path, table: Mapping[str, Any], key: str) -> str:
    pattern = _text(file, table, key)
    why = refused(pattern)
    if why:
        raise InputError(f"{file}: '{key}' {why}")
    return pattern
