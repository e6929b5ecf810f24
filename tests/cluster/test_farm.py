"""A farm of measurement hosts without Ray and without measuring: placement, merging, what is
refused, what is kept."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwnas.catalog import find_device
from hwnas.cli import main
from hwnas.cli.profile_farm import keep
from hwnas.cluster import farm
from hwnas.cluster.farm import MeasuredThere, MeasureJob, measure_on, measure_there, needs_of
from hwnas.measuring import profile
from hwnas.measuring.profile import Profile
from hwnas.measuring.subjects import Named
from hwnas.runs.measurements import read_profile
from profilers.backends import Options
from profilers.device import Device, load
from profilers.errors import InputError
from profilers.measurement import PARAMS, Receipt, counted
from tests.cluster.pretended import pretended
from tests.runs.made import finished_run

BOARD = Device(name="board", kind="cpu", description="pretended", cpu_model_regex=".*")
OTHER = replace(BOARD, name="other")
NODES = {
    "head": {"CPU": 4.0},
    "one": {"CPU": 1.0, "device:board": 1.0},
    "two": {"device:board": 1.0, "device:other": 1.0},
}


@pytest.fixture(autouse=True)
def without_measuring(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """A network's "parameters" are the length of its key; what was asked is kept."""
    asked: list[tuple[str, str, str]] = []

    def measure_all(
        found: Any, device: Device, options: Options, names: Any, table: Any
    ) -> list[Any]:
        asked.append((found[0].key, device.name, options.place))
        if found[0].key == "broken":
            raise InputError("no network")
        if found[0].onnx:
            assert found[0].onnx.read_bytes() == b"model"
        return [
            (one.key, counted(PARAMS, len(one.key), Receipt(backend="test", device=device.name)))
            for one in found
        ]

    for module in (farm, profile):
        monkeypatch.setattr(module, "measure_all", measure_all)
    return asked


def test_every_network_is_measured_on_every_device_and_answers_are_in_order(
    without_measuring: Any,
) -> None:
    found = [Named(key=key) for key in ("a", "bb", "broken", "ccc")]
    heard: list[str] = []
    lost: list[str] = []
    answers = measure_on(
        pretended([], NODES),  # the last task first
        found,
        devices=[BOARD, OTHER],
        options=Options(),
        backends=(),
        done=lambda there: heard.append(there.job.named.key),
        failed=lambda name, error: lost.append(name),
    )
    assert sorted(without_measuring) == sorted(
        (one.key, name, "cpu") for one in found for name in ("board", "other")
    )
    for name in ("board", "other"):
        assert [there.job.named.key for there in answers[name]] == ["a", "bb", "ccc"]
        assert [there.rows[0].value for there in answers[name]] == [1, 2, 3]  # type: ignore[union-attr]
        assert all(there.began <= there.ended for there in answers[name])
    assert len(heard) == 6 and sorted(lost) == ["broken on board", "broken on other"]


def test_a_measurement_takes_the_whole_device_and_no_cpu() -> None:
    assert (needs_of(BOARD, NODES).cpus, dict(needs_of(BOARD, NODES).resources)) == (
        0,
        {"device:board": 1},
    )
    gpu = replace(BOARD, name="card", kind="gpu")
    assert (
        needs_of(gpu, {"a": {"device:card": 1, "GPU": 1}}).gpus == 1
    )  # a search must not use it meanwhile
    assert needs_of(gpu, {"a": {"device:card": 1}}).gpus == 0  # Ray was not told of it


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (NODES, r"no node offers device:bord; did you mean 'board'\? \(choices: board, other\)"),
        ({"a": {"CPU": 1}}, r"no node offers device:bord; none offers any: ray start"),
        (
            {"a": {"device:bord": 2}},
            "node a offers 2 of device:bord, so would measure several things at once",
        ),
    ],
)
def test_a_device_that_no_node_offers_or_one_offers_twice_is_refused_in_one_line(
    nodes: Any, said: str
) -> None:
    begun: list[str] = []
    with pytest.raises(InputError, match=said) as error:
        measure_on(
            pretended(begun, nodes), [Named(key="a")], [replace(BOARD, name="bord")], Options(), ()
        )
    assert begun == [] and "\n" not in str(error.value)


