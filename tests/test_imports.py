"""Importing stays light, and every module has its place in the order of rooms."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hwnas.catalog import read_toml

ROOT = Path(__file__).parents[1]
HEAVY = (
    "torch",
    "torchvision",
    "onnx",
    "onnxruntime",
    "pymoo",
    "sklearn",
    "tensorboard",
    "matplotlib",
)
LIGHT = [
    "hwnas",
    "hwnas.catalog",
    "hwnas.cli",
    "hwnas.config",
    "hwnas.runs.directory",
    "hwnas.space",
    "profilers",
    "profilers.errors",
]


@pytest.mark.parametrize("module", LIGHT)
def test_importing_it_brings_in_nothing_heavy(module):
    program = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.split() == []


def test_the_front_needs_pymoo_but_no_torch():
    program = "import sys, hwnas.runs.front; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_every_module_has_its_place_in_a_layer():
    contracts = read_toml(ROOT / "pyproject.toml")["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    placed = {name.strip("() ") for layer in layers for name in layer.split(" : ")}
    files = [path for package in ("hwnas", "profilers") for path in (ROOT / package).rglob("*.py")]
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in files
        if path.name != "__init__.py"
    }
    homeless = [
        name
        for name in modules
        if not any(name == room or name.startswith(f"{room}.") for room in placed)
    ]
    assert sorted(homeless) == []
