"""Which latency table, or which estimate, stands for a device that is not measured.

Tables are found by path or by name: those of the user's own calibrations first, then those that
ship in `devices/` (as `DEVICE.SPACE.json` or `DEVICE.SPACE.NETWORKS.json`).
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from hwnas import catalog
from hwnas.costs.latency import Predictor, TablePredictor, roofline
from hwnas.costs.sized import family_of as family_of
from hwnas.costs.table_chain import parts_of, same_chain, space_word
from hwnas.costs.table_runtime import USUAL, in_runtime, runtime_of, runtime_options
from hwnas.space.family import Family
from hwnas.space.space import SPACES, Space
from profilers.device import Device
from profilers.errors import InputError, nearest
from profilers.host import host
from profilers.limited import why_no_file
from profilers.roofline import Peaks, Runtime
from profilers.table import NetworkSize, Table, load

BENCHMARK = NetworkSize(channels=16, cells=15, classes=10, image=(3, 32, 32))
"""The networks that NAS-Bench-201's latencies are about; a table fitted to a CSV of them says
nothing else."""
DIGITS = (1, 8, 8)
"""The images of a search that names no --data."""
PUBLIC = {(3, 32, 32): "cifar10", (1, 28, 28): "fashion-mnist"}
"""Public data sets of other sizes, which --data may name."""
RUNTIMES: dict[str, Runtime] = {
    "gpu": "eager_gpu",
    "edge_gpu": "graph_gpu",
    "cpu": "graph_cpu",
    "edge_cpu": "graph_cpu",
}
"""What a kind of device is taken to run: servers' GPUs eager PyTorch, the others a compiled
graph."""


def predictor(
    device: Device, of: Family, batch: int = 1, table: str | None = None, runtime: str = ""
) -> Predictor:
    """What to ask about a device's latencies: the table that is named or fits, else the roofline.

    ``runtime``: see table_runtime. Raises InputError where the named table is about other networks,
    or where there is neither table nor peaks.
    """
    if table is not None:
        path = find_table(table)
        found = load(path)
        if not fits(found, of, batch):
            raise InputError(
                f"{path}: a table of {described(found)}, not of"
                f" {_networks(of.space.name, of.space.parts, size_of(of))} at batch {batch}:"
                f" {_differences(found, of, batch)}"
            )
        return TablePredictor(table=found, source=f"table {path}")
    own = own_table(device, of, batch, runtime)
    if own is not None:
        return TablePredictor(table=load(own), source=f"table {own}")
    peaks = peaks_of(device)
    if peaks is None and of.size.stem != "cifar":
        raise InputError(
            f"{device.name}: no peaks to estimate a latency from, and tables are of networks with"
            " the CIFAR stem"
        )
    if peaks is None:
        raise InputError(
            f"{device.name}: no latency table of"
            f" {_networks(of.space.name, of.space.parts, size_of(of))} at batch {batch}"
            f"{f' in {runtime}' if runtime else ''}, and no peaks to estimate from; run:"
            f" {calibration(device, of, batch, runtime)}"
        )
    return roofline(of, peaks, RUNTIMES[device.kind], f"roofline of {device.name}", batch)


def own_table(device: Device, of: Family, batch: int = 1, runtime: str = "") -> Path | None:
    """The first table of this device that is about these networks in this ``runtime``, None where
    there is none."""
    for path in tables(device.name):
        found = load(path)
        if is_about(device, found) and fits(found, of, batch) and in_runtime(found, runtime):
            return path
    return None


def calibration(device: Device, of: Family, batch: int = 1, runtime: str = "") -> str:
    """The command that makes a table of these networks."""
    space, network = of.space, size_of(of)
    image = "x".join(map(str, network.image))
    size = f"--channels {network.channels} --cells {network.cells} --image {image}"
    at = f" --batch {batch}" if batch != 1 else ""
    at += runtime_options(runtime)
    return f"hwnas devices calibrate --target {device.name} --space {space_word(space)} {size}{at}"


def default_path(
    device: str, of: Family, batch: int = 1, runtime: str = "", metric: str = "latency"
) -> Path:
    """Where a table is kept unless told otherwise; its name tells which networks it is about."""
    network = size_of(of)
    image = "x".join(map(str, network.image))
    at = f"-b{batch}" if batch != 1 else ""
    if runtime not in USUAL:
        at += f"-{file_name(runtime.replace(' ', '-'))}"
    size = f"c{network.channels}-n{network.cells}-{image}{at}"
    size += "" if metric == "latency" else f".{metric}"
    return user_folder() / f"{file_name(device)}.{of.space.name}.{size}.json"


def file_name(device: str) -> str:
    """A device's name as the beginning of a file's: names may hold blanks, and whatever else
    somebody wrote."""
    return re.sub(r"[^\w-]", "_", device)[:100]


def why_not_found(device: str, table: Table, path: Path) -> str:
    """Why no search for this device finds a table that lies at ``path``, empty where one does."""
    if (table.network or benchmark(SPACES[table.space])) is None:
        return "it does not say which networks were measured (--channels, --cells, --image)"
    if (table.batch or 1) != 1:
        return f"a search asks about batches of one image, not of {table.batch}"
    measured_on = table.provenance.get("receipt", {}).get("host")
    if device == "cpu" and measured_on != host().fingerprint:
        where = f"is of {measured_on}" if measured_on else "does not say which"
        return f"cpu is another machine elsewhere, and this table {where}: name it with --table"
    if path.resolve() not in {one.resolve() for one in tables(device)}:
        named = f"name it with --table {shlex.quote(str(path))}"
        if table.space not in SPACES:
            return named
        of = family_of(SPACES[table.space], table.network or BENCHMARK)
        return f"{named}, or let it lie at {default_path(device, of, runtime=runtime_of(table))}"
    return ""


def other_device(table: Path, device: Device) -> str | None:
    """The device of a table that is another one's, None where it is this device's.

    Raises InputError.
    """
    named = load(table).device
    return None if named == device.name else named


def is_about(device: Device, table: Table) -> bool:
    """Whether a table is of this device; `cpu` is another machine elsewhere, so there the host
    must be the same."""
    measured_on = table.provenance.get("receipt", {}).get("host")
    return table.device == device.name and (
        device.name != "cpu" or measured_on == host().fingerprint
    )


def peaks_of(device: Device) -> Peaks | None:
    """A device's FP32 peaks, None where its file does not give both."""
    if device.fp32_gmacs_per_s is None or device.memory_gb_per_s is None:
        return None
    return Peaks(gmacs_per_s=device.fp32_gmacs_per_s, gb_per_s=device.memory_gb_per_s)


