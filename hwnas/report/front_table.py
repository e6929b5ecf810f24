"""A front as the page shows it: its charts, its table with trained beside shared accuracies, its
legend and what it had to meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwnas.report import charts
from hwnas.report.load import EvaluatedFront, RunData
from hwnas.runs.summary import Member
from hwnas.runs.told_apart import alike_line, letters
from hwnas.runs.training_record import member_of
from hwnas.space.chosen_size import size_names, size_text
from hwnas.space.space import SPACES
from profilers.errors import visible

SHARED_NOTE = (
    "Accuracies of shared weights put networks in order; what one is worth, training tells. "
    "Bars are 95 % intervals of the images scored."
)
TRAINED_NOTE = "Accuracy on the test images, which nothing has seen before. Bars: 95 % intervals."


def evaluated_front(data: RunData, front: EvaluatedFront) -> dict[str, Any]:
    """One front: its charts, a row of each network and, where it is of trained ones, of each
    baseline."""
    is_shared = front is data.fronts[0]
    uniform = data.summary.baseline.random if is_shared else None
    baselines = () if is_shared else data.baselines
    known = [
        axis for axis in data.costs if any(axis.name in member.costs for member in front.members)
    ]
    first = known[0].name
    names = [axis.name for axis in known]
    rows = sorted(
        front.members,
        key=lambda member: (member.label not in front.front, member.costs[first].value),
    )
    by_shared = {member.label: float(member.accuracy.value) for member in data.summary.members}
    alike = letters(data.summary.alike or []) if is_shared else {}
    return {
        "origin": front.provenance,
        "note": _note(data, bool(alike)) if is_shared else TRAINED_NOTE,
        "charts": [
            {"title": axis.name, "spec": charts.front(front, axis, uniform, baselines)}
            for axis in known
        ],
        "legend": legend(front, bool(uniform), bool(baselines)),
        "size": size_names(SPACES[data.run.config.space]),
        "columns": [f"{axis.name} ({axis.unit})" for axis in known],
        "alike": bool(alike),
        "shared": data.fronts[0].provenance,
        "trained": data.fronts[1].provenance if len(data.fronts) > 1 else "",
        "rows": [
            {
                **_table_row(front, member, names),
                "size": size_text(data.genotypes[member.key]),
                "shared": by_shared.get(member.label),
                "alike": alike.get(member.key, ""),
                "trained": _trained(data, member.label),
            }
            for member in rows
        ],
        "baselines": [
            {
                "name": record.title or record.name,
                "trained": float(record.test_accuracy),
                "costs": _costs(member_of(record), names),
            }
            for record in data.baselines
        ],
        "target": targets_line(data, front),
        "first": front.knee or rows[0].label,
    }


def _note(data: RunData, has_letters: bool) -> str:
    """What is to be said of accuracies by shared weights."""
    if not has_letters:
        return SHARED_NOTE
    line = alike_line(data.summary.scored_images, data.summary.choosing_images)
    return f"{SHARED_NOTE} {line[0].upper()}{line[1:]}."


def legend(front: EvaluatedFront, uniform: bool, baselines: bool) -> list[dict[str, str]]:
    """What the marks of a front's chart are: those that occur in it."""
    off_front = any(member.label not in front.front for member in front.members)
    is_over = bool(front.targets) and any(
        member.label not in front.within for member in front.members
    )
    middle = "the knee" if front.is_met else "nearest to the target"
    found = [
        ("front", "on the front", True),
        ("knee", middle, front.knee is not None),
        ("dominated", "dominated", off_front),
        ("over", "over the target", is_over),
        ("target", "the target, and what is within", bool(front.targets)),
        ("baseline", "a baseline: no search", baselines),
        ("uniform", "a random network", uniform),
        ("interval", "95 % interval", bool(front.intervals)),
    ]
    return [{"mark": mark, "text": text} for mark, text, occurs in found if occurs]


def _trained(data: RunData, label: str) -> float | None:
    record = data.records.get(label)
    return None if record is None else float(record.test_accuracy)


def _costs(member: Member, names: Sequence[str]) -> list[float | None]:
    return [float(member.costs[name].value) if name in member.costs else None for name in names]


def _table_row(front: EvaluatedFront, member: Member, names: Sequence[str]) -> dict[str, Any]:
    return {
        "name": member.label,
        "front": member.label in front.front,
        "knee": member.label == front.knee,
        "within": member.label in front.within if front.targets else None,
        "accuracy": float(member.accuracy.value),
        "costs": _costs(member, names),
    }


def targets_line(data: RunData, evaluated: EvaluatedFront) -> str:
    """What the search had to meet, and how much of the front does; empty where nothing was asked
    for."""
    if not evaluated.targets:
        return ""
    units = {cost.name: cost.unit for cost in data.costs}
    typed = {one.metric: one.target for one in data.run.config.objectives if one.target}
    wanted = " and ".join(
        f"{name} at most {visible(typed[name])}"
        if name in typed
        else f"{name} at most {limit:,.7g} {units.get(name, '')}".rstrip()
        for name, limit in evaluated.targets.items()
    )
    count = len(evaluated.front & evaluated.within)
    met = (
        f"{count} of {len(evaluated.front)} members of the front are within"
        if count > 1
        else (f"one of {len(evaluated.front)} members of the front is within")
    )
    if not evaluated.is_met:
        met = "no member of the front is within, the nearest is marked"
    return f"Target: {wanted}; {met}."
