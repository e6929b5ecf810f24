"""thop as a named second counter, on a throw-away copy, with its difference from ours explained.

thop counts multiply-accumulates too but adds normalisation and pooling, goes by the exact class (a
subclass counts as 0, like an unknown module or a functional call), registers buffers on the user's
modules and restores their modes wrongly. A fork under another licence has the same import name: the
result says which one ran.
"""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from profilers.counts import Counts, count
from profilers.preserve import example_input, left_as_found


@dataclass(frozen=True, kw_only=True)
class KindDifference:
    """One class of modules: what thop counts for it and what we count."""

    kind: str
    thop: int
    ours: int


@dataclass(frozen=True, kw_only=True)
class ThopCounts:
    """thop's totals beside ours.

    `by_kind` holds the classes on which the two differ, the largest difference first; `uncounted`
    the classes of leaf modules that thop has no rule for and takes for 0; `distribution` is "thop
    0.1.1" or the fork that ran.
    """

    macs: int
    params: int
    ours: Counts
    by_kind: tuple[KindDifference, ...]
    uncounted: tuple[str, ...]
    distribution: str

    def explain(self) -> str:
        """The difference in one line."""
        if self.macs == self.ours.macs:
            return f"{self.distribution} counts the same"
        share = 100 * (self.macs - self.ours.macs) / max(1, self.ours.macs)
        parts = ", ".join(f"{k.kind} {k.thop - k.ours:+,}" for k in self.by_kind)
        return (
            f"{self.distribution} counts {self.macs - self.ours.macs:+,} MACs ({share:+.2f} %):"
            f" {parts}"
        )


def count_with_thop(
    module: nn.Module, input_shape: Sequence[int], *, inputs: tuple[Tensor, ...] | None = None
) -> ThopCounts:
    """Count `module` on an input of `input_shape` (batch included) or on `inputs`; it is left as
    found."""
    shape = tuple(int(size) for size in input_shape)
    ours = count(module, shape, inputs=inputs)
    with left_as_found(module):
        duplicate = copy.deepcopy(module)
        with warnings.catch_warnings():
            # distutils, which thop imports, warns about its own end.
            warnings.simplefilter("ignore")
            thop = importlib.import_module("thop")
            rules = importlib.import_module("thop.profile").register_hooks
            macs, params, layers = thop.profile(
                duplicate,
                inputs=inputs if inputs is not None else (example_input(module, shape),),
                verbose=False,
                ret_layer_info=True,
            )
    kinds = {name: type(part) for name, part in module.named_modules()}
    theirs: dict[str, int] = {}
    for name, own_macs in leaves(layers):
        theirs[kinds[name].__name__] = theirs.get(kinds[name].__name__, 0) + int(own_macs)
    if not layers:
        theirs[type(module).__name__] = int(macs)
    unknown = {
        type(part).__name__
        for part in module.modules()
        if next(part.children(), None) is None and type(part) not in rules
    }
    return ThopCounts(
        macs=int(macs),
        params=int(params),
        ours=ours,
        by_kind=differences(theirs, ours),
        uncounted=tuple(sorted(unknown)),
        distribution=distribution(),
    )


def differences(theirs: dict[str, int], ours: Counts) -> tuple[KindDifference, ...]:
    """Classes with another count, the largest difference first."""
    mine: dict[str, int] = {}
    for part in ours.by_module:
        mine[part.kind] = mine.get(part.kind, 0) + part.macs
    found = [
        KindDifference(kind=kind, thop=theirs.get(kind, 0), ours=mine.get(kind, 0))
        for kind in {*theirs, *mine}
    ]
    return tuple(
        sorted(
            (k for k in found if k.thop != k.ours), key=lambda k: (-abs(k.thop - k.ours), k.kind)
        )
    )


def leaves(layers: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """(module's full name, MACs) of every module without children in thop's nested answer."""
    for name, (macs, _, inner) in layers.items():
        if inner:
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", macs


def distribution() -> str:
    """Name and version of the distribution that the import name `thop` comes from."""
    names = importlib.metadata.packages_distributions().get("thop", ["thop"])
    return " / ".join(f"{name} {importlib.metadata.version(name)}" for name in sorted(set(names)))
