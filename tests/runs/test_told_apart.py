"""hwnas.runs.told_apart: which networks a paired test tells apart, and the letters of a table."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hwnas.runs.paired import paired_difference
from hwnas.runs.told_apart import alike_line, beaten, groups, letter, letters


@pytest.mark.parametrize("networks", [1, 2, 5, 12])
def test_a_pair_shares_a_group_exactly_where_no_paired_test_tells_it_apart(networks: int) -> None:
    rng = np.random.default_rng(networks)
    hard = rng.random(200)
    right = np.array(
        [0.5 * hard + 0.5 * rng.random(200) < share for share in np.linspace(0.5, 0.9, networks)]
    )
    found = groups(right)
    for one, other in combinations(range(networks), 2):
        together = any({one, other} <= set(group) for group in found)
        assert together == (paired_difference(right[one], right[other]).outcome == "open")
    assert set().union(*found) == set(range(networks))
    assert not any(set(one) < set(other) for one in found for other in found)


def test_equal_networks_are_one_group_and_different_ones_are_each_their_own() -> None:
    assert groups(np.ones((3, 50), dtype=bool)) == [[0, 1, 2]]
    apart = np.arange(60) < np.array([10, 30, 50])[:, None]
    assert groups(apart) == [[0], [1], [2]]


def test_networks_of_several_groups_have_a_letter_for_each() -> None:
    assert letters([["x", "y"], ["y", "z"]]) == {"x": "a", "y": "ab", "z": "b"}
    assert letters([]) == {}
    assert (letter(0), letter(25), letter(26)) == ("a", "z", "a1")


def test_the_line_says_which_images_chose_where_others_did() -> None:
    assert alike_line(480, 239).endswith("; the front was chosen on 239 other images")
    assert "chose" not in alike_line(480, None)


def test_a_network_is_beaten_by_a_cheaper_better_one_that_it_is_told_apart_from() -> None:
    accuracy = {"small": 0.9, "middle": 0.8, "large": 0.85, "alike": 0.89}
    costs = {"small": [1.0], "middle": [2.0], "large": [3.0], "alike": [4.0]}
    assert beaten(accuracy, costs, [["small", "alike"], ["middle", "large"]]) == {
        "middle": "small",
        "large": "small",
    }
    dearer = {**costs, "small": [5.0]}
    assert beaten(accuracy, dearer, [["small", "alike"], ["middle", "large"]]) == {}
