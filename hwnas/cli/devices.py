"""`hwnas devices`: what targets there are, what one of them is, and what is attached here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli import devices_kept, devices_tables
from hwnas.cli.next_steps import say_next
from hwnas.cli.outside import echo, echo_json

if TYPE_CHECKING:
    from profilers.device import Device

app = typer.Typer(
    help="Targets: which there are, what they can do, how fast they are.", no_args_is_help=True
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Every device that ships with hwnas, and which of them is attached here."""
    from profilers.device import attached, match

    here = attached()
    known = [(device, match(device, here)) for device in all_devices()]
    if as_json:
        echo_json([{**as_dict(device), "attached": where} for device, where in known])
        return
    echo(f"{'name':<17}{'attached':<9}{'fp32':>14}{'bandwidth':>12}  what it is")
    for device, where in known:
        peaks = figure(device.fp32_gmacs_per_s, "GMAC/s"), figure(device.memory_gb_per_s, "GB/s")
        echo(f"{device.name:<17}{where or '':<9}{peaks[0]:>14}{peaks[1]:>12}  {device.description}")
    echo("latency tables, your own and those that ship: hwnas devices tables")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A name, an alias or a .toml file.")],
    as_json: Json = False,
) -> None:
    """One device: its figures and where each is from."""
    from hwnas.catalog import find_device
    from profilers.device import attached, load, match

    device = load(find_device(name))
    where = match(device, attached())
    if as_json:
        echo_json({**as_dict(device), "attached": where, "sources": dict(device.sources)})
        return
    echo(f"{device.name}: {device.description} ({device.kind})")
    if device.aliases:
        echo(f"  also called {', '.join(device.aliases)}")
    sources = dict(device.sources)
    for key, value, unit in figures(device):
        echo(f"  {key}: {figure(value, unit) or 'not known'}")
        if key in sources:
            echo(f"    {sources[key]}")
    place = (
        f"attached here as {where}" if where else "not attached here: its latency is never measured"
    )
    echo(f"  {place}")
    echo(f"  file: {device.path}")


@app.command("here")
def here(as_json: Json = False) -> None:
    """What is attached to this machine, and which targets it matches."""
    from profilers.backends import BACKENDS, plugins
    from profilers.device import attached, match

    found = attached()
    matching = [
        {"name": device.name, "place": where}
        for device in all_devices()
        if (where := match(device, found)) is not None
    ]
    if as_json:
        host = {**vars(found.host), "fingerprint": found.host.fingerprint}
        backends = [*BACKENDS, *plugins()]
        echo_json(
            {"host": host, "cuda": list(found.cuda), "targets": matching, "backends": backends}
        )
        return
    echo(f"host: {found.host.fingerprint}")
    echo(f"CUDA devices: {', '.join(found.cuda) or 'none'}")
    for target in matching:
        echo(f"matches target {target['name']} ({target['place']})")
    echo(f"back ends: {', '.join([*BACKENDS, *plugins()])}")
    say_next(("profile", "DARTS_V2", "--target", "cpu"))


def all_devices() -> list[Device]:
    """Every device of the catalog, by name."""
    from hwnas import catalog
    from profilers.device import load

    return [load(entry.path) for entry in catalog.devices()]


def figures(device: Device) -> list[tuple[str, float | None, str]]:
    """(key, value, unit) of every figure that a device file may give."""
    return [
        ("memory_mib", device.memory_mib, "MiB"),
        ("fp32_gmacs_per_s", device.fp32_gmacs_per_s, "GMAC/s"),
        ("fp16_gmacs_per_s", device.fp16_gmacs_per_s, "GMAC/s"),
        ("memory_gb_per_s", device.memory_gb_per_s, "GB/s"),
    ]


def figure(value: float | None, unit: str) -> str:
    """A figure with its unit, empty where it is not known."""
    return f"{value:,g} {unit}" if value is not None else ""


def as_dict(device: Device) -> dict[str, Any]:
    """A device as JSON."""
    numbers = {key: value for key, value, _ in figures(device)}
    return {
        "name": device.name,
        "aliases": list(device.aliases),
        "kind": device.kind,
        "description": device.description,
        **numbers,
        "path": device.path,
    }


app.command("tables")(devices_kept.tables)
for _command in ("calibrate", "fit", "predict"):
    if hasattr(devices_tables, _command):
        app.command(_command)(getattr(devices_tables, _command))
