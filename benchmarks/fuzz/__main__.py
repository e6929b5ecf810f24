"""See benchmarks.fuzz."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import benchmarks.fuzz
from benchmarks.fuzz.judge import fuzz, limit_memory


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=benchmarks.fuzz.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="parsers whose names hold this, such as image")
    parser.add_argument("--out", type=Path, help="JSON file of the counts and failures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(
        dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as folder:
        limit_memory()
        began = time.monotonic()
        outcomes, failures = fuzz(options.inputs, options.seed, Path(folder), options.only)
    counts = {name: dict(counter) for name, counter in outcomes.items()}
    result: dict[str, Any] = {
        "inputs": options.inputs,
        "seed": options.seed,
        "seconds": round(time.monotonic() - began),
    }
    result |= {"parsers": counts, "failures": [asdict(one) for one in failures[:100]]}
    print(json.dumps({**result, "failures": len(failures)}, indent=1))
    for kind, one in {(one.parser, one.what[-80:]): one for one in failures}.items():
        print(f"--- {kind[0]}: {one.what}\n    input {one.input[:160]}")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    if failures:
        raise SystemExit(f"{len(failures)} inputs were not dealt with as promised")


if __name__ == "__main__":
    main()
