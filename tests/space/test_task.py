"""A task says how a network ends, what it can score, and how sure a score is, without torch."""

from __future__ import annotations

import math
import pickle

import pytest

from hwnas.space.task import Task, wilson


def test_wilsons_interval_holds_the_share_and_stays_within_0_and_1() -> None:
    low, high = wilson(0.5, 100)
    # At one half the interval is symmetric, of half width z sqrt(1/4n + z^2/4n^2) / (1 + z^2/n).
    half = 1.96 * math.sqrt(0.25 / 100 + 1.96**2 / (4 * 100**2)) / (1 + 1.96**2 / 100)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))
    assert wilson(1.0, 50)[1] == 1.0 and 0.9 < wilson(1.0, 50)[0] < 1.0
    assert wilson(0.0, 50)[0] == 0.0


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_a_guess_is_right_once_in_as_many_images_as_there_are_classes(classes: int) -> None:
    task = Task(classes=classes, image=(3, 8, 8))
    assert task.score_range == (pytest.approx(1 / classes), 1.0)
    assert task.interval(0.5, 100) == wilson(0.5, 100)


def test_its_head_has_a_row_of_weights_and_a_bias_for_each_class() -> None:
    pool, linear = Task(classes=7, image=(3, 8, 8)).head(12, (4, 4))
    assert (pool.kind, linear.kind) == ("global_pool", "linear")
    assert linear.params == 7 * 12 + 7


def test_it_travels_to_another_process() -> None:
    task = Task(classes=3, image=(1, 8, 8))
    assert pickle.loads(pickle.dumps(task)) == task
