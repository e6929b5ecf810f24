"""Devices whose latencies and energies others have published, on one named set of 1,000 networks
per space.

`devices/known-SPACE.json`, written by `python -m benchmarks.known_devices`. These networks judge
nothing: no benchmark of ours scores them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hwnas import catalog
from hwnas.space.space import Choices, Space
from profilers.covariance import Array
from profilers.errors import InputError

FORMAT = "known devices 1"


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownDevices:
    """Networks (n, decisions), each device's values of them (n,) by column, NaN where the device
    could not run one, and the device of each column."""

    choices: Choices
    latency_ms: dict[str, Array]
    energy_mj: dict[str, Array]
    device: dict[str, str]
    source: str


@lru_cache(maxsize=4)
def known_devices(space: Space) -> KnownDevices | None:
    """Those of a space, None where nobody has published any. Raises InputError for a broken
    file."""
    folders = {entry.path.parent for entry in catalog.devices()}
    paths = [folder / f"known-{space.name}.json" for folder in sorted(folders)]
    path = next((one for one in paths if one.is_file()), None)
    if path is None:
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"expected format = {FORMAT!r}")
        choices = np.array([[int(one) for one in row] for row in data["networks"]], dtype=np.int64)
        if choices.shape[1:] != (len(space.decisions),):
            raise ValueError("its networks are of another space")
        return KnownDevices(
            choices=choices,
            latency_ms=_columns(data["latency_ms"], len(choices)),
            energy_mj=_columns(data.get("energy_mj", {}), len(choices)),
            device={str(name): str(device) for name, device in data["device"].items()},
            source=str(data["source"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise InputError(f"{path}: no file of known devices ({str(error)[:80]})") from None


def _columns(data: dict[str, list[float | None]], count: int) -> dict[str, Array]:
    found = {
        str(name): np.array([np.nan if one is None else float(one) for one in values])
        for name, values in data.items()
    }
    if any(values.shape != (count,) for values in found.values()):
        raise ValueError("not one value for each network")
    return found
