"""What every search algorithm is to the one loop: it is asked and told, and names the finalists.

`Searcher` is what an algorithm must have. The other protocols are parts that it may have; the
functions below say what holds for an algorithm without them. An algorithm never measures or writes,
and randomness is handed to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import Stopped
from hwnas.search.diagnostic import Diagnostic
from hwnas.space.encoding import sample
from hwnas.space.space import Choices, Mask, Probabilities, Space, check_choices_of
from profilers.errors import FaultyPlugin, asking, kind_of

if TYPE_CHECKING:
    from hwnas.search.algorithms.archive import Archive

Floats = NDArray[np.float64]


class Searcher(Protocol):
    """A frozen value: ``tell`` returns the searcher that knows more."""

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks to evaluate, (count, edges)."""

    def tell(self, choices: Choices, accuracy: Floats, costs: Floats) -> Searcher:
        """Learn: choices (M, edges), accuracy (M,) in 0..1, costs (M, objectives), to be
        minimised."""

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """What is to be scored in the end, ``count`` per policy, with the probabilities that
        project it.

        ``archive``: what was evaluated in the last stage, which may be nothing.
        """

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The state that a checkpoint holds: all that ``tell`` and ``next_stage`` have changed."""

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Searcher:
        """The searcher with the state of a checkpoint."""


@runtime_checkable
class HasStages(Protocol):
    """A searcher that begins a stage in another way than it ended the last one."""

    def next_stage(self, rng: np.random.Generator) -> Searcher:
        """Go on with the next, deeper supernet."""


@runtime_checkable
class ShapesSupernet(Protocol):
    """A searcher that says which operations the supernet holds, and which of them its weight steps
    train.
    """

    def mask(self) -> Mask:
        """Operations that the stage's supernet must hold, (edges, operations)."""

    def paths(self, count: int, rng: np.random.Generator) -> Choices:
        """Sub-networks that the next weight steps train, (count, edges)."""

    def mixture(self) -> Probabilities:
        """Weights of the mixture supernet, (edges, operations)."""


@dataclass(frozen=True, kw_only=True)
class PolicyRows:
    """K policies at one moment, as the history keeps them.

    ``probabilities`` (K, edges, operations); ``derived``: the choices (edges,) that each derives;
    ``entropies`` (K,) in nats.
    """

    probabilities: Floats
    derived: tuple[Choices, ...] = ()
    entropies: tuple[float, ...] = ()


@runtime_checkable
class HasPolicies(Protocol):
    """A searcher that learns probabilities of operations."""

    def policy_rows(self) -> PolicyRows:
        """Its policies now."""


@runtime_checkable
class HasDiagnostics(Protocol):
    """A searcher that sees for itself when something goes wrong."""

    def diagnostics(self) -> list[Diagnostic]:
        """What is to be said of the present stage."""


def begin_stage(searcher: Searcher, rng: np.random.Generator) -> Searcher:
    """The searcher at the next stage: the same one, unless it says otherwise."""
    if not isinstance(searcher, HasStages):
        return searcher
    with _asked(searcher, "next_stage"):
        found = searcher.next_stage(rng)
    if not isinstance(found, type(searcher)):
        raise _wrong(searcher, "next_stage", found, f"a {type(searcher).__qualname__}")
    return found


def mask_of(searcher: Searcher, space: Space) -> Mask:
    """What the supernet holds, (edges, operations): all operations, unless the searcher says
    otherwise.
    """
    if not isinstance(searcher, ShapesSupernet):
        return space.mask
    with _asked(searcher, "mask"):
        found = searcher.mask()
    shape = space.mask.shape
    good = isinstance(found, np.ndarray) and found.shape == shape and found.dtype == bool
    if not good or not found.any(axis=1).all() or (found & ~space.mask).any():
        wanted = f"an array of bool of shape {shape}, an operation or more for each decision"
        raise _wrong(searcher, "mask", found, wanted)
    return found


def path_of(searcher: Searcher, space: Space, rng: np.random.Generator, even: bool) -> Choices:
    """The sub-network (edges,) of a weight step: drawn by the searcher; uniform where it draws
    none, or if ``even``.
    """
    if even or not isinstance(searcher, ShapesSupernet):
        return sample(space, rng, mask_of(searcher, space))
    with _asked(searcher, "paths"):
        paths = searcher.paths(1, rng)
    shape = (1, len(space.decisions))
    good = isinstance(paths, np.ndarray) and paths.shape == shape and paths.dtype.kind in "iu"
    if not good:
        raise _wrong(searcher, "paths", paths, f"an array of whole numbers of shape {shape}")
    path: Choices = paths[0]
    check_choices_of(space, path, f"{_words(searcher)}: paths")
    return path


def mixture_of(searcher: Searcher, space: Space) -> Probabilities:
    """Weights of the mixture supernet, (edges, operations): equal ones, unless the searcher says
    otherwise.
    """
    if isinstance(searcher, ShapesSupernet):
        with _asked(searcher, "mixture"):
            found = searcher.mixture()
        _check_numbers(searcher, "mixture", found, space.mask.shape)
        return found
    return np.asarray(space.mask / space.mask.sum(axis=1, keepdims=True), dtype=np.float64)


def policies_of(searcher: Searcher, space: Space) -> PolicyRows:
    """The policies of a searcher; K = 0 where it has none."""
    if isinstance(searcher, HasPolicies):
        with _asked(searcher, "policy_rows"):
            found = searcher.policy_rows()
        if not isinstance(found, PolicyRows):
            raise _wrong(
                searcher, "policy_rows", found, "hwnas.search.algorithms.searcher.PolicyRows"
            )
        shape = (len(found.entropies), *space.mask.shape)
        _check_numbers(searcher, "policy_rows", found.probabilities, shape)
        return found
    return PolicyRows(probabilities=np.zeros((0, *space.mask.shape)))


def diagnostics_of(searcher: Searcher) -> list[Diagnostic]:
    """What a searcher has to say of itself."""
    if not isinstance(searcher, HasDiagnostics):
        return []
    with _asked(searcher, "diagnostics"):
        found = searcher.diagnostics()
    if not isinstance(found, list) or not all(isinstance(one, Diagnostic) for one in found):
        raise _wrong(searcher, "diagnostics", found, "a list of hwnas.search.diagnostic.Diagnostic")
    return found


def _words(searcher: Searcher) -> str:
    kind = type(searcher)
    return f"search algorithm of {kind.__module__}.{kind.__qualname__} (hwnas.algorithms)"


def _asked(searcher: Searcher, what: str) -> AbstractContextManager[None]:
    return asking(_words(searcher), what, Stopped)


def _wrong(searcher: Searcher, what: str, found: object, wanted: str) -> FaultyPlugin:
    return FaultyPlugin(f"{_words(searcher)}: {what} gave {kind_of(found)}; it must give {wanted}")


def _check_numbers(searcher: Searcher, what: str, found: object, shape: tuple[int, ...]) -> None:
    """Raise FaultyPlugin for what is no array of numbers of this shape."""
    good = isinstance(found, np.ndarray) and found.shape == shape
    if not good or found.dtype.kind not in "fiu":  # type: ignore[attr-defined]
        raise _wrong(searcher, what, found, f"an array of numbers of shape {shape}")
