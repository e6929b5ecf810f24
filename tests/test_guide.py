"""README and guide say what works: commands are known, Python runs, and the pages are carried out
from top to bottom.

The slow test types every page's commands in a fresh folder, searches and trainings cut to one
epoch. A block after ``<!-- not run: why -->`` is left out.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command

from hwnas.cli import app
from hwnas.nets.trained import is_at_hand, weights_named

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
FENCE = re.compile(r"(<!-- not run: [^>]*-->\n)?```(\w+)\n(.*?)```", re.S)
NEED_WEIGHTS = ("photos.md",)
"""Pages whose commands begin with trained weights."""
FIRST_EPOCHS = {"search": "1", "train": "1"}


@dataclass(frozen=True, kw_only=True)
class Block:
    language: str
    text: str
    run: bool


def blocks(page: Path) -> list[Block]:
    return [
        Block(language=found[2], text=found[3], run=not found[1])
        for found in FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


def commands(block: Block) -> list[list[str]]:
    """The words after ``hwnas`` of every line that types it."""
    lines = [line.split("#")[0].removeprefix("$ ") for line in block.text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("hwnas ")]


def every_command() -> list[tuple[str, list[str]]]:
    return [
        (page.name, words) for page in PAGES for block in blocks(page) for words in commands(block)
    ]


def command_named(words: list[str]) -> tuple[Any, list[str]]:
    command: Any = get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        assert rest[0] in command.commands, f"there is no command {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize(
    ("page", "words"), every_command(), ids=lambda one: " ".join(one) if one else ""
)
def test_every_command_of_the_pages_is_understood(page: str, words: list[str]) -> None:
    command, rest = command_named(words)
    command.make_context(command.name, rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_that_the_pages_import_exists(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.ImportFrom):
                    module = importlib.import_module(str(node.module))
                    assert all(hasattr(module, name.name) for name in node.names)


def test_every_function_named_beside_an_equation_exists() -> None:
    text = (ROOT / "docs" / "guide" / "paper-to-code.md").read_text(encoding="utf-8")
    for found in re.finditer(r"`(hwnas[\w.]+)`((?:, `\w+`)*)", text):
        module, _, name = found[1].rpartition(".")
        if module.endswith("Supernet"):
            module, _, kind = module.rpartition(".")
            assert hasattr(getattr(importlib.import_module(module), kind), name)
            continue
        names = [name, *re.findall(r"`(\w+)`", found[2])]
        assert all(hasattr(importlib.import_module(module), one) for one in names), found[0]


def test_the_reference_of_the_commands_is_as_new_as_they_are() -> None:
    spec = importlib.util.spec_from_file_location("commands", ROOT / "docs" / "commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "guide" / "commands.md").read_text(encoding="utf-8")
    assert page == module.reference(), "run: python docs/commands.py"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_the_pages_of_the_guide_work_as_they_stand(page: Path, tmp_path: Path) -> None:
    if page.name in NEED_WEIGHTS and not is_at_hand(weights_named("efficientnet-lite0")):
        pytest.skip("pip install 'hwnas[pretrained]'")
    script = ["import subprocess, sys"]
    for block in blocks(page):
        if block.run and block.language == "python":
            script.append(block.text)
        if block.run and block.language == "console":
            script += [typed(words) for words in commands(block)]
    program = tmp_path / "page.py"
    program.write_text("\n".join(script), encoding="utf-8")
    done = carried_out(program, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def readme_commands() -> list[list[str]]:
    """The words after ``hwnas`` of every line of README.md that types a command."""
    known: Any = get_command(app)
    lines = [
        line.split("#")[0] for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    ]
    typed = [line.split() for line in lines if line.startswith("hwnas ")]
    return [words[1:] for words in typed if words[1] in known.commands]


def test_every_command_of_the_readme_is_understood() -> None:
    assert len(readme_commands()) >= 15
    for words in readme_commands():
        command, rest = command_named(words)
        command.make_context(command.name, rest)


@pytest.mark.slow
@pytest.mark.exhaustive  # ten minutes
def test_what_the_readme_types_works(tmp_path: Path) -> None:
    images(tmp_path)
    script = ["import subprocess, sys"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    snippet = re.search(r"```python\n(.*?)```", text, re.S)
    assert snippet is not None
    # One epoch per stage instead of a search of minutes; all else as it is printed.
    short = 'stages=[{"cells": 3, "epochs": 1}], '
    script.append(snippet[1].replace('search("params", ', f'search("params", {short}'))
    for words in readme_commands():
        if "--download" not in words:
            script.append(typed(["runs/mine" if word == "RUN" else word for word in words]))
    program = tmp_path / "readme.py"
    program.write_text("\n".join(script), encoding="utf-8")
    done = carried_out(program, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def images(folder: Path) -> None:
    """What README calls PHOTOS and set.npz."""
    rng = np.random.default_rng(0)
    for kind in range(3):
        (folder / "PHOTOS" / f"kind{kind}").mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(60 * kind, 60 * kind + 80, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "PHOTOS" / f"kind{kind}" / f"{number}.png")
    labels = np.arange(96) % 3
    pixels = (rng.integers(0, 80, (96, 32, 32, 3)) + 60 * labels[:, None, None, None]).astype(
        np.uint8
    )
    np.savez(
        folder / "set.npz", x_train=pixels, y_train=labels, x_test=pixels[:30], y_test=labels[:30]
    )


def carried_out(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(program)],
        cwd=folder,
        env={
            "PYTHONPATH": str(ROOT),
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=1200,
    )


def typed(words: list[str]) -> str:
    """Python that runs a command of the page as a process, long ones with one epoch."""
    if words[0] in FIRST_EPOCHS:
        kept = words[: words.index("--epochs")] if "--epochs" in words else words
        words = [*kept, "--epochs", FIRST_EPOCHS[words[0]]]
    main = [sys.executable, "-c", "from hwnas.cli import main; main()", *words]
    return f"subprocess.run({main!r}, check=True)"
