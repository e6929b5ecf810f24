"""Is an exported file the network that was trained?

ONNX Runtime and torch, each against float64 on real images.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from profilers.parity import FACTOR as FACTOR
from profilers.parity import FLOOR as FLOOR
from profilers.parity import LARGEST_SHARE as LARGEST_SHARE

Array = NDArray[Any]
ROUNDINGS = 8
"""How often torch's own error is drawn again where a file is further from float64 than allowed."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What a comparison found.

    Errors are differences of logits to a float64 run of the same network.

    ``*_rms``: root mean square over ``images`` images; ``*_max``: largest. torch's are the largest
    of several roundings where one does not do. Over all
    ``test_images``: ``disagreements`` counts images whose top class differs, ``ties`` those among
    them whose two best logits are closer than the errors, which decide nothing.
    """

    images: int
    largest_logit: float
    torch_rms: float
    torch_max: float
    onnx_rms: float
    onnx_max: float
    test_images: int
    disagreements: int
    ties: int

    @property
    def allowed_rms(self) -> float:
        """How large the file's ``onnx_rms`` may be."""
        return max(FACTOR * self.torch_rms, FLOOR * self.largest_logit)

    @property
    def allowed_max(self) -> float:
        """How large the file's ``onnx_max`` may be."""
        return LARGEST_SHARE * max(self.largest_logit, 1e-12)

    @property
    def passed(self) -> bool:
        """Whether the file may be handed out."""
        return not self.problem

    @property
    def problem(self) -> str:
        """Why the file may not be handed out, empty where it may."""
        # Not "larger than": an error that is no number is none that is allowed.
        near = self.onnx_rms <= self.allowed_rms and self.onnx_max <= self.allowed_max
        if not near:
            return (
                f"its logits are off by {self.onnx_rms:.2g} (rms; at most {self.allowed_rms:.2g})"
                f" and {self.onnx_max:.2g} (largest; at most {self.allowed_max:.2g}) on"
                f" {self.images} images; the largest logit is {self.largest_logit:.2g}"
            )
        if self.disagreements > self.ties:
            return (
                f"it names another class on {self.disagreements - self.ties} of"
                f" {self.test_images} images"
            )
        return ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {**asdict(self), "passed": self.passed}


def session(model: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """A model ready to run on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def onnx_logits(model: bytes, inputs: Sequence[Tensor], threads: int = 1) -> Tensor:
    """The model's logits on batches of its one input, (images, classes) float32."""
    ready = session(model, threads)
    name = ready.get_inputs()[0].name
    outputs = [ready.run(None, {name: x.contiguous().numpy()})[0] for x in inputs]
    return torch.from_numpy(np.concatenate(outputs))


def torch_logits(network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    """The network's logits in its own precision, (images, classes); it must be in evaluation
    mode."""
    with torch.inference_mode():
        return torch.cat([network(x) for x in inputs])


def compare(network: nn.Module, model: bytes, inputs: Sequence[Tensor], images: int = 32) -> Parity:
    """Compare an ONNX model with ``network`` (on the CPU, in evaluation mode, fed with the same
    batches)."""
    return compare_logits(network, onnx_logits(model, inputs), inputs, images)


def compare_logits(
    network: nn.Module, theirs: Tensor, inputs: Sequence[Tensor], images: int = 32
) -> Parity:
    """Compare what any runtime gave for ``inputs``, (images, classes), with ``network``."""
    ours = torch_logits(network, inputs)
    exact = exact_logits(network, inputs, images)
    count = len(exact)
    torch_errors = (ours[:count].double() - exact).abs()
    onnx_errors = (theirs[:count].double() - exact).abs()
    onnx_max = float(onnx_errors.max())
    other = ours.argmax(1) != theirs.argmax(1)
    best = ours.topk(min(2, ours.shape[1]), 1).values
    # Both results may be off by their error, in both logits.
    close = (best[:, 0] - best[:, -1]) <= 4 * max(float(torch_errors.max()), onnx_max)
    found = Parity(
        images=count,
        largest_logit=float(exact.abs().max()),
        torch_rms=_rms(torch_errors),
        torch_max=float(torch_errors.max()),
        onnx_rms=_rms(onnx_errors),
        onnx_max=onnx_max,
        test_images=len(ours),
        disagreements=int(other.sum()),
        ties=int((other & close).sum()),
    )
    return found if found.passed else _held_against_more(found, network, inputs, exact)


def _held_against_more(
    found: Parity, network: nn.Module, inputs: Sequence[Tensor], exact: Tensor
) -> Parity:
    """The comparison with torch's largest error of several roundings.

    One rounding says little where a network magnifies it: in eight networks that were tuned for an
    epoch on 96 photos, equally good ones differed by factors up to 2.7.
    """
    few = [_first(inputs, found.images)]
    rounded = (torch_logits(rounded_again(network, draw), few) for draw in range(ROUNDINGS))
    errors = [(one.double() - exact).abs() for one in rounded]
    return replace(
        found,
        torch_rms=max(found.torch_rms, *map(_rms, errors)),
        torch_max=max(found.torch_max, *(float(one.max()) for one in errors)),
    )


def _rms(errors: Tensor) -> float:
    return float(errors.square().mean().sqrt())


def largest_difference(network: nn.Module, other: nn.Module, inputs: Sequence[Tensor]) -> float:
    """The largest difference of logits, relative to the largest logit: two float32 runs of the
    same network."""
    ours, theirs = torch_logits(network, inputs[:1]), torch_logits(other, inputs[:1])
    return float((ours - theirs).abs().max() / ours.abs().max().clamp_min(1e-12))


def rounded_again(network: nn.Module, draw: int) -> nn.Module:
    """The network with each weight moved by one unit in its last place with probability 1/12, up or
    down: the variance of one more rounding, which an exported file's folded weights have too."""
    generator = torch.Generator().manual_seed(draw)
    other = copy.deepcopy(network)
    for tensor in other.state_dict().values():
        if tensor.is_floating_point():
            chance = torch.rand(tensor.shape, generator=generator)
            ends = torch.where(chance < 1 / 24, -torch.inf, torch.inf).to(tensor)
            moved = torch.nextafter(tensor, ends)
            tensor.copy_(torch.where(chance < 1 / 12, moved, tensor))
    return other


def _first(inputs: Sequence[Tensor], images: int) -> Tensor:
    return torch.cat(list(inputs[: -(-images // len(inputs[0]))]))[:images]


def exact_logits(network: nn.Module, inputs: Sequence[Tensor], images: int) -> Tensor:
    """Logits in float64 of the first images.

    A network that takes pixels converts them by itself.
    """
    few = _first(inputs, images)
    double = copy.deepcopy(network).double()
    return torch_logits(double, [few if few.dtype == torch.uint8 else few.double()])
