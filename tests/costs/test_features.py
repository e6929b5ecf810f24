from __future__ import annotations

import numpy as np
import pytest

from hwnas.costs.features import designs, is_constant, layout, with_operations
from hwnas.space import SPACES, Choices
from hwnas.space.cells import cell_graph
from hwnas.space.encoding import sample, to_choices
from hwnas.space.size import CellSize, Task
from hwnas.space.text import parse
from tests.space.swept import SWEPT

NB201, DARTS = SPACES["nasbench201"], SPACES["darts"]


def nb201(*ops: str) -> Choices:
    """Short names of the edges (0,1) (0,2) (1,2) (0,3) (1,3) (2,3): . none, s skip, 1 and 3
    convolutions, p pool."""
    return np.array([".s13p".index(op) for op in "".join(ops)])


def counts(choices: Choices, execution: str) -> dict[str, float]:
    (design,) = designs(NB201, choices, only=execution)
    return {
        name: value for name, value in zip(design.names, design.counts[0], strict=True) if value
    }


def test_an_eager_device_runs_everything_that_is_written() -> None:
    # Node 1 gets a 3x3 convolution, but nothing leads on from it.
    assert counts(nb201("3", "..", "s.."), "eager") == {
        "normal/nor_conv_3x3": 1,
        "normal/skip_connect": 1,
        "nodes": 3,
    }


def test_what_the_output_does_not_need_is_not_reached() -> None:
    assert counts(nb201("3", "..", "s.."), "reached") == {"normal/skip_connect": 1, "nodes": 1}


def test_an_operation_on_zeros_is_reached_but_not_live() -> None:
    # Node 2 has no input, so it is zeros; the pool reads it.
    cell = nb201(".", "..", "s.p")
    assert counts(cell, "reached") == {
        "normal/skip_connect": 1,
        "normal/avg_pool_3x3": 1,
        "nodes": 2,
    }
    assert counts(cell, "live") == {"normal/skip_connect": 1, "nodes": 1}


def test_a_cell_that_never_sees_its_input_folds_to_its_last_copy() -> None:
    # Node 1 is zeros and all that node 3 reads: the image does not matter.
    cell = nb201(".", "..", ".3.")
    assert is_constant(NB201, cell).tolist() == [True]
    eager, reached, _ = designs(NB201, cell)
    assert (eager.share[0], reached.share[0]) == (1.0, 1 / 15)
    assert not is_constant(NB201, nb201(".", "..", "s..")).any()


def test_reached_and_live_by_brute_force_over_all_cells() -> None:
    rng = np.random.default_rng(0)
    choices = np.stack([sample(NB201, rng) for _ in range(300)])
    edges = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    choices = choices[~is_constant(NB201, choices)]
    seen = layout(
        cell_graph(NB201, CellSize(channels=4, cells=3), Task(classes=2, image=(1, 8, 8))), NB201
    )
    reached, live = (seen.by_decision(choices, how) for how in ("reached", "live"))
    for cell, is_reached, is_live in zip(choices, reached, live, strict=True):
        real = [edge for edge, op in zip(edges, cell, strict=True) if op]
        for (source, node), on, alive in zip(edges, is_reached, is_live, strict=True):
            paths_on = node == 3 or any(path_between(real, node, 3))
            fed = source == 0 or any(path_between(real, 0, source))
            assert on == ((source, node) in real and paths_on)
            assert alive == (on and fed)


def test_cells_that_nobody_reads_count_for_nothing() -> None:
    # No edge leaves c_{k-1}, so every cell reads the map two cells back: of eight cells those at
    # even distance from the end run, which are half of the normal ones and half of the reductions
    # (cells 2 and 5).
    choices = np.array([4 if slot.source == 0 else 0 for slot in DARTS.slots])[None]
    eager, reached, live = designs(DARTS, choices, cells=8)
    normal = [name for name in eager.names if name == "normal/sep_conv_3x3"]
    assert len(normal) == 1
    at = eager.names.index(normal[0])
    assert eager.counts[0, at] == 4
    assert reached.counts[0, at] == live.counts[0, at] == 4 * 3 / 6
    assert reached.counts[0, eager.names.index("nodes")] == pytest.approx(4 * 3 / 6 + 4 * 1 / 2)


def path_between(edges: list[tuple[int, int]], start: int, end: int) -> list[bool]:
    """One True per path."""
    steps = [node for source, node in edges if source == start]
    return [
        found
        for node in steps
        for found in ([True] if node == end else path_between(edges, node, end))
    ]


def test_strided_edges_of_a_reduction_cell_have_counts_of_their_own() -> None:
    choices = to_choices(parse("DARTS_V1"))
    eager = designs(DARTS, choices)[0]
    found = dict(zip(eager.names, eager.counts[0], strict=True))
    # DARTS_V1, reduce: mp 0, mp 1 | sk 2, mp 0 | mp 0, sk 2 | sk 2, ap 0; sources 0 and 1 are
    # halved.
    assert found["reduce/max_pool_3x3/stride2"] == 4
    assert found["reduce/avg_pool_3x3/stride2"] == 1
    assert found["reduce/skip_connect"] == 3
    assert found["reduce/skip_connect/stride2"] == 0
    assert (found["normal/sep_conv_3x3"], found["normal/skip_connect"]) == (5, 3)


@pytest.mark.parametrize("name", SWEPT)
def test_counts_and_details_add_up_to_the_edges_that_are_written(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(1)
    choices = np.stack([sample(space, rng) for _ in range(20)])
    eager = designs(space, choices)[0]
    rows = np.arange(len(space.decisions))
    written = (~space.is_none[rows, choices]).sum(axis=1)
    assert eager.counts[:, :-1].sum(axis=1).tolist() == written.tolist()
    assert eager.detail.sum(axis=1).tolist() == written.tolist()
    assert [design.name for design in designs(space, choices)] == ["eager", "reached", "live"]


def test_measured_operations_become_a_trusted_first_column() -> None:
    (design,) = designs(NB201, nb201("1", "11", "111"), only="eager")
    joined = with_operations(design, np.array([2.5]))
    assert (joined.names[0], joined.counts[0, 0], joined.trusted) == ("operations_ms", 2.5, 1)
    assert joined.counts.shape[1] == len(joined.names)
