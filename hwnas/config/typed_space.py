"""The space that somebody typed: a name, or the file of a chain's table."""

from __future__ import annotations

from pathlib import Path

from hwnas.catalog import read_toml
from hwnas.space.chain import known_space
from hwnas.space.macro_toml import macro_of
from hwnas.space.space import SPACES, Space
from profilers.errors import InputError, nearest


def typed_space(word: str) -> Space:
    """The space of a name, or of the chain in a .toml file. Raises InputError."""
    if is_file(word):
        return space_in(Path(word))
    if word not in SPACES:
        raise InputError(f"unknown space {word!r}{nearest(word, SPACES.names())}")
    return SPACES[word]


def is_file(word: str) -> bool:
    """Whether a space is typed as a file, not as a name."""
    return word.lower().endswith(".toml")


def space_in(file: Path) -> Space:
    """The space of the chain in a file, known by its name from now on. Raises InputError."""
    return known_space(macro_of(read_toml(file), str(file)), str(file))
