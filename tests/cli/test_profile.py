"""`hwnas profile` and `hwnas devices list|show|here` as a person or a script meets them."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace

import pytest
from onnx import helper

from hwnas.runs.summary import read_front
from hwnas.space.published import PUBLISHED
from hwnas.space.text import format_text
from profilers import backends
from profilers.measurement import Measurement
from profilers.table import NetworkSize, save
from tests.costs.test_tables import TABLE
from tests.profilers.onnx_files import endless, model, not_finite, saved, small
from tests.runs.made import finished_run
from tests.typed import type_command

SMALL = ("--channels", "4", "--cells", "3", "--image", "16")
QUICK = ("--budget", "0.05")


@pytest.fixture
def hwnas(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder; measurements wait for nobody and remember nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def run(*words: str) -> tuple[int, str, str]:
        return type_command(monkeypatch, capsys, *words)

    return run


def test_a_published_cell_on_the_cpu_gives_every_metric_with_its_origin(hwnas):
    code, out, _ = hwnas("profile", "DARTS_V2", *SMALL, *QUICK, "--json")
    assert code == 0
    answer = json.loads(out)
    assert (answer["subject"], answer["target"]) == ("DARTS_V2", "cpu")
    metrics = {metric["name"]: metric for metric in answer["metrics"]}
    assert list(metrics) == ["params", "macs", "flops", "latency", "memory"]
    assert set(metrics["latency"]) == {
        "name", "value", "unit", "low", "high", "origin", "backend", "receipt",
    }  # fmt: skip
    assert [metric["origin"] for metric in answer["metrics"]] == ["counted"] * 3 + ["measured"] * 2
    assert metrics["flops"]["value"] == 2 * metrics["macs"]["value"]
    assert isinstance(metrics["params"]["value"], int)
    assert metrics["latency"]["low"] <= metrics["latency"]["value"] <= metrics["latency"]["high"]
    assert metrics["latency"]["receipt"]["host"]
    for name in metrics:
        assert Measurement.from_dict(metrics[name]).metric.name == name


def test_the_table_for_people_names_units_intervals_and_origins(hwnas):
    code, out, _ = hwnas("profile", "DARTS_V2", *SMALL, *QUICK, "--per-op")
    assert code == 0
    for text in (
        "params",
        "exact",
        "ms",
        "measured (onnxruntime)",
        "counted (counts)",
        "median at reference",
    ):
        assert text in out
    assert "operations" in out
    assert "Conv" in out


def test_a_single_value_is_shown_without_an_interval(hwnas):
    code, out, _ = hwnas("profile", "DARTS_V2", *SMALL, "--target", "1080ti")
    assert code == 0
    (memory,) = (line for line in out.splitlines() if "memory" in line and "MiB" in line)
    assert ".." not in memory
    (latency,) = (line for line in out.splitlines() if "latency" in line and " ms " in line)
    assert ".." in latency


def test_counts_are_those_of_the_golden_network(hwnas):
    code, out, _ = hwnas("profile", "DARTS_V2", "--backend", "counts", "--json")
    assert code == 0
    assert [metric["value"] for metric in json.loads(out)["metrics"][:2]] == [
        3_349_342,
        528_359_040,
    ]


def test_a_genotype_is_a_name_a_text_or_a_file(hwnas, tmp_path):
    text = format_text(PUBLISHED["DARTS_V2"])
    (tmp_path / "cell.json").write_text(json.dumps(PUBLISHED["DARTS_V2"].to_dict()))
    (tmp_path / "cell.txt").write_text(text)
    counted = [
        json.loads(hwnas("profile", form, *SMALL, "--backend", "counts", "--json")[1])["metrics"]
        for form in ("DARTS_V2", text, "cell.json", "cell.txt")
    ]
    values = [[metric["value"] for metric in metrics] for metrics in counted]
    assert all(value == values[0] for value in values)


def test_a_nasbench201_string_has_the_benchmarks_width_and_depth(hwnas):
    arch = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"
    _, out, _ = hwnas("profile", arch, "--backend", "counts", "--json")
    assert [metric["value"] for metric in json.loads(out)["metrics"][:2]] == [802_426, 113_951_360]


def test_several_back_ends_answer_in_turn(hwnas):
    words = ("--backend", "counts", "--backend", "torch-counter", "--backend", "thop", "--json")
    _, out, _ = hwnas("profile", "DARTS_V2", *SMALL, *words)
    macs = {m["backend"]: m["value"] for m in json.loads(out)["metrics"] if m["name"] == "macs"}
    assert macs["counts"] == macs["torch-counter"] < macs["thop"]


def test_an_onnx_file_is_counted_and_measured(hwnas, tmp_path):
    saved(tmp_path, small())
    code, out, _ = hwnas("profile", "m.onnx", *QUICK, "--json")
    assert code == 0
    assert [m["name"] for m in json.loads(out)["metrics"]] == [
        "params",
        "macs",
        "flops",
        "latency",
        "memory",
    ]


def test_a_run_is_profiled_member_by_member(hwnas, tmp_path):
    run = finished_run(tmp_path / "run")
    code, out, _ = hwnas("profile", "run", *QUICK, "--json")
    assert code == 0
    rows = [(m["key"], m["name"]) for m in json.loads(out)["metrics"]]
    assert rows == [
        (key, name)
        for key in [member.key for member in read_front(run).front]
        for name in ("params", "macs", "flops", "latency", "memory")
    ]


def test_a_target_that_is_not_here_is_estimated_and_marked(hwnas):
    code, out, _ = hwnas("profile", "DARTS_V2", "--target", "1080ti", "--json")
    assert code == 0
    latency = json.loads(out)["metrics"][3]
    assert (latency["name"], latency["origin"], latency["backend"]) == (
        "latency",
        "estimated",
        "roofline",
    )
    assert latency["low"] < latency["value"] < latency["high"]
    assert "not attached" in " ".join(latency["receipt"]["notes"])
    memory = json.loads(out)["metrics"][4]
    assert (memory["name"], memory["origin"], memory["unit"]) == ("memory", "estimated", "MiB")
    assert memory["value"] > 4 * 3_349_342 / 2**20  # the weights alone


def test_operations_of_a_target_that_is_not_here_are_estimated(hwnas):
    _, out, _ = hwnas("profile", "DARTS_V2", *SMALL, "--target", "1080ti", "--per-op", "--json")
    found = json.loads(out)["operations"]
    assert {operation["origin"] for operation in found} == {"estimated"}
    assert sum(operation["share"] for operation in found) == pytest.approx(1)
    assert {operation["kind"] for operation in found} >= {"conv", "relu", "add", "concat", "linear"}


def test_the_size_of_a_genotype_is_said_where_it_was_not_given(hwnas):
    counted = ("profile", "MOBILENET_V2", "--backend", "counts", "--json")
    said = hwnas(*counted)[2]
    assert "32 channels, 17 blocks, 10 classes, images of 3x32x32 (otherwise: --channels" in said
    size = ("--channels", "32", "--cells", "17", "--classes", "10", "--image", "65")
    assert hwnas(*counted, *size)[2] == ""


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("mobilenet_v2_0.35",), "MOBILENET_V2_0.35: width 0.35 of 32 channels, 17 blocks, 10 cl"),
        (("MOBILENET_V2_1.4",), "MOBILENET_V2_1.4: width 1.4 of 32 channels, 17 blocks"),
        (
            ("RESNET8", "--channels", "1", "--classes", "1"),
            "RESNET8: 1 channel, 9 blocks, 1 class,",
        ),
        (("DARTS_V2",), "DARTS_V2: 36 channels, 20 cells, 10 classes, images of 3x32x32 (other"),
    ],
)
def test_a_known_network_is_called_by_its_name_with_its_width(hwnas, words, line):
    said = hwnas("profile", *words, "--backend", "counts", "--json")[2]
    assert said.startswith(f"note: {line}")


@pytest.mark.parametrize(
    ("name", "side", "left_out"),
    [
        ("MOBILENET_V2", 65, ""),
        ("MOBILENET_V2", 64, "1 of its 5 strides is left out on images of 64 pixels (stem), "),
        ("MOBILENET_V2", 32, "2 of its 5 strides are left out on images of 32 pixels (stem, stage 1), "),
        ("MOBILENET_V2", 16, "3 of its 5 strides are left out on images of 16 pixels (stem, stage 1, stage 2), "),
        ("RESNET8", 8, "1 of its 2 strides is left out on images of 8 pixels (stage 1), "),
        ("RESNET8", 9, ""),
        ("DARTS_V2", 8, ""),
    ],
)  # fmt: skip
def test_the_strides_that_small_images_leave_out_are_said(hwnas, name, side, left_out):
    size = ("--image", str(side), "--backend", "counts", "--json")
    said = [line for line in hwnas("profile", name, *size)[2].splitlines() if "stride" in line]
    assert len(said) == bool(left_out)
    assert not left_out or said[0].startswith(f"note: {name}: {left_out}")


@pytest.fixture
def fitted(tmp_path, hwnas) -> str:
    """The path of a latency table of the networks that SMALL says."""
    del hwnas  # first: its environment
    network = NetworkSize(channels=4, cells=3, classes=10, image=(3, 16, 16))
    save(replace(TABLE, network=network), tmp_path / "here.json")
    return "here.json"


@pytest.mark.parametrize("target", ["cpu", "1080ti"])
@pytest.mark.parametrize("more", [(), ("--require", "table")])
@pytest.mark.parametrize(
    ("subject", "table", "line"),
    [
        ("DARTS_V2", "nosuch", "unknown table 'nosuch'"),
        ("DARTS_V2", "none.json", "table file none.json: not found"),
        ("TND_CIFAR10", "here.json", "here.json: a table of darts"),
        ("m.onnx", "here.json", "--table: m.onnx: a table is about networks of its space"),
    ],
)
def test_a_named_table_is_checked_whether_or_not_the_target_is_measured(
    hwnas, tmp_path, fitted, target, more, subject, table, line
):
    saved(tmp_path, small())
    size = () if subject == "m.onnx" else SMALL
    words = ("profile", subject, *size, "--target", target, "--table", table, *more)
    code, out, err = hwnas(*words)
    assert (code, out) == (2, "")
    assert line in err


def test_a_table_of_a_target_that_is_measured_is_said_not_to_be_used(hwnas, fitted):
    size = (*SMALL, "--classes", "10")
    words = ("profile", "DARTS_V2", *size, *QUICK, "--table", fitted, "--require", "table")
    code, out, err = hwnas(*words, "--json")
    assert (code, err) == (0, "note: --table here.json: not used, because cpu is measured\n")
    (latency,) = (one for one in json.loads(out)["metrics"] if one["name"] == "latency")
    assert latency["origin"] == "measured"
    code, out, err = hwnas(*words, "--target", "1080ti", "--json")
    (latency,) = (one for one in json.loads(out)["metrics"] if one["name"] == "latency")
    assert (code, err, latency["origin"]) == (0, "", "table")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("DARTS_V9",), "no published network is called 'DARTS_V9'; did you mean 'DARTS_V"),
        (("DARTS_V2", "--target", "1080tj"), "unknown device '1080tj'; did you mean '1080ti'?"),
        (
            ("DARTS_V2", "--target", "1080ti", "--require", "table"),
            "its latency here is only estimated",
        ),
        (
            ("DARTS_V2", "--target", "1080ti", "--require", "measured"),
            "its latency here is only estimated",
        ),
        (("DARTS_V2", "--require", "guess"), "--require: unknown value 'guess'"),
        (
            ("DARTS_V2", "--backend", "counts", "--require", "measured"),
            "no back end of this call gives a latency",
        ),
        (("DARTS_V2", "--backend", "tensorrt"), "unknown back end 'tensorrt'"),
        (("DARTS_V2", "--image", "0x3"), "--image: expected SIDE, CHANNELSxHEIGHTxWIDTH"),
        (("DARTS_V2", "--statistic", "mean"), "--statistic: unknown value 'mean'"),
        (("DARTS_V2", "--ssh", "-oProxyCommand=x"), "--ssh: expected user@host"),
        (
            ("DARTS_V2", "--ssh", "a@b", "--run-with", "sh -c"),
            "--ssh and --run-with: give one of them",
        ),
        (("none.onnx",), "none.onnx: no such file"),
        (("none.json",), "none.json: no such file"),
        (("runs/none",), "runs/none: not a run directory: no such folder"),
        (("torn.onnx",), "torn.onnx: not a readable ONNX file"),
        (("unknown.onnx",), "unknown operator 'Relux'; did you mean 'Relu'"),
        (("open.onnx",), "dynamic shape (n, 3, h, w): give its sizes"),
        (("open.onnx", "--shape", "x"), "--shape: expected NAME=1,3,32,32"),
        (("m.onnx", "--backend", "torch"), "needs a torch network, not an ONNX file"),
        ((".",), "not a run directory"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(hwnas, tmp_path, words, line):
    (tmp_path / "torn.onnx").write_bytes(b"\x08\x09\xff")
    saved(tmp_path, small())
    saved(tmp_path, model([helper.make_node("Relux", ["x"], ["y"])], [1, 3]), "unknown.onnx")
    saved(
        tmp_path, model([helper.make_node("Relu", ["x"], ["y"])], ["n", 3, "h", "w"]), "open.onnx"
    )
    size = () if ".onnx" in words[0] else SMALL
    code, out, err = hwnas("profile", *size, *words)
    assert (code, out) == (2, "")
    assert line in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("made", "limit", "reason"), [(not_finite, "60", "not finite"), (endless, "1.5", "timeout")]
)
def test_a_model_that_fails_is_marked_and_exit_code_1(hwnas, tmp_path, made, limit, reason):
    saved(tmp_path, made())
    code, out, _ = hwnas("profile", "m.onnx", *QUICK, "--limit", limit, "--json")
    assert code == 1
    latency = next(m for m in json.loads(out)["metrics"] if m["name"] == "latency")
    assert (latency["value"], latency["failure"]["reason"]) == (None, reason)


def test_a_remote_target_is_measured_through_a_command(hwnas):
    # `sh -c` stands in for the way to the other machine.
    there = ("--run-with", "sh -c", "--remote-python", sys.executable)
    words = ("--target", "raspberry-pi-4", *there, "--require", "measured", "--json")
    code, out, err = hwnas("profile", "DARTS_V2", *SMALL, *QUICK, *words)
    assert code == 0, err
    latency = json.loads(out)["metrics"][3]
    assert (latency["origin"], latency["receipt"]["device"]) == ("measured", "raspberry-pi-4")


def test_a_plug_in_is_a_back_end_like_any_other(hwnas, monkeypatch):
    from profilers.measurement import Metric, Receipt

    def energy(subject, device, options):
        receipt = Receipt(backend="meter", device=device.name)
        return [
            Measurement(
                metric=Metric(name="energy", unit="mJ"),
                value=2.0,
                low=1.0,
                high=3.0,
                samples=(2.0,),
                origin="measured",
                receipt=receipt,
            )
        ]

    monkeypatch.setitem(backends.BACKENDS, "meter", energy)
    _, out, _ = hwnas("profile", "DARTS_V2", *SMALL, "--backend", "meter", "--json")
    assert json.loads(out)["metrics"][0]["name"] == "energy"


def test_the_devices_are_listed_shown_and_matched(hwnas):
    _, out, _ = hwnas("devices", "list")
    assert "1080ti" in out
    _, out, _ = hwnas("devices", "list", "--json")
    assert {device["name"]: device["attached"] for device in json.loads(out)}["cpu"] == "cpu"
    _, out, _ = hwnas("devices", "show", "GTX 1080 Ti")
    assert "3584 cores" in out
    _, out, _ = hwnas("devices", "here", "--json")
    assert {"name": "cpu", "place": "cpu"} in json.loads(out)["targets"]
    code, _, err = hwnas("devices", "show", "1080tj")
    assert (code, "did you mean '1080ti'" in err) == (2, True)


def test_several_runtimes_give_one_table_with_the_fastest_first(hwnas, monkeypatch):
    from profilers.measurement import LATENCY, Failure, Receipt

    def latency(name: str, ms: float):
        def measure(subject, device, options):
            receipt = Receipt(
                backend=name,
                dtype=options.dtype,
                versions=((name, "1.2-build"),),
                settings=(("largest_output", "2"), ("parity_max", "0.004")),
            )
            if ms < 0:
                return [
                    Failure(
                        metric=LATENCY, reason="parity", detail="other outputs", receipt=receipt
                    )
                ]
            return [
                Measurement(metric=LATENCY, value=ms, low=ms, high=ms, samples=(ms,), origin="measured", receipt=receipt)
            ]  # fmt: skip

        return measure

    for name, ms in (("slow", 3.0), ("quick", 1.0), ("wrong", -1.0)):
        monkeypatch.setitem(backends.BACKENDS, name, latency(name, ms))
    words = ("profile", "DARTS_V2", *SMALL, "--backend", "slow,quick, wrong", "--backend", "counts")
    code, out, _ = hwnas(*words)
    assert code == 1  # one of them gave other outputs
    rows = [
        line.split()
        for line in out.splitlines()
        if line.split()[:1] in (["slow"], ["quick"], ["wrong"])
    ]
    assert rows == [
        ["quick", "1", "2.0e-03"],  # one value has no interval
        ["slow", "3", "2.0e-03"],
        ["wrong", "failed", "parity", "2.0e-03"],
    ]
    assert "precision fp32 unless it is named; versions: slow 1.2, quick 1.2, wrong 1.2" in out
    assert "latency (wrong): parity: other outputs" in out and "params" in out
    code, out, _ = hwnas(*words, "--precision", "int8", "--json")
    found = json.loads(out)["runtimes"]
    assert found["runtimes"] == ["slow int8", "quick int8"] and found["latency_ms"] == [[3.0, 1.0]]
