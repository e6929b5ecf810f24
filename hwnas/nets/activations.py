"""torch modules of activations, by the names that hwnas.space.layers gives them."""

from __future__ import annotations

from torch import nn

from hwnas.space.layers import ACTIVATIONS, Activation, unknown_layer


def activation(kind: Activation) -> nn.Module:
    """The module of one activation; it has no parameters. Raises InputError for an unknown kind."""
    if kind == "relu":
        return nn.ReLU()
    if kind == "relu6":
        return nn.ReLU6()
    if kind == "swish":
        return nn.SiLU()
    if kind == "hard_swish":
        return nn.Hardswish()
    if kind == "sigmoid":
        return nn.Sigmoid()
    if kind == "hard_sigmoid":
        return nn.Hardsigmoid()
    unknown_layer(kind)


MODULES = tuple(type(activation(kind)) for kind in ACTIVATIONS)
"""Their classes."""
