"""Check what a wheel holds: `hwnas`, `profilers` and the checkout's data files, each once,
nothing else."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("hwnas", "profilers")


def expected() -> set[str]:
    """Return the files that the checkout asks for, by their names in the wheel."""
    files = {
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".typed", ".html", ".css", ".js"}
    }
    data = {
        path
        for folder in ("devices", "configs")
        for ending in ("toml", "json")
        for path in (ROOT / folder).glob(f"*.{ending}")
    }
    return {path.relative_to(ROOT).as_posix() for path in files} | {
        f"hwnas/_data/{path.relative_to(ROOT).as_posix()}" for path in data
    }


def main(wheel: str) -> None:
    """Exit with a message where the wheel differs from the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    if names != expected():
        sys.exit(
            f"{wheel}: missing {sorted(expected() - names)},"
            f" unexpected {sorted(names - expected())}"
        )


main(sys.argv[1])
