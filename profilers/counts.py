"""Parameters and multiply-accumulates (MACs) of any torch module, counted by structure.

The unit is the MAC: one multiplication and one addition of a convolution, a linear layer, a
recurrent layer or an attention, biases left out; FLOPs = 2 x MACs. This is what
`torch.utils.flop_counter` counts (halved), so that both agree exactly on convolutional networks.
Normalisation, activation and pooling are 0 by definition; a leaf module that has no rule is named
in `uncounted`, never silently taken for 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.padding import _ConstantPadNd, _ReflectionPadNd, _ReplicationPadNd
from torch.nn.modules.pooling import (
    _AdaptiveAvgPoolNd,
    _AdaptiveMaxPoolNd,
    _AvgPoolNd,
    _LPPoolNd,
    _MaxPoolNd,
)

from profilers.preserve import example_input, left_as_found

Rule = Callable[[Any, tuple[Tensor, ...], Tensor], int]


@dataclass(frozen=True, kw_only=True)
class ModuleCount:
    """One module that has a rule: where it is, its class, own parameters, MACs of all its calls,
    calls."""

    name: str
    kind: str
    params: int
    macs: int
    calls: int


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Totals of one forward pass over a whole batch.

    `by_module` is in the order of the first call; `uncounted` holds 'name (class)'; `shape` is the
    input's.
    """

    params: int
    macs: int
    by_module: tuple[ModuleCount, ...]
    uncounted: tuple[str, ...]
    shape: tuple[int, ...] = ()

    @property
    def flops(self) -> int:
        """2 x MACs."""
        return 2 * self.macs


def count(
    module: nn.Module,
    input_shape: Sequence[int],
    *,
    inputs: tuple[Tensor, ...] | None = None,
    rules: Mapping[type[nn.Module], Rule] | None = None,
) -> Counts:
    """Count `module` on an input of `input_shape` (batch included, so (1, 3, 32, 32) for one CIFAR
    image).

    `inputs` replaces the random input for modules that take several or other than floating tensors.
    `rules` adds to or overrides `RULES`: class -> function(module, inputs, output) -> MACs. The
    module is left as found, also when its forward raises.
    """
    shape = tuple(int(size) for size in input_shape)
    table = {**RULES, **(rules or {})}
    seen: dict[str, ModuleCount] = {}
    uncounted: dict[str, None] = {}

    def watch(name: str, rule: Rule | None) -> Callable[..., None]:
        def hook(
            part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
        ) -> None:
            if rule is None:
                uncounted[f"{name or '(root)'} ({type(part).__name__})"] = None
                return
            tensors = tuple(
                value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)
            )
            macs = rule(part, tensors, output[0] if isinstance(output, tuple) else output)
            before = seen.get(name)
            seen[name] = ModuleCount(
                name=name,
                kind=type(part).__name__,
                params=_own_params(part),
                macs=macs + (before.macs if before else 0),
                calls=1 + (before.calls if before else 0),
            )

        return hook

    handles = []
    try:
        for name, part in module.named_modules():
            rule = rule_for(type(part), table)
            if rule is not None or _is_leaf(part):
                handles.append(part.register_forward_hook(watch(name, rule), with_kwargs=True))
        with left_as_found(module):
            module(*(inputs if inputs is not None else (example_input(module, shape),)))
    finally:
        for handle in handles:
            handle.remove()
    return Counts(
        params=count_params(module),
        macs=sum(part.macs for part in seen.values()),
        by_module=tuple(seen.values()),
        uncounted=tuple(uncounted),
        shape=shape,
    )


def count_params(module: nn.Module) -> int:
    """Number of parameters, each shared one once, trainable or not; buffers are none."""
    return sum(parameter.numel() for parameter in module.parameters())


def rule_for(kind: type[nn.Module], rules: Mapping[type[nn.Module], Rule]) -> Rule | None:
    """The rule of a class or of its nearest ancestor: a subclass counts as what it derives from."""
    return next((rules[ancestor] for ancestor in kind.__mro__ if ancestor in rules), None)


