"""CSV files of measured latencies, and tables that were fitted to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.fuzz.parser import Parser, from_file
from hwnas.costs.latency_csv import read_architectures, read_measured
from hwnas.space.space import SPACES
from profilers import table
from profilers.fit import Fitted, Form
from profilers.gaussian_process import Process


def table_parsers(folder: Path) -> list[Parser]:
    """What is read of tables."""
    space = SPACES["nasbench201"]
    rows = ["arch,latency"] + [
        f"|nor_conv_{k}x{k}~0|+|none~0|none~1|+|none~0|none~1|none~2|,{k}.5" for k in (1, 3)
    ]
    quoted = "\n".join(rows).encode()
    file = folder / "input.csv"
    return [
        Parser(
            name="latencies",
            seeds=[quoted],
            read=from_file(file, lambda path: read_measured(path, space, None, None, "ms")),
        ),
        Parser(
            name="architectures",
            seeds=[quoted],
            read=from_file(file, lambda path: read_architectures(path, space, None)),
        ),
        Parser(
            name="latency table",
            seeds=[_table(folder)],
            read=from_file(folder / "input.json", table.load),
        ),
    ]


def _table(folder: Path) -> bytes:
    process = Process(
        points=np.array([[0.0, 1.0]]),
        weights=np.array([0.25]),
        scale=np.array([1.0, 2.0]),
        length=0.5,
        noise=0.1,
    )
    fitted = Fitted(
        form=Form(design="eager", loss="squares", ridge=0.1, nodes=True, view="both"),
        constant=1.5,
        coefficients={"normal/none": 2.0},
        smallest=0.75,
        process=process,
    )
    network = table.NetworkSize(channels=16, cells=8, classes=10, image=(3, 32, 32))
    operations = table.Operations(fixed=0.0, edges=((0.0, 1.0), (2.0,)))
    held_out = {"held_out": {"networks": 40, "mape_percent": 2.5}}
    table.save(
        table.Table(
            device="cpu",
            space="darts",
            batch=4,
            network=network,
            fitted=fitted,
            agreement=held_out,
            provenance={},
            operations=operations,
        ),
        folder / "seed.json",
    )
    return (folder / "seed.json").read_bytes()
