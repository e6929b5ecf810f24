"""Choosing a network in a precision."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.errors import Stopped
from hwnas.runs.choice import Choice
from hwnas.runs.directory import Run
from hwnas.runs.precision_choice import choose_point, taken_words
from hwnas.runs.precisions import keep_precisions
from profilers.errors import InputError
from tests.runs.made import finished_run, limited, trained_record
from tests.runs.points import point


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two trained networks in float32 and int8: the small one is quicker, int8 is quicker."""
    run = finished_run(tmp_path / "run")
    small, large = trained_record(run, 0, 0.5), trained_record(run, 1, 0.6)
    keep_precisions(
        run,
        [
            point(run, small, right=80, ms=1.0, size=2**20),
            point(run, small, "int8", right=79, ms=0.5, size=2**18),
            point(run, large, right=95, ms=3.0, size=2**22),
            point(run, large, "int8", right=93, ms=2.0, size=2**20),
        ],
    )
    return run


def taken(run: Run, precision: str, **choice: object) -> tuple[str, float]:
    """The format and latency of what is taken."""
    chosen = choose_point(run, Choice(**choice), precision)  # type: ignore[arg-type]
    assert chosen is not None and chosen.point.latency is not None
    return chosen.point.format, chosen.point.latency.value


def test_a_network_is_chosen_among_the_files_in_the_precision_that_is_asked_for(run: Run) -> None:
    assert taken(run, "int8", prefer="accuracy") == ("int8", 2.0)
    assert taken(run, "fp32", prefer="latency") == ("onnx", 1.0)


def test_any_precision_takes_the_best_of_all_files_within_limits(run: Run) -> None:
    assert taken(run, "any", prefer="accuracy") == ("onnx", 3.0)
    assert taken(run, "any", prefer="accuracy", within=("latency=2.5ms",)) == ("int8", 2.0)
    assert taken(run, "any", prefer="accuracy", within=("file=0.9MiB",)) == ("int8", 0.5)


def test_limits_that_no_file_meets_stop_with_the_one_that_misses_by_least(run: Run) -> None:
    with pytest.raises(Stopped, match=r"no file in int8 is within latency 0\.1 ms; .*-int8 misses"):
        choose_point(run, Choice(within=("latency=0.1ms",)), "int8")


def test_an_unknown_cost_is_refused_with_the_nearest(run: Run) -> None:
    with pytest.raises(InputError, match=r"'latenci'.*latency"):
        choose_point(run, Choice(prefer="latenci"), "int8")


def test_without_a_file_in_the_precision_nothing_is_chosen(run: Run) -> None:
    assert choose_point(run, Choice(), "fp16") is None


def test_trained_networks_that_were_not_exported_are_told_of(run: Run) -> None:
    trained_record(run, 2, 0.7)
    chosen = choose_point(run, Choice(), "int8")
    assert chosen is not None
    assert "1 trained network is not exported in int8, and so not compared" in chosen.notes[0]


def test_a_latency_target_that_the_search_only_predicted_is_not_asked_of_measured_files(
    run: Run,
) -> None:
    chosen = choose_point(limited(run, latency=0.4), Choice(), "int8")
    assert chosen is not None
    assert chosen.notes == (
        "the target of latency is of cpu, and the files were measured where they were exported: it"
        " is not looked at",
    )


def test_what_was_taken_is_said_with_its_figures(run: Run) -> None:
    chosen = choose_point(run, Choice(prefer="latency"), "int8")
    assert chosen is not None
    assert taken_words(chosen.point) == (
        f"{chosen.point.network} in int8 (onnxruntime): accuracy 0.7900 (validation), latency"
        " 0.5 ms (0.49 to 0.51), 256 KiB"
    )
