"""Whoever has an exported file and what lies beside it needs no hwnas: the same classes come out."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from hwnas.export.beside import CARD
from hwnas.export.examples import EXAMPLES, example_name, example_text
from hwnas.export.formats import FORMATS, PLAIN
from hwnas.export.images import images_for, untrained
from hwnas.export.network_files import export
from hwnas.export.predict import PhotoClasses, image_of, of_file, predict
from hwnas.export.usage_file import checked_usage
from hwnas.training.weights import Weights

from .photos import made
from .test_preprocess import weights

FLOWERS = Path(__file__).parents[3] / "shared" / "data" / "flowers" / "val"
BLOCKED = (
    "import runpy, sys; sys.modules['hwnas'] = sys.modules['profilers'] = None;"
    " sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[0].rpartition('/')[0]);"
    " runpy.run_path(sys.argv[0], run_name='__main__')"
)
"""Runs a program as `python PROGRAM` does, where hwnas can't be imported."""


def alone(program: Path, photos: list[Path], folder: Path) -> dict[str, dict[str, float]]:
    """What a program prints of photos, from another folder: by photo, its classes in order."""
    words = [sys.executable, "-c", BLOCKED, str(program), *map(str, photos)]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        photo, _, classes = line.partition(": ")
        if Path(photo) in photos:
            pairs = [text.rpartition(" ") for text in classes.split(", ")]
            found[photo] = {name: float(share) for name, _, share in pairs}
    assert list(found) == list(map(str, photos))
    return found


def by_hwnas(file: Path, photos: list[Path]) -> dict[str, dict[str, float]]:
    ours = list(predict(of_file(file), list(map(str, photos)), top=5))
    return {one.photo: dict(one.classes) for one in ours if isinstance(one, PhotoClasses)}


def by_litert(file: Path, photos: list[Path]) -> dict[str, dict[str, float]]:
    """Probabilities of a TFLite file, by LiteRT in this process."""
    from hwnas.export.tflite.interpreter import tflite_logits

    said = checked_usage(json.loads((file.parent / f"{file.name}.json").read_text()), file)
    images = [image_of(str(photo), said).permute(0, 3, 1, 2) for photo in photos]
    outputs = tflite_logits(file.read_bytes(), images).double()
    shares = outputs if said.output.softmax_inside else outputs.softmax(1)
    found = {}
    for photo, row in zip(photos, shares, strict=True):
        order = row.argsort(descending=True, stable=True).tolist()
        found[str(photo)] = {said.classes[label]: float(row[label]) for label in order}
    return found


def assert_same(
    theirs: Mapping[str, Mapping[str, float]],
    ours: Mapping[str, Mapping[str, float]],
    near: float = 1e-3,
) -> None:
    assert set(theirs) == set(ours)
    for photo, classes in ours.items():
        assert next(iter(theirs[photo])) == next(iter(classes)), photo
        for name, share in classes.items():
            assert theirs[photo][name] == pytest.approx(share, abs=near), photo


def subject(side: int = 16, crop: float = 0.8) -> Weights:
    named = weights((3, side, side), crop=crop)
    return untrained(Weights(**{**vars(named), "classes": ("daisy", "rose bush", "tulip")}))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    network = subject()
    notes = {"accuracy": {"value": 0.5, "origin": "trained (test)", "data": "a|b"}}
    images = images_for(network, None, raw=False)
    export(network, folder, images, formats=("onnx", "python"), notes=notes)
    return folder


def test_the_program_beside_an_onnx_file_needs_it_alone(files: Path, tmp_path: Path) -> None:
    photos = made(tmp_path / "photos")
    theirs = alone(files / example_name("onnx"), photos, tmp_path)
    assert_same(theirs, by_hwnas(files / "model.onnx", photos))


def test_the_json_beside_a_file_names_files_as_seen_from_itself(files: Path) -> None:
    for name in ("model.onnx", "model.py"):
        said = json.loads((files / f"{name}.json").read_text())
        assert said["schema"] == 1 and said["file"] == name
        for other in (*said["files"], said["example"], said["preprocess"]):
            assert Path(other).name == other
            assert (files / other).is_file() or other == "weights.safetensors"
        assert said["classes"] == ["daisy", "rose bush", "tulip"]
        assert said["photo"]["resize"]["side"] == 20 and said["photo"]["crop"]["left"] == 2


