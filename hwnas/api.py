"""hwnas from Python: the same words as on the command line.

>>> from hwnas.api import search
>>> found = search(target="1080ti", objective="params", out="runs/mine")  # doctest: +SKIP
>>> found["front"][0]["text"]  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwnas.config import resolve
from hwnas.runs.directory import new_directory
from hwnas.search import search as searching
from hwnas.search.photos import with_weights
from hwnas.search.progress import Watcher


def search(
    objective: str | Sequence[str] = (),
    *,
    target: str = "cpu",
    data: str = "digits",
    test: str | Path | None = None,
    out: str | Path | None = None,
    config: str | None = None,
    watch: Watcher = lambda progress: None,
    **settings: Any,
) -> dict[str, Any]:
    """Search and return the summary that ``hwnas show RUN --json`` prints, with ``run``, its
    directory, added.

    ``objective``: none, one or several of hwnas.costs.metrics.METRICS. ``test``: the folder of the
    test images, where ``data`` is a folder. ``out``: a new directory (default: one under runs/).
    ``settings``: any key of hwnas.config.Config. Raises InputError for anything that can't be used.
    """
    names = [objective] if isinstance(objective, str) else list(objective)
    tested = {} if test is None else {"test": str(test)}
    flags: dict[str, Any] = {"target": target, "data": {"source": data, **tested}, **settings}
    if names:
        flags["objectives"] = [{"metric": name} for name in names]
    path = Path(out) if out is not None else new_directory(data, names)
    run = searching.search(resolve(with_weights(flags, config), config), path, watch)
    return {**searching.summary(run), "run": str(path)}
