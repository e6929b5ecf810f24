"""Find devices and configs by name, alias or path, in a checkout and in an installed wheel alike.

A device is `devices/<name>.toml`, a config `configs/<name>.toml`. Only `aliases` is read here: what
else a file says is for `profilers.device` and `hwnas.config` to understand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwnas import files
from profilers.errors import InputError, nearest
from profilers.limited import why_no_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# A device or config file is a page of text; anything larger was named by mistake.
_LARGEST_FILE_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of the catalog: `name` as people type it, other spellings, where it is."""

    name: str
    aliases: tuple[str, ...]
    path: Path


def devices() -> tuple[Entry, ...]:
    """Return every device that ships with hwnas, by name."""
    return _entries("devices")


def configs() -> tuple[Entry, ...]:
    """Return every named search that ships with hwnas, by name."""
    return _entries("configs")


def find_device(word: str) -> Path:
    """Return the file of the device that `word` names, by name, alias or path.

    Raises `InputError` with the nearest name where there is none.
    """
    return _find(word, "device", devices())


def find_config(word: str) -> Path:
    """Return the file of the named search `word`, or of the path `word`.

    Raises `InputError` with the nearest name where there is none.
    """
    return _find(word, "config", configs())


def read_toml(path: Path, root: Path | None = None) -> dict[str, Any]:
    """Read a TOML file, or raise `InputError` that names the file, and the line where it is not
    TOML.

    `root`: the folder of somebody else's that it stands in; None for a file that the user named.
    """
    try:
        return tomllib.loads(files.read(path, root, _LARGEST_FILE_BYTES).decode())
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number of thousands of digits, brackets without end
        raise InputError(f"{path}: not valid TOML: {str(error)[:80]}") from None


def _find(word: str, what: str, entries: tuple[Entry, ...]) -> Path:
    for entry in entries:
        if _fold(word) in {_fold(spelling) for spelling in (entry.name, *entry.aliases)}:
            return entry.path
    # A path is tried last, so that a stray file called `cpu` cannot take the place of the device.
    if looks_like_path(word):
        path = Path(word).expanduser()
        wrong = why_no_file(path)
        if wrong is None:
            return path
        raise InputError(f"{what} file {word[:200]}: {wrong}")
    raise InputError(f"unknown {what} '{word}'{nearest(word, [entry.name for entry in entries])}")


def looks_like_path(word: str) -> bool:
    """Whether a word is meant as a file, not as a name."""
    return word.endswith(".toml") or "/" in word or "\\" in word


def _fold(word: str) -> str:
    """Fold the spellings of one name together: `RTX 4090`, `rtx_4090` and `rtx4090`."""
    return "".join(letter for letter in word.casefold() if letter not in "-_ ")


def _entries(folder: str) -> tuple[Entry, ...]:
    return tuple(sorted(_read_entries(_folder(folder)), key=lambda entry: entry.name))


def _read_entries(folder: Path) -> Iterator[Entry]:
    for path in folder.glob("*.toml"):
        # Of a config the file's stem is the name; aliases are the devices'.
        table = read_toml(path)
        yield Entry(name=path.stem, aliases=tuple(map(str, table.get("aliases", ()))), path=path)


def _folder(name: str) -> Path:
    """Return the data folder: inside the package in a wheel, beside it in a checkout (see
    setup.py)."""
    package = Path(__file__).resolve().parent
    installed = package / "_data" / name
    return installed if installed.is_dir() else package.parent / name
