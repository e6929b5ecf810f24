"""Searches as tasks, without Ray and without searching: who is left, who goes on, who begins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from hwnas.cluster import place, searches
from hwnas.cluster.comparison import over_seeds
from hwnas.cluster.job import here
from hwnas.cluster.searches import sweep_on, tables_for, take_tables
from hwnas.cluster.sweep_file import Planned, read_sweep, state_of
from hwnas.config import resolve
from hwnas.costs.tables import user_folder
from hwnas.errors import Stopped
from hwnas.runs.directory import create, lock, open_run
from hwnas.search import search as module
from profilers.errors import InputError
from tests.cluster.pretended import pretended


@pytest.fixture
def runs(tmp_path: Path) -> list[Planned]:
    file = tmp_path / "s.toml"
    file.write_text(
        "objectives = [{metric = 'params'}]\n[sweep]\nseed = [0, 1, 2]\nspace = ['darts', 'tnd']\n"
    )
    return read_sweep(file)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was asked of the search: ("search" or "resume", run), each of which then ends at
    once."""
    heard: list[tuple[str, str]] = []

    def search(config: Any, out: Path, watch: Any) -> None:
        heard.append(("search", out.name))
        assert sys.argv == ["hwnas", "search", "--config", str(out / "config.toml")]
        create(out, config, sys.argv, "0" * 16)
        (out / "front.json").write_text("{}")

    def resume(path: Path, watch: Any) -> None:
        heard.append(("resume", path.name))
        lock(open_run(path)).release()
        (path / "front.json").write_text("{}")

    monkeypatch.setattr(module, "search", search)
    monkeypatch.setattr(module, "resume", resume)
    return heard


def test_finished_runs_are_left_started_ones_resumed_missing_ones_begun(
    runs: list[Planned], called: list[tuple[str, str]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for run in runs[:3]:
        create(out / run.name, run.config, [], "0" * 16)
    (out / runs[0].name / "front.json").write_text("{}")
    found: dict[str, str] = {}
    sweep_on(here(), runs, out, done=lambda run, there: found.update({run.name: there.found}))
    names = [run.name for run in runs]
    assert called == [("resume", name) for name in names[1:3]] + [
        ("search", name) for name in names[3:]
    ]
    assert found == {**dict.fromkeys(names[1:3], "started"), **dict.fromkeys(names[3:], "missing")}
    assert all(state_of(out / name) == "finished" for name in names)
    sweep_on(here(), runs, out)
    assert len(called) == 5  # calling it again begins nothing


def test_a_search_whose_node_died_is_found_again_where_it_was(
    runs: list[Planned], called: list[tuple[str, str]], tmp_path: Path
) -> None:
    begun: list[str] = []
    cluster = pretended(begun, dies=lambda name, attempt: attempt < 2)
    sweep_on(cluster, runs, tmp_path / "out")
    assert sorted(begun) == sorted([run.name for run in runs] * 2)
    assert sorted(called) == sorted(
        ("search", run.name) for run in runs
    )  # the second attempt found it done


def test_one_run_that_fails_costs_itself_alone(
    runs: list[Planned],
    called: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = module.search

    def search(config: Any, out: Path, watch: Any) -> None:
        if config.seed == 1:
            raise InputError("the target is out of reach")
        before(config, out, watch)

    monkeypatch.setattr(module, "search", search)
    failed: list[str] = []
    sweep_on(
        here(),
        runs,
        tmp_path / "out",
        failed=lambda run, error: failed.append(f"{run.name}: {error}"),
    )
    assert failed == [
        f"{run.name}: the target is out of reach" for run in runs if run.config.seed == 1
    ]
    assert len(called) == 4


def test_what_a_process_left_that_died_while_it_made_a_run_is_removed(
    runs: list[Planned], called: list[tuple[str, str]], tmp_path: Path
) -> None:
    torn = tmp_path / "out" / f".{runs[0].name}.123.new" / "checkpoint"
    torn.mkdir(parents=True)
    sweep_on(here(), runs, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [".lock", *(run.name for run in runs)]
    )


def test_one_driver_at_a_time_and_the_lock_of_a_dying_process_is_waited_for(
    runs: list[Planned],
    called: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / ".lock"), pytest.raises(InputError, match="in use by another process"):
        sweep_on(here(), runs, out)
    run = create(out / runs[0].name, runs[0].config, [], "0" * 16)
    dying = lock(run)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            dying.release()

    monkeypatch.setattr(
        searches, "until_free", lambda one: place.until_free(one, lambda: 0.0, sleep)
    )
    sweep_on(here(), runs[:1], out)
    assert called == [("resume", runs[0].name)] and len(waited) == 3
    clock = iter(range(0, 10_000, 50))
    with lock(run), pytest.raises(Stopped, match="in use by another process"):
        place.until_free(run, lambda: float(next(clock)), lambda seconds: None)


def test_settings_that_changed_and_nodes_that_do_not_share_are_refused_before_anything_is_begun(
    runs: list[Planned], called: list[tuple[str, str]], tmp_path: Path
) -> None:
    def check(path: Path) -> None:
        raise InputError(f"node b does not see {path}")

    with pytest.raises(InputError, match="node b does not see"):
        sweep_on(pretended([], check=check), runs, tmp_path / "out")
    create(tmp_path / "out" / runs[-1].name, runs[0].config, [], "0" * 16)
    with pytest.raises(InputError, match="begun with space"):
        sweep_on(here(), runs, tmp_path / "out")
    assert called == []


def test_tables_calibrated_here_travel_where_a_latency_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "here"))
    mine = user_folder() / "pixel-3.darts.mine.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("{}")
    (user_folder() / "1080ti.darts.mine.json").write_text("{}")
    by_latency = resolve({"objectives": [{"metric": "latency"}], "target": "pixel-3"})
    assert tables_for(by_latency) == (("pixel-3.darts.mine.json", b"{}"),)
    assert tables_for(resolve({"objectives": [{"metric": "params"}], "target": "pixel-3"})) == ()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "there"))
    for content in (b"{}", b"another"):  # the second does not replace the first
        take_tables([("pixel-3.darts.mine.json", content)])
    assert (user_folder() / "pixel-3.darts.mine.json").read_bytes() == b"{}"


def test_means_are_over_seeds_within_each_combination() -> None:
    def row(seed: int, space: str, figure: float) -> dict[str, Any]:
        figures = dict.fromkeys(
            ("hypervolume", "random_hypervolume", "best_accuracy", "evaluations", "seconds"), figure
        )
        return {"values": {"seed": seed, "space": space}, **figures}

    found = over_seeds([row(0, "darts", 1), row(0, "tnd", 5), row(1, "darts", 3)])
    assert [(one["values"], one["seeds"]) for one in found] == [
        ({"space": "darts"}, [0, 1]),
        ({"space": "tnd"}, [0]),
    ]
    assert found[0]["hypervolume"] == {"mean": 2.0, "deviation": pytest.approx(2**0.5)}
    assert found[1]["hypervolume"] == {"mean": 5.0, "deviation": None}
    assert over_seeds([{"values": {"space": "tnd"}}]) == []
