"""The formats that torch alone runs: how each is written and checked."""

from __future__ import annotations

from types import ModuleType

from torch import Tensor, nn

from hwnas.export.exporting import Exporting
from hwnas.export.python_format import python_source
from hwnas.export.torch_format import program, run_program
from hwnas.export.usage import METADATA, usage


def pt2(exporting: Exporting) -> bytes:
    """The content of model.pt2."""
    return program(
        exporting.network, exporting.images.test[0], {f"{METADATA}.json": exporting.usage}
    )


def check_pt2(exporting: Exporting, content: bytes) -> None:
    """Raise NotTheSame where its results are not the network's."""
    exporting.refuse_unless_same(run_program(content), "model.pt2")


def python_text(exporting: Exporting) -> bytes:
    """The content of model.py."""
    weights = exporting.weights
    return python_source(
        weights.architecture,
        weights.classes,
        weights.image,
        weights.stem,
        normalise=(weights.mean, weights.std),
        interface=exporting.interface,
        usage=usage(weights, exporting.interface),
    ).encode()


def check_python(exporting: Exporting, content: bytes) -> None:
    """Run the text that was written here, with the weights in it."""
    module = ModuleType("model")
    exec(compile(content.decode(), "model.py", "exec"), module.__dict__)
    network: nn.Module = module.Network()
    tensors: dict[str, Tensor] = dict(exporting.weights.tensors)
    network.load_state_dict(tensors)
    exporting.refuse_unless_same(network.eval(), "model.py")
