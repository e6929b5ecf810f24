"""The small chart under a running search."""

from __future__ import annotations

import json
from pathlib import Path

from hwnas.cli.chart import chart, follow, front


def test_the_front_is_what_nothing_cheaper_beats() -> None:
    assert front([(3.0, 0.5), (1.0, 0.4), (2.0, 0.6), (1.0, 0.3)]) == [(1.0, 0.4), (2.0, 0.6)]


def test_the_chart_has_its_corners_where_they_belong() -> None:
    lines = chart(
        [(10.0, 0.5), (20.0, 0.9), (20.0, 0.5)], "params", width=11, height=3
    ).splitlines()
    assert lines[0] == " 90.0% \u2502          \u25cf"
    assert lines[2] == " 50.0% \u2502\u25cf         \u00b7"
    assert lines[-2].split() == ["10", "20"] and lines[-1].strip() == "params"
    assert chart([], "params") == ""
    assert "\u25cf" in chart([(5.0, 0.5)], "params")


def test_only_what_is_new_is_read_and_a_new_stage_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "trials.jsonl"
    dots = follow(file, None)
    assert dots() == []

    def write(stage: int, cost: float, mode: str = "a") -> None:
        with open(file, mode) as out:
            out.write(
                json.dumps({"stage": stage, "accuracy": 0.5, "costs": {"params": cost}}) + "\n"
            )

    write(0, 1.0)
    write(0, 2.0)
    assert dots() == [(1.0, 0.5), (2.0, 0.5)]
    with open(file, "a") as out:
        out.write('{"stage": 1')  # a line that is being written
    assert len(dots()) == 2
    write(0, 7.0, "w")  # shorter: the search went back
    assert dots() == [(7.0, 0.5)]
    write(1, 8.0)
    assert dots() == [(8.0, 0.5)]
