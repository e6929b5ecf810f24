"""The first screen of a report: what was searched, whether it paid, which network to take, what to
type next, and what the images are."""

from __future__ import annotations

import shlex
from typing import Any

from hwnas.costs.short import cost_word
from hwnas.costs.table_runtime import runtime_words
from hwnas.report.load import EvaluatedFront, RunData
from hwnas.report.photos import strip, test_counts
from hwnas.runs.choice import knee_of_run
from hwnas.runs.summary import Cost, Member
from hwnas.runs.verdict import line_of

NAMED = 12
"""Classes that are listed by name; of more, how many there are."""
KINDS = {1: "grey", 3: "colour"}


def answer(data: RunData) -> dict[str, Any]:
    """What the first screen shows, as plain values."""
    verdict = data.verdict
    front, taken = _taken(data)
    return {
        "title": title(data),
        "verdict": verdict.line,
        "outcome": verdict.outcome,
        "others": [line_of(one) for one in verdict.comparisons[1:]],
        "take": taken.label,
        "front": data.fronts.index(front),
        "why": why(data, front, taken),
        "next": _next(data, taken),
        "data": data_line(data),
        "photos": strip(data),
        "alarms": alarms(data),
    }


def title(data: RunData) -> str:
    """What was searched, for which images and which device."""
    costs = [cost_word(name) + in_runtime(data, name) for name in data.objectives]
    wanted = f"accuracy against {' and '.join(costs)}" if costs else "accuracy alone"
    classes = len(data.summary.classes)
    summary = data.summary
    return f"Networks for the {classes:,} classes of {summary.data}, for {summary.target}: {wanted}"


def in_runtime(data: RunData, name: str) -> str:
    """The runtime and precision of latencies in brackets, where they were asked for."""
    asked = data.run.config
    words = runtime_words(asked.backend, asked.precision)
    return f" ({words})" if name == "latency" and words else ""


def data_line(data: RunData) -> str:
    """Classes, how many images there are, and how they are read."""
    summary, kept = data.summary, data.environment.images
    classes, counts = summary.classes, test_counts(data)
    named = [f"{name} ({counts[name]:,})" if name in counts else name for name in classes]
    listed = ", ".join(named) if len(classes) <= NAMED else ", ".join(named[:NAMED]) + ", \u2026"
    train = kept.train.count if kept is not None and kept.train is not None else None
    test = kept.test.count if kept is not None and kept.test is not None else None
    many = "" if train is None or test is None else f"{train:,} training and {test:,} test images, "
    channels, height, width = summary.shape
    kind = KINDS.get(channels, f"{channels} channels")
    side = f"read at {width} \u00d7 {height} pixels, {kind}"
    of = " (test images of each in brackets)" if counts else ""
    return f"{many}{side}. {len(classes):,} classes{of}: {listed}."


def why(data: RunData, front: EvaluatedFront, member: Member) -> str:
    """What a network is, what it reached and costs, in a sentence."""
    is_trained = front is not data.fronts[0]
    interval = front.intervals.get(member.label)
    between = "" if interval is None else f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    share = f"{100 * member.accuracy.value:.1f} %{between}"
    reached = (
        f"{share} of the test images right"
        if is_trained
        else f"{share} by shared weights, before it is trained"
    )
    costs = ", ".join(
        amount(member.costs[axis.name], axis.name)
        for axis in data.costs
        if axis.name in member.costs
    )
    place = "the knee" if member.label == front.knee else "the most accurate"
    if front.targets:
        place = "the knee within the target" if front.is_met else "the nearest to the target"
    return f"{place} of the front, {reached}; {costs}"


def amount(cost: Cost, name: str) -> str:
    """A cost in few digits with its unit, and its name where the unit does not say it."""
    value = float(cost.value)
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size and isinstance(cost.value, int):
            return f"{value / size:.3g}{letter} {cost_word(name)}"
    return f"{name} {value:.4g} {cost.unit}"


def alarms(data: RunData) -> list[str]:
    """What a person should know about the search before trusting it: of each kind what was said
    last."""
    latest = {note.kind: note for note in data.summary.health or []}
    return [f"Note: {note.text}; {note.advice}" for note in latest.values()]


def _taken(data: RunData) -> tuple[EvaluatedFront, Member]:
    """What ``--best`` takes, in the front that it is of; the most accurate of the last front where
    nobody can say."""
    label = knee_of_run(data.run, "either").label
    for front in reversed(data.fronts):
        for member in front.members:
            if member.label == label:
                return front, member
    front = data.fronts[-1]
    return front, max(front.members, key=lambda member: member.accuracy.value)


def _next(data: RunData, member: Member) -> list[str]:
    """What to type next, in order."""
    run = shlex.quote(str(data.run.path))
    commands = []
    if member.label not in data.records:
        commands.append(f"hwnas train {run} --best")
    if data.verdict.outcome == "unknown":
        commands.append(f"hwnas train {run} --baselines")
    commands.append(f"hwnas export {run} --best")
    return commands
