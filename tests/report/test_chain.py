"""A chain as bars: one for each block, the channels that are counted, absent blocks hollow."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from hwnas.report.chain import bars, chain_svg
from hwnas.report.drawing import cell_svg
from hwnas.space import SPACES
from hwnas.space.space import NONE
from hwnas.space.text import parse


@pytest.mark.parametrize("name", ["MOBILENET_V2", "FBNET_C", "PROXYLESS_CPU", "RESNET8"])
def test_there_is_a_bar_for_every_block_and_those_that_are_absent_are_hollow(name: str) -> None:
    genotype = parse(name)
    space, found = SPACES[genotype.space], bars(genotype)
    assert sum(bar.group.startswith("stage") for bar in found) == space.depth
    assert sum(not bar.channels for bar in found) == genotype.operations.count(NONE)
    text = chain_svg(genotype, name)
    assert text.count("stroke-dasharray") == genotype.operations.count(NONE)
    ET.fromstring(text)


def test_bars_say_the_published_channels() -> None:
    widths = [bar.channels for bar in bars(parse("MOBILENET_V2"))]
    table = ((16, 1), (24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1))
    assert widths == [32, *(width for width, depth in table for _ in range(depth)), 1280]
    inside = [bar.inside for bar in bars(parse("MOBILENET_V2"))]
    assert inside[2] == 6 * 16  # six times wider than its input


def test_a_chain_is_drawn_as_bars_wherever_a_genotype_is_drawn_and_its_size_is_said() -> None:
    text = cell_svg(parse("MOBILENET_V2_0.35"), "network", "a <b>")
    assert "a &lt;b&gt;" in text
    assert "width 0.35" in text