def test_onnx_metadata_and_the_json_say_the_same(files: Path) -> None:
    metadata = {one.key: one.value for one in onnx.load(str(files / "model.onnx")).metadata_props}
    inside = json.loads(metadata["usage"])
    beside = json.loads((files / "model.onnx.json").read_text())
    assert {key: beside[key] for key in inside} == inside
    assert json.loads(metadata["classes"]) == inside["classes"]


def test_model_py_and_the_card_hold_classes_layout_and_numbers(files: Path) -> None:
    tree = ast.parse((files / "model.py").read_text())
    (text,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "USAGE"
    ]
    said = json.loads((files / "model.py.json").read_text())
    assert ast.literal_eval(text) == {key: said[key] for key in ast.literal_eval(text)}
    card = (files / CARD).read_text()
    for words in (
        "1. rose bush",
        "NCHW",
        "RGB",
        "0.25",
        "20 pixels",
        "16 x 16",
        r"0.5 on a\|b, trained (test)",
    ):
        assert words in card, words


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_program_is_some_twenty_lines(name: str) -> None:
    assert set(EXAMPLES) == set(FORMATS) - {"weights"}
    text = example_text(name, FORMATS[name].file, "other.bin")
    body = ast.parse(text).body
    assert "hwnas" not in text
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) <= 32 and len(body) >= 6


def test_pixels_layout_and_softmax_inside_change_the_form_and_no_class(
    files: Path, tmp_path: Path
) -> None:
    network = subject()
    images = images_for(network, None, raw=True)
    exported = export(
        network,
        tmp_path / "raw",
        images,
        raw=True,
        channels_last=True,
        softmax=True,
        formats=("onnx", "int8", "python"),
    )
    assert exported.parity.passed
    for name in ("model.onnx", "model.int8.onnx"):
        ready = onnxruntime.InferenceSession(str(tmp_path / "raw" / name))
        (taken,), (given,) = ready.get_inputs(), ready.get_outputs()
        assert (taken.type, taken.shape[1:]) == ("tensor(uint8)", [16, 16, 3])
        assert given.name == "probabilities"
        pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
        assert np.allclose(ready.run(None, {"image": pixels})[0].sum(1), 1, atol=1e-5)
    photos = made(tmp_path / "photos")
    plain = by_hwnas(files / "model.onnx", photos)
    assert_same(by_hwnas(tmp_path / "raw" / "model.onnx", photos), plain)


def _lacks(name: str) -> bool:
    needed = {"openvino": ("openvino",), "ncnn": ("ncnn", "pnnx"), "litert": ("ai_edge_litert",)}
    return any(find_spec(package) is None for package in needed.get(FORMATS[name].extra, ()))


@pytest.mark.slow
@pytest.mark.skipif(not FLOWERS.is_dir(), reason="the photos are not there")
@pytest.mark.parametrize("way", ["plain", "pixels"])
def test_a_hundred_photos_get_the_classes_that_hwnas_gives(way: str, tmp_path: Path) -> None:
    photos = sorted(FLOWERS.rglob("*.jpg"))[::7][:100]
    assert len(photos) == 100
    network = subject(48, crop=0.875)
    pixels = way == "pixels"
    wanted = [name for name in EXAMPLES if not _lacks(name) and not (pixels and "ncnn" in name)]
    images = images_for(network, None, raw=pixels)
    how = {"raw": pixels, "channels_last": pixels, "softmax": pixels}
    export(network, tmp_path / "files", images, formats=tuple(wanted), **how)  # type: ignore[arg-type]
    assert set(wanted) >= set(PLAIN) - {"weights"}
    folder = tmp_path / "files"
    ours = by_hwnas(folder / "model.onnx", photos)
    for name in wanted:
        theirs = alone(folder / example_name(name), photos, tmp_path)
        if name == "int8":  # computes other numbers than the float32 file, the same everywhere
            assert_same(theirs, by_hwnas(folder / "model.int8.onnx", photos))
        elif name == "tflite-int8":
            assert_same(theirs, by_litert(folder / "model.int8.tflite", photos))
        else:
            assert_same(theirs, ours, 1e-2 if "fp16" in name else 1e-3)
