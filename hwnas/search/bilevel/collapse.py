"""A monitor of differentiable search: does it collapse to skip_connect?

(Zela et al., arXiv 1909.09656)

The validation loss's curvature in alpha rises before the derived networks go bad, and skip_connect
comes to lead on most edges. Both are looked at once per epoch; `hwnas.search.bilevel.ndarts` keeps
the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwnas.space.space import SKIP, Probabilities, Space

# epochs: the curvature is averaged over them, and compared with so many before (Zela et al., 4.3)
WINDOW = 5
RISE = (
    0.75  # alarm when the mean curvature WINDOW epochs ago is below this share of the present one
)
SKIPS = 0.5  # alarm when more than this share of a kind of cell's edges would be skip_connect


@dataclass(frozen=True, kw_only=True)
class Health:
    """One epoch as the monitor saw it.

    skip_share: largest share, over the kinds of cell, of edges on which skip_connect leads.
    entropy: of the policy, in nats. curvature: spectral norm of d2 L2 / d alpha d alpha on one
    validation batch. diverged: share of the epoch's hypergradients whose series could not converge.
    """

    skip_share: float
    entropy: float
    curvature: float
    diverged: float


def first_alarm(health: list[Health]) -> int | None:
    """The first epoch (from 0) at which the search looks collapsed, None where it never does.

    Either skip_connect leads on more than half of the edges, or the curvature, averaged over 5
    epochs, has grown past 1 / 0.75 of what it was 5 epochs before.
    """
    smooth = [
        float(np.mean([h.curvature for h in health[max(0, i - WINDOW + 1) : i + 1]]))
        for i in range(len(health))
    ]
    for epoch, row in enumerate(health):
        rising = epoch >= 2 * WINDOW - 1 and smooth[epoch - WINDOW] < RISE * smooth[epoch]
        if row.skip_share > SKIPS or rising:
            return epoch
    return None


def skip_share(space: Space, table: Probabilities) -> float:
    """Largest share, over the kinds of cell, of edges whose likeliest operation but none is
    skip_connect."""
    shares = []
    real = np.where(space.mask & ~space.is_none, np.asarray(table), -1.0)
    leads = real.argmax(axis=1)
    for group in space.groups:
        names = [space.decisions[row].operations[leads[row]] for row in space.rows(group)]
        shares.append(float(np.mean([name == SKIP for name in names])))
    return max(shares)
