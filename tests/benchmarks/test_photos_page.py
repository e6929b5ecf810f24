"""The page about photos says what its rows say, arms that are not there are left out, and no member is chosen by its
test accuracy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.photos_figure import spec
from benchmarks.photos_page import (
    arm_name,
    at_latency,
    bars,
    members,
    networks,
    read,
    tables,
)

Row = dict[str, Any]


def row(arm: str, seed: int, accuracy: float, of_stock: float, cpu_s: float, **more: Any) -> Row:
    found = {"arm": arm, "seed": seed, "network": arm, "test_accuracy": accuracy}
    return {**found, "of_stock": of_stock, "cpu_s": cpu_s, **more}


def invented(seed: int) -> list[Row]:
    """Accuracies in whole points, so that differences are seen by eye: the member at 0.36 is worth 85."""
    worth = {0.2: 0.80, 0.3: 0.83, 0.36: 0.85, 0.5: 0.86, 0.7: 0.87, 0.99: 0.88}
    front = [
        row("front", seed, test, share, 300.0, network=f"m{share}", shared_accuracy=test - 0.1)
        for share, test in worth.items()
    ]
    six = [
        row("six", seed, test - 0.01, share, 250.0, network=f"h{share}", beside=f"m{share}")
        | {"teacher_cpu_s": 500.0}
        for share, test in worth.items()
    ]
    return [
        row("stock3", seed, 0.84 + 0.01 * seed, 1.0, 100.0),
        row("third3", seed, 0.81, 0.37, 90.0),
        row("scratch8", seed, 0.57, 0.53, 200.0),
        *front,
        *six,
    ]


@pytest.fixture
def rows() -> list[Row]:
    return [*invented(0), *invented(1)]


def test_differences_are_paired_by_seed_and_judged_by_their_mean(rows: list[Row]) -> None:
    found = {line.split(" | ")[0].strip("| "): line for line in bars(rows).splitlines()[2:]}
    assert "| 6.0 ± 0.0 | yes |" in found["members from 0.2 to 1 of stock's latency"]
    assert "| 3.00 ± 0.00 | yes |" in next(line for name, line in found.items() if "three" in name)
    # 85 against 84 and 85: +1 and 0.
    at_two_fifths = next(
        line for name, line in found.items() if name.startswith("a member at 0.40")
    )
    assert "| +0.5 ± 0.5 | yes |" in at_two_fifths
    assert "| +4.0 ± 0.0 | yes |" in next(line for name, line in found.items() if "third" in name)
    assert "| +29.0 ± 0.0 | yes |" in next(
        line for name, line in found.items() if "scratch" in name
    )
    assert "| +1.0 ± 0.0 | yes |" in next(line for line in found.values() if "six members" in line)
    # 300 s of six times 250 s, and of these and 500 s for their teacher.
    assert "| 0.15 ± 0.00 | yes |" in next(line for line in found.values() if "those six" in line)
    assert "| 0.20 ± 0.00 | yes |" in next(line for line in found.values() if "had their" in line)


def test_a_bar_that_is_missed_is_said_to_be(rows: list[Row]) -> None:
    worse = [{**one, "test_accuracy": 0.82} if one["network"] == "m0.36" else one for one in rows]
    line = next(line for line in bars(worse).splitlines() if "third" in line)
    assert line.endswith("| +1.0 ± 0.0 | no |")


def test_a_member_is_chosen_by_what_the_search_knew(rows: list[Row]) -> None:
    lucky = [{**one, "test_accuracy": 0.99} if one["network"] == "m0.2" else one for one in rows]
    front = [one for one in lucky if one["arm"] == "front" and one["seed"] == 0]
    chosen = at_latency(front, 0.40)
    assert chosen is not None and chosen["network"] == "m0.36"
    assert at_latency(front, 0.1) is None


def test_arms_without_rows_are_left_out(rows: list[Row]) -> None:
    only = [one for one in rows if one["arm"] == "stock3"]
    assert tables(only) == networks(only)
    assert len(networks(only).splitlines()) == 3
    without = [one for one in rows if one["arm"] != "six"]
    assert "by hand" not in bars(without)
    assert len(members(without).splitlines()) == 2 + 12
    series = {p["series"] for one in spec(without)["layer"] for p in one["data"]["values"]}
    assert series == {
        "the search, seed 0",
        "the search, seed 1",
        "stock, 3 and 5 epochs",
        "uniform, 3 epochs",
    }


def test_what_lies_far_below_is_said_and_not_drawn(rows: list[Row]) -> None:
    found = spec(rows)
    title = found["layer"][0]["encoding"]["y"]["title"]
    assert "from scratch (8 epochs): 57.0 %, below" in title
    near = [one if one["arm"] != "scratch8" else {**one, "test_accuracy": 0.78} for one in rows]
    points = [p for one in spec(near)["layer"] for p in one["data"]["values"]]
    assert {p["accuracy"] for p in points if "scratch" in p["series"]} == {0.78}


def test_a_network_that_was_measured_twice_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    twice = [row("stock3", 0, 0.8, 1.0, 100.0), row("stock3", 0, 0.9, 1.0, 100.0)]
    path.write_text("".join(json.dumps(one) + "\n" for one in twice))
    assert [one["test_accuracy"] for one in read(path)] == [0.9]


def test_arms_have_names_in_words() -> None:
    assert arm_name("third8-soft") == "every block a third as wide, 8 epochs, the teacher's labels"
    assert arm_name("stock3") == "stock, 3 epochs"
