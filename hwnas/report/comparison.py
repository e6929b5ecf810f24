"""What a page needs to compare two chains block by block.

Where all options of a space are parts of one network, that network can be compared with too.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from hwnas.catalog import find_device
from hwnas.costs.latency import TablePredictor
from hwnas.costs.tables import own_table
from hwnas.report.blocks import BlockRow, block_rows
from hwnas.report.chain import size_words
from hwnas.report.load import EvaluatedFront, RunData
from hwnas.space.encoding import to_choices, to_genotype
from hwnas.space.family import Family
from hwnas.space.genotype import Genotype
from hwnas.space.size import CellSize, Task
from hwnas.space.sliced import largest_choices
from hwnas.space.space import SPACES
from profilers.device import load
from profilers.errors import InputError
from profilers.table import load as load_table

WHOLE = "the whole network"
"""The largest network of an elastic space, which all others are parts of."""


def comparison(data: RunData) -> dict[str, Any] | None:
    """{"networks": {label: {"size", "rows"}}, "pairs": [[label, label], one for each front],
    "source"}: blocks as `BlockRow`, and where latencies come from; None where networks are no
    chains."""
    first = data.fronts[0].members[0]
    space = SPACES[data.genotypes[first.key].space]
    if space.macro is None:
        return None
    task = Task(classes=len(data.summary.classes), image=data.summary.shape)
    usual = data.run.config.evaluation_family(task)
    table = _table(data, usual)
    members = [member for front in data.fronts for member in front.members]
    families = {
        (member.channels, member.cells): _family(usual, member.channels, member.cells)
        for member in members
    }
    networks = {
        member.label: _network(
            data.genotypes[member.key], families[member.channels, member.cells], table
        )
        for member in members
    }
    if space.macro.sliced:
        whole = to_genotype(space, largest_choices(space, usual.graphs))
        networks[WHOLE] = _network(whole, usual, table)
    return {
        "networks": networks,
        "pairs": [first_pair(front, list(networks)) for front in data.fronts],
        "source": "" if table is None else table.source,
    }


def first_pair(front: EvaluatedFront, labels: Sequence[str]) -> list[str]:
    """Which two networks are compared at first: the knee and the next more accurate one of the
    front; where there is none, the whole network, or any other one."""
    chosen = [member for member in front.members if member.label in front.front]
    chosen.sort(key=lambda member: float(member.accuracy.value))
    names = [member.label for member in chosen]
    one = front.knee if front.knee in names else names[0]
    better = names[names.index(one) + 1 :]
    others = [label for label in (*better, *reversed(labels)) if label != one]
    return [one, (others or [one])[0]]


def _family(usual: Family, channels: int, cells: int) -> Family:
    """The networks of another width than the run's, where one was trained at such."""
    if (channels, cells) == (usual.size.channels, usual.size.cells):
        return usual
    return replace(usual, size=CellSize(channels=channels, cells=cells, stem=usual.size.stem))


def _table(data: RunData, of: Family) -> TablePredictor | None:
    """The table of the run's target, where there is one here."""
    with suppress(InputError):
        path = own_table(load(find_device(data.summary.target)), of)
        return None if path is None else TablePredictor(table=load_table(path), source=path.stem)
    return None


def _network(genotype: Genotype, of: Family, table: TablePredictor | None) -> dict[str, Any]:
    shares = None
    if table is not None and table.table.network is not None:
        fits = table.table.network.channels == of.size.channels
        shares = table.shares(to_choices(genotype)) if fits else None
    rows = block_rows(genotype, of, None if shares is None else shares[0])
    return {
        "size": size_words(genotype, of.task.image),
        "rows": [_json(row) for row in rows],
    }


def _json(row: BlockRow) -> dict[str, Any]:
    return {key: value for key, value in asdict(row).items() if value not in ("", None)}
