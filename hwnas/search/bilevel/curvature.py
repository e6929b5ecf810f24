"""First and second derivatives of a loss at one point, for the hypergradients and the collapse
monitor.

A `Loss` is a pure function of `(weights, alpha)`, two tuples of tensors, and returns a scalar. What
is here never writes to its arguments: it works on detached leaves that share their memory, and
`torch.autograd.grad` fills no `.grad`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hwnas.nets.fast.double_backward import cheap_double_backward

Tensors = tuple[Tensor, ...]
Loss = Callable[[Tensors, Tensors], Tensor]
Product = Callable[[Tensors], Tensors]

DIFFERENCE = (
    0.01  # length of a finite-difference step in weight space (DARTS, arXiv 1806.09055, 2.3)
)
POWER_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class Inner:
    """The training loss L1 at one point: its gradient, and its second derivatives as linear maps.

    gradient: d_w L1, like the weights. hessian: v -> (d2 L1 / dw dw) v, both like the weights.
    mixed: v -> (d2 L1 / d alpha d w) v, from the weights' shapes to alpha's.
    """

    gradient: Tensors
    hessian: Product
    mixed: Product


def exact(loss: Loss, weights: Sequence[Tensor], alpha: Sequence[Tensor]) -> Inner:
    """Products by double backward through one graph, built once: a product costs about two
    first-order steps."""
    leaves_w, leaves_a = leaves(weights), leaves(alpha)
    with cheap_double_backward():
        value = loss(leaves_w, leaves_a)
    graph = torch.autograd.grad(value, leaves_w, create_graph=True, materialize_grads=True)

    def product(v: Tensors, inputs: Tensors) -> Tensors:
        live = [(g, u) for g, u in zip(graph, v, strict=True) if g.requires_grad]
        if not live:
            return tuple(torch.zeros_like(t) for t in inputs)
        outputs, vectors = zip(*live, strict=True)
        return torch.autograd.grad(
            outputs, inputs, vectors, retain_graph=True, materialize_grads=True
        )

    gradient = tuple(g.detach() for g in graph)
    return Inner(
        gradient=gradient,
        hessian=lambda v: product(v, leaves_w),
        mixed=lambda v: product(v, leaves_a),
    )


def by_differences(
    loss: Loss, weights: Sequence[Tensor], alpha: Sequence[Tensor], rewind: Callable[[], None]
) -> Inner:
    """Products by central differences over w +- 0.01 v / ||v||: the memory of a first-order step,
    an error O(step^2).

    `rewind` puts torch's random state back before each evaluation, so that both sides see the same
    dropout.
    """

    def product(v: Tensors, which: int) -> Tensors:
        length = norm(v)
        if length == 0.0:
            return tuple(torch.zeros_like(t) for t in (weights, alpha)[which])
        step = DIFFERENCE / length
        sides = []
        for sign in (step, -step):
            rewind()
            point = leaves(axpy(weights, sign, v)), leaves(alpha)
            sides.append(gradient(loss(*point), point[which]))
        return tuple((up - down) / (2.0 * step) for up, down in zip(*sides, strict=True))

    leaves_w = leaves(weights)
    here = gradient(loss(leaves_w, tuple(alpha)), leaves_w)
    return Inner(gradient=here, hessian=lambda v: product(v, 0), mixed=lambda v: product(v, 1))


def power_iteration(product: Product, start: Tensors, steps: int = POWER_STEPS) -> float:
    """Estimate of the spectral norm of the symmetric map `product`, from below: ||H u|| after
    `steps` products, ||u|| = 1.

    `start`: any tensors that are not orthogonal to the dominant eigenvector; zeros give 0.
    """
    v, length = start, norm(start)
    if length == 0.0:
        return 0.0
    curvature = 0.0
    for _ in range(steps):
        v = product(tuple(t / length for t in v))
        length = norm(v)
        curvature = max(curvature, length)
        if length == 0.0:
            break
    return curvature


@contextmanager
def random_state_kept(like: Sequence[Tensor]) -> Iterator[Callable[[], None]]:
    """Torch's global random state is put back at the end; the value is a function that puts it back
    at once.

    like: tensors whose devices' generators are kept beside the CPU's.
    """
    cuda = sorted({t.device.index for t in like if t.is_cuda})
    cpu_state, cuda_states = torch.get_rng_state(), [torch.cuda.get_rng_state(i) for i in cuda]

    def rewind() -> None:
        torch.set_rng_state(cpu_state)
        for index, state in zip(cuda, cuda_states, strict=True):
            torch.cuda.set_rng_state(state, index)

    try:
        yield rewind
    finally:
        rewind()


class _Call(nn.Module):
    """Lets torch.func.functional_call reach more than `module.forward`."""

    def __init__(self, module: nn.Module, compute: Callable[[nn.Module, Tensors], Tensor]) -> None:
        super().__init__()
        self.module, self.compute = module, compute

    def forward(self, alpha: Tensors) -> Tensor:
        return self.compute(self.module, alpha)


def module_loss(module: nn.Module, compute: Callable[[nn.Module, Tensors], Tensor]) -> Loss:
    """A pure `Loss` from `compute(module, alpha) -> scalar`, for weights in the order of
    `module.parameters()`.

    Each evaluation runs on copies of the buffers, so BatchNorm's running statistics stay as they
    were.
    """
    call = _Call(module, compute)
    names = [name for name, _ in call.named_parameters()]

    def loss(weights: Tensors, alpha: Tensors) -> Tensor:
        state = {name: buffer.clone() for name, buffer in call.named_buffers()}
        state.update(zip(names, weights, strict=True))
        value: Tensor = torch.func.functional_call(call, state, (alpha,))
        return value

    return loss


def leaves(tensors: Sequence[Tensor]) -> Tensors:
    """New leaves that require a gradient and share the memory of `tensors`."""
    return tuple(t.detach().requires_grad_() for t in tensors)


def gradient(value: Tensor, inputs: Tensors) -> Tensors:
    """Gradient of a scalar; zeros for an input that it does not depend on."""
    return torch.autograd.grad(value, inputs, materialize_grads=True)


def axpy(x: Sequence[Tensor], a: float, y: Sequence[Tensor]) -> Tensors:
    """x + a * y, tensor by tensor, without a graph."""
    scaled = torch._foreach_mul([v.detach() for v in y], a)
    return tuple(torch._foreach_add([u.detach() for u in x], scaled))


def norm(v: Sequence[Tensor]) -> float:
    """Euclidean length of all the tensors as one vector."""
    return float(length(v)) if v else 0.0


def length(v: Sequence[Tensor]) -> Tensor:
    """The same as a tensor (), which no GPU is waited for; ``v`` is not empty."""
    lengths = torch._foreach_norm([t.detach() for t in v])
    whole: Tensor = torch.linalg.vector_norm(torch.stack(lengths))
    return whole


def numbers(*scalars: Tensor) -> list[float]:
    """Several tensors () as numbers, by one copy from the device."""
    return [
        float(value) for value in torch.stack([one.detach().double() for one in scalars]).tolist()
    ]
