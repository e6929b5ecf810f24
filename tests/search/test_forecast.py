"""A forecast counts evaluations exactly, and its seconds follow from the epochs that were
rehearsed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hwnas.config import with_epochs
from hwnas.search import rehearsal
from hwnas.search.advice import advise
from hwnas.search.forecast import Rates, forecast, rest_words, within
from hwnas.search.plan import SearchPlan, plan
from hwnas.search.search import search, summary
from profilers.errors import InputError
from tests.search import tiny

RATES = Rates(frozen=(1.0, 0.0), learning=(3.0, 4.0), spread=(0.1, 0.1), scoring=5.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.images(tmp_path_factory.mktemp("data") / "tiny.npz")


@pytest.fixture(scope="module")
def planned(data: Path) -> SearchPlan:
    return plan(tiny.config(data))


def test_seconds_are_those_of_the_epochs(planned: SearchPlan) -> None:
    found = forecast(planned, planned.config, (RATES, RATES, 100.0))
    # Stage 1: one frozen epoch and one that learns; stage 2: two that learn; then the scoring.
    assert [stage.seconds for stage in found.stages] == [1.0 + 3.0, 2 * 4.0]
    assert found.seconds == found.cpu_seconds == 4.0 + 8.0 + 5.0
    assert found.low < found.seconds < found.high


@pytest.mark.slow
def test_evaluations_are_counted_and_a_rehearsal_leaves_nothing_behind(
    planned: SearchPlan, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    advice = advise(planned)
    config, found = advice.config, advice.forecast
    assert config == planned.config and list(tmp_path.iterdir()) == []
    assert found.seconds > 0 and found.memory_mib > 10
    assert found.evaluations == summary(search(planned.config, tmp_path / "run"))["evaluations"]


def test_a_budget_takes_the_most_epochs_whose_upper_bound_fits(planned: SearchPlan) -> None:
    rates = (RATES, RATES, 100.0)
    config = within(planned, rates, 60.0)
    epochs = config.stages[0].epochs
    more = tiny.config(Path(planned.config.data.source))
    assert forecast(planned, config, rates).high <= 60.0
    stages = [{**stage.model_dump(), "epochs": epochs + 1} for stage in more.stages]
    longer = tiny.config(Path(planned.config.data.source), stages=stages)
    assert forecast(planned, longer, rates).high > 60.0


def test_a_budget_too_small_for_one_epoch_is_refused(planned: SearchPlan) -> None:
    config = with_epochs(planned.config, 1)
    least = forecast(planned, config, (RATES, RATES, 100.0))
    with pytest.raises(InputError) as refused:
        within(planned, (RATES, RATES, 100.0), 1.0)
    # The middle and the upper end are told apart: parts are of the middle.
    assert str(refused.value) == (
        f"budget: 1 s are too few. One epoch of each stage takes about {least.seconds:,.0f} s in"
        f" all{rest_words(least)}, and may take up to {least.high:,.0f} s"
    )


def test_what_most_of_a_budget_goes_to_is_said_where_it_is_no_stage(planned: SearchPlan) -> None:
    plain = forecast(planned, planned.config, (RATES, RATES, 100.0))
    assert rest_words(plain) == ""
    more = replace(plain, tuning_seconds=400.0, seconds=plain.seconds + 400.0)
    assert rest_words(more) == " (of these, 400 s train its front afterwards)"
    both = replace(more, measuring_seconds=100.0)
    words = " (of these, 100 s measure its finalists and 400 s train its front afterwards)"
    assert rest_words(both) == words


def test_a_long_epoch_is_the_line_through_two_short_ones() -> None:
    # The end of an epoch takes 2 s, a step 0.5 s.
    short, long = (
        replace(RATES, frozen=(2 + n / 2,), learning=(2 + n / 2,), spread=(0.0,)) for n in (6, 18)
    )
    found = rehearsal._extended([short, long], [6, 18], 400)
    assert found.learning == pytest.approx((2 + 400 / 2,))


def test_the_first_epoch_of_a_stage_warms_up_and_is_left_out(planned: SearchPlan) -> None:
    config = rehearsal._shortened(planned.config)
    # Stage 1: warm, frozen 2 s, learning 3 s and 5 s. Stage 2: warm, learning 4 s twice.
    marks = [10.0, 12.0, 15.0, 20.0, 90.0, 94.0, 98.0]
    found = rehearsal._rates(config, 0.0, marks, 0.0)
    assert found.frozen == (2.0, 0.0) and found.learning == (4.0, 4.0)
    assert found.spread == pytest.approx((0.5, 0.0))
