"""The back end `energy`: millijoules of one inference, where this machine has a sensor.

A CPU runs the ONNX file by ONNX Runtime, a GPU the module by eager torch. The reference network
takes turns with what is measured. A network takes half a minute, longer where the sensor is slow.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from profilers.device import Device
from profilers.energy import LEAST_S, LEAST_UPDATES, TURNS, measure_energy
from profilers.energy_sensors import NoSensor, Sensor, sensors
from profilers.host import host
from profilers.measurement import (
    ENERGY,
    NOT_MEASURED,
    Failure,
    Measurement,
    Outcome,
    Receipt,
    pairs,
)
from profilers.onnx_check import check_onnx
from profilers.reference import reference_model
from profilers.subject import Options, Subject, cuda_index, needs_module, needs_onnx

Run = Callable[[], object]


def energy(subject: Subject, device: Device, options: Options) -> list[Outcome]:
    """The energy of one batch on this machine; a Failure with advice where no sensor can be read.

    Raises InputError for a network that the way of measuring can't take.
    """
    on_cuda = options.place.startswith("cuda")
    receipt = Receipt(
        backend="energy",
        device=device.name,
        threads=None if on_cuda else options.threads,
        batch=options.batch,
        dtype="fp32",
        host=host().fingerprint,
        time=options.time,
        statistic="median",
        settings=pairs({"turns": TURNS, "least_s": LEAST_S, "least_updates": LEAST_UPDATES}),
    )
    if not options.place:
        why = f"{device.name} is not attached here, and energy is read on the device itself"
        return [Failure(metric=ENERGY, reason="not attached", detail=why, receipt=receipt)]
    try:
        sensor = first_sensor(sensors(on_cuda, cuda_index(options.place) if on_cuda else 0))
        run, reference = (_by_torch if on_cuda else _by_onnxruntime)(subject, options)
        found = measure_energy(run, reference, sensor)
    except NoSensor as error:
        return [Failure(metric=ENERGY, reason=NOT_MEASURED, detail=str(error), receipt=receipt)]
    notes = (
        f"{found.sensor}: {found.covers}",
        f"{found.net_mj:.4g} mJ above the machine at rest, which takes {found.idle_watts:.3g} W",
        f"the reference network takes {found.reference_mj:.4g} mJ",
    )
    return [
        Measurement(
            metric=ENERGY,
            value=found.gross_mj,
            low=found.low_mj,
            high=found.high_mj,
            samples=(),
            origin="measured",
            receipt=replace(receipt, notes=notes),
        )
    ]


def first_sensor(found: Iterable[Sensor | str]) -> Sensor:
    """The first that can be read. Raises NoSensor with the advice of all others."""
    reasons = []
    for one in found:
        if isinstance(one, Sensor):
            return one
        reasons.append(one)
    raise NoSensor("no sensor of energy can be read: " + "; ".join(reasons))


def _by_onnxruntime(subject: Subject, options: Options) -> tuple[Run, Run]:
    from profilers.session import opened

    checked = check_onnx(needs_onnx(subject), dict(options.shapes), options.batch)
    request = {"threads": options.threads, "graph_level": options.graph_level}
    model = {"path": str(checked.path.resolve()), "shapes": checked.shapes}
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        file = Path(folder) / "reference.onnx"
        file.write_bytes(reference_model())
        reference = opened({"path": str(file)}, request)
    return opened(model, request).run, reference.run


def _by_torch(subject: Subject, options: Options) -> tuple[Run, Run]:
    import torch
    from torch import nn

    def ready(module: nn.Module, shape: tuple[int, ...]) -> Run:
        module = module.to(options.place).eval()
        image = torch.zeros(shape, device=options.place)

        @torch.inference_mode()
        def run() -> object:
            module(image)
            torch.cuda.synchronize(options.place)
            return None

        return run

    layers = [nn.Conv2d(64, 64, 3, padding=1) for _ in range(16)]
    return (
        ready(needs_module(subject), subject.shape),
        ready(nn.Sequential(*layers), (1, 64, 32, 32)),
    )
