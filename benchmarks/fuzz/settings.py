"""TOML files: configs, sweeps and devices."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fuzz.parser import SOURCE, Parser, from_file
from hwnas import config as configs
from hwnas.cluster.sweep_file import read_sweep
from profilers import device as devices

SWEEP = b"""
config = "quickstart"
epochs = 2
data.noise = 0.1
[sweep]
seed = [0, 1]
space = ["darts", "tnd"]
objectives = ["params", ["params", "macs"]]
weight_step.lr = [0.1, 0.2]
"""


def settings_parsers(folder: Path) -> list[Parser]:
    """What is read of a TOML file."""
    file = folder / "input.toml"
    sweeps = [SWEEP, b"[sweep]\nseed = [0x1]\n"]
    return [
        Parser(
            name="config",
            seeds=_all_of("configs"),
            read=from_file(file, lambda path: configs.resolve({}, str(path))),
        ),
        Parser(name="sweep", seeds=sweeps, read=from_file(file, read_sweep)),
        Parser(name="device", seeds=_all_of("devices"), read=from_file(file, devices.load)),
    ]


def _all_of(kind: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((SOURCE / kind).glob("*.toml"))]
