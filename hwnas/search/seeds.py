"""What a draw of a search is for: the last word of its seed, so that no two purposes share a
stream.
"""

from __future__ import annotations

import numpy as np

WEIGHTS, ALPHA, PATHS, ASK, DROPOUT, STAGE, FINAL, NOISE, HEAD = range(9)


def rng(*words: int) -> np.random.Generator:
    """A generator that is a function of its seed words alone."""
    return np.random.default_rng(list(words))
