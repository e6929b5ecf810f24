"""How the answer of each command is shown: which of its figures stand in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwnas.api.shown import View, number

Values = Mapping[str, Any]


def of_search(found: Values, run: str) -> View:
    """The front of a run."""
    front = found["front"]
    first: Values = front[0] if front else {"accuracy": {"origin": ""}, "costs": {}}
    trained = any(member.get("trained") for member in front)
    columns = ["key", f"accuracy ({first['accuracy']['origin']})"]
    columns += ["trained (test)"] if trained else []
    columns += [f"{name} ({cost['unit']})" for name, cost in first["costs"].items()]
    rows = []
    for member in front:
        row = [member["key"], f"{member['accuracy']['value']:.4f}"]
        if trained:
            reached = member.get("trained")
            row.append(f"{reached['value']:.4f}" if reached else "")
        row += [number(cost["value"]) for cost in member["costs"].values()]
        rows.append(tuple(row))
    title = f"{found['algorithm']} in the {found['space']} space, {found['data']}: {run}"
    return View(
        title=title,
        columns=tuple(columns),
        rows=tuple(rows),
        lines=_on_the_front(found.get("precisions")),
    )


def _on_the_front(precisions: Values | None) -> tuple[str, ...]:
    """The exported files that no other beats, in one line."""
    points = precisions["points"] if precisions else ()
    best = [f"{one['network']} {one['precision']}" for one in points if one["on_front"]]
    return (f"exported files on the front: {', '.join(best)}",) if best else ()


def of_training(records: Sequence[Values], run: str) -> View:
    """Trained networks, with the class that each finds hardest."""
    rows = []
    for record in records:
        known = [
            (share, name)
            for share, name in zip(
                record.get("class_accuracy") or (), record.get("classes") or (), strict=False
            )
            if share is not None
        ]
        worst = f"{min(known)[1]} {min(known)[0]:.2f}" if known else ""
        costs = record["costs"]
        rows.append(
            (
                record["name"],
                f"{record['test_accuracy']:.4f}",
                number(costs["params"]["value"]),
                number(costs["macs"]["value"]),
                worst,
            )
        )
    columns = ("network", "accuracy (test)", "params", "MACs", "worst class")
    return View(title=f"trained: {run}", columns=columns, rows=tuple(rows))


def of_export(records: Sequence[Values]) -> View:
    """Exported networks and their files."""
    rows = []
    for record in records:
        shares = (record["accuracy"], record["int8_accuracy"])
        accuracies = ["" if share is None else f"{share:.4f}" for share in shares]
        folder = str(Path(next(iter(record["files"].values()))).parent)
        rows.append((record["name"], *accuracies, ", ".join(record["files"]), folder))
    columns = ("network", "accuracy", "int8", "formats", "folder")
    return View(title="exported", columns=columns, rows=tuple(rows))


def of_profile(answers: Sequence[Values]) -> View:
    """What was counted, measured or estimated."""
    rows: list[tuple[str, ...]] = [
        (
            answer["target"],
            metric.get("key", ""),
            metric["name"],
            "failed" if metric.get("value") is None else number(metric["value"]),
            metric.get("unit", ""),
            metric.get("origin") or metric.get("reason", ""),
        )
        for answer in answers
        for metric in answer["metrics"]
    ]
    title = str(answers[0]["subject"])[:80] if answers else "nothing measured"
    columns: tuple[str, ...] = ("target", "key", "metric", "value", "unit", "origin")
    if not any(row[1] for row in rows):  # of one network there is none to tell apart
        rows, columns = [row[:1] + row[2:] for row in rows], columns[:1] + columns[2:]
    return View(title=title, columns=columns, rows=tuple(rows))


def of_plan(found: Values) -> View:
    """What a search would take."""
    rows = tuple(
        (name.replace("_", " "), number(value) if isinstance(value, int | float) else str(value))
        for name, value in found.items()
        if isinstance(value, int | float | str) and not isinstance(value, bool)
    )
    return View(title="plan", columns=("what", "value"), rows=rows)


def of_predictions(found: Values) -> View:
    """The likeliest classes of each photo."""
    rows = tuple(
        (
            photo["photo"],
            ", ".join(f"{one['class']} {one['probability']:.3f}" for one in photo["classes"]),
        )
        for photo in found["photos"]
    )
    took = found["median_ms"]
    lines = [f"{len(found['failed'])} could not be read"] if found["failed"] else []
    if took:
        lines.append(
            f"medians of a photo: network {took['network']:.3g} ms by {found['runtime']}, reading"
            f" {took['read']:.3g} ms"
        )
    return View(
        title=f"{len(rows)} photos by {found['network']}",
        columns=("photo", "classes"),
        rows=rows,
        lines=tuple(lines),
    )
