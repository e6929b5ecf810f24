"""A drawn cell is readable: nothing lies on anything else, whatever the genotype."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hwnas.report.layout import Box, Layout, Wire, _arranged, lay_out, lay_out_cell
from hwnas.report.layout_items import op_label
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import Edge, Genotype
from hwnas.space.published import PUBLISHED
from hwnas.space.space import NONE, SPACES
from hwnas.space.text import parse
from tests.space.swept import CELLS, KNOWN_CELLS


def apart(a: Box, b: Box) -> bool:
    return (
        abs(a.x - b.x) >= (a.width + b.width) / 2 - 1e-6
        or abs(a.y - b.y) >= (a.height + b.height) / 2 + 5.0
    )


def in_a_gap(wire: Wire, boxes: tuple[Box, ...]) -> bool:
    """Whether no box reaches between the ends of a wire: then its curve, which stays between
    them, meets none."""
    return all(
        box.x + box.width / 2 <= wire.x0 + 1e-6 or box.x - box.width / 2 >= wire.x1 - 1e-6
        for box in boxes
    )


def assert_clean(layout: Layout) -> None:
    assert all(apart(a, b) for a, b in combinations(layout.boxes, 2))
    assert all(wire.x0 < wire.x1 and in_a_gap(wire, layout.boxes) for wire in layout.wires)
    for box in layout.boxes:
        assert box.x - box.width / 2 >= 0 and box.x + box.width / 2 <= layout.width
        assert box.y - box.height / 2 >= 0 and box.y + box.height / 2 <= layout.height


@pytest.mark.parametrize("name", CELLS)
def test_nothing_overlaps_in_200_random_cells(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(0)
    seen: set[str] = set()
    for number in range(200 // len(space.cells)):
        # Every third keeps all its edges real: the largest in-degree there is.
        genotype = to_genotype(
            space, sample(space, rng, space.mask if number % 3 else space.mask & dense(name))
        )
        for kind in space.cells:
            layout = lay_out(genotype, kind)
            assert_clean(layout)
            drawn = [box.op for box in layout.boxes if box.kind == "op"]
            real = [edge.op for node in genotype.cell(kind) for edge in node if edge.op != NONE]
            assert sorted(drawn) == sorted(real)
            seen.update(drawn)
    assert seen == {op for slot in space.slots for op in slot.ops} - {NONE}


def dense(name: str) -> np.ndarray:
    space = SPACES[name]
    return np.array(
        [
            [o < len(slot.ops) and slot.ops[o] != NONE for o in range(space.width)]
            for slot in space.slots
        ]
    )


@pytest.mark.parametrize("name", KNOWN_CELLS)
def test_published_cells_are_drawn(name: str) -> None:
    for kind in SPACES[PUBLISHED[name].space].cells:
        assert_clean(lay_out(PUBLISHED[name], kind))


def test_a_node_without_input_is_drawn_alone() -> None:
    lonely = Genotype("tnd", ((Edge("conv_1x1", 0),), (), (), ()), ((), (), (), ()))
    layout = lay_out(lonely, "normal")
    assert_clean(layout)
    # Two inputs, four nodes, the output.
    assert sum(box.kind == "state" for box in layout.boxes) == 7
    assert sum(box.kind == "op" for box in layout.boxes) == 1


def test_a_chain_is_a_straight_line() -> None:
    # in -> 1 -> 2 -> out with nothing else: every box at one height.
    chain = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"
    layout = lay_out(parse(chain), "normal")
    assert len({round(box.y, 3) for box in layout.boxes}) == 1


def test_labels_are_words() -> None:
    assert op_label("sep_conv_3x3") == "sep conv 3\u00d73"
    assert op_label("max_pool_7x7") == "max pool 7\u00d77"
    assert op_label("conv_3x1_1x3") == "conv 3\u00d71 1\u00d73"
    assert op_label("skip_connect") == "skip"
    assert op_label("nor_conv_1x1") == "conv 1\u00d71"


def test_cells_of_one_structure_are_laid_out_once_whatever_their_operations() -> None:
    cells = [
        PUBLISHED["DARTS_V2"].normal,
        tuple(
            tuple(Edge("max_pool_3x3", edge.source) for edge in node)
            for node in PUBLISHED["DARTS_V2"].normal
        ),
    ]
    _arranged.cache_clear()
    first, second = (lay_out_cell(SPACES["darts"], cell) for cell in cells)
    assert _arranged.cache_info().misses == 1
    assert [box.y for box in first.boxes] == [box.y for box in second.boxes]
    assert {box.op for box in second.boxes} == {"", "max_pool_3x3"}
