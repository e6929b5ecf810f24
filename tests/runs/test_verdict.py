"""Whether a search paid: the member that it would give for a baseline's cost, on the same test
images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwnas.cli.show import front_table
from hwnas.runs.baselines import MeasuredTogether, read_baselines, write_together
from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import Run
from hwnas.runs.summary import Cost, read_front
from hwnas.runs.training_record import read_records
from hwnas.runs.verdict import verdict_of, with_verdict
from profilers.errors import InputError
from tests.runs.made import IMAGES, finished_run, trained


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return finished_run(tmp_path / "run")


def baseline(run: Run, params: float, count: int, name: str = "plain", **more: Any) -> None:
    cost = Cost(value=params, unit="parameters", provenance="counted")
    costs = {"params": cost, "macs": Cost(value=1000, unit="MAC", provenance="counted")}
    trained(run, "baselines", 0, count, name=name, title=name.title(), costs=costs, **more)


def params(run: Run) -> list[float]:
    return [member.costs["params"].value for member in read_front(run).front]


def outcome(run: Run) -> str:
    return verdict_of(run, read_front(run)).outcome


def test_before_baselines_are_trained_the_line_says_what_to_type(run: Run) -> None:
    verdict = verdict_of(run, read_front(run))
    assert verdict.outcome == "unknown" and verdict.comparisons == []
    assert verdict.line.endswith(f"hwnas train {run.path} --baselines")
    assert read_baselines(run) == []


@pytest.mark.parametrize(
    ("member", "other", "expected", "words"),
    [
        # 20 of 20 images that only one got right: the exact test is sure.
        (
            90,
            70,
            "paid",
            "The search paid: at the parameters of Plain the front ({}) is 20.0 points",
        ),
        (
            70,
            90,
            "did not pay",
            "The search did not pay here: beside Plain the front ({}) is, at its",
        ),
        (
            80,
            77,
            "open",
            "No difference can be told: beside Plain the front ({}) is, at its parameters",
        ),
    ],
)
def test_the_verdict_is_that_of_the_images_that_only_one_got_right(
    run: Run, member: int, other: int, expected: str, words: str
) -> None:
    trained(run, "models", 2, member)
    baseline(run, params(run)[2] + 1, other)
    verdict = verdict_of(run, read_front(run))
    (one,) = verdict.comparisons
    assert verdict.outcome == expected
    assert verdict.line.startswith(words.format(one.member))
    assert one.member == read_front(run).front[2].key and one.paired and one.within
    assert one.difference == pytest.approx((member - other) / IMAGES)
    # The baseline is no member of the run.
    assert len(read_records(run)) == 1


def test_the_member_costs_no_more_and_is_the_one_that_the_search_held_for_best(run: Run) -> None:
    # By shared weights the third is best, but it costs more than this baseline.
    for number in range(3):
        trained(run, "models", number, (95, 80, 99)[number])
    baseline(run, params(run)[1], 50)
    (one,) = verdict_of(run, read_front(run)).comparisons
    # The first reached more after training; the test images choose nothing.
    assert one.member == read_front(run).front[1].key and one.difference == pytest.approx(0.3)


def test_where_no_member_is_as_cheap_nothing_was_gained_for_certain(run: Run) -> None:
    trained(run, "models", 0, 90)
    baseline(run, params(run)[0] - 1, 50)
    verdict = verdict_of(run, read_front(run))
    assert verdict.outcome == "open" and not verdict.comparisons[0].within
    assert "no network of the front is as cheap as Plain" in verdict.line


def test_the_verdict_is_about_the_baseline_nearest_to_the_knee(run: Run) -> None:
    for number in range(3):
        trained(run, "models", number, 80)
    # The knee is the second: from it on accuracy costs much more.
    baseline(run, params(run)[1] * 1.05, 40, "near")
    baseline(run, params(run)[2] * 30, 99, "far")
    verdict = verdict_of(run, read_front(run))
    assert [one.baseline for one in verdict.comparisons] == ["near", "far"]
    assert verdict.outcome == "paid"


def test_a_latency_that_was_measured_in_one_sitting_goes_before_the_objective(run: Run) -> None:
    trained(run, "models", 0, 80)
    trained(run, "models", 1, 80)
    trained(run, "models", 2, 80)
    baseline(run, 1e9, 50)
    keys = [member.key for member in read_front(run).front]
    times = dict(zip([*keys, "plain"], (1.0, 3.0, 4.0, 2.0), strict=True))
    costs = {
        name: {"latency": Cost(value=ms, unit="ms", provenance="measured")}
        for name, ms in times.items()
    }
    write_together(run, MeasuredTogether(costs=costs))
    (one,) = verdict_of(run, read_front(run)).comparisons
    assert (one.metric, one.member, one.cost_ratio) == ("latency", keys[0], 0.5)
    # What is shown, and chosen by, is of the same sitting.
    shown = with_verdict(run, read_front(run))
    assert [member.costs["latency"].value for member in shown.front] == [1.0, 3.0, 4.0]
    predictions = [member.costs["latency"].predicted for member in read_front(run).front]
    assert [member.costs["latency"].predicted for member in shown.front] == predictions
    chosen = choose(run, Choice(every=True, within=("latency=3ms",)))
    assert [member.key for member in chosen.members] == keys[:2]


def test_what_an_earlier_version_trained_is_compared_without_its_images(run: Run) -> None:
    trained(run, "models", 2, 80, right=None, test_images=None)
    baseline(run, params(run)[2], 77)
    (one,) = verdict_of(run, read_front(run)).comparisons
    assert not one.paired and one.low < one.difference < one.high


def test_members_and_baselines_stand_in_what_show_prints(run: Run) -> None:
    trained(run, "models", 2, 90)
    baseline(run, params(run)[2], 70)
    shown = with_verdict(run, read_front(run))
    assert [member.title for member in shown.baselines] == ["Plain"]
    assert shown.verdict is not None and shown.verdict.outcome == "paid"
    assert shown.front[2].trained is not None


def test_images_that_do_not_fit_the_record_are_refused(run: Run) -> None:
    trained(run, "models", 2, 90)
    baseline(run, params(run)[2], 70)
    path = run.path / "baselines" / "plain" / "training.json"
    path.write_text(path.read_text().replace('"test_images": 100', '"test_images": 90'))
    with pytest.raises(InputError, match="right"):
        verdict_of(run, read_front(run))


def test_a_baseline_that_is_a_member_of_the_front_is_not_compared_with_itself(run: Run) -> None:
    front = read_front(run).front
    last = len(front) - 1
    for number in range(len(front)):
        trained(run, "models", number, 50)
    trained(run, "baselines", last, 50, name="same", title="Same", costs=dict(front[last].costs))
    (found,) = verdict_of(run, read_front(run)).comparisons
    assert found.member != front[last].key


def test_what_latencies_were_asked_for_in_stands_in_what_show_prints(run: Run) -> None:
    assert with_verdict(run, read_front(run)).runtime is None
    asked = run.config.model_copy(update={"backend": "openvino", "precision": "int8"})
    found = with_verdict(Run(path=run.path, config=asked), read_front(run))
    assert found.runtime == "openvino int8"
    headers = [str(column.header) for column in front_table(found, None).columns]
    (header,) = (one for one in headers if one.startswith("latency"))
    assert header.endswith(", openvino int8")


@pytest.mark.parametrize(
    ("counts", "epochs", "expected", "words"),
    [
        (
            (90, 70),
            (33, 2),
            "open",
            "Plain was trained for 2 epochs, the front ({}) for 33 epochs.",
        ),
        ((70, 90), (1, 33), "open", "Plain was trained for 33 epochs, the front ({}) for 1 epoch."),
        # Whoever is ahead after fewer epochs is ahead all the same.
        ((90, 70), (3, 9), "paid", "{} was trained for 3 epochs, Plain for 9 epochs."),
        ((70, 90), (9, 3), "did not pay", "{} was trained for 9 epochs, Plain for 3 epochs."),
        ((80, 77), (9, 3), "open", "No difference can be told: beside Plain the front ({})"),
    ],
)
def test_nothing_is_better_than_what_was_trained_for_fewer_epochs(
    run: Run, counts: tuple[int, int], epochs: tuple[int, int], expected: str, words: str
) -> None:
    trained(run, "models", 2, counts[0], epochs=epochs[0])
    baseline(run, params(run)[2] + 1, counts[1], epochs=epochs[1])
    verdict = verdict_of(run, read_front(run))
    (one,) = verdict.comparisons
    assert verdict.outcome == expected
    assert (one.member_epochs, one.baseline_epochs) == epochs
    assert words.format(one.member) in verdict.line
    unfair = expected == "open" and counts != (80, 77)
    assert verdict.line.endswith("Train both alike: --epochs 33.") == unfair


def test_a_difference_of_nothing_has_no_sign(run: Run) -> None:
    trained(run, "models", 2, 80)
    baseline(run, params(run)[2] + 1, 80)
    line = verdict_of(run, read_front(run)).line
    assert "0.0 points better (-3.7 to 3.7)" in line and "-0.0" not in line
