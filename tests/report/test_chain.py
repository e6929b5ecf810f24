"""A chain as bars: one for each block, the channels that are counted, absent blocks hollow."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from hwnas.report.chain import bars, chain_svg, size_words
from hwnas.report.drawing import cell_svg
from hwnas.space import SPACES
from hwnas.space.genotype import Genotype
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


@pytest.mark.parametrize("name", ["MOBILENET_V2_0.35", "MOBILENET_V3_SMALL", "RESNET8"])
def test_no_label_is_cut_or_written_over(name: str) -> None:
    root = ET.fromstring(chain_svg(parse(name), name))
    place = "{http://www.w3.org/2000/svg}"
    texts = [one for one in root.iter(f"{place}text") if one.text]
    turned = [one for one in texts if "rotate" in one.get("transform", "")]
    begin = max(float(one.get("transform", "").split()[1].rstrip(")")) for one in turned)
    end = begin + 6.2 * max(len(one.text or "") for one in turned)  # 0.56 em of 11 pixels
    notes = [one for one in texts if one.get("y") and one.get("text-anchor") is None]
    assert "Dashed: absent" in (notes[-1].text or "")
    for note in notes:
        assert float(note.get("y", "0")) - 11 >= end - 4
        assert 12 + 5.6 * len(note.text or "") <= float(root.get("width", "0"))
    assert float(notes[-1].get("y", "0")) < float(root.get("height", "0"))


def test_a_side_is_said_in_pixels_where_the_image_is_known() -> None:
    space = SPACES["mobile"]
    chosen = {one.name: one.operations[0] for one in space.decisions} | {"side": "0.5"}
    genotype = Genotype("mobile", operations=tuple(chosen[one.name] for one in space.decisions))
    assert size_words(genotype) == "side 0.5, width 1"
    assert size_words(genotype, (3, 64, 48)) == "side 0.5 (32x24 of 64x48 pixels), width 1"
    assert size_words(parse("RESNET8"), (3, 32, 32)) == ""


def test_bars_follow_the_width_of_the_network_that_is_drawn() -> None:
    assert [bar.channels for bar in bars(parse("RESNET8"), channels=32)] == [
        2 * bar.channels for bar in bars(parse("RESNET8"))
    ]
