"""Measuring through a command, with a shell on this machine in the place of the other one."""

from __future__ import annotations

import io
import json
import shlex
import sys
import tarfile
import zipfile

import pytest

from profilers.bounded import Ended
from profilers.errors import InputError
from profilers.measurement import Failure, Measurement
from profilers.onnx_latency import OnnxOptions, measure_latency
from profilers.remote import Transport, parcel, remote, run_with, ssh, unpack, zipapp
from profilers.timing import Protocol
from tests.profilers.onnx_files import not_finite, saved, small

OPTIONS = OnnxOptions(protocol=Protocol(budget_s=0.1, min_s=0.02, warmup_s=0.01), store=None)
HERE = Transport(command=("sh", "-c"), python=sys.executable)


def test_receipts_come_back_from_the_other_side(tmp_path, monkeypatch):
    # Nothing of ours can be imported there but what travels.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)
    good, bad = measure_latency(
        [saved(tmp_path, small(), "a b'c.onnx"), saved(tmp_path, not_finite(), "nan.onnx")],
        OPTIONS,
        device="board",
        run=remote(HERE),
    )
    assert isinstance(good, Measurement)
    assert good.receipt.device == "board"
    assert dict(good.receipt.versions)["onnxruntime"]
    assert good.receipt.host
    assert isinstance(bad, Failure)
    assert bad.reason == "not finite"


@pytest.mark.parametrize(
    ("transport", "says"),
    [
        (run_with("false"), "false: no measurement came back: exit code 1"),
        (run_with("no-such-command-here"), "no-such-command-here: No such file"),
        (Transport(command=("sh", "-c"), python="python-that-is-not-there"), "not found"),
        (run_with("sh -c 'echo surprise'"), "no measurement came back"),
        (run_with("sh -c 'sleep 60'"), "no answer within"),
    ],
)
def test_a_machine_that_does_not_answer_is_bad_input_in_one_line(tmp_path, transport, says):
    quick = Transport(command=transport.command, python=transport.python, wait_s=0.5)
    with pytest.raises(InputError, match=says) as caught:
        measure_latency(
            [saved(tmp_path, small())], OnnxOptions(limit_s=0.5, store=None), run=remote(quick)
        )
    assert "\n" not in str(caught.value)


def test_what_the_other_machine_lacks_is_said():
    done = Ended(
        how="ended",
        returncode=0,
        output=b'{"error": "needs the Python packages onnxruntime"}\n',
        errors=b"",
    )
    with pytest.raises(InputError, match="needs the Python packages onnxruntime"):
        unpack(HERE, done)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("sh -c 'exec yes'", "too much output: more than 17 MiB"),
        ("sh -c 'exec yes >&2'", "too much error output: more than 16 MiB"),
    ],
)
def test_an_answer_without_end_is_ended_by_its_bytes_not_by_the_clock(tmp_path, command, says):
    endless = Transport(command=run_with(command).command, wait_s=600)
    with pytest.raises(InputError, match=says):
        measure_latency(
            [saved(tmp_path, small())], OnnxOptions(limit_s=600, store=None), run=remote(endless)
        )


def test_the_other_machine_runs_nothing_that_lies_where_the_command_arrives(tmp_path, monkeypatch):
    # ssh arrives in a home folder, docker exec in a working folder: others may have put files
    # there.
    there = tmp_path / "there"
    there.mkdir()
    for name in (
        "json",
        "tarfile",
        "tempfile",
        "subprocess",
        "numpy",
        "profilers",
        "typing",
        "onnxruntime",
    ):
        (there / f"{name}.py").write_text("open('mark', 'a').write(__name__)")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    command = ("sh", "-c", f'cd {shlex.quote(str(there))} && exec sh -c "$1"', "sh")
    (found,) = measure_latency(
        [saved(tmp_path, small())],
        OPTIONS,
        run=remote(Transport(command=command, python=sys.executable)),
    )
    assert isinstance(found, Measurement)
    assert not (there / "mark").exists()


@pytest.mark.parametrize(
    "address", ["-oProxyCommand=touch /tmp/x", "a b", "user@host;ls", "", "$(ls)"]
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InputError, match="--ssh: expected user@host"):
        ssh(address)


def test_an_address_is_passed_after_the_end_of_options():
    assert ssh("pi@10.0.0.2").command[-2:] == ("--", "pi@10.0.0.2")


@pytest.mark.parametrize("command", ["", "sh -c 'open"])
def test_a_command_that_is_none_is_refused(command):
    with pytest.raises(InputError, match="--run-with"):
        run_with(command)


def test_one_small_file_travels_with_the_models_and_names_nothing_of_this_machine(tmp_path):
    path = saved(tmp_path, small(), "private name.onnx")
    request = {"models": [{"path": str(path), "shapes": {}}], "reference": None, "threads": 1}
    with tarfile.open(fileobj=io.BytesIO(parcel(request, 5.0))) as tar:
        assert tar.getnames() == ["model0.onnx", "hwnas.pyz", "request.json"]
        there = json.load(tar.extractfile("request.json"))
    assert there["models"] == [{"path": "model0.onnx", "shapes": {}}]
    assert str(tmp_path) not in json.dumps(there)
    assert len(zipapp()) < 50_000
    with zipfile.ZipFile(io.BytesIO(zipapp())) as archive:
        imported = "\n".join(archive.read(name).decode() for name in archive.namelist())
    for heavy in ("import torch", "import onnx\n", "from onnx ", "import hwnas", "import psutil"):
        assert heavy not in imported
