"""No search: a trained network and the same with all blocks equally narrow, to be tuned.

What is best where there are too few images to compare networks on, or no time to. Nothing but the
classifier is trained before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.config import Config
from hwnas.search.algorithms.algorithm import Algorithm
from hwnas.search.algorithms.archive import Archive
from hwnas.search.algorithms.random_search import projected_at_random
from hwnas.space.encoding import to_choices
from hwnas.space.narrow import SHARES, uniformly_narrow
from hwnas.space.space import SPACES, Choices, Probabilities
from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Narrow:
    """A searcher that always asks for the same networks, and hands them all back."""

    config: Config

    def ask(self, count: int, rng: np.random.Generator) -> Choices:
        """The networks, (widths, decisions), however many are wanted."""
        return narrow_choices(self.config)

    def tell(
        self, choices: Choices, accuracy: NDArray[np.float64], costs: NDArray[np.float64]
    ) -> Narrow:
        """Nothing is learnt."""
        return self

    def finalists(self, archive: Archive, count: int) -> list[tuple[Choices, Probabilities]]:
        """All of them."""
        return projected_at_random(self.config, narrow_choices(self.config))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """There is no state."""
        return {}

    def with_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Narrow:
        """There is no state."""
        return self


def narrow_choices(config: Config) -> Choices:
    """The different networks of ``SHARES``, widest first, (widths, decisions)."""
    space = SPACES[config.space]
    rows = [tuple(to_choices(uniformly_narrow(space, share)).tolist()) for share in SHARES]
    return np.array(list(dict.fromkeys(rows)), dtype=np.int64)


def _check(config: Config) -> None:
    if not SPACES[config.space].shares_weights:
        raise InputError(
            "algorithm: narrow is for the parts of one network (spaces called -elastic, with"
            f" --weights-from), not for {config.space}"
        )


ALGORITHM = Algorithm(
    name="narrow",
    start=lambda config, objectives, rng: Narrow(config=config),
    check=_check,
    finalists=lambda config: len(narrow_choices(config)),
    searches=False,
)
