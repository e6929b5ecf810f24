"""What baselines cost: counted and predicted as the members of their run were, and measured beside
them where they were measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from hwnas.catalog import find_device
from hwnas.costs.metrics import METRICS, Asked, predicted
from hwnas.costs.table_runtime import runtime_words
from hwnas.measuring.heartbeat import heartbeat
from hwnas.runs.baselines import MeasuredTogether
from hwnas.runs.directory import Run
from hwnas.runs.measurements import kept_table
from hwnas.runs.models import Model
from hwnas.runs.summary import Cost, SearchSummary
from hwnas.search.plan import attached_target
from hwnas.space.encoding import to_choices
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.space import SPACES
from profilers import device as devices
from profilers.device import Device
from profilers.errors import InputError
from profilers.measurement import Measurement

TOGETHER = 64
"""Networks that one measuring process loads: baselines and a front are fewer."""


def with_predictions(run: Run, summary: SearchSummary, models: Sequence[Model]) -> list[Model]:
    """The models with every objective of the run that can be said of them without measuring."""
    device = devices.load(find_device(run.config.target))
    return [replace(model, costs=_costs(run, summary, device, model)) for model in models]


def measured_together(
    run: Run, summary: SearchSummary, models: Sequence[Model], say: Callable[[str], None]
) -> MeasuredTogether:
    """Latencies of baselines and of the front, measured in turn; empty where the members of the run
    were not measured, or their target is not attached here."""
    notes = summary.measured.get("latency")
    if notes is None or not notes.networks:
        return MeasuredTogether()
    device = devices.load(find_device(run.config.target))
    classes = len(summary.classes)
    target = attached_target(run.config, device, classes, summary.shape, lambda line: None)
    if target is None:
        say(
            f"note: {run.config.target} is not attached here, so baselines are compared by what is"
            " counted or predicted"
        )
        return MeasuredTogether()
    named = {model.name: model.architecture for model in models}
    named |= {member.key: member.architecture for member in summary.front}
    say(f"measuring {len(models)} baselines and {len(summary.front)} members on {target.place}")
    with heartbeat(say, f"measuring {len(named)} networks", start=time.monotonic()):
        outcomes = target.latencies_of(list(named.values()), TOGETHER)
    found = {
        name: {"latency": _cost(outcome)}
        for name, outcome in zip(named, outcomes, strict=True)
        if isinstance(outcome, Measurement)
    }
    if len(found) < len(named):
        say(f"note: {len(named) - len(found)} of them could not be measured")
    return MeasuredTogether(costs=found)


def _cost(outcome: Measurement) -> Cost:
    return Cost(
        value=outcome.value,
        unit="ms",
        provenance=outcome.origin,
        low=outcome.low,
        high=outcome.high,
        noisy=outcome.receipt.noisy,
    )


def _costs(run: Run, summary: SearchSummary, device: Device, model: Model) -> dict[str, Cost]:
    """What is counted of a model, and its other objectives, predicted. A table is of one space:
    elsewhere the device's peaks say a latency, or nothing does."""
    found = dict(model.costs)
    asked = _asked(run, summary, device, model.architecture)
    choices = to_choices(model.architecture.genotype)[None]
    for name in summary.objectives:
        if name in found or name not in METRICS:
            continue
        with suppress(InputError):
            source = predicted(METRICS[name], asked)
            value = float(source.of(choices)[0])
            found[name] = Cost(value=value, unit=METRICS[name].unit, provenance=source.origin)
    return found


def _asked(run: Run, summary: SearchSummary, device: Device, architecture: Architecture) -> Asked:
    name = architecture.genotype.space
    of = family(
        SPACES[name],
        channels=architecture.channels,
        cells=architecture.cells,
        classes=len(summary.classes),
        image=summary.shape,
        stem=run.config.evaluation.stem,
    )
    return Asked(
        family=of,
        device=device,
        table=kept_table(run) if name == run.config.space else None,
        runtime=runtime_words(run.config.backend, run.config.precision),
    )
