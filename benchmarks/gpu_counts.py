"""Kernels, synchronisations and copies per step of every kind of step, counted on the pretended GPU
of the tests.

    OMP_NUM_THREADS=1 python -m benchmarks.gpu_counts --json FILE
    OMP_NUM_THREADS=1 python -m benchmarks.gpu_counts --table BEFORE AFTER

Supernets have the depth and the operations of the named configs, with few channels and images: what
is launched depends on neither. Nothing here is a time. ``--table`` prints two files as one table:
docs/evidence/gpu.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.gpu import sizes, steps
from benchmarks.gpu.place import Place
from tests.pretended import counted, pretended_gpu

WHAT = ("kernels", "synchronisations", "copies")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="where to write the counts")
    parser.add_argument("--table", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    options = parser.parse_args()
    if options.table:
        print("\n".join(_table(*(json.loads(file.read_text()) for file in options.table))))
        return
    found = {}
    with pretended_gpu() as device:
        place = Place(kind="pretended", device=device, name="pretended")
        for kind in steps.KINDS:
            found[kind.title] = _counts(kind, place)
            print(f"{kind.title}: {found[kind.title]}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def _counts(kind: steps.Kind, place: Place) -> dict[str, Any]:
    """The second step: the first makes what is kept."""
    size = sizes.read(kind.config, place, deep=True)
    step = kind.build(size, kind.stage, place)
    step()
    with counted() as counts:
        step()
    return {**counts.totals(), "waits_for": dict(counts.synchronisations)}


def _table(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = ["| kind of step | kernels | waits | copies in |", "| --- | ---: | ---: | ---: |"]
    for name, now in after.items():
        cells = [
            f"{before[name][what]:,} -> {now[what]:,}" if name in before else f"{now[what]:,}"
            for what in WHAT
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
