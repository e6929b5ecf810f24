"""A latency model as one portable JSON file: what was fitted, to what, how well, and where it came
from.

The file is data that people pass around, so it is read as such: no pickle, every field checked,
sizes bounded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from profilers.errors import InputError
from profilers.fit import Fitted, Form
from profilers.gaussian_process import Process
from profilers.limited import open_regular

FORMAT = "latency table 1"
UNITS = {"latency": "ms", "energy": "mJ"}
"""What a table may be about: the metric's unit is the unit of all its values."""
_LARGEST_FILE_BYTES = 20_000_000


@dataclass(frozen=True, kw_only=True)
class NetworkSize:
    """The macro structure that latencies belong to: initial channels, searched cells, classes,
    image (c, h, w)."""

    channels: int
    cells: int
    classes: int
    image: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Measured operations summed over the cells of a network, in ms.

    ``edges``: one entry per (slot, operation), ``fixed``: everything that every genotype runs.
    """

    fixed: float
    edges: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Everything a latency file says. Latencies are in ms whatever unit they were given in.

    ``agreement`` holds mape_percent and kendall_tau by protocol (cross_validation, held_out, ...),
    each with its count of networks; ``provenance`` says what was read or measured, when, and with
    which versions. ``metric``: latency, or energy (then every
    ms here is a mJ). ``doubt``: where there is one, it predicts the logarithm of how far a 90 %
    interval reaches to either side.
    """

    device: str
    space: str
    batch: int | None
    network: NetworkSize | None
    fitted: Fitted
    agreement: Mapping[str, Mapping[str, Any]]
    provenance: Mapping[str, Any]
    operations: Operations | None = None
    metric: str = "latency"
    doubt: Fitted | None = None
    measured: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


def save(table: Table, path: Path) -> None:
    """Write a table, replacing the file in one step."""
    data = {
        "format": FORMAT,
        "device": table.device,
        "space": table.space,
        "metric": table.metric,
        "unit": UNITS[table.metric],
        "batch": table.batch,
        "network": None if table.network is None else asdict(table.network),
        "agreement": table.agreement,
        "model": _fitted_to_dict(table.fitted),
        **({} if table.doubt is None else {"doubt": _fitted_to_dict(table.doubt)}),
        "operations": None if table.operations is None else asdict(table.operations),
        "provenance": table.provenance,
        "measured": list(table.measured),
    }
    part = path.with_name(path.name + ".part")
    try:
        text = json.dumps(data, indent=1, allow_nan=False) + "\n"
    except ValueError:  # agreement that is no number: nothing differs between the networks
        raise InputError(
            f"{path}: the latencies do not differ, so no table can be fitted to them"
        ) from None
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def load(path: Path) -> Table:
    """Read a table. Raises InputError, naming file and key, for anything that is not one."""
    try:
        with open_regular(path) as file:
            content = file.read(_LARGEST_FILE_BYTES + 1)
        if len(content) > _LARGEST_FILE_BYTES:
            raise InputError(
                f"{path}: larger than {_LARGEST_FILE_BYTES} bytes, not a latency table"
            )
        data = json.loads(content.decode())
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({str(error)[:80]})") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"{path}: not a latency table (expected format = '{FORMAT}')")
    metric, unit = data.get("metric", "latency"), data.get("unit", "ms")
    if not isinstance(metric, str) or UNITS.get(metric) != unit:
        raise InputError(f"{path}: not a table of latencies in ms, nor of energies in mJ")
    try:
        return _from_dict(data)
    except KeyError as error:
        raise InputError(f"{path}: the key {error} is missing") from None
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(f"{path}: {str(error)[:120]}") from None


def _from_dict(data: Mapping[str, Any]) -> Table:
    network, operations = data["network"], data["operations"]
    return Table(
        device=str(data["device"]),
        space=str(data["space"]),
        batch=None if data["batch"] is None else int(data["batch"]),
        network=None if network is None else _network(network),
        fitted=_fitted(data["model"]),
        agreement=dict(data["agreement"]),
        provenance=_provenance(data["provenance"]),
        operations=None if operations is None else _operations(operations),
        metric=str(data.get("metric", "latency")),
        doubt=None if data.get("doubt") is None else _fitted(data["doubt"]),
        measured=tuple(dict(item) for item in data["measured"]),
    )


def _provenance(data: Mapping[str, Any]) -> dict[str, Any]:
    """Raises TypeError for a receipt that is no object: it is asked for its keys."""
    found = dict(data)
    if not isinstance(found.get("receipt", {}), dict):
        raise TypeError("provenance.receipt: expected an object")
    return found


def _network(data: Mapping[str, Any]) -> NetworkSize:
    channels, height, width = (int(size) for size in data["image"])
    return NetworkSize(
        channels=int(data["channels"]),
        cells=int(data["cells"]),
        classes=int(data["classes"]),
        image=(channels, height, width),
    )


def _operations(data: Mapping[str, Any]) -> Operations:
    edges = tuple(tuple(_number(value) for value in row) for row in data["edges"])
    return Operations(fixed=_number(data["fixed"]), edges=edges)


def _fitted_to_dict(fitted: Fitted) -> dict[str, Any]:
    process = fitted.process
    return {
        "design": fitted.form.design,
        "loss": fitted.form.loss,
        "ridge": fitted.form.ridge,
        "nodes": fitted.form.nodes,
        "view": fitted.form.view,
        "constant": fitted.constant,
        "coefficients": fitted.coefficients,
        "smallest": fitted.smallest,
        "process": None
        if process is None
        else {
            "points": process.points.tolist(),
            "weights": process.weights.tolist(),
            "scale": process.scale.tolist(),
            "length": process.length,
            "noise": process.noise,
        },
    }


def _fitted(data: Mapping[str, Any]) -> Fitted:
    if data["loss"] not in ("squares", "absolute"):
        raise ValueError(f"model.loss is {data['loss']!r}; expected squares or absolute")
    if data["view"] not in ("none", "counts", "edges", "both"):
        raise ValueError(f"model.view is {data['view']!r}; expected none, counts, edges or both")
    form = Form(
        design=str(data["design"]),
        loss=data["loss"],
        ridge=_number(data["ridge"]),
        nodes=bool(data["nodes"]),
        view=data["view"],
    )
    process = data["process"]
    return Fitted(
        form=form,
        constant=_number(data["constant"]),
        coefficients={str(name): _number(value) for name, value in data["coefficients"].items()},
        smallest=_number(data["smallest"]),
        process=None if process is None else _process(process),
    )


def _process(data: Mapping[str, Any]) -> Process:
    points, weights, scale = (
        np.asarray(data[key], dtype=np.float64) for key in ("points", "weights", "scale")
    )
    if points.ndim != 2 or weights.shape != points.shape[:1] or scale.shape != points.shape[1:]:
        raise ValueError("model.process: points, weights and scale do not fit together")
    if not all(np.isfinite(array).all() for array in (points, weights, scale)):
        raise ValueError("model.process: not all numbers are finite")
    return Process(
        points=points,
        weights=weights,
        scale=scale,
        length=_number(data["length"]),
        noise=_number(data["noise"]),
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a finite number, not {str(value)[:40]!r}")
    return float(value)
