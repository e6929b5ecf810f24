"""A public class has one meaning: no two share a name, in hwnas and profilers together."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent


def public_classes() -> dict[str, list[str]]:
    """The files that define each public class at their top level."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted([*(ROOT / "hwnas").rglob("*.py"), *(ROOT / "profilers").rglob("*.py")]):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_no_two_public_classes_share_a_name() -> None:
    twice = {name: files for name, files in public_classes().items() if len(files) > 1}
    assert not twice
