"""Export as a whole: files that are verified, complete, and run where hwnas is not; nothing half
done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from hwnas.export import images as export_images
from hwnas.export import latencies
from hwnas.export import network_files as exporting
from hwnas.export.all_networks import export_all
from hwnas.export.formats import FORMATS, PLAIN, NotTheSame
from hwnas.export.images import images_for, untrained
from hwnas.export.network_files import export, int8_notes
from hwnas.export.selection import NetworkToExport, of_genotype
from hwnas.runs.atomic import atomic_write_all
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.text import format_text
from hwnas.training.data import Dataset, load
from hwnas.training.recipe import RECIPES
from hwnas.training.train import train
from hwnas.training.weights import Weights, load_weights, weights_bytes
from profilers.errors import InputError
from profilers.onnx_latency import OnnxOptions
from profilers.timing import Protocol

SMALL = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def trained(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Weights:
    folder = tmp_path_factory.mktemp("trained")
    train(SMALL, digits, replace(RECIPES["quick"], epochs=2, calibrate=256), 0, folder)
    return load_weights(folder / "weights.safetensors")


@pytest.fixture(scope="module")
def files(
    trained: Weights, digits: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("files")
    exported = export(trained, folder, images_for(trained, digits, raw=True), raw=True)
    (folder / "record.json").write_text(json.dumps(exported.to_dict()))
    yield folder


def pixels(dataset: Dataset, count: int) -> torch.Tensor:
    return dataset.test[torch.arange(count)]


def test_all_files_are_there_and_described(files: Path, trained: Weights) -> None:
    record = json.loads((files / "record.json").read_text())
    assert {name: Path(path).name for name, path in record["files"].items()} == {
        name: FORMATS[name].file for name in PLAIN
    }
    for name, path in record["files"].items():
        assert Path(path).stat().st_size == record["bytes"][name]
    assert record["parity"]["passed"] and record["parity"]["test_images"] == 359
    assert (record["opset"], record["key"]) == (17, SMALL.genotype.key)
    # The accuracy that training printed, seen again through ONNX Runtime.
    assert record["accuracy"] == pytest.approx(trained.notes["test_accuracy"], abs=1.5 / 359)
    assert abs(record["accuracy"] - record["int8_accuracy"]) < 0.05


def test_the_onnx_file_stands_alone_and_takes_any_batch(files: Path, digits: Dataset) -> None:
    model = onnx.load(files / "model.onnx", load_external_data=False)
    assert all(
        tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer
    )
    session = onnxruntime.InferenceSession(files / "model.onnx", providers=["CPUExecutionProvider"])
    x = pixels(digits, 7).numpy()
    together = session.run(["logits"], {"image": x})[0]
    one_by_one = np.concatenate(
        [session.run(["logits"], {"image": x[i : i + 1]})[0] for i in range(7)]
    )
    assert np.allclose(together, one_by_one, atol=1e-4)


def test_profile_says_why_the_file_has_fewer_parameters(files: Path, typed: Any) -> None:
    whole = json.loads((files / "record.json").read_text())["params"]
    out, err = typed("profile", str(files / "model.onnx"), "--backend", "counts", "--json")
    own = {one["name"]: one["value"] for one in json.loads(out)["metrics"]}["params"]
    assert own < whole
    assert f"BatchNorm folded in; the network has {whole:,}" in err


def test_the_quantised_file_says_what_it_is_and_is_int8(files: Path) -> None:
    model = onnx.load(files / "model.int8.onnx")
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["key"] == SMALL.genotype.key and json.loads(said["classes"])[0] == "0"
    kinds = [node.op_type for node in model.graph.node]
    assert "QuantizeLinear" in kinds and "DequantizeLinear" in kinds
    stored = {tensor.data_type for tensor in model.graph.initializer}
    assert onnx.TensorProto.INT8 in stored


def test_program_and_python_file_run_where_hwnas_cannot_be_imported(
    files: Path, digits: Dataset
) -> None:
    x = pixels(digits, 5)
    session = onnxruntime.InferenceSession(files / "model.onnx", providers=["CPUExecutionProvider"])
    expected = session.run(None, {"image": x.numpy()})[0]
    script = (
        "import json, sys\n"
        "sys.modules['hwnas'] = sys.modules['profilers'] = sys.modules['safetensors'] = None\n"
        "import torch\n"
        "sys.path.insert(0, '.')\n"
        "import model\n"
        f"x = torch.tensor({x.tolist()}, dtype=torch.uint8)\n"
        "with torch.inference_mode():\n"
        "    plain = model.load('weights.safetensors')(x)\n"
        "    program = torch.export.load('model.pt2').module()(x)\n"
        "print(json.dumps([plain.tolist(), program.tolist(), list(model.CLASSES)]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", script],
        cwd=files,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    plain, program, classes = json.loads(ran.stdout)
    assert np.allclose(plain, expected, atol=1e-4)
    assert np.allclose(program, expected, atol=1e-4)
    assert classes == list(digits.classes)


def test_only_the_formats_asked_for_are_written(trained: Weights, tmp_path: Path) -> None:
    exported = export(trained, tmp_path, images_for(trained, None, raw=False), formats=("onnx",))
    assert {path.name for path in tmp_path.iterdir()} == {
        "model.onnx",
        "model.onnx.json",
        "example_onnx.py",
        "preprocess.py",
        "model-card.md",
    }
    assert exported.accuracy is None and exported.int8_accuracy is None


def test_weights_survive_the_way_through_their_file(trained: Weights, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(weights_bytes(trained))
    again = load_weights(tmp_path / "w.safetensors")
    assert (
        again.architecture == SMALL
        and again.classes == trained.classes
        and again.image == (1, 8, 8)
    )
    assert all(torch.equal(again.tensors[name], tensor) for name, tensor in trained.tensors.items())


def test_a_file_that_gives_other_results_is_not_kept(
    trained: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: object, **named: object) -> onnx.ModelProto:
        model = original(*arguments, **named)  # type: ignore[arg-type]
        weight = onnx.numpy_helper.to_array(model.graph.initializer[0]) * np.float32(1.02)
        model.graph.initializer[0].CopyFrom(
            onnx.numpy_helper.from_array(weight, model.graph.initializer[0].name)
        )
        return model

    original = exporting.onnx_model
    monkeypatch.setattr(exporting, "onnx_model", wrong)
    with pytest.raises(NotTheSame, match=r"model\.onnx"):
        export(trained, tmp_path, images_for(trained, None, raw=False), formats=("onnx",))
    assert not list(tmp_path.iterdir())


def test_int8_that_costs_more_than_a_point_is_warned_of() -> None:
    assert exporting._warnings(0.90, 0.895, 1000) == ()
    (warning,) = exporting._warnings(0.90, 0.85, 1000)
    assert warning == "int8 costs 5.0 points: 0.9000 -> 0.8500 of 1,000 images"
    assert exporting._warnings(None, None, 0) == ()


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_files_and_no_half_one(trained: Weights, tmp_path: Path) -> None:
    """The limit on the size of a file stands in for a full disk: writing fails in the middle of
    the file."""
    (tmp_path / "model.onnx").write_bytes(b"old")
    (tmp_path / "w.safetensors").write_bytes(weights_bytes(trained))
    script = (
        "import resource, sys\n"
        "from hwnas.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "sys.argv[1:] = ['export', 'DARTS_V2', '--weights', 'w.safetensors', '--out', '.', '--formats', 'onnx',"
        " '--no-measure', '--quiet']\n"
        "main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert ran.returncode == 2, ran.stderr
    (line,) = ran.stderr.strip().splitlines()
    assert "can't be written" in line and "File too large" in line
    assert not list((tmp_path / SMALL.genotype.key).iterdir())
    assert (tmp_path / "model.onnx").read_bytes() == b"old"


def test_several_files_are_replaced_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write_all(tmp_path, {"a": b"new", "b": b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def altered(dataset: Dataset, **changes: object) -> Dataset:
    return replace(dataset, **changes)  # type: ignore[arg-type]


def test_images_of_another_kind_are_refused(trained: Weights, digits: Dataset) -> None:
    with pytest.raises(
        InputError, match=r"images of \(1, 16, 16\), but the weights were trained on \(1, 8, 8\)"
    ):
        images_for(trained, altered(digits, image=(1, 16, 16)), raw=False)
    with pytest.raises(InputError, match="9 classes, but the weights were trained for 10"):
        images_for(trained, altered(digits, classes=digits.classes[:9]), raw=False)
    with pytest.raises(InputError, match="class 'x' where the weights were trained for '0'"):
        images_for(trained, altered(digits, classes=("x", *digits.classes[1:])), raw=False)


def test_of_a_large_test_set_images_of_all_classes_are_taken(
    trained: Weights, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_images, "MOST_NUMBERS", 100 * 64)
    images = images_for(trained, digits, raw=True)
    assert images.labels is not None and len(images.labels) == 100 == sum(map(len, images.test))
    assert torch.bincount(images.labels, minlength=10).min() > 0
    known = {
        (image.numpy().tobytes(), int(label))
        for image, label in zip(digits.test, digits.test_labels, strict=True)  # type: ignore[arg-type]
    }
    assert {
        (image.numpy().tobytes(), int(label))
        for image, label in zip(torch.cat(images.test), images.labels, strict=True)
    } <= known


SIZE = (4, 3, 10, (3, 16, 16), "cifar")


@pytest.mark.parametrize(
    ("classes", "image", "said"),
    [
        (9, None, "--classes 9: .* was trained for 10: leave it out"),
        (None, (3, 16, 16), "--image 3x16x16: .* was trained for images of 1x8x8: leave it out"),
    ],
)
def test_a_size_that_the_weights_were_not_trained_for_is_refused(
    trained: Weights,
    tmp_path: Path,
    classes: int | None,
    image: tuple[int, int, int] | None,
    said: str,
) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(weights_bytes(trained))
    genotype = trained.architecture.genotype
    text = format_text(genotype)
    size = (None, None, classes, image, "cifar")
    with pytest.raises(InputError, match=said):
        of_genotype(text, file, without_training=False, size=size, data=None, data_root=None)
    same = (None, None, 10, trained.image, "cifar")
    (found,) = of_genotype(text, file, without_training=False, size=same, data=None, data_root=None)
    assert found.name == genotype.key


def test_weights_of_another_genotype_are_refused(trained: Weights, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    file.write_bytes(weights_bytes(trained))
    with pytest.raises(InputError, match="weights of the genotype"):
        of_genotype("PDARTS", file, without_training=False, size=SIZE, data=None, data_root=None)
    with pytest.raises(InputError, match="of the darts space, not of tnd"):
        of_genotype(
            "TND_CIFAR10", file, without_training=False, size=SIZE, data=None, data_root=None
        )
    with pytest.raises(InputError, match="either --weights FILE or --untrained"):
        of_genotype("DARTS_V2", None, without_training=False, size=SIZE, data=None, data_root=None)
    with pytest.raises(InputError, match="no such file"):
        of_genotype(
            "DARTS_V2",
            tmp_path / "none",
            without_training=False,
            size=SIZE,
            data=None,
            data_root=None,
        )
    file.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="not a weights file"):
        of_genotype("DARTS_V2", file, without_training=False, size=SIZE, data=None, data_root=None)


def test_weights_with_a_missing_or_misshapen_tensor_are_refused(
    trained: Weights, tmp_path: Path
) -> None:
    images = images_for(trained, None, raw=False)
    name = "head.classifier.1.weight"
    less = replace(
        trained, tensors={key: value for key, value in trained.tensors.items() if key != name}
    )
    with pytest.raises(InputError, match=r"no tensor 'head.classifier.1.weight'"):
        export(less, tmp_path, images, formats=("onnx",))
    narrow = replace(trained, tensors={**trained.tensors, name: trained.tensors[name][:, :2]})
    with pytest.raises(InputError, match="has shape"):
        export(narrow, tmp_path, images, formats=("onnx",))


def test_an_untrained_genotype_exports_and_is_marked(tmp_path: Path) -> None:
    (subject,) = of_genotype(
        "TND_CIFAR10", None, without_training=True, size=SIZE, data=None, data_root=None
    )
    (record,) = export_all(
        [subject], tmp_path, formats=("onnx",), raw=False, threads=None, say=lambda line: None
    )
    model = onnx.load(record["files"]["onnx"])
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["accuracy"] == "untrained" and record["accuracy"] is None
    assert record["parity"]["passed"] and record["parity"]["torch_rms"] > 0


def test_exported_models_are_measured_in_one_go(
    trained: Weights, digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(OnnxOptions, protocol=Protocol(min_s=0.0, budget_s=0.05))
    monkeypatch.setattr(latencies, "OnnxOptions", quick)
    subject = NetworkToExport(
        name="name", weights=trained, folder=tmp_path, dataset=digits, notes={}
    )
    (record,) = export_all(
        [subject], None, formats=("onnx", "int8"), raw=False, threads=1, say=lambda line: None
    )
    for name in ("onnx", "int8"):
        found = record["latency"][name]
        assert found["origin"] == "measured" and found["unit"] == "ms"
        assert 0 < found["low"] <= found["value"] <= found["high"]
    assert json.loads((tmp_path / "export.json").read_text())["latency"] == record["latency"]


def test_random_weights_come_with_statistics_that_are_not_the_initial_ones() -> None:
    blank = Weights(
        tensors={},
        architecture=SMALL,
        classes=tuple("ab"),
        image=(3, 16, 16),
        stem="cifar",
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        notes={},
    )
    first, again = untrained(blank), untrained(blank)
    assert all(torch.equal(first.tensors[name], tensor) for name, tensor in again.tensors.items())
    means = [tensor for name, tensor in first.tensors.items() if name.endswith("running_mean")]
    assert means and all(float(mean.abs().max()) > 0 for mean in means)


def test_every_format_has_a_file_of_its_own() -> None:
    files = [file for format in FORMATS.values() for file in (format.file, *format.beside)]
    assert len(set(files)) == len(files)


def test_int8_that_does_not_pay_is_said() -> None:
    def took(low: float, value: float, high: float) -> dict[str, float]:
        return {"low": low, "value": value, "high": high}

    paid = int8_notes(
        {"onnx": 4096, "int8": 1024}, {"onnx": took(2, 2.1, 2.2), "int8": took(1, 1.1, 1.2)}
    )
    assert paid == ()
    slow = int8_notes(
        {"onnx": 2048, "int8": 2048}, {"onnx": took(1, 1.1, 1.2), "int8": took(1.3, 1.4, 1.5)}
    )
    assert slow == (
        "the int8 file is not smaller: 2 KiB, float32 2 KiB",
        "int8 is slower on this host: 1.4 ms, float32 1.1 ms",
    )
    # Within the intervals nothing is said, nor where one of them failed.
    near = {"onnx": took(1, 1.1, 1.4), "int8": took(1.3, 1.4, 1.5)}
    assert int8_notes({"onnx": 9}, near) == ()
    assert int8_notes({}, {**near, "onnx": {"low": None, "value": None, "high": None}}) == ()
