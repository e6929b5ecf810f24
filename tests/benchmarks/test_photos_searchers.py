"""The table of searchers compares the same seeds."""

from __future__ import annotations

from typing import Any

from benchmarks.photos_searchers import CHANCE, LINE, table


def row(arm: str, seed: int, hypervolume: float) -> dict[str, Any]:
    networks = [[0.5, 0.5]] * (seed + 1)
    return {"arm": arm, "seed": seed, "hypervolume": hypervolume, "networks": networks}


def test_differences_are_paired_by_seed() -> None:
    # Seed 1 is worth 0.1 more to all: nothing of that is left in a difference.
    values = {"surrogate bins": 0.7, CHANCE: 0.6, LINE: 0.4}
    rows = [row(arm, seed, value + 0.1 * seed) for seed in (1, 0) for arm, value in values.items()]
    lines = table(rows).splitlines()
    assert lines[2] == (
        "| surrogate bins | 0.7500 | +0.1000 ± 0.0000 | +0.3000 ± 0.0000 | 1.5 | 2 |"
    )
    assert lines[4].startswith(f"| {LINE} | 0.4500 | -0.2000 ")
