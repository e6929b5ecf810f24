"""ONNX Runtime's providers: which of them took the nodes of a network, in a receipt's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Provider = Literal["cpu", "cuda", "tensorrt"]


def took(nodes: Mapping[str, int]) -> str:
    """Which provider took how many nodes: "CUDA 31, CPU 2"."""
    names = {name: name.removesuffix("ExecutionProvider") for name in nodes}
    return ", ".join(f"{names[name]} {count}" for name, count in nodes.items())


def fell_back(nodes: Mapping[str, int], provider: Provider) -> tuple[str, ...]:
    """A note where nodes did not run where they were asked to."""
    asked = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "Tensorrt"}[provider]
    others = {name: n for name, n in nodes.items() if n and not name.startswith(asked)}
    if not others:
        return ()
    return (f"not all nodes ran by {provider}: {took(nodes)}",)
