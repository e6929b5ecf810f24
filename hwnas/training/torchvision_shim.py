"""The one place that imports torchvision, late and also beside a torch it was not built for.

A torchvision wheel built for CUDA fails to import beside a CPU build of torch: its compiled
operators cannot load, and `torchvision.ops` then asks for `torchvision::nms` and
`torchvision::qnms`, which nobody declared. We use neither, so declaring the two names is enough for
`torchvision.datasets` to work; `torchvision.ops` and `torchvision.io` do not.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import torch

_MISSING = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

# A library's declarations end with the object, so it is kept for as long as the process lives.
_declared: list[torch.library.Library] = []


def datasets() -> ModuleType:
    """Return `torchvision.datasets`; the plain import first, with the declared operators where
    it fails."""
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    _forget_half_loaded()
    _declare_operators()
    return importlib.import_module("torchvision.datasets")


def _forget_half_loaded() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]


def _declare_operators() -> None:
    if not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in _MISSING:
            library.define(operator + _SCHEMA)  # type: ignore[no-untyped-call]
        _declared.append(library)
