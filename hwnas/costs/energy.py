"""A network's energy, from a table: nothing else is asked, and nothing is guessed from a data
sheet."""

from __future__ import annotations

from pathlib import Path

from hwnas.costs.latency import TablePredictor
from hwnas.costs.tables import described, fits, is_about, tables
from hwnas.space.family import Family
from profilers.device import Device
from profilers.errors import InputError
from profilers.table import load


def energy_table(device: Device, of: Family, named: Path | None) -> tuple[TablePredictor, Path]:
    """What to ask about a device's energies in mJ per inference: the table that is named, or that
    fits.

    Raises InputError where there is none.
    """
    if named is not None:
        table = load(named)
        if table.metric != "energy":
            raise InputError(f"{named}: a table of {table.metric}, not of energy")
        if not fits(table, of, 1, metric="energy"):
            raise InputError(f"{named}: a table of {described(table)}, which are other networks")
        return TablePredictor(table=table, source=f"table {named}"), named
    for path in tables(device.name):
        table = load(path)
        if is_about(device, table) and fits(table, of, 1, metric="energy"):
            return TablePredictor(table=table, source=f"table {path}"), path
    raise InputError(
        f"{device.name}: no energy table of {of.space.name} networks of this size; make one from"
        f" measured networks: hwnas devices fit --metric energy --device {device.name} --space"
        f" {of.space.name} --csv MEASURED.csv"
    )
