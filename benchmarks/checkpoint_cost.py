"""What share of a search's time goes into its checkpoints? Bar: 2 %.

    OMP_NUM_THREADS=1 python -m benchmarks.checkpoint_cost

The quickstart on digits (or ``--config``), timed as it is, with a stopwatch around what writes the
state at the end of each epoch: CPU time and, because fsync waits, time by the clock.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from hwnas.config import resolve
from hwnas.search import loop
from hwnas.search.search import search


def timed(function: Callable[..., Any], spent: dict[str, float]) -> Callable[..., Any]:
    """``function`` with what it takes added up."""

    def call(*args: Any, **words: Any) -> Any:
        cpu, wall = time.process_time(), time.monotonic()
        result = function(*args, **words)
        spent["cpu_s"] += time.process_time() - cpu
        spent["wall_s"] += time.monotonic() - wall
        spent["checkpoints"] += 1
        return result

    return call


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", help="a named search or a .toml file instead of the quickstart")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = resolve({"objectives": [{"metric": "params"}], "target": "1080ti"}, options.config)
    spent = {"cpu_s": 0.0, "wall_s": 0.0, "checkpoints": 0.0}
    loop.save = timed(loop.save, spent)
    cpu, wall = time.process_time(), time.monotonic()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        run = search(config, Path(folder) / "run")
        size = run.checkpoint_path.stat().st_size
    whole = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
    shares = {f"{name}_share_percent": round(100 * spent[name] / whole[name], 2) for name in whole}
    rounded = {name: round(value, 1) for name, value in spent.items()}
    print(
        json.dumps(
            {
                **rounded,
                "search": {k: round(v, 1) for k, v in whole.items()},
                **shares,
                "bytes": size,
            }
        )
    )


if __name__ == "__main__":
    main()
