"""NSGA-II on costs that are known: it keeps the front and finds better genotypes than it began
with."""

from __future__ import annotations

import numpy as np

from hwnas.config import resolve
from hwnas.search.algorithms import nsga2
from hwnas.search.algorithms.archive import Archive, by_rank
from hwnas.space import SPACES


def test_survivors_are_the_front_first_and_its_ends_before_its_middle() -> None:
    # Rows 0, 1, 2, 4 are not dominated; 3 is dominated by 1.
    values = np.array([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0], [2.0, 2.0], [0.9, 1.2]])
    assert set(nsga2.survivors(values, 4)) == {0, 1, 2, 4}
    assert set(nsga2.survivors(values, 2)) == {0, 2}
    assert nsga2.survivors(values, 9)[-1] == 3


def test_evolution_finds_better_fronts_than_its_first_population() -> None:
    config = resolve(
        {"algorithm": "nsga2", "space": "nasbench201", "objectives": [{"metric": "params"}]}
    )
    searcher, rng = nsga2.start(config), np.random.default_rng(0)

    def evaluate(choices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy: share of conv3x3 (3); cost: share of conv1x1 (2): the best is all conv3x3,
        by construction."""
        return (choices == 3).mean(axis=1), (choices == 2).mean(axis=1)[:, None] + 1.0

    first = 0.0
    for step in range(40):
        asked = searcher.ask(10, rng)
        assert asked.shape == (10, len(SPACES["nasbench201"].slots))
        searcher = searcher.tell(asked, *evaluate(asked))
        if step == 3:
            first = -searcher.values[:, 0].min()
    assert len(searcher.population) == nsga2.POPULATION
    assert -searcher.values[:, 0].min() > first


def test_a_new_stage_evaluates_the_old_population_again() -> None:
    config = resolve(
        {"algorithm": "nsga2", "space": "nasbench201", "objectives": [{"metric": "params"}]}
    )
    searcher, rng = nsga2.start(config), np.random.default_rng(0)
    for _ in range(4):
        asked = searcher.ask(10, rng)
        searcher = searcher.tell(asked, rng.random(10), rng.random((10, 1)))
    old, searcher = searcher.population, searcher.next_stage(rng)
    again = [searcher.ask(10, rng)]
    while len(again) < 4:
        searcher = searcher.tell(again[-1], rng.random(10), rng.random((10, 1)))
        again.append(searcher.ask(10, rng))
    np.testing.assert_array_equal(np.concatenate(again), old)


def test_the_best_of_an_archive_come_rank_by_rank() -> None:
    archive = Archive(
        choices=np.arange(4)[:, None],
        accuracy=np.array([0.5, 0.9, 0.4, 0.7]),
        costs=np.array([[1.0], [3.0], [2.0], [2.0]]),
        seen=np.ones(4, int),
    )
    # 0, 1, 3 are the front; 2 is dominated by 0.
    assert by_rank(archive, 3)[:, 0].tolist() == [0, 1, 3]
    assert by_rank(archive, 9)[:, 0].tolist() == [0, 1, 3, 2]
