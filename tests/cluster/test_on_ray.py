"""On three nodes of Ray: a node is killed, a driver is killed, devices are shared; nothing is
lost or done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cluster import SCENARIOS, broken, overlaps


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_the_laws_of_a_cluster_hold_whatever_dies(name: str, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    row = SCENARIOS[name](tmp_path)
    assert broken(row) == [], row
    if name == "farm":
        assert (
            "no node offers device:cpu" in row["refused"]
            and "choices: board-a, board-b" in row["refused"]
        )


def test_overlaps_are_seen() -> None:
    assert overlaps([(0, 1), (1, 2), (5, 6)]) == 0
    assert overlaps([(1, 3), (0, 2), (2.5, 4)]) == 2


def test_a_row_that_breaks_a_law_or_shows_nothing_is_told() -> None:
    good = {"scenario": "farm", "measurements": 6, "once_each": True, "at_once_on_one_device": 0}
    assert broken({**good, "at_once_on_different_devices": 3}) == []
    assert broken({**good, "at_once_on_different_devices": 0, "at_once_on_one_device": 1}) == [
        "at_once_on_one_device: 1, not 0",
        "at_once_on_different_devices: 0, so nothing was shown",
    ]
