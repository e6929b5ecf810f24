"""hwnas.search.finalists.synflow: the flow is what its definition says, and grows with every path."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.search.finalists.synflow import log_flow, probe
from hwnas.space import SPACES
from hwnas.space.encoding import sample
from hwnas.space.family import family

CELL = SPACES["nasbench201"]
IMAGE = (3, 8, 8)
NONE, SKIP, CONV1, CONV3, POOL = range(5)
MADE: dict[str, Supernet] = {}


def empty(space: str = "nasbench201") -> Supernet:
    if space not in MADE:
        MADE[space] = probe(
            build_supernet(family(SPACES[space], channels=2, cells=3, classes=4, image=IMAGE), seed=0)
        )
    return MADE[space]


def flow(*choices: int) -> float:
    return log_flow(empty(), np.array(choices), IMAGE)


@pytest.mark.parametrize("space", sorted(SPACES))
def test_it_is_the_derivative_by_a_common_scale_of_all_weights(space: str) -> None:
    """Euler: sum of w dR/dw is dR(e^t w)/dt at t = 0."""
    net, choices = empty(space), sample(SPACES[space], np.random.default_rng(3))

    def out(t: float) -> float:
        scaled = probe(net)
        with torch.no_grad():
            for weight in scaled.parameters():
                weight.mul_(math.exp(t))
            return float(scaled.sampled(torch.ones(1, *IMAGE, dtype=torch.float64), choices).sum())

    step = 1e-5
    assert log_flow(net, choices, IMAGE) == pytest.approx(math.log((out(step) - out(-step)) / (2 * step)))


def test_a_cell_of_skips_counts_paths() -> None:
    """Node 1 takes the input once, node 2 twice, node 3 four times; three groups of one cell each."""
    one = flow(SKIP, NONE, SKIP, NONE, NONE, SKIP)
    assert flow(*[SKIP] * 6) - one == pytest.approx(3 * math.log(4))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=6, max_size=6), st.integers(0, 5), st.integers(1, 4))
def test_no_operation_in_place_of_none_takes_flow_away(cell: list[int], edge: int, operation: int) -> None:
    without = [*cell[:edge], NONE, *cell[edge + 1 :]]
    assert flow(*[*cell[:edge], operation, *cell[edge + 1 :]]) >= flow(*without) - 1e-9


def test_wider_filters_carry_more_than_narrow_ones_and_those_more_than_none() -> None:
    assert flow(*[CONV3] * 6) > flow(*[CONV1] * 6) > flow(*[SKIP] * 6)


def test_what_ends_nowhere_has_no_flow() -> None:
    assert flow(CONV3, CONV3, CONV3, NONE, NONE, NONE) == -math.inf


def test_the_probe_depends_on_layers_and_leaves_the_supernet_alone() -> None:
    net = build_supernet(family(CELL, channels=2, cells=3, classes=4, image=IMAGE), seed=5)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.rand(4, *IMAGE)
    choices = np.array([CONV3, SKIP, CONV1, POOL, SKIP, CONV3])
    logits = net.sampled(x, choices)
    made = probe(net)
    assert all(weight.unique().numel() == 1 for weight in made.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(net.sampled(x, choices), logits)
