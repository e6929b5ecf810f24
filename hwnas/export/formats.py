"""Every file format of an export: what the file is called, how it is written, and how it is checked
before it is kept.

A format is one value in one table. Another package's format announces itself by an entry point
`hwnas.formats`; then `hwnas export --formats NAME` writes it like any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

from onnx import ModelProto
from torch import Tensor, nn

from hwnas.errors import Stopped
from hwnas.export.images import CheckImages
from hwnas.export.int8 import quantised
from hwnas.export.python_format import python_source
from hwnas.export.torch_format import program, run_program
from hwnas.export.verify import LARGEST_SHARE, largest_difference
from hwnas.plugins import Announced
from hwnas.runs import training_record
from hwnas.runs.directory import FRONT
from hwnas.training.checkpoint import BEST, STATE, WEIGHTS
from hwnas.training.weights import Weights, weights_bytes
from profilers.errors import FaultyPlugin, asking, kind_of


class NotTheSame(RuntimeError):
    """An exported file gives other results than the network that it was made from; it was not
    kept."""


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """One network on its way to files.

    `network`: in evaluation mode, images (n, c, h, w) -> logits (n, classes); with `raw` it takes
    uint8 pixels.
    `model`: its ONNX file, which has been compared with the network. `images`: to calibrate with
    and to compare on.
    """

    weights: Weights
    network: nn.Module
    model: ModelProto
    images: CheckImages
    raw: bool

    @cached_property
    def onnx(self) -> bytes:
        """The ONNX file's content."""
        content: bytes = self.model.SerializeToString()
        return content

    def refuse_unless_same(self, other: nn.Module, file: str) -> None:
        """Raise NotTheSame where `other` gives other logits than the network."""
        difference = largest_difference(self.network, other, self.images.test)
        if not difference <= LARGEST_SHARE:
            raise NotTheSame(f"{file}: logits differ by {difference:.2g} of the largest one")


def _any(exporting: Exporting, content: bytes) -> None:
    """Nothing to compare: it was compared when it was made, or is no network."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format by name.

    `check` raises NotTheSame where a file's results are not the network's.

    `needs`: formats that are written beside it, since it can't be used without them.
    """

    name: str
    file: str
    write: Callable[[Exporting], bytes]
    check: Callable[[Exporting, bytes], None] = _any
    runs_on: str
    needs: tuple[str, ...] = ()


def _int8(exporting: Exporting) -> bytes:
    return quantised(exporting.model, exporting.images.calibration)


def _pt2(exporting: Exporting) -> bytes:
    return program(exporting.network, exporting.images.test[0])


def _check_pt2(exporting: Exporting, content: bytes) -> None:
    exporting.refuse_unless_same(run_program(content), "model.pt2")


def _python(exporting: Exporting) -> bytes:
    weights = exporting.weights
    return python_source(
        weights.architecture,
        weights.classes,
        weights.image,
        weights.stem,
        normalise=(weights.mean, weights.std),
        raw=exporting.raw,
    ).encode()


def _check_python(exporting: Exporting, content: bytes) -> None:
    """Run the text that was written here, with the weights in it."""
    module = ModuleType("model")
    exec(compile(content.decode(), "model.py", "exec"), module.__dict__)
    network: nn.Module = module.Network()
    tensors: dict[str, Tensor] = dict(exporting.weights.tensors)
    network.load_state_dict(tensors)
    exporting.refuse_unless_same(network.eval(), "model.py")


RECORD = "export.json"
OTHERS = (RECORD, training_record.RECORD, training_record.FRONT, STATE, BEST, WEIGHTS, FRONT)
"""What else hwnas writes beside an exported network."""


def _check_file(one: Format, others: Mapping[str, Format]) -> None:
    """Raise FaultyPlugin for a file name that is no plain one, or that something else is written
    to."""
    plugin = f"format {one.name!r} (hwnas.formats)"
    name = one.file
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+-]{0,99}", name):
        raise FaultyPlugin(
            f"{plugin}: file {name!r}; it must be a plain file name such as 'network.bin'"
        )
    taken = {other.file.casefold(): f"format {other.name!r}" for other in others.values()}
    taken |= {file.casefold(): "hwnas" for file in OTHERS if one.write is not _weights}
    owner = taken.get(name.casefold())
    if owner is not None:
        raise FaultyPlugin(f"{plugin}: file {name!r} is written by {owner}; take another name")


def content_of(one: Format, exporting: Exporting) -> bytes:
    """The content of a format's file. Raises FaultyPlugin where it gives none."""
    plugin = f"format {one.name!r} (hwnas.formats)"
    with asking(plugin, "write", NotTheSame, Stopped):
        found: object = one.write(exporting)
    if not isinstance(found, bytes):
        raise FaultyPlugin(f"{plugin}: write gave {kind_of(found)}; it must give bytes")
    return found


def check_content(one: Format, exporting: Exporting, content: bytes) -> None:
    """Raise NotTheSame where a file's results are not the network's, FaultyPlugin where the check
    fails otherwise."""
    with asking(f"format {one.name!r} (hwnas.formats)", "check", NotTheSame, Stopped):
        one.check(exporting, content)


def _weights(exporting: Exporting) -> bytes:
    return weights_bytes(exporting.weights)


FORMATS: Announced[Format] = Announced("hwnas.formats", Format, check=_check_file)
"""The one table of formats, in the order in which they are written."""
for _format in (
    Format(
        name="onnx",
        file="model.onnx",
        write=lambda exporting: exporting.onnx,
        runs_on="ONNX Runtime, TensorRT, OpenVINO",
    ),
    Format(name="int8", file="model.int8.onnx", write=_int8, runs_on="ONNX Runtime"),
    Format(name="pt2", file="model.pt2", write=_pt2, check=_check_pt2, runs_on="torch.export.load"),
    Format(
        name="python",
        file="model.py",
        write=_python,
        check=_check_python,
        runs_on="torch alone",
        needs=("weights",),
    ),
    Format(
        name="weights",
        file=WEIGHTS,
        write=_weights,
        runs_on="safetensors",
    ),
):
    FORMATS[_format.name] = _format
