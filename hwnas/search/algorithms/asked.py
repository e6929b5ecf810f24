"""What a search algorithm answers, looked at where it is asked: it may be a stranger's.

Raises FaultyPlugin, in one line that names the algorithm and what it must give.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.errors import Stopped
from hwnas.search.algorithms.archive import Archive
from hwnas.search.algorithms.searcher import Searcher
from hwnas.space.space import Choices, Probabilities, Space, check_choices_of
from profilers.errors import FaultyPlugin, asking, kind_of

Floats = NDArray[np.float64]
PARTS = ("ask", "tell", "finalists", "to_arrays", "with_arrays")


def plugin_words(algorithm: str) -> str:
    """The algorithm and its table, as a message begins."""
    return f"search algorithm {algorithm!r} (hwnas.algorithms)"


def searcher_from(algorithm: str, what: str, found: object) -> Searcher:
    """``found``, which ``what`` gave, as a searcher."""
    missing = [part for part in PARTS if not callable(getattr(found, part, None))]
    if missing:
        raise FaultyPlugin(
            f"{plugin_words(algorithm)}: {what} gave {kind_of(found)}; it must give a searcher,"
            f" and this one has no {missing[0]}"
        )
    searcher: Any = found
    return searcher  # type: ignore[no-any-return]


def ask(
    algorithm: str, searcher: Searcher, space: Space, count: int, rng: np.random.Generator
) -> Choices:
    """Sub-networks to evaluate, (count, decisions); as many as the searcher likes, at least
    one."""
    plugin = plugin_words(algorithm)
    with asking(plugin, "ask", Stopped):
        found: object = searcher.ask(count, rng)
    return choices_from(plugin, "ask", found, space, (count, len(space.decisions)))


def choices_from(
    plugin: str, what: str, found: object, space: Space, shape: tuple[int, ...]
) -> Choices:
    """Choices of a shape; the first of two axes may have any length but 0."""
    good = (
        isinstance(found, np.ndarray)
        and found.ndim == len(shape)
        and found.shape[-1] == shape[-1]
        and len(found) > 0
        and found.dtype.kind in "iu"
    )
    if not good:
        raise FaultyPlugin(
            f"{plugin}: {what} gave {kind_of(found)}; it must give an array of whole numbers of"
            f" shape {shape}"
        )
    choices: Choices = np.asarray(found, dtype=np.int64)
    check_choices_of(space, choices, f"{plugin}: {what}")
    return choices


def tell(
    algorithm: str, searcher: Searcher, choices: Choices, accuracy: Floats, costs: Floats
) -> Searcher:
    """The searcher that knows more."""
    with asking(plugin_words(algorithm), "tell", Stopped):
        found = searcher.tell(choices, accuracy, costs)
    return searcher_from(algorithm, "tell", found)


def finalists(
    algorithm: str, searcher: Searcher, space: Space, archive: Archive, count: int
) -> list[tuple[Choices, Probabilities]]:
    """What is to be scored in the end: pairs of choices (decisions,) and the scores (decisions,
    operations) that project them."""
    plugin = plugin_words(algorithm)
    with asking(plugin, "finalists", Stopped):
        found: object = searcher.finalists(archive, count)
    wanted = "a list of pairs of choices (decisions,) and scores (decisions, operations)"
    if not isinstance(found, list | tuple):
        raise FaultyPlugin(f"{plugin}: finalists gave {kind_of(found)}; it must give {wanted}")
    pairs: list[tuple[Choices, Probabilities]] = []
    for one in found:
        if not isinstance(one, list | tuple) or len(one) != 2:
            raise FaultyPlugin(f"{plugin}: finalists gave {kind_of(one)} in it; give {wanted}")
        choices = choices_from(plugin, "finalists", one[0], space, (len(space.decisions),))
        scores = one[1]
        good = isinstance(scores, np.ndarray) and scores.shape == space.mask.shape
        if not good or scores.dtype.kind not in "fiu" or not np.isfinite(scores).all():
            raise FaultyPlugin(
                f"{plugin}: finalists gave {kind_of(scores)} as scores; give finite numbers of"
                f" shape {space.mask.shape}"
            )
        pairs.append((choices, scores))
    return pairs


def to_arrays(algorithm: str, searcher: Searcher) -> dict[str, NDArray[Any]]:
    """The searcher's state, as a checkpoint can hold it."""
    plugin = plugin_words(algorithm)
    with asking(plugin, "to_arrays", Stopped):
        found: object = searcher.to_arrays()
    if not isinstance(found, Mapping):
        raise FaultyPlugin(
            f"{plugin}: to_arrays gave {kind_of(found)}; it must give a dict of arrays by name"
        )
    for name, array in found.items():
        good = isinstance(name, str) and isinstance(array, np.ndarray)
        if not good or array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise FaultyPlugin(
                f"{plugin}: to_arrays gave {kind_of(array)} as {name!r}; a checkpoint holds arrays"
                " of numbers"
            )
    return dict(found)


def with_arrays(algorithm: str, searcher: Searcher, arrays: Mapping[str, NDArray[Any]]) -> Searcher:
    """The searcher with the state of a checkpoint; what it raises may be the checkpoint's
    fault."""
    return searcher_from(algorithm, "with_arrays", searcher.with_arrays(arrays))
