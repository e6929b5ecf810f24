"""The files of OpenVINO and ncnn hold the network, for every kind of layer and random genotypes."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hwnas.export.formats import FORMATS, PLAIN, NotTheSame
from hwnas.export.images import images_for, untrained
from hwnas.export.network_files import export
from hwnas.export.onnx_format import onnx_model
from hwnas.export.runtime_formats import Files, ncnn_files, openvino_files, problem_of
from hwnas.nets.network import Network
from hwnas.space import SPACES
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import Architecture, sized
from hwnas.space.text import parse
from hwnas.training.weights import Weights
from profilers.errors import InputError
from profilers.opened import difference
from profilers.parity import LARGEST_SHARE, of_module
from profilers.runtimes import RUNTIMES
from tests.space.every_layer import CLASSES, PICTURE, SAMPLES, SPACE, architecture

from .networks import arrays, lively

INSTALLED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            any(find_spec(one) is None for one in (*RUNTIMES[name].runs, *RUNTIMES[name].prepares)),
            reason=f"{RUNTIMES[name].install} was not done",
        ),
    )
    for name in ("openvino", "ncnn")
]
ODD = ("halve_odd", "avg_pool", "relu6_as_a_gate")
"""Samples that need what a converter may leave out: a Pad, a ceiling, a gate."""


@pytest.fixture
def known(announced) -> None:
    announced(SPACES, SPACE)


def files_of(runtime: str, net: nn.Module, at: Architecture, image: tuple[int, int, int]) -> Files:
    classes = tuple(map(str, range(net(torch.zeros(1, *image)).shape[1])))
    model = onnx_model(at, arrays(net), classes, image)
    if runtime == "openvino":
        return openvino_files(model.SerializeToString(), "m")
    return ncnn_files(model, "m", image)


def error_of(runtime: str, at: Architecture, classes: int, image, folder: Path) -> float:
    """The largest error of the files' logits against float64, of the largest logit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = lively(Network(at, classes, image), image)
    paths = []
    for name, content in files_of(runtime, net, at, image).items():
        paths.append(folder / name)
        paths[-1].write_bytes(content)
    session = importlib.import_module(f"profilers.session_{runtime}")
    model = {"path": str(paths[0]), "weights": str(paths[1]), "shapes": {"image": [1, *image]}}
    ready = session.opened(model, {"threads": 1})
    expected = of_module(net, (1, *image))
    got = difference(ready, str(expected.write(folder / "expected.npz")))
    return got["max"] / got["largest"]


@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize(
    "drawn",
    [name if name in ODD else pytest.param(name, marks=pytest.mark.slow) for name in SAMPLES],
)
def test_every_kind_of_layer_gives_the_same_logits(known, runtime, drawn, tmp_path) -> None:
    at = architecture(SAMPLES[drawn])
    assert error_of(runtime, at, CLASSES, PICTURE, tmp_path) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("space", ["darts", "nasbench201", "tnd", "mobile"])
def test_twenty_random_genotypes_give_the_same_logits(runtime, space, tmp_path) -> None:
    rng = np.random.default_rng(0)
    for number in range(20):
        genotype = to_genotype(SPACES[space], sample(SPACES[space], rng))
        side = 17 if number % 2 else 16
        cells = None if space == "mobile" else 3
        at = sized(genotype, None if space == "mobile" else 4, cells)
        assert error_of(runtime, at, 5, (3, side, side), tmp_path) < LARGEST_SHARE


def weights() -> Weights:
    return untrained(
        Weights(
            tensors={},
            architecture=sized(parse("DARTS_V2"), 4, 3),
            classes=tuple("abcde"),
            image=(3, 9, 9),
            stem="cifar",
            mean=(0.5,) * 3,
            std=(0.25,) * 3,
            notes={},
        )
    )


def test_the_plain_install_writes_what_needs_no_extra() -> None:
    others = {"openvino", "openvino-fp16", "ncnn", "ncnn-fp16", "tflite", "tflite-int8"}
    assert set(FORMATS) - set(PLAIN) == others
    assert {FORMATS[name].extra for name in PLAIN} == {""}


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
def test_both_files_of_both_precisions_are_kept(runtime, tmp_path) -> None:
    subject = weights()
    names = (runtime, f"{runtime}-fp16")
    exported = export(subject, tmp_path, images_for(subject, None, raw=False), formats=names)
    kept = {file.name for file in tmp_path.glob("model.*") if file.suffix != ".json"}
    assert kept == {file for name in names for file in (FORMATS[name].file, *FORMATS[name].beside)}
    # Half the weights' bytes; the text beside them stays.
    binaries = [(tmp_path / FORMATS[name].beside[0]).stat().st_size for name in names]
    assert 0.4 < binaries[1] / binaries[0] < 0.7
    assert set(exported.files) == set(names)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", INSTALLED)
def test_files_of_another_network_are_refused(runtime, monkeypatch, tmp_path) -> None:
    subject = weights()
    images = images_for(subject, None, raw=False)
    other = Network(subject.architecture, 5, subject.image)  # torch's own draw of weights
    lively(other, subject.image)
    made = files_of(runtime, other, subject.architecture, subject.image)
    assert "off by" in problem_of(
        made, Network(subject.architecture, 5, subject.image).eval(), images.test, runtime, "fp32"
    )
    assert problem_of(made, other, images.test, runtime, "fp32") == ""
    monkeypatch.setattr(f"hwnas.export.formats.{runtime}_files", lambda *args, **named: made)
    with pytest.raises(NotTheSame, match="off by"):
        export(subject, tmp_path, images, formats=(runtime,))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("runtime", INSTALLED[1:])
def test_ncnn_is_not_given_pixels(runtime, tmp_path) -> None:
    subject = weights()
    with pytest.raises(InputError, match="ncnn takes float32: input 'image' is uint8"):
        export(subject, tmp_path, images_for(subject, None, raw=True), raw=True, formats=("ncnn",))
