"""A front.json that is accepted can be shown, reported, trained and profiled: damage is found
when it is read."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hwnas.cli.show import print_summary
from hwnas.measuring.subjects import members
from hwnas.report import page as pages
from hwnas.report.devices import across
from hwnas.report.load import load_run
from hwnas.run_doctor import examine_run
from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import Run
from hwnas.runs.models import model_of
from hwnas.runs.summary import read_front, read_shown
from hwnas.training.run_images import check_images
from profilers.errors import InputError
from tests.runs.made import digits, finished_run
from tests.runs.mutations import GONE, TWICE, VALUES, damaged, places

FEW = 120
ASKED_OF_IMAGES = r"data set 'digits': (10 classes|images of)"


def everything(run: Run) -> dict[str, Any]:
    """A summary with every key that a search can write."""
    summary: dict[str, Any] = json.loads(run.front_path.read_text())
    first = summary["front"][0]
    first["accuracy"] |= {"log_synflow": 3.0, "believed": 0.5, "regression": 0.4}
    first["costs"]["latency"] |= {
        "low": 1.0,
        "high": 2.0,
        "noisy": False,
        "predicted": {"value": 1.0, "origin": "table"},
        "process": {"value": 1.0, "low": 0.5, "high": 2.0, "origin": "measured"},
    }
    first["within_target"] = True
    summary["baseline"]["random"] = {"accuracy": [0.1, 0.2], "params": [1000, 2000]}
    notes = {"networks": 1, "failed": 1, "reasons": ["r"], "noisy": 1, "receipt": {"host": "h"}}
    return summary | {
        "target": "cpu",
        "scored_images": 100,
        "believed": [summary["dominated"][0]["key"]],
        "failed": [summary["dominated"][0]],
        "targets": {"params": 1e9},
        "within_target": [first["key"]],
        "measured": {"latency": notes},
        "health": [{"stage": 0, "kind": "loss", "text": "t", "advice": "a"}],
    }


def uses(run: Run) -> list[Callable[[], object]]:
    """What the commands do with a front.json."""

    def train() -> None:
        choose(run, Choice())
        choose(run, Choice(prefer="accuracy"), "either")
        for member in choose(run, Choice(every=True)).members:
            model_of(run, member)
        check_images(run, digits())

    return [
        lambda: print_summary(read_shown(run.path), run.path, json=False),
        lambda: print_summary(read_shown(run.path), run.path, json=True),
        lambda: pages.page([load_run(run.path)], [], "1", "now"),
        lambda: across(load_run(run.path), ["1080ti"]),
        lambda: [list(check()) for _, check in examine_run(run.path)],
        lambda: members(run, choose(run, Choice(every=True)).members),
        train,
    ]


def try_all(run: Run, cases: Sequence[tuple[Any, Any]]) -> int:
    """Damage front.json in each way and use it; returns how many were accepted."""
    whole = everything(run)
    accepted = 0
    for where, value in cases:
        run.front_path.write_text(json.dumps(damaged(whole, where, value)))
        try:
            read_front(run)
        except InputError as error:
            # A line about the key, not about the exception that it led to.
            assert str(run.front_path) in str(error), (where, value)
            assert not re.search(r"\w(Error|Exception)\b", str(error)), (where, value, str(error))
            continue
        accepted += 1
        for use in uses(run):
            try:
                use()
            except InputError as error:
                expected = re.search(rf"{ASKED_OF_IMAGES}|front is empty", str(error))
                assert expected, (where, value, str(error))
    return accepted


def all_cases(run: Run) -> list[tuple[Any, Any]]:
    return [(where, value) for where in places(everything(run)) for value in (*VALUES, GONE, TWICE)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(pages, "_bundle", lambda: "/* charts */")  # bundling takes seconds
    return finished_run(tmp_path / "run")


def test_a_summary_with_every_key_is_accepted_and_used(run: Run) -> None:
    run.front_path.write_text(json.dumps(everything(run)))
    for use in uses(run):
        use()


def test_damage_is_refused_when_it_is_read_or_breaks_nothing(run: Run) -> None:
    assert try_all(run, random.Random(0).sample(all_cases(run), FEW)) > 0


@pytest.mark.slow  # four thousand ways
def test_no_damage_to_any_value_breaks_a_command(run: Run) -> None:
    assert try_all(run, all_cases(run)) > 100
