"""Where `hwnas devices calibrate` measures: here, or on a machine that it reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwnas.cli.outside import echo
from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.measuring.bench import Bench
    from hwnas.measuring.few_runs import BenchFor
    from hwnas.space.family import Family
    from profilers.device import Device
    from profilers.onnx_latency import Precision


def make_bench(
    device: Device,
    of: Family,
    batch: int,
    threads: int,
    backend: str | None,
    ssh: str | None,
    run_with: str | None,
    remote_python: str = "python3",
    cuda_graph: bool = False,
    precision: Precision = "fp32",
) -> BenchFor:
    """Where to measure, by how long.

    Raises InputError where the target is not attached and no way to it is given.
    """
    from hwnas.measuring.bench import bench_at
    from hwnas.measuring.profile import measure_elsewhere, place
    from profilers.timing import Protocol

    run = measure_elsewhere(ssh, run_with, remote_python)
    where = place(device, run is not None, lambda line: echo(f"note: {line}", err=True))
    if not where:
        raise InputError(
            f"{device.name} is not attached here: calibrate where it is, or reach it with --ssh"
            " user@host"
        )

    def bench(protocol: Protocol) -> Bench:
        return bench_at(
            where,
            of,
            device=device,
            protocol=protocol,
            batch=batch,
            threads=threads,
            backend=backend,
            precision=precision,
            run=run,
            cuda_graph=cuda_graph,
        )

    bench(Protocol())  # what this place can't do is said before anything is measured
    return bench
