"""hwnas.search.finalists.cover: who stays on a front that covers the costs."""

from __future__ import annotations

import math

import numpy as np

from hwnas.search.finalists.cover import ERRORS, ScoredToChoose, front_rows
from hwnas.search.finalists.scored import Scored

IMAGES = 200


def kept(shares: list[int], costs: list[float], width: float = 0.0) -> list[int]:
    """Rows of the front of networks that get the first so many images right."""
    paid = np.array(costs)[:, None]
    choices = np.arange(len(costs))[:, None]
    accuracy = np.array(shares) / IMAGES
    scored = Scored(
        choices=choices,
        accuracy=accuracy,
        predicted=paid,
        costs=paid,
        low=paid * (1 - width),
        high=paid * (1 + width),
        outcomes={},
    )
    right = (np.arange(IMAGES) < np.array(shares)[:, None]).astype(float)
    return front_rows(ScoredToChoose(choices=choices, right=right), scored, 1)


def test_a_network_that_a_cheaper_one_may_be_as_good_as_stays() -> None:
    assert kept([150, 149, 160], [1.0, 4.0, 16.0]) == [0, 1, 2]


def test_a_network_that_a_cheaper_one_is_surely_better_than_goes() -> None:
    # k images of n that only the cheaper one gets right are sqrt(k / (1 - k / n)) standard errors.
    for lost in (8, 9):
        surely = math.sqrt(lost / (1 - lost / IMAGES)) > ERRORS
        rows = kept([150, 150 - lost, 160], [1.0, 4.0, 16.0])
        assert rows == ([0, 2] if surely else [0, 1, 2]) and surely == (lost == 9)


def test_of_two_that_cost_the_same_the_better_stays() -> None:
    assert kept([150, 151, 160], [4.0, 4.01, 16.0]) == [1, 2]
    assert kept([151, 150, 160], [4.0, 4.01, 16.0]) == [0, 2]


def test_costs_that_may_be_the_same_beat_nobody() -> None:
    assert kept([150, 140, 160], [3.0, 4.0, 16.0], width=0.2) == [0, 1, 2]
    assert kept([150, 140, 160], [3.0, 4.0, 16.0], width=0.1) == [0, 2]


def test_what_could_not_be_measured_is_not_on_the_front() -> None:
    assert kept([150, 155, 160], [1.0, float("nan"), 16.0]) == [0, 2]


def test_rows_come_by_rising_cost() -> None:
    assert kept([160, 150, 155], [16.0, 1.0, 4.0]) == [1, 2, 0]
