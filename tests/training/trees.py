"""Empty files in folders, as a data set has them."""

from __future__ import annotations

from pathlib import Path


def lay(root: Path, *names: str) -> Path:
    """Empty files below a folder; returns the folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def classes(part: str, *names: str) -> list[str]:
    """One file in each class of a part."""
    return [f"{part}/{name}/0.png" for name in names or ("oak", "pine")]
