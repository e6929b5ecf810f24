"""Two chains block by block: what each row counts, what is marked, which two stand there first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwnas.report.blocks import block_rows
from hwnas.report.comparison import WHOLE, comparison, first_pair
from hwnas.report.load import RunData, load_run
from hwnas.space.chain import known_space
from hwnas.space.encoding import to_genotype
from hwnas.space.family import Family, family
from hwnas.space.sliced import largest_choices
from hwnas.space.space import SPACES
from hwnas.space.text import parse
from tests.space.elastic_macros import CLASSES, IMAGE, TINY_ELASTIC


@pytest.fixture(scope="module")
def of() -> Family:
    return family(known_space(TINY_ELASTIC), channels=8, cells=5, classes=CLASSES, image=IMAGE)


@pytest.fixture(scope="module")
def data(chain_run: Path) -> RunData:
    return load_run(chain_run)


def test_the_macs_of_all_rows_are_those_of_the_network() -> None:
    genotype = parse("MOBILENET_V2")
    of = family(SPACES[genotype.space], channels=32, cells=17, classes=1000, image=(3, 224, 224))
    assert sum(row.macs for row in block_rows(genotype, of)) == 300_774_272


def test_the_whole_network_is_wholly_wide_and_its_parts_say_which_part_they_are(
    of: Family,
) -> None:
    whole = largest_choices(of.space, of.graphs)
    assert {row.share for row in block_rows(to_genotype(of.space, whole), of)} == {1.0}
    part = whole.copy()
    row = next(r for r, one in enumerate(of.space.decisions) if one.name == "stage1.block1")
    # Of an expansion of 3, k3_e1 is a third as wide, under a kernel of 3 instead of 5.
    part[row] = of.space.decisions[row].operations.index("k3_e1")
    named = {one.name: one for one in block_rows(to_genotype(of.space, part), of)}
    found = named["stage1.block1"]
    assert (found.option, found.kernel, found.inside) == ("k3_e1", 3, 8)
    assert found.share == pytest.approx(1 / 3)


def test_an_absent_block_has_no_macs_and_no_channels(of: Family) -> None:
    choices = largest_choices(of.space, of.graphs)
    row = next(r for r, one in enumerate(of.space.decisions) if one.name == "stage2.block1")
    choices[row] = of.space.decisions[row].operations.index("none")
    shares = np.full(len(choices), 0.1)
    named = {one.name: one for one in block_rows(to_genotype(of.space, choices), of, shares)}
    absent = named["stage2.block1"]
    assert (absent.option, absent.macs, absent.inside, absent.latency) == ("none", 0, 0, 0.0)
    assert named["stage2.block0"].kind == "gated" and named["stage2.block0"].latency == 0.1


def test_all_networks_of_a_report_can_be_compared_and_the_knee_with_the_next_better_first(
    data: RunData,
) -> None:
    found = comparison(data)
    assert found is not None
    labels = {member.label for front in data.fronts for member in front.members}
    assert set(found["networks"]) == labels  # options of this table share no weights
    places = {tuple(row["name"] for row in one["rows"]) for one in found["networks"].values()}
    assert len(places) == 1  # so that rows of any two stand side by side
    front = data.fronts[0]
    worth = {member.label: float(member.accuracy.value) for member in front.members}
    best = sorted(front.front, key=worth.__getitem__)
    knee = replace(front, knee=best[0])
    assert first_pair(knee, [*best, WHOLE]) == [best[0], [*best, WHOLE][1]]
    assert first_pair(replace(front, knee=best[-1]), [*best, WHOLE]) == [best[-1], WHOLE]
    assert first_pair(replace(front, knee=best[-1], front=frozenset(best[-1:])), best[-1:]) == [
        best[-1],
        best[-1],
    ]


def test_networks_of_cells_have_no_blocks(searched: Path) -> None:
    assert comparison(load_run(searched)) is None