def test_a_node_that_offers_what_it_does_not_have_is_not_believed() -> None:
    phone = load(find_device("raspberry-pi-4"))
    with pytest.raises(InputError, match="offers device:raspberry-pi-4, but what it has is "):
        measure_there(
            MeasureJob(
                named=Named(key="a"),
                device=replace(phone, cpu_model_regex="no such processor"),
                options=Options(),
                backends=(),
            )
        )
    plain = Device(name="thing", kind="edge_cpu", description="nothing to recognise it by")
    assert measure_there(
        MeasureJob(named=Named(key="a"), device=plain, options=Options(), backends=())
    ).rows


def test_an_onnx_file_travels_with_its_task(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"model")
    named = Named(key="m.onnx", onnx=tmp_path / "m.onnx")

    def run(tasks: Any) -> Any:
        (tmp_path / "m.onnx").unlink()  # the other host does not have it
        return pretended([], NODES).run(tasks)

    answers = measure_on(replace(pretended([], NODES), run=run), [named], [BOARD], Options(), ())
    assert len(answers["board"]) == 1


def test_a_run_keeps_each_outcome_once_per_target_with_where_and_when(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    receipt = Receipt(backend="test", device="board")
    there = [
        MeasuredThere(
            job=MeasureJob(named=Named(key=key), device=BOARD, options=Options(), backends=()),
            rows=(counted(PARAMS, 3, receipt),),
            node="one",
            began=1.0,
            ended=2.5,
        )
        for key in ("a", "b")
    ]
    rows = [(one.job.named.key, one.rows[0]) for one in there]
    said = [{"node": one.node, "began": one.began, "ended": one.ended} for one in there]
    for _ in range(2):  # the second replaces the first
        keep(
            run.path,
            [
                Profile(device=BOARD, rows=rows, said=list(said)),
                Profile(device=replace(BOARD, name="x/../y"), rows=rows, said=list(said)),
            ],
        )
    assert sorted(path.name for path in (run.path / "profiles").iterdir()) == [
        "board.jsonl.gz",
        "x_.._y.jsonl.gz",
    ]
    lines = read_profile(run.path / "profiles" / "board.jsonl.gz")
    assert [
        (line["key"], line["node"], line["began"], line["ended"], line["value"]) for line in lines
    ] == [
        ("a", "one", 1.0, 2.5, 3),
        ("b", "one", 1.0, 2.5, 3),
    ]
    (tmp_path / "bad").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="no measurements of hwnas profile"):
        read_profile(tmp_path / "bad")


def test_several_targets_here_are_measured_in_turn_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = finished_run(tmp_path / "run").path
    words = [
        "hwnas",
        "profile",
        str(path),
        "--targets",
        "cpu, 1080ti,host",
        "--json",
    ]  # host is another name of cpu
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    answers = json.loads(capsys.readouterr().out)
    assert [answer["target"] for answer in answers] == ["cpu", "1080ti"]
    assert sorted(one.name for one in (path / "profiles").iterdir()) == [
        "1080ti.jsonl.gz",
        "cpu.jsonl.gz",
    ]
    assert len(read_profile(path / "profiles" / "cpu.jsonl.gz")) == len(answers[0]["metrics"]) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ray", "--per-op"], "--ray: not together with"),
        (["--ray", "a:1", "--table", "t.json"], "--ray: not together with"),
        (["--targets", "cpu,1080ti", "--table", "t.json"], "--table: with a single target"),
        (["--targets", "cpu,1080tii"], "did you mean '1080ti'"),
        (["--targets", "cpu,"], "unknown device ''"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["hwnas", "profile", "DARTS_V2", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code == 2 and printed.out == "" and said in printed.err
