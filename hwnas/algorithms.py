"""Every search algorithm by name, and where it stands: one file each, here or in another package.

An algorithm is one value, `hwnas.search.algorithms.algorithm.Algorithm`. Another package's
algorithm announces itself by an entry point `hwnas.algorithms`; then it is searched with like any
other. Configs ask this table for names, and the room of the search asks it for the values, so
nothing is imported before a search begins.
"""

from __future__ import annotations

from typing import Any

from hwnas.plugins import Announced

ALGORITHMS: Announced[Any] = Announced(
    "hwnas.algorithms",
    "hwnas.search.algorithms.algorithm:Algorithm",
    {
        "tndnas": "hwnas.search.algorithms.tndnas:ALGORITHM",
        "ndarts": "hwnas.search.bilevel.ndarts:ALGORITHM",
        "random": "hwnas.search.algorithms.random_search:ALGORITHM",
        "nsga2": "hwnas.search.algorithms.nsga2:ALGORITHM",
        "surrogate": "hwnas.search.algorithms.surrogate:ALGORITHM",
        "narrow": "hwnas.search.algorithms.narrow:ALGORITHM",
    },
)
"""The one table of algorithms. One of your own is one more entry, or an entry point of an installed
package.
"""