def convolution_macs(conv: _ConvNd, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """Every output value takes (in channels / groups) x kernel volume MACs."""
    per_output: int = (conv.in_channels // conv.groups) * math.prod(conv.kernel_size)
    return output.numel() * per_output


def transposed_convolution_macs(conv: _ConvNd, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """Every input value is spread over (out channels / groups) x kernel volume outputs."""
    per_input: int = (conv.out_channels // conv.groups) * math.prod(conv.kernel_size)
    return inputs[0].numel() * per_input


def linear_macs(linear: nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """Every output value takes `in_features` MACs."""
    return output.numel() * linear.in_features


def bilinear_macs(layer: nn.Bilinear, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """x1 A_k x2 for each output k: in1 x in2 MACs for A_k x2 and in1 for the product with x1."""
    return output.numel() * layer.in1_features * (layer.in2_features + 1)


def recurrent_macs(layer: nn.RNNBase, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """Every weight matrix is used once per time step and sequence."""
    steps = inputs[0].numel() // inputs[0].shape[-1]
    return steps * sum(
        parameter.numel() for parameter in layer.parameters() if parameter.dim() == 2
    )


def recurrent_cell_macs(cell: nn.RNNCellBase, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """Every weight matrix is used once per row of the batch."""
    rows = inputs[0].numel() // inputs[0].shape[-1]
    return rows * sum(parameter.numel() for parameter in cell.parameters() if parameter.dim() == 2)


def attention_macs(layer: nn.MultiheadAttention, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """Projections of query, key, value and output, and the two products with the (L, S)
    attention matrix."""
    query = inputs[0]
    key, value = (inputs[1], inputs[2]) if len(inputs) >= 3 else (query, query)
    width = layer.embed_dim
    length, source = (
        (query.shape[-2], key.shape[-2]) if layer.batch_first else (query.shape[0], key.shape[0])
    )
    batch = query.numel() // (length * width)
    projections = 2 * query.numel() * width + (key.numel() + value.numel()) * width
    macs: int = projections + 2 * batch * length * source * width
    return macs


def no_macs(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> int:
    """Normalisation, activation, pooling, reshaping and look-ups count nothing, by definition."""
    return 0


COUNTED: dict[type[nn.Module], Rule] = {
    _ConvTransposeNd: transposed_convolution_macs,
    _ConvNd: convolution_macs,
    nn.Linear: linear_macs,
    nn.Bilinear: bilinear_macs,
    nn.RNNBase: recurrent_macs,
    nn.RNNCellBase: recurrent_cell_macs,
    nn.MultiheadAttention: attention_macs,
}
FREE: tuple[type[nn.Module], ...] = (
    *(
        nn.ReLU,
        nn.ReLU6,
        nn.LeakyReLU,
        nn.PReLU,
        nn.RReLU,
        nn.ELU,
        nn.SELU,
        nn.CELU,
        nn.GELU,
        nn.SiLU,
        nn.Mish,
    ),
    *(
        nn.Hardswish,
        nn.Hardsigmoid,
        nn.Hardtanh,
        nn.Hardshrink,
        nn.Softshrink,
        nn.Tanhshrink,
        nn.Tanh,
    ),
    *(nn.Sigmoid, nn.LogSigmoid, nn.Softplus, nn.Softsign, nn.Threshold, nn.GLU),
    *(nn.Softmin, nn.Softmax, nn.Softmax2d, nn.LogSoftmax),
    *(_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm, nn.CrossMapLRN2d),
    *(_MaxPoolNd, _AvgPoolNd, _LPPoolNd, _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd),
    *(_DropoutNd, _ConstantPadNd, _ReflectionPadNd, _ReplicationPadNd),
    *(nn.Identity, nn.Flatten, nn.Unflatten, nn.Upsample, nn.Unfold, nn.Fold),
    *(nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle, nn.Embedding, nn.EmbeddingBag),
)
RULES: dict[type[nn.Module], Rule] = {**dict.fromkeys(FREE, no_macs), **COUNTED}


def _is_leaf(module: nn.Module) -> bool:
    """No children, or parameters of its own that some functional call must use."""
    return (
        next(module.children(), None) is None
        or next(module.parameters(recurse=False), None) is not None
    )


def _own_params(module: nn.Module) -> int:
    own = {id(parameter): parameter.numel() for parameter in module.parameters(recurse=False)}
    if isinstance(module, nn.MultiheadAttention):
        own |= {id(parameter): parameter.numel() for parameter in module.out_proj.parameters()}
    return sum(own.values())
