"""Which networks of a run are meant: keys, all, or one by limits and a preference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwnas.errors import Stopped
from hwnas.runs.choice import Choice, Pool, choose, knee_of_run
from hwnas.runs.directory import Run
from hwnas.runs.models import write_trained
from hwnas.runs.summary import read_front
from profilers.errors import InputError
from tests.runs.made import finished_run, limited, trained_record

ALL, KNEE = Choice(every=True), Choice()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Three members by rising parameters, accuracies 0.5, 0.8 and 0.82, and a dominated one."""
    return finished_run(tmp_path / "run")


def keys(run: Run) -> list[str]:
    return [member.key for member in read_front(run).front]


def params(run: Run) -> list[float]:
    return [member.costs["params"].value for member in read_front(run).front]


def labels(run: Run, choice: Choice, pool: Pool = "front") -> list[str]:
    return [member.label for member in choose(run, choice, pool).members]


def notes(run: Run, choice: Choice, pool: Pool = "front") -> str:
    return "\n".join(choose(run, choice, pool).notes)


def test_all_means_the_front_and_a_key_may_be_a_dominated_one(run: Run) -> None:
    dominated = read_front(run).dominated[0].key
    assert labels(run, ALL) == keys(run)
    wanted = (dominated, keys(run)[0], dominated)
    assert labels(run, Choice(names=wanted)) == list(wanted[:2])


def test_all_takes_what_synflow_helped_to_choose_too(run: Run) -> None:
    found = json.loads(run.front_path.read_text())
    dominated = found["dominated"][0]["key"]
    run.front_path.write_text(json.dumps({**found, "believed": [keys(run)[0], dominated]}))
    assert labels(run, ALL) == [*keys(run), dominated]


def test_a_mistyped_key_is_answered_with_the_front_and_the_nearest_of_all(run: Run) -> None:
    dominated = read_front(run).dominated[0].key
    with pytest.raises(InputError) as error:
        choose(run, Choice(names=("zzzzzz",)))
    assert all(key in str(error.value) for key in keys(run)) and dominated not in str(error.value)
    with pytest.raises(InputError, match=f"did you mean '{dominated}'"):
        choose(run, Choice(names=(dominated[:-1],)))


def test_nothing_said_means_the_knee(run: Run) -> None:
    """By hand: the middle one has nearly the best accuracy at nearly the lowest cost."""
    assert labels(run, KNEE) == [keys(run)[1]] == [knee_of_run(run, "either").label]


