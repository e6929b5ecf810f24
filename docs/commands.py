"""Write docs/guide/commands.md, the reference of the command line, from the command line itself.

python docs/commands.py; tests/test_guide.py fails where the page is older than the commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.main import get_command

from hwnas.cli import app

PAGE = Path(__file__).parent / "guide" / "commands.md"


def reference() -> str:
    """The whole page."""
    head = "# Commands\n\nMade by `python docs/commands.py` from the commands themselves.\n"
    return "\n".join([head, *sections(get_command(app), "hwnas")])


def sections(group: Any, name: str) -> list[str]:
    """One section per command, groups in depth.

    ``Any``: newer versions of typer bring a click of their own.
    """
    found: list[str] = []
    for word, command in group.commands.items():
        called = f"{name} {word}"
        found += (
            sections(command, called)
            if hasattr(command, "commands")
            else [section(command, called)]
        )
    return found


def section(command: Any, called: str) -> str:
    """What it does, its arguments and its options."""
    rows = [
        row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)
    ]
    help_text = "\n\n".join(
        f"`{part.strip()}`" if part.strip().startswith("hwnas ") else part.strip()
        for part in (command.help or "").split("\n\n")
    )
    return f"## {called}\n\n{help_text}\n\n| | |\n|---|---|\n" + "\n".join(rows) + "\n"


def row(parameter: Any) -> str:
    """One line of the table."""
    option = parameter.param_type_name == "option"
    name = ", ".join(parameter.opts) if option else str(parameter.name).upper()
    text = " ".join(str(getattr(parameter, "help", "") or "").split())
    return f"| `{name}` | {text.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
