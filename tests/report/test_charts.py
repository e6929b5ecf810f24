"""Charts are specifications that Vega-Lite accepts, with the better side named on every axis."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import vl_convert

from hwnas.report import charts, theme, timelines
from hwnas.report.load import CostAxis, EvaluatedFront, load_run
from hwnas.report.policies import lines
from hwnas.runs.summary import Accuracy, Cost, Member
from hwnas.space.published import PUBLISHED
from hwnas.space.space import SPACES

PARAMS = CostAxis(name="params", unit="parameters", provenance="counted")


def network(key: str, accuracy: float, cost: float) -> Member:
    genotype = PUBLISHED["DARTS_V2"]
    return Member(
        key=key,
        genotype=genotype.to_dict(),
        text="",
        channels=4,
        cells=3,
        accuracy=Accuracy(value=accuracy, provenance="trained (test)"),
        costs={"params": Cost(value=cost, unit="parameters", provenance="counted")},
    )


def scored(costs: list[float], accuracies: list[float]) -> EvaluatedFront:
    members = tuple(
        network(str(number), accuracy, cost)
        for number, (cost, accuracy) in enumerate(zip(costs, accuracies, strict=True))
    )
    labels = frozenset(member.label for member in members)
    return EvaluatedFront(provenance="trained (test)", members=members, front=labels, knee=None)


def stairs(costs: list[float], accuracies: list[float]) -> list[float]:
    spec = charts.front(scored(costs, accuracies), PARAMS)
    return [row["cost"] for row in spec["layer"][0]["data"]["values"]]


def test_the_staircase_only_climbs() -> None:
    # The third is beaten by the second: kept within its interval, or for another cost, but no
    # corner.
    assert stairs([1.0, 2.0, 3.0, 4.0], [0.5, 0.8, 0.7, 0.9]) == [1.0, 2.0, 4.0]


def test_an_axis_is_logarithmic_where_costs_differ_much() -> None:
    for largest, kind in ((7.0, None), (9.0, "log")):
        spec = charts.front(scored([1.0, largest], [0.5, 0.6]), PARAMS)
        assert spec["layer"][0]["encoding"]["x"]["scale"].get("type") == kind


def with_target(limit: float, met: set[str]) -> EvaluatedFront:
    found = scored([10.0, 20.0, 30.0], [0.5, 0.6, 0.7])
    return replace(found, knee="0", targets={"params": limit}, within=frozenset(met))


def test_a_target_is_a_line_and_what_is_over_it_is_hollow() -> None:
    spec = charts.front(with_target(15.0, {"0"}), PARAMS)
    assert [one["data"]["values"] for one in spec["layer"][:4]] == [[{"cost": 15.0}]] * 4
    shade, rule, inside, named = (one["mark"] for one in spec["layer"][:4])
    assert (shade["type"], rule["type"]) == ("rect", "rule")
    assert (inside["text"], named["text"]) == ("within", "target 15")
    rows = next(one["data"]["values"] for one in spec["layer"] if "fill" in one["encoding"])
    assert {row["name"]: row["over"] for row in rows} == {"0": False, "1": True, "2": True}
    assert '"text": "knee"' in json.dumps(spec)
    assert vl_convert.vegalite_to_vega(spec | {"width": 400})["marks"]


def test_a_target_that_nothing_meets_marks_the_nearest() -> None:
    spec = charts.front(with_target(8.0, set()), PARAMS)
    assert "nearest to the target" in json.dumps(spec)


def test_a_target_far_away_is_said_and_does_not_squeeze_the_networks() -> None:
    for limit, said, side in ((1.0, "1", "left"), (1e6, "1M", "right")):
        spec = charts.front(with_target(limit, set()), PARAMS)
        words = spec["layer"][0]["encoding"]["x"]["title"]
        assert f"target {said} lies {side} of all" in words
        assert "strokeDash" not in json.dumps(spec)


def test_the_chart_of_another_cost_has_no_line_but_hollow_points() -> None:
    found = replace(with_target(15.0, {"0"}), targets={"macs": 5.0})
    spec = charts.front(found, PARAMS)
    assert "strokeDash" not in json.dumps(spec) and "datum.over" in json.dumps(spec)


def test_every_chart_compiles_and_says_which_way_is_better(searched: Path) -> None:
    data = load_run(searched)
    space = SPACES[data.run.config.space]
    front = charts.front(data.fronts[0], data.costs[0], data.summary.baseline.random)
    assert "less is better" in json.dumps(front) and "higher is better" in json.dumps(front)
    for spec in (
        front,
        timelines.volume([data]),
        timelines.over_epochs(lines(data)["entropy"], "nats"),
        timelines.evolution(space),
        timelines.probabilities(space),
    ):
        assert vl_convert.vegalite_to_vega(spec | {"width": 400})["marks"]


def test_every_operation_of_every_space_has_a_colour_of_its_own() -> None:
    for space in SPACES.values():
        colours = theme.operation_colours(space)
        assert len(set(colours.values())) == len(colours)
