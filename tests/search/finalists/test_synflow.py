"""hwnas.search.finalists.synflow: the flow is what its definition says, and grows with every
path."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.search.finalists.synflow import log_flow, probe
from hwnas.space import SPACES, Space
from hwnas.space.encoding import sample
from hwnas.space.family import Family, family
from hwnas.space.graph import discrete
from tests.space.every_layer import SAMPLES
from tests.space.every_layer import SPACE as EVERY_LAYER
from tests.space.swept import SWEPT

CELL = SPACES["nasbench201"]
IMAGE = (3, 8, 8)
NONE, SKIP, CONV1, CONV3, POOL = range(5)
CARRIERS = ("conv", "factorized_reduce", "linear")
MADE: dict[str, Supernet] = {}


def small(space: Space) -> Family:
    return family(space, channels=2, cells=3, classes=4, image=IMAGE)


def empty(space: Space = CELL) -> Supernet:
    if space.name not in MADE:
        MADE[space.name] = probe(build_supernet(small(space), seed=0))
    return MADE[space.name]


def flow(*choices: int) -> float:
    return log_flow(empty(), np.array(choices), IMAGE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "space", [*(SPACES[name] for name in SWEPT), EVERY_LAYER], ids=lambda space: space.name
)
def test_it_is_the_derivative_by_a_common_scale_of_all_weights(space: Space) -> None:
    """Euler: sum of w dR/dw is dR(e^t w)/dt at t = 0."""
    net, choices = empty(space), sample(space, np.random.default_rng(3))

    def out(t: float) -> float:
        scaled = probe(net)
        with torch.no_grad():
            for weight in scaled.parameters():
                weight.mul_(math.exp(t))
            return float(scaled.sampled(torch.ones(1, *IMAGE, dtype=torch.float64), choices).sum())

    step = 1e-5
    assert log_flow(net, choices, IMAGE) == pytest.approx(
        math.log((out(step) - out(-step)) / (2 * step))
    )


def test_activations_and_gates_neither_stop_the_flow_nor_count_as_layers() -> None:
    """Without biases the flow is the output times the number of convolutions and linear layers
    on the way."""
    every = small(EVERY_LAYER)
    net = probe(build_supernet(every, seed=0))
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(30.0)  # far beyond where ReLU6 and sigmoids end
    for name, choices in SAMPLES.items():
        carriers = {
            node.name: sum(layer.kind in CARRIERS for layer in node.layers)
            for node in discrete(every.graphs[()], choices)
        }
        with torch.no_grad():
            out = float(net.sampled(torch.ones(1, *IMAGE, dtype=torch.float64), choices).sum())
        passed = math.exp(log_flow(net, choices, IMAGE)) / out
        # There is a way round the first block: what takes it passes fewer layers.
        most = sum(carriers.values())
        assert most - carriers["body.keeping"] - 1e-6 < passed < most + 1e-6, name


def test_a_cell_of_skips_counts_paths() -> None:
    """Node 1 takes the input once, node 2 twice, node 3 four times; three groups of one cell
    each."""
    one = flow(SKIP, NONE, SKIP, NONE, NONE, SKIP)
    assert flow(*[SKIP] * 6) - one == pytest.approx(3 * math.log(4))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=6, max_size=6), st.integers(0, 5), st.integers(1, 4))
def test_no_operation_in_place_of_none_takes_flow_away(
    cell: list[int], edge: int, operation: int
) -> None:
    without = [*cell[:edge], NONE, *cell[edge + 1 :]]
    assert flow(*[*cell[:edge], operation, *cell[edge + 1 :]]) >= flow(*without) - 1e-9


def test_wider_filters_carry_more_than_narrow_ones_and_those_more_than_none() -> None:
    assert flow(*[CONV3] * 6) > flow(*[CONV1] * 6) > flow(*[SKIP] * 6)


def test_what_ends_nowhere_has_no_flow() -> None:
    assert flow(CONV3, CONV3, CONV3, NONE, NONE, NONE) == -math.inf


def test_the_probe_depends_on_layers_and_leaves_the_supernet_alone() -> None:
    net = build_supernet(small(CELL), seed=5)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.rand(4, *IMAGE)
    choices = np.array([CONV3, SKIP, CONV1, POOL, SKIP, CONV3])
    logits = net.sampled(x, choices)
    made = probe(net)
    assert all(weight.unique().numel() == 1 for weight in made.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(net.sampled(x, choices), logits)
