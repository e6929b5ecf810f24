"""A back end that no one here has thought of: a made-up bus that takes ten microseconds to start
each convolution."""

from __future__ import annotations

from profilers.backends import Options, Subject, needs_module
from profilers.device import Device
from profilers.measurement import LATENCY, Measurement, Outcome, Receipt


def slow_bus(subject: Subject, device: Device, options: Options) -> list[Outcome]:
    from torch import nn

    found = sum(isinstance(module, nn.Conv2d) for module in needs_module(subject).modules())
    milliseconds = 0.05 + 0.01 * found * options.batch
    receipt = Receipt(
        backend="slow-bus", device=device.name, batch=options.batch, shape=subject.shape
    )
    return [
        Measurement(
            metric=LATENCY,
            value=milliseconds,
            low=milliseconds,
            high=milliseconds,
            samples=(milliseconds,),
            origin="measured",
            receipt=receipt,
        )
    ]
