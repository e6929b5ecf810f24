"""The search that a table is for, as it is typed."""

from __future__ import annotations

import shlex
from pathlib import Path

from hwnas.costs.table_runtime import USUAL, runtime_of, runtime_options
from hwnas.costs.tables import BENCHMARK, DIGITS, PUBLIC, why_not_found
from hwnas.errors import several
from profilers.table import NetworkSize, Table


def search_words(table: Table, path: Path, target: str, space: str | None = None) -> str:
    """The command of a search that asks this table, which lies at ``path``; ``target`` and
    ``space``, by default the table's, as they are typed. PHOTOS stands for images of the user's
    own."""
    network = table.network or BENCHMARK
    words = ["hwnas", "search", "--target", target, "--space", space or table.space]
    words += [
        "--channels",
        str(network.channels),
        "--cells",
        str(network.cells),
        "--objective",
        table.metric,
    ]
    words += _data_words(network)
    if runtime_of(table) not in USUAL:
        words += runtime_options(runtime_of(table)).split()
    if "--table" in why_not_found(table.device, table, path):
        words += ["--table", str(path)]
    return shlex.join(words)


def _data_words(network: NetworkSize) -> list[str]:
    """What a search says of its images; nothing where they are those of the default data."""
    if network.image == DIGITS:
        return []
    if network.image in PUBLIC:
        return ["--data", PUBLIC[network.image], "--download"]
    _, height, width = network.image
    return ["--data", "PHOTOS", *(["--image-size", str(height)] if height == width else [])]


def images_words(table: Table) -> str:
    """Which images a search that asks this table must have."""
    channels, height, width = (table.network or BENCHMARK).image
    return f"images of {several(channels, 'channel')}, {height}x{width} pixels"
