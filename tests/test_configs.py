"""The named searches that ship: each is resolved, planned, and searched for some steps on images
that are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas import catalog
from hwnas.config import resolve
from hwnas.search.plan import plan
from hwnas.search.search import search, summary
from hwnas.space import SPACES
from hwnas.space.text import parse
from tests.search import tiny

NAMES = tuple(entry.name for entry in catalog.configs())
CHAINS = ("mobile-digits", "mobile-cifar10", "fbnet", "proxyless")


@pytest.mark.parametrize("name", NAMES)
def test_every_named_search_is_resolved_in_a_space_that_there_is(name: str) -> None:
    config = resolve({}, name)
    assert config.space in SPACES
    assert config.algorithm == "ndarts" or config.objectives


@pytest.mark.parametrize("name", CHAINS)
def test_named_searches_of_chains_end_with_a_front_of_their_space(
    name: str, tmp_path: Path
) -> None:
    data = tiny.images(tmp_path / "tiny.npz", count=48)
    stages = [{"epochs": 1} for _ in resolve({}, name).stages]
    shorter = {
        "data": {"source": str(data), "image_size": None},
        "objectives": [{"metric": "params"}],
        "channels": 4,
        "stages": stages,
        "exponents": [0.0, -0.1],
        "weight_step": {"batch_size": 16},
        "alpha_step": {"samples": 3, "every": 1, "images": 16},
        "finalists_per_policy": 1,
    }
    config = resolve(shorter, name)
    planned = plan(config)
    low, high = planned.cost_ranges["params"].bounds
    assert low < high
    found = summary(search(config, tmp_path / "run", planned=planned))
    assert {parse(member["text"]).space for member in found["front"]} == {config.space}