def fits(table: Table, of: Family, batch: int, metric: str = "latency") -> bool:
    """Whether a table is about these networks, and about the metric.

    The number of classes does not matter to a latency.
    """
    about, network = table.network or benchmark(of.space), size_of(of)
    if about is None:
        return False
    same = (about.channels, about.cells, about.image) == (
        network.channels,
        network.cells,
        network.image,
    )
    return (
        same
        and table.metric == metric
        and table.space == of.space.name
        and same_chain(table, of.space)
        and (table.batch or 1) == batch
        and of.size.stem == "cifar"
    )


def size_of(of: Family) -> NetworkSize:
    """A family's size and task, as a table keeps them."""
    return NetworkSize(
        channels=of.size.channels, cells=of.size.cells, classes=of.task.classes, image=of.task.image
    )


def benchmark(space: Space) -> NetworkSize | None:
    """What a table of this space is about that does not say it; None where the space has no
    benchmark."""
    return BENCHMARK if space.benchmarked else None


def described(table: Table) -> str:
    """Which networks a table is about, for a message."""
    batch = f" at batch {table.batch}" if table.batch else ""
    if table.network is None:
        return f"{table.space} networks on {table.device}{batch}"
    return f"{_networks(table.space, parts_of(table), table.network)} on {table.device}{batch}"


def _networks(space: str, parts: str, network: NetworkSize) -> str:
    channels, height, width = network.image
    return (
        f"{space} networks ({network.cells} {parts}, {network.channels} channels, {height}x{width}"
        f" pixels, {channels} image channels)"
    )


def _differences(table: Table, of: Family, batch: int) -> str:
    """In what a table is about other networks, in words; it may have any number of classes."""
    about, network = table.network or benchmark(of.space), size_of(of)
    if about is None:
        return "the table does not say which networks it is about"
    sides = [
        ("metric", table.metric, "latency"),
        ("space", table.space, of.space.name),
        ("cells", about.cells, network.cells),
        ("channels", about.channels, network.channels),
        ("image channels", about.image[0], network.image[0]),
        ("pixels", *("x".join(map(str, one.image[1:])) for one in (about, network))),
        ("batch", table.batch or 1, batch),
        ("stem", "cifar", of.size.stem),
    ]
    told = [f"{name} {theirs}, not {ours}" for name, theirs, ours in sides if theirs != ours]
    if table.space == of.space.name and not same_chain(table, of.space):
        told.append(f"another chain that is called {table.space}, too")
    return f"it has {'; '.join(told)}"


def user_folder() -> Path:
    """Where `hwnas devices calibrate` keeps its tables unless told otherwise."""
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "hwnas" / "tables"


def tables(device: str) -> tuple[Path, ...]:
    """The tables of one device, the user's own first."""
    return tuple(path for path in all_tables() if path.name.startswith(f"{file_name(device)}."))


def find_table(word: str) -> Path:
    """The table that `word` names: a path, or a name such as `cpu.darts` where only one begins so.

    Raises InputError.
    """
    named = [path for path in all_tables() if path.stem == word]
    named = named or [path for path in all_tables() if path.stem.startswith(f"{word}.")]
    if len(named) == 1 or (named and named[0].stem == word):
        return named[0]
    if named:
        raise InputError(
            f"table {word!r}: which one? (choices: {', '.join(path.stem for path in named)})"
        )
    if word.endswith(".json") or "/" in word or "\\" in word:
        wrong = why_no_file(Path(word).expanduser())
        if wrong is None:
            return Path(word).expanduser()
        raise InputError(f"table file {word[:200]}: {wrong}")
    raise InputError(f"unknown table {word!r}{nearest(word, [path.stem for path in all_tables()])}")


def all_tables() -> list[Path]:
    """The files of all tables that have names, the user's own first."""
    folders = (user_folder(), *{entry.path.parent for entry in catalog.devices()})
    return [path for folder in folders for path in sorted(folder.glob("*.*.json"))]
