"""Progressive search's schedule inside a stage (P-DARTS, arXiv 1904.12760; constants as in
TND-NAS's source)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwnas.space.space import Space

if TYPE_CHECKING:
    from hwnas.config import SearchStage


def skip_dropout(stage: SearchStage, epoch: int) -> float:
    """Probability of dropout on skip_connect in ``epoch`` (from 0) of a stage of E epochs, E0 of
    them frozen.

    While alpha is frozen p = p0 (E - e - 1) / E, afterwards p = p0 exp(-0.2 (e - E0)).
    """
    if epoch < stage.frozen_epochs:
        return stage.skip_dropout * (stage.searching - epoch - 1) / stage.searching
    return stage.skip_dropout * math.exp(-0.2 * (epoch - stage.frozen_epochs))


def remaining(space: Space, stage: int) -> NDArray[np.int64]:
    """How many operations each edge keeps in ``stage`` (from 0), (edges,); later stages are like
    the last one."""
    counts = (decision.remaining for decision in space.decisions)
    return np.array([some[min(stage, len(some) - 1)] for some in counts], dtype=np.int64)
