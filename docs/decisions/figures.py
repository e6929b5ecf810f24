"""Figures of a source tree that decision 021 compares: python docs/decisions/figures.py TREE."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

MANY = 6
"""Positional arguments of one call that a reader can no longer tell apart."""


def code_lines(text: str) -> int:
    """Lines that hold code: no docstrings, comments or blanks."""
    lines: set[int] = set()
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (*skipped, tokenize.ENDMARKER, tokenize.ENCODING):
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def main(tree: Path) -> None:
    """Print the figures of hwnas and profilers in a tree."""
    paths = [
        path for room in ("hwnas", "profilers") for path in sorted((tree / room).rglob("*.py"))
    ]
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    nodes = [(path, node) for path, text in texts.items() for node in ast.walk(ast.parse(text))]
    functions = [
        (
            (node.end_lineno or node.lineno) - node.lineno + 1,
            f"{path.relative_to(tree)}:{node.name}",
        )
        for path, node in nodes
        if isinstance(node, ast.FunctionDef)
    ]
    crowded = [node for _, node in nodes if isinstance(node, ast.Call) and len(node.args) >= MANY]
    asking = [
        path for path, text in texts.items() if "stacking" in text or "none_is_written" in text
    ]
    longest = max(
        (len(text.splitlines()), str(path.relative_to(tree))) for path, text in texts.items()
    )
    print(f"files {len(paths)}")
    print(f"longest file {longest[0]} lines ({longest[1]})")
    print("longest function {} lines ({})".format(*max(functions)))
    lines = [line for text in texts.values() for line in text.splitlines()]
    print(f"lines over 100 columns {sum(len(line) > 100 for line in lines)}")
    print(f"calls with {MANY} or more positional arguments {len(crowded)}")
    print(f"files that ask for stacking or none_is_written {len(asking)}")
    print(f"code lines {sum(code_lines(text) for text in texts.values())}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
