"""The surrogate: it looks where nothing was seen yet, over the whole range of costs."""

from __future__ import annotations

import numpy as np
import pytest

from hwnas.config import Config, resolve
from hwnas.search.algorithms.around_bins import Bins, alike, around_bins, best_rows
from hwnas.search.algorithms.regression import fit
from hwnas.search.algorithms.surrogate import FIRST, Surrogate, start
from hwnas.space.encoding import sample
from hwnas.space.space import SPACES, Choices

SPACE = "efficientnet-lite0-elastic"


@pytest.fixture(scope="module")
def config() -> Config:
    return resolve({"space": SPACE, "algorithm": "surrogate", "objectives": [{"metric": "macs"}]})


WEIGHT = np.linspace(1.0, 0.2, 9)


def cost(choices: Choices) -> np.ndarray:
    """The further back an option stands, the cheaper it is."""
    return WEIGHT[choices].sum(axis=1, keepdims=True)


def score(choices: Choices) -> np.ndarray:
    """Cost pays, and twice in every second block."""
    worth = np.where(np.arange(choices.shape[1]) % 2, 2.0, 0.2)
    return 0.2 + 0.5 * (WEIGHT[choices] * worth).sum(axis=1) / worth.sum()


def searched(config: Config, rounds: int, seed: int = 0) -> Surrogate:
    found = start(config)
    for number in range(rounds):
        asked = found.ask(10, np.random.default_rng([seed, number]))
        assert asked.shape == (10, len(SPACES[SPACE].decisions))
        found = found.tell(asked, score(asked), cost(asked))
    return found


def test_the_equally_narrow_networks_come_first_and_nothing_is_asked_twice(config: Config) -> None:
    first = start(config).ask(10, np.random.default_rng(0))
    lines = alike(SPACES[SPACE].mask)
    assert {tuple(row) for row in lines.tolist()} <= {tuple(row) for row in first.tolist()}
    found = searched(config, 8)
    learnt = found.choices[FIRST:]
    assert len({tuple(row) for row in learnt.tolist()}) == len(learnt)


def test_after_its_first_look_it_finds_better_networks_at_every_cost_than_chance(
    config: Config,
) -> None:
    found = searched(config, 12)
    learnt = found.choices[FIRST:]
    rng = np.random.default_rng(1)
    chance = np.stack([sample(SPACES[SPACE], rng) for _ in range(400)])
    slope, begin = np.polyfit(cost(chance)[:, 0], score(chance), 1)
    above = score(learnt) - (begin + slope * cost(learnt)[:, 0])
    assert np.mean(above) > 1.5 * np.std(score(chance) - (begin + slope * cost(chance)[:, 0]))
    assert np.ptp(cost(learnt)) > 1.5 * np.ptp(cost(chance))


def test_a_checkpoint_holds_all_that_it_knows(config: Config) -> None:
    found = searched(config, 5)
    again = start(config).with_arrays(found.to_arrays())
    rng = [np.random.default_rng(9) for _ in range(2)]
    assert np.array_equal(found.ask(10, rng[0]), again.ask(10, rng[1]))


def test_other_weights_make_it_forget(config: Config) -> None:
    found = searched(config, 5)
    assert not len(found.next_stage(np.random.default_rng(0)).choices)


def test_around_bins_keeps_what_was_evaluated_and_reaches_both_ends(config: Config) -> None:
    rng = np.random.default_rng(3)
    mask = SPACES[SPACE].mask
    seen = np.stack([sample(SPACES[SPACE], rng) for _ in range(60)])
    model = fit(seen, score(seen), np.arange(60) // 10)
    ends = cost(alike(mask))[:, 0]
    bins = Bins(cost=cost, bounds=[(float(ends.min()), float(ends.max()))], count=8)
    found = around_bins(model, seen, bins, mask)
    assert {tuple(row) for row in seen.tolist()} <= {tuple(row) for row in found.tolist()}
    best = found[best_rows(model, found, bins, 1)]
    assert len(best) == 8
    inside = np.linspace(np.log(ends.min()), np.log(ends.max()), 9)
    numbers = np.searchsorted(inside, np.log(np.sort(cost(best)[:, 0])), side="right")
    assert len(set(np.clip(numbers, 1, 8).tolist())) == 8


def test_without_a_cost_it_looks_for_the_best_of_all() -> None:
    found = start(resolve({"space": SPACE, "algorithm": "surrogate"}))
    for number in range(8):
        asked = found.ask(10, np.random.default_rng(number))
        found = found.tell(asked, score(asked), np.zeros((10, 0)))
    assert score(found.choices[FIRST:]).mean() > score(found.choices[:FIRST]).max() - 0.02
