"""What the user's own tables of other devices say of a space: your laptop's table helps your Pi."""

from __future__ import annotations

from contextlib import suppress

from hwnas.costs.latency import Predictor, TablePredictor
from hwnas.costs.tables import is_about, user_folder
from hwnas.space.family import Family
from profilers.device import Device
from profilers.errors import InputError
from profilers.table import load


def other_predictors(device: Device, of: Family) -> list[tuple[str, Predictor]]:
    """(device, predictor) of every table of this space, whatever the size and the runtime, that is
    of another device. A file that can't be read is passed over."""
    found: list[tuple[str, Predictor]] = []
    for path in sorted(user_folder().glob("*.*.json")):
        with suppress(InputError):
            table = load(path)
            # Tables that were placed repeat what the known devices say.
            placed = "few_networks" in table.agreement
            if table.space == of.space.name and not placed and not is_about(device, table):
                found.append((table.device, TablePredictor(table=table, source=f"table {path}")))
    return found