def test_without_a_cost_the_knee_is_the_best(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", ())
    assert labels(run, KNEE) == keys(run)


def test_an_empty_front_has_no_knee(run: Run) -> None:
    found = json.loads(run.front_path.read_text())
    run.front_path.write_text(json.dumps({**found, "front": []}))
    assert knee_of_run(run, "front").label is None
    for choice in (ALL, KNEE):
        with pytest.raises(InputError, match="its front is empty"):
            choose(run, choice)


def test_a_preference_takes_the_end_of_what_is_within(run: Run) -> None:
    small, middle, large = keys(run)
    assert labels(run, Choice(prefer="accuracy")) == [large]
    assert labels(run, Choice(prefer="params")) == [small]
    limit = f"params={params(run)[1]:.0f}"
    assert labels(run, Choice(prefer="accuracy", within=(limit,))) == [middle]
    assert labels(run, Choice(every=True, within=(limit,))) == [small, middle]


def test_several_limits_hold_at_once_and_of_two_on_one_cost_the_lower(run: Run) -> None:
    low, middle, high = params(run)
    loose, tight = f"params={high:.0f}", f"params={low:.0f}"
    assert labels(run, Choice(every=True, within=(loose, tight))) == keys(run)[:1]
    assert labels(run, Choice(every=True, within=(loose, "latency=1500us"))) == keys(run)
    with pytest.raises(Stopped, match=r"latency 1.4 ms; .* with latency 1.5 ms \(0.1 ms over"):
        choose(run, Choice(within=(loose, "latency=1.4ms")))
    # An amount alone is of the one objective.
    assert labels(run, Choice(within=(f"{middle:.0f}",), prefer="accuracy")) == [keys(run)[1]]


def test_where_nothing_is_within_a_line_says_which_misses_by_least(run: Run) -> None:
    low = params(run)[0]
    for choice in (KNEE, ALL, Choice(prefer="accuracy")):
        with pytest.raises(Stopped) as stop:
            choose(run, Choice(**{**vars(choice), "within": (f"params={low - 100:.0f}",)}))
        share = 100 * (low / (low - 100) - 1)
        assert str(stop.value).endswith(
            f"is within params {low - 100:,.0f}; {keys(run)[0]} misses by least, with params"
            f" {low:,.0f} (100 over, {share:.3g} %)"
        )


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(within=("memory=1MiB",)), "'memory' is no cost of this run"),
        (Choice(within=("latenc=1ms",)), "did you mean 'latency'"),
        (Choice(within=("latency=1",)), "--within latency: '1' has no unit, write 1ms"),
        (Choice(within=("latency=1KiB",)), "not in ms"),
        (Choice(within=("params=",)), "not an amount"),
        (Choice(within=("accuracy=0.9",)), "'accuracy' is no cost"),
        (Choice(prefer="latncy"), "did you mean 'latency'"),
    ],
)
def test_a_limit_or_a_preference_of_what_the_run_has_not_is_refused(
    run: Run, choice: Choice, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        choose(run, choice)


def test_an_amount_alone_needs_a_run_with_one_objective(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", ("params", "macs"))
    with pytest.raises(InputError, match="say of which cost, such as params=40k"):
        choose(run, Choice(within=("40k",)))


def test_the_choice_respects_the_targets_of_the_run(run: Run) -> None:
    small, middle, _ = params(run)
    limited(run, params=small)
    assert labels(run, KNEE) == keys(run)[:1] and notes(run, KNEE) == ""
    limited(run, params=middle)
    assert labels(run, KNEE) == labels(run, Choice(prefer="accuracy")) == [keys(run)[1]]
    # What is said now takes the place of what the search was told.
    wide = Choice(prefer="accuracy", within=("params=1G",))
    assert labels(run, wide) == keys(run)[2:]


def test_a_line_says_that_no_member_meets_the_targets(run: Run) -> None:
    small = params(run)[0]
    limited(run, params=100)
    assert labels(run, KNEE) == keys(run)[:1]
    assert notes(run, KNEE) == (
        "no network of the front is within the target params 100: the nearest is taken,"
        f" {keys(run)[0]} with params {small:,.0f} ({small - 100:,.0f} over,"
        f" {100 * (small / 100 - 1):,.3g} %)"
    )
    limited(run, params=small, latency=1.0)
    assert "params" not in notes(run, KNEE).split(" with ")[1]


def test_a_dominated_finalist_is_looked_at_where_the_front_has_nothing_within(run: Run) -> None:
    found = json.loads(run.front_path.read_text())
    found["dominated"][0]["costs"]["latency"]["value"] = 0.5
    run.front_path.write_text(json.dumps(found))
    choice = Choice(within=("latency=1ms",))
    assert labels(run, choice) == [found["dominated"][0]["key"]]
    assert "finalists that the front dominates are looked at" in notes(run, choice)


def test_the_trained_knee_respects_the_targets_too(run: Run) -> None:
    small = trained_record(run, 0, 0.6)
    middle, large = trained_record(run, 1, 0.9), trained_record(run, 0, 0.95, 8)
    assert labels(run, KNEE, "trained") == [middle]
    limited(run, params=params(run)[0])
    assert labels(run, KNEE, "trained") == [small]
    marks = {member.name: member.within_target for member in write_trained(run).front}
    assert marks == {small: True, middle: False, large: False}
    limited(run, params=100)
    assert "no network of the front is within the target" in notes(run, KNEE, "trained")


def test_a_trained_network_whose_cost_is_not_known_is_neither_within_nor_over(
    tmp_path: Path,
) -> None:
    run = finished_run(tmp_path / "run", ("latency",))
    known, wide = trained_record(run, 0, 0.8), trained_record(run, 0, 0.9, 8)
    limited(run, latency=1.0)
    assert labels(run, KNEE, "trained") == [known]
    assert notes(run, KNEE, "trained").endswith(
        "latency is not known of every trained network, so its target is not looked at"
    )
    marks = {member.name: member.within_target for member in write_trained(run).dominated}
    marks |= {member.name: member.within_target for member in write_trained(run).front}
    assert marks == {known: False, wide: None}
    assert labels(run, Choice(within=("latency=2ms",), prefer="accuracy"), "trained") == [known]


def test_trained_networks_are_compared_with_trained_ones_alone(run: Run) -> None:
    """Trained, the smallest is the best of all; shared accuracies say the opposite."""
    best = Choice(prefer="accuracy")
    assert labels(run, best, "either") == keys(run)[2:]
    trained_record(run, 0, 0.95)
    for pool in ("either", "trained"):
        assert labels(run, best, pool) == keys(run)[:1]
        assert "2 networks of the front are not trained, and so not compared" in notes(
            run, best, pool
        )
    # What to train next is asked of all, by what is known of all.
    assert labels(run, best, "front") == keys(run)[2:]
    assert notes(run, best, "front") == (
        "1 of 3 networks are trained: all are compared by their shared accuracies"
    )
    for position in (1, 2):
        trained_record(run, position, 0.9)
    pools: tuple[Pool, ...] = ("front", "either", "trained")
    for pool in pools:
        assert labels(run, best, pool) == keys(run)[:1] and notes(run, best, pool) == ""


def test_what_is_not_trained_is_taken_where_only_it_is_within(run: Run) -> None:
    trained_record(run, 2, 0.99)
    choice = Choice(within=(f"params={params(run)[1]:.0f}",), prefer="accuracy")
    assert labels(run, choice, "either") == [keys(run)[1]]
    assert "no trained network is within" in notes(run, choice, "either")
    with pytest.raises(Stopped, match=f"{keys(run)[1]}, which is not trained, is within: hwnas"):
        choose(run, choice, "trained")
    # The targets of the run count as well, as long as anything meets them.
    limited(run, params=params(run)[0])
    assert labels(run, KNEE, "either") == keys(run)[:1]


def test_trained_networks_are_found_by_key_or_name(run: Run) -> None:
    small, large = trained_record(run, 0, 0.70), trained_record(run, 0, 0.95, 8)
    assert labels(run, Choice(names=(keys(run)[0],)), "trained") == [small, large]
    assert labels(run, Choice(names=(large,)), "trained") == [large]
    assert labels(run, Choice(names=(large, small)), "either") == [large, small]
    assert len(labels(run, ALL, "trained")) == 2 and labels(run, ALL, "either") == keys(run)


def test_what_is_not_trained_is_told_apart_from_what_is_unknown(run: Run) -> None:
    with pytest.raises(InputError, match="no network is trained yet: hwnas train"):
        choose(run, ALL, "trained")
    with pytest.raises(InputError, match=f"{keys(run)[1]} is not trained yet"):
        choose(run, Choice(names=(keys(run)[1],)), "trained")
    trained_record(run, 0, 0.7)
    with pytest.raises(InputError, match="no trained network is called 'nonsense'"):
        choose(run, Choice(names=("nonsense",)), "trained")
