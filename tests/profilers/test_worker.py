"""The clock of a measuring process."""

from __future__ import annotations

import time

import pytest

from profilers import worker


@pytest.mark.parametrize(
    ("looks", "clock"), [([False], "thread"), ([True, False], "thread"), ([True, True], "wall")]
)
def test_a_thread_that_works_at_one_look_only_is_no_part_of_a_run(
    monkeypatch: pytest.MonkeyPatch, looks: list[bool], clock: str
) -> None:
    left = iter(looks)
    monkeypatch.setattr(worker, "works_in_other_threads", lambda run: next(left))
    found = worker.own_clock([lambda: None], {"provider": "cpu", "threads": 1})
    assert found is (time.thread_time if clock == "thread" else time.perf_counter)
