"""Counts by table: published figures exactly, sums over edges, expectations under alpha."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hwnas.costs.counts import Additive, count, count_table
from hwnas.space import SPACES
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.text import parse
from tests.space.golden import GOLDEN, Golden
from tests.space.swept import SWEPT, depth, sized


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: f"{g.text[:16]}-{g.channels}-{g.classes}")
def test_published_counts_are_exact(golden: Golden) -> None:
    architecture = Architecture(parse(golden.text), channels=golden.channels, cells=golden.cells)
    params, macs = count(architecture, golden.classes, golden.image, golden.stem)
    assert params == golden.params
    if golden.macs is not None:
        assert macs == golden.macs
    if golden.macs_m is not None:
        assert f"{macs / 1e6:.1f}" == f"{golden.macs_m:.1f}"


@pytest.mark.parametrize("name", SWEPT)
def test_many_samples_at_once_equal_one_at_a_time(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(0)
    table = count_table(
        family(space, channels=6, cells=depth(name, 6), classes=10, image=(1, 13, 9))
    )
    choices = np.array([sample(space, rng) for _ in range(20)])
    expected = [count(sized(to_genotype(space, row), 6, 6), 10, (1, 13, 9)) for row in choices]
    assert table.params.of(choices).tolist() == [params for params, _ in expected]
    assert table.macs.of(choices).tolist() == [macs for _, macs in expected]


def test_the_expectation_is_the_mean_over_all_samples() -> None:
    rng = np.random.default_rng(0)
    cost = Additive(constant=7.0, table=rng.random((3, 4)))
    probabilities = rng.dirichlet(np.ones(4), size=3)
    every = np.array(np.meshgrid(*[range(4)] * 3)).reshape(3, -1).T
    weight = probabilities[np.arange(3), every].prod(axis=1)
    assert cost.expected(probabilities) == pytest.approx(float(weight @ cost.of(every)))


def test_the_expectation_under_certainty_is_the_count() -> None:
    space = SPACES["tnd"]
    choices = sample(space, np.random.default_rng(3))
    table = count_table(family(space, channels=8, cells=5, classes=10, image=(3, 32, 32)))
    certain = np.eye(space.width)[choices]
    assert table.macs.expected(certain) == table.macs.of(choices)


def test_a_count_takes_microseconds() -> None:
    space, rng = SPACES["darts"], np.random.default_rng(0)
    table = count_table(family(space, channels=36, cells=20, classes=10, image=(3, 32, 32)))
    choices = np.array([sample(space, rng) for _ in range(1000)])
    fastest = min(_timed(lambda: table.params.of(choices)) for _ in range(20))
    assert fastest / 1000 < 50e-6


def _timed(call: object) -> float:
    start = time.perf_counter()
    assert callable(call)
    call()
    return time.perf_counter() - start
