"""What `hwnas export --formats tflite,tflite-int8` keeps, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwnas.export.formats import FORMATS, Exporting, NotTheSame, check_content
from hwnas.export.images import images_for, untrained
from hwnas.export.interface import network_of
from hwnas.export.network_files import export
from hwnas.export.onnx_format import onnx_model
from hwnas.export.tflite.file import METADATA
from hwnas.export.tflite.format import tflite_file
from hwnas.space.genotype import sized
from hwnas.space.text import parse
from hwnas.training.weights import Weights
from profilers import runtimes
from profilers.errors import InputError

from .small import needs_litert

BOTH = ("tflite", "tflite-int8")


def weights(text: str = "DARTS_V2") -> Weights:
    return untrained(
        Weights(
            tensors={},
            architecture=sized(parse(text), 4, 3),
            classes=tuple("abcde"),
            image=(3, 9, 8),
            stem="cifar",
            mean=(0.5,) * 3,
            std=(0.25,) * 3,
            notes={},
        )
    )


@needs_litert
@pytest.mark.slow
@pytest.mark.parametrize("raw", [False, True])
def test_both_files_are_written_run_and_kept(raw: bool, tmp_path: Path) -> None:
    given = weights()
    exported = export(given, tmp_path, images_for(given, None, raw=raw), raw=raw, formats=BOTH)
    for name in BOTH:
        assert exported.files[name].read_bytes()[4:8] == b"TFL3"
        assert exported.files[name].name == FORMATS[name].file
    assert set(exported.sizes) == set(BOTH)
    # Random images have no labels.
    assert exported.to_dict()["tflite_accuracy"] == dict.fromkeys(BOTH)


@needs_litert
@pytest.mark.slow
def test_the_file_of_another_network_is_not_kept_nor_half_a_file() -> None:
    given, other = weights(), weights("PDARTS")
    tensors = {key: tensor.numpy() for key, tensor in given.tensors.items()}
    exporting = Exporting(
        weights=given,
        network=network_of(given),
        model=onnx_model(given.architecture, tensors, given.classes, given.image),
        images=images_for(given, None, raw=False),
    )
    content = tflite_file(other, {})
    with pytest.raises(NotTheSame, match=f"{FORMATS['tflite'].file}: its outputs are off by"):
        check_content(FORMATS["tflite"], exporting, content)
    with pytest.raises(NotTheSame, match=r"refused|crash"):
        check_content(FORMATS["tflite"], exporting, content[: len(content) // 2])


@needs_litert
def test_a_file_says_what_it_is() -> None:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(tflite_file(weights(), {"key": "abc"}), 0)
    entry = model.Metadata(0)
    assert entry.Name() == METADATA.encode()
    said = json.loads(bytes(model.Buffers(entry.Buffer()).DataAsNumpy()))
    assert said["key"] == "abc" and "(batch, height, width, channels)" in said["layout"]


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(InputError) as error:
        tflite_file(weights(), {})
    assert str(error.value).endswith("not installed: pip install 'hwnas[litert]'")
