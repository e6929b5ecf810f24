"""With a command that reaches another machine, no measured figure comes from this one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from profilers.answers import Answer
from profilers.backends import Backend, Options, Subject
from profilers.device import Device
from profilers.errors import InputError
from profilers.measurement import Outcome

ONLY_HERE = ("torch", "energy")
"""Back ends that measure in this process."""


def refuse_elsewhere(names: Iterable[str], options: Options) -> None:
    """Raise InputError where a back end that measures here is asked for the figures of another
    machine."""
    for name in names:
        if name in ONLY_HERE and options.run is not None:
            raise InputError(
                f"back end '{name}' measures on this machine only, not through --ssh or --run-with;"
                " leave it out: onnxruntime measures there"
            )


def measured_there(name: str, function: Backend) -> Backend:
    """The same back end, which must not measure here where `options.run` leads to another machine.

    A plug-in may know nothing of `run`. Raises InputError for a measured figure that did not come
    through it.
    """

    def checked(subject: Subject, device: Device, options: Options) -> list[Outcome]:
        refuse_elsewhere([name], options)
        run, calls = options.run, list[str]()
        if run is None:
            return function(subject, device, options)

        def noted(request: Answer, limit_s: float) -> tuple[Answer, list[Answer]]:
            calls.append(name)
            return run(request, limit_s)

        outcomes = function(subject, device, replace(options, run=noted))
        if not calls and any(getattr(outcome, "origin", "") == "measured" for outcome in outcomes):
            raise InputError(
                f"back end '{name}' measured on this machine, not on the other one; leave it out"
            )
        return outcomes

    return checked
