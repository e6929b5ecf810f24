"""With a command that reaches another machine, no measured figure comes from this one."""

from __future__ import annotations

import pytest
from torch import nn

from profilers import backends, isolate, memory, remote, torch_latency
from profilers.backends import Options, Subject
from profilers.device import Device
from profilers.elsewhere import ONLY_HERE, measured_there
from profilers.errors import InputError
from profilers.measurement import LATENCY, Measurement, Receipt
from profilers.runtimes import RUNTIMES
from profilers.timing import Protocol
from tests.typed import type_command

SMALL = ("--channels", "4", "--cells", "3", "--image", "16", "--budget", "0.05")
SUMMARY = dict.fromkeys(("min", "p10", "median", "p90", "p99", "iqr"), 0.25) | {
    "n": 2, "statistic": "median", "value": 0.25, "low": 0.25, "high": 0.25, "noise": 0.0, "noisy": False,
}  # fmt: skip
ANSWERS = {
    "latency": {
        "own": [0.25, 0.25],
        "wall": [0.25, 0.25],
        "reference": [],
        "summary": SUMMARY,
        "wall_summary": SUMMARY,
    },
    "memory": {"memory_mib": 7.0},
    "operations": {"operations": [["a node", "Conv", 0.5]]},
}
CONVERTERS = {"ncnn": "pnnx", "litert": "ai_edge_litert"}
"""What must be installed here to write the file that a runtime reads there."""
FACTS = {"versions": {"onnxruntime": "1.0"}, "host": "a board"}


@pytest.fixture
def nothing_runs_here(monkeypatch):
    """The local runtimes fail; the other machine answers a quarter of a second and seven MiB."""

    def runs_here(*arguments, **named):
        raise AssertionError("this machine was measured")

    for module, name in (
        (isolate, "run_worker"),
        (torch_latency, "measure_torch"),
        (torch_latency, "sample_interleaved"),
        (memory, "cuda_memory"),
    ):
        monkeypatch.setattr(module, name, runs_here)

    def there(transport):
        def measure(request, limit_s):
            answer = ANSWERS[request.get("measure", "latency")]
            return FACTS, [{"model": index, **answer} for index in range(len(request["models"]))]

        return measure

    monkeypatch.setattr(remote, "remote", there)


def run(capsys, monkeypatch, *words: str) -> tuple[object, str, str]:
    return type_command(monkeypatch, capsys, *words)


@pytest.mark.parametrize(
    "way", [("--run-with", "sh -c"), ("--ssh", "pi@board")], ids=lambda way: way[0]
)
@pytest.mark.parametrize("target", ["raspberry-pi-4", "jetson-nano", "1080ti", "cpu"])
def test_the_default_measures_there_whatever_the_target_is(
    nothing_runs_here, capsys, monkeypatch, target, way
):
    words = ("--target", target, *way, "--require", "measured", "--json")
    code, out, err = run(capsys, monkeypatch, "profile", "DARTS_V2", *SMALL, *words)
    assert code == 0, err
    import json

    found = {metric["name"]: metric for metric in json.loads(out)["metrics"]}
    latency, memory = found.pop("latency"), found.pop("memory")
    assert (latency["origin"], latency["value"], latency["receipt"]["host"]) == (
        "measured",
        250.0,
        "a board",
    )
    if target in ("jetson-nano", "1080ti"):  # ONNX Runtime there can't tell what its GPU holds
        assert "on the GPU's own machine (--backend torch)" in memory["failure"]["detail"]
    else:
        assert (memory["origin"], memory["value"], memory["receipt"]["host"]) == (
            "measured",
            7.0,
            "a board",
        )
    assert {metric["origin"] for metric in found.values()} == {"counted"}


@pytest.mark.parametrize("backend", sorted(backends.BACKENDS))
def test_no_back_end_measures_here_for_there(nothing_runs_here, capsys, monkeypatch, backend):
    needed = CONVERTERS.get(backend)
    if needed is not None:
        pytest.importorskip(needed, reason=f"hwnas[{backend}] is not installed")
    words = ("--target", "raspberry-pi-4", "--run-with", "sh -c", "--backend", backend)
    code, out, err = run(capsys, monkeypatch, "profile", "DARTS_V2", *SMALL, *words)
    if backend in ONLY_HERE:
        assert (code, out) == (2, "")
        assert (
            f"back end '{backend}' measures on this machine only, not through --ssh or --run-with"
            in err
        )
    else:
        assert code == 0, err
        assert ("measured" in out) == (backend in RUNTIMES)


def test_operations_and_calibrations_are_measured_there_or_refused(
    nothing_runs_here, capsys, monkeypatch
):
    way = ("--target", "raspberry-pi-4", "--run-with", "sh -c")
    code, out, _ = run(capsys, monkeypatch, "profile", "DARTS_V2", *SMALL, *way, "--per-op")
    assert code == 0 and "a node" in out
    small = ("--channels", "4", "--cells", "3", "--image", "8")
    code, _, err = run(
        capsys, monkeypatch, "devices", "calibrate", *way, *small, "--backend", "torch"
    )
    assert code == 2 and "--backend torch measures here only" in err


def test_a_command_that_fails_gives_no_figure(capsys, monkeypatch):
    # What was printed once: "measured (torch)", from this machine.
    for target in ("raspberry-pi-4", "1080ti"):
        words = ("--target", target, "--run-with", "false", "--require", "measured")
        code, out, err = run(capsys, monkeypatch, "profile", "DARTS_V2", *SMALL, *words)
        assert (code, out) == (2, "")
        assert err == "error: false: no measurement came back: exit code 1\n"


def test_the_torch_back_end_itself_refuses_another_machine():
    subject = Subject(name="x", module=nn.Linear(2, 2), shape=(1, 2))
    options = Options(run=lambda request, limit_s: ({}, []), protocol=Protocol(budget_s=0.01))
    with pytest.raises(InputError, match="measures on this machine only"):
        backends.torch_backend(subject, Device(name="board", kind="cpu", description="d"), options)


def test_a_plug_in_that_knows_nothing_of_other_machines_is_found_out():
    device, receipt = (
        Device(name="board", kind="cpu", description="d"),
        Receipt(backend="meter", device="board"),
    )

    def meter(subject, device, options):
        return [
            Measurement(
                metric=LATENCY,
                value=2.0,
                low=1.0,
                high=3.0,
                samples=(2.0,),
                origin="measured",
                receipt=receipt,
            )
        ]

    def careful(subject, device, options):
        options.run({}, 1.0)
        return meter(subject, device, options)

    there = Options(run=lambda request, limit_s: ({}, []))
    assert measured_there("meter", meter)(Subject(name="x"), device, Options())
    assert measured_there("careful", careful)(Subject(name="x"), device, there)
    with pytest.raises(
        InputError, match="back end 'meter' measured on this machine, not on the other one"
    ):
        measured_there("meter", meter)(Subject(name="x"), device, there)
