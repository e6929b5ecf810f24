"""The pieces of a search, timed one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwnas.search.pieces import _line, _Timed, timed_pieces
from hwnas.search.plan import plan
from tests.search import tiny
from tests.search.test_elastic_search import config

POSITIVE = st.floats(1e-3, 1e3)


@given(POSITIVE, POSITIVE)
def test_seconds_that_lie_on_a_line_give_that_line(base: float, slope: float) -> None:
    timed = [_Timed(macs=n, wall=base + slope * n, cpu=0.0) for n in (1.0, 2.0, 4.0, 8.0, 9.0)]
    line = _line(timed, "wall")
    assert line.at(5.0) == pytest.approx(base + slope * 5.0, rel=1e-6)


@given(st.lists(POSITIVE, min_size=5, max_size=9), st.integers(0, 4))
def test_one_run_that_was_held_up_changes_nothing_where_all_networks_cost_the_same(
    macs: list[float], late: int
) -> None:
    same = [_Timed(macs=macs[0], wall=2.0, cpu=1.0) for _ in macs]
    same[late] = _Timed(macs=macs[0], wall=200.0, cpu=1.0)
    assert _line(same, "wall").at(macs[0]) == pytest.approx(2.0)


def test_every_piece_takes_time_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    planned = plan(config(tiny.images(tmp_path / "a.npz")))
    said: list[str] = []
    for pieces in timed_pieces(planned, planned.dataset, 0.5, said.append):
        assert pieces.steps[0] > 0 and pieces.steps[1] > 0 and pieces.steps[2] == 0
        assert pieces.evaluation.at(pieces.evaluated_macs) > 0 and pieces.start == 0
    assert list(Path().iterdir()) == [] and len(said) == 3
