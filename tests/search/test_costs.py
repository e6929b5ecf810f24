"""What candidates cost: bounds that hold for every derived network, targets that a policy can
aim at."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.catalog import find_device
from hwnas.config import resolve
from hwnas.costs.counts import count
from hwnas.costs.short import short_amount
from hwnas.search.costs import build_costs, cost_range, objectives_of, target_value
from hwnas.space import SPACES
from hwnas.space.encoding import project, sample, to_genotype
from hwnas.space.genotype import Architecture
from profilers.device import load
from profilers.errors import InputError
from tests.space.swept import CELLS

IMAGE = (3, 8, 8)
CPU = load(find_device("cpu"))


@pytest.mark.parametrize("space", CELLS)
def test_costs_equal_counting_each_architecture(space: str) -> None:
    objectives = [{"metric": "flops"}, {"metric": "params"}]
    config = resolve(
        {"space": space, "objectives": objectives, "evaluation": {"channels": 4, "cells": 6}}
    )
    costs = build_costs(config, CPU, 5, IMAGE)
    assert [cost.name for cost in costs] == ["flops", "params", "macs"]
    rng = np.random.default_rng(0)
    choices = np.stack([sample(SPACES[space], rng) for _ in range(20)])
    for row, one in enumerate(choices):
        params, macs = count(
            Architecture(to_genotype(SPACES[space], one), channels=4, cells=6), 5, IMAGE
        )
        assert [cost.of(choices)[row] for cost in costs] == [2 * macs, params, macs]


@pytest.mark.parametrize("space", CELLS)
def test_no_derived_network_lies_outside_the_cost_range(space: str) -> None:
    config = resolve(
        {
            "space": space,
            "objectives": [{"metric": "params"}],
            "evaluation": {"channels": 4, "cells": 6},
        }
    )
    cost = build_costs(config, CPU, 5, IMAGE)[0]
    found = cost_range(SPACES[space], cost, np.random.default_rng(0), count=50)
    rng = np.random.default_rng(1)
    derived = np.stack(
        [
            project(SPACES[space], sample(SPACES[space], rng), rng.random(SPACES[space].mask.shape))
            for _ in range(300)
        ]
    )
    low, high = found.bounds
    assert low <= cost.of(derived).min() and cost.of(derived).max() <= high


def test_the_cheapest_nasbench201_network_has_no_convolution_and_the_dearest_only_3x3() -> None:
    config = resolve({"space": "nasbench201", "objectives": [{"metric": "params"}]})
    cost = build_costs(config, CPU, 10, (3, 32, 32))[0]
    # algorithms.md, section 3: all-none and all-conv3x3 at C = 16, N = 5.
    assert cost_range(SPACES["nasbench201"], cost, np.random.default_rng(0), count=10).bounds == (
        73306,
        1531546,
    )


def test_a_target_is_read_with_its_unit_and_checked_against_the_cost_range() -> None:
    config = resolve(
        {"space": "nasbench201", "objectives": [{"metric": "params", "target": "0.5M"}]}
    )
    cost = build_costs(config, CPU, 10, (3, 32, 32))[0]
    found = cost_range(SPACES["nasbench201"], cost, np.random.default_rng(0), count=10)
    assert target_value("0.5M", found) == 500_000
    # As the line of what a space reaches says it before a search.
    low, high = (short_amount(bound, "parameters") for bound in found.bounds)
    assert low.endswith("k") and high.endswith("M")
    with pytest.raises(InputError, match=f"can't be met, this space reaches {low} to {high}$"):
        target_value("50k", found)
    with pytest.raises(InputError, match="target-value"):
        target_value("2ms", found)


def test_policies_take_turns_between_several_costs() -> None:
    objectives = [{"metric": "params"}, {"metric": "macs"}]
    config = resolve({"space": "darts", "objectives": objectives, "exponents": [-0.3, -0.3, -0.3]})
    costs = build_costs(config, CPU, 10, IMAGE)
    ranges = {
        cost.name: cost_range(SPACES["darts"], cost, np.random.default_rng(0), count=10)
        for cost in costs
    }
    exponents = [
        tuple(round(one.exponent, 6) for one in mine) for mine in objectives_of(config, ranges)
    ]
    assert exponents == [(-0.3, -0.1), (-0.1, -0.3), (-0.3, -0.3)]


def test_latency_of_a_device_that_is_not_here_is_an_estimate_and_says_so() -> None:
    wanted = {"space": "darts", "objectives": [{"metric": "latency"}]}
    device = load(find_device("1080ti"))
    cost = build_costs(resolve(wanted), device, 10, (3, 32, 32))[0]
    assert (cost.name, cost.unit, cost.provenance) == ("latency", "ms", "estimated")
    assert "roofline" in cost.source and "1080ti" in cost.source
    rng = np.random.default_rng(0)
    choices = np.stack([sample(SPACES["darts"], rng) for _ in range(50)])
    assert (cost.of(choices) > 0).all() and len(set(cost.of(choices))) > 40
    with pytest.raises(InputError, match="require table: 1080ti is not attached here"):
        build_costs(resolve({**wanted, "require": "table"}), device, 10, (3, 32, 32))


def test_memory_is_an_objective_with_its_origin_and_unit() -> None:
    objectives = [{"metric": "memory", "target": "1MiB"}, {"metric": "params"}]
    config = resolve(
        {"space": "tnd", "objectives": objectives, "evaluation": {"channels": 4, "cells": 6}}
    )
    memory, params, _ = build_costs(config, CPU, 5, IMAGE)
    assert (memory.name, memory.unit, memory.provenance) == ("memory", "MiB", "estimated")
    one = sample(SPACES["tnd"], np.random.default_rng(0))[None]
    assert memory.of(one)[0] * 2**20 > 4 * params.of(one)[0]
    found = cost_range(SPACES["tnd"], memory, np.random.default_rng(0), 50)
    assert 0 < found.bounds[0] < found.bounds[1]
    assert target_value("1MiB", found) == 1.0


@pytest.mark.parametrize(
    ("metric", "require", "attached", "refused"),
    [
        ("latency", "measured", False, "its latency would be estimated"),
        ("latency", "table", False, "its latency would be estimated"),
        ("memory", "measured", False, "its memory would be estimated"),
        ("latency", "measured", True, None),
        ("memory", "table", True, None),
        ("params", "measured", False, None),
        ("latency", "any", False, None),
    ],
)
def test_less_than_required_is_refused_before_anything_is_trained(
    metric: str, require: str, attached: bool, refused: str | None
) -> None:
    config = resolve({"objectives": [{"metric": metric}], "require": require})
    device = load(find_device("1080ti"))
    if refused is None:
        assert build_costs(config, device, 5, IMAGE, attached)[0].name == metric
    else:
        with pytest.raises(
            InputError, match=f"require {require}: 1080ti is not attached here, so {refused}"
        ):
            build_costs(config, device, 5, IMAGE, attached)
