"""`hwnas devices calibrate --networks 10`: a table from few measured networks, and what is said
of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.cli.outside import echo, echo_json

if TYPE_CHECKING:
    from hwnas.measuring.few_networks import Placing
    from hwnas.space.family import Family
    from profilers.device import Device
    from profilers.table import Table


def write_design(of: Placing, count: int, path: Path) -> None:
    """Write the networks to measure as CSV, a column `arch`. Raises InputError."""
    import csv

    from hwnas.space.encoding import to_genotype
    from hwnas.space.text import format_text
    from profilers.errors import InputError

    texts = [format_text(to_genotype(of.family.space, choices)) for choices in of.design(count)]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["arch"])
            writer.writerows([text] for text in texts)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    echo(f"{path}: {len(texts)} networks to measure on the device")
    echo("Next: measure them, add a column latency_ms, and give the file with --csv")


def from_csv(csv: Path, of: Family, device: Device, batch: int, seed: int) -> Table:
    """The table from networks that were measured elsewhere. Raises InputError."""
    from hwnas.costs.latency_csv import read_measured
    from hwnas.costs.latency_fit import digest
    from hwnas.measuring.few_networks import few_table, placing
    from hwnas.measuring.few_runs import FEWEST
    from profilers.errors import InputError

    measured = read_measured(csv, of.space, None, _latency_column(csv), None)
    if len(measured.texts) < FEWEST:
        raise InputError(
            f"{csv}: {len(measured.texts)} networks with a latency, at least {FEWEST} are needed"
        )
    known = placing(of, device, len(measured.texts), seed, measured=measured.choices)
    provenance = {
        "how": f"{len(measured.texts)} networks of {csv.name}",
        "source": csv.name,
        "sha256": digest(csv),
        "unit": measured.unit,
        "receipt": {},
        "seed": seed,
        "seconds": 0.0,
    }
    return few_table(known, measured.choices, measured.latency_ms, device, batch, provenance)


def _latency_column(csv: Path) -> str | None:
    """`latency_ms` where the file has one: what --choose says to add."""
    from hwnas.costs.table_csv import read_rows

    return "latency_ms" if "latency_ms" in read_rows(csv).header else None


def summary(table: Table, path: Path) -> dict[str, Any]:
    """What `calibrate --networks --json` prints."""
    few = table.agreement["few_networks"]
    return {
        "device": table.device,
        "space": table.space,
        "batch": table.batch,
        "unit": "ms",
        **few,
        "enough": enough(table),
        "held_out": table.agreement.get("held_out"),
        "known": table.provenance["known"],
        "seconds": table.provenance["seconds"],
        "out": str(path),
    }


def enough(table: Table) -> bool:
    """Whether so few networks say enough."""
    few = table.agreement["few_networks"]
    return bool(few["networks_needed"] <= few["networks"])


def print_few(table: Table, path: Path, target: str, space: str, as_json: bool) -> None:
    """Print what a table from few networks is worth, and what to type next."""
    from hwnas.costs.table_words import search_words

    if as_json:
        echo_json(summary(table, path))
        return
    few, known = table.agreement["few_networks"], table.provenance["known"]
    echo(f"{path}: latency table of {table.device} for {table.space}, in ms")
    echo(f"  {table.provenance['how']}; known: {', '.join(known)}")
    echo(
        f"  90 % intervals: those of half of the networks are narrower than"
        f" +-{few['half_interval_percent']:.0f} % (of each network: hwnas devices predict)"
    )
    held = table.agreement.get("held_out")
    if held is not None:
        echo(
            f"  on {held['networks']} networks held out: MAPE {held['mape_percent']:.2f} %, Kendall"
            f" tau {held['kendall_tau']:.3f}; {100 * held['in_interval']:.0f} % in their intervals"
        )
    if not enough(table):
        echo(
            f"  {few['networks']} networks are not enough for +-10 %: with {few['networks_needed']}"
            f" half would be narrower than +-{few['half_interval_with_more_percent']:.0f} %"
        )
    echo(f"Next: {search_words(table, path, target, space)}")
