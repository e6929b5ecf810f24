"""The report as one HTML file that needs nothing else: no network, no server, no second file.

Charts are drawn by Vega-Lite, whose JavaScript stands inside the file. All that comes from outside (names, paths,
genotypes, notes) is JSON in a block that no text can end, and reaches the page as text, never as HTML.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.report import charts, timelines
from hwnas.report.drawing import cell_svg
from hwnas.report.layout import pictures, title
from hwnas.report.load import Dot, Scored, Seen, commands, metrics
from hwnas.report.policies import lines, policies
from hwnas.space.space import SPACES
from hwnas.space.text import format_text
from profilers.errors import visible

HERE = Path(__file__).parent
SNIPPET = "window.vegaEmbed = vegaEmbed;"
SHARED_NOTE = (
    "Accuracies of shared weights put networks in order; what one is worth, training tells. "
    "Bars are 95 % intervals of the images scored. Crosses: uniform genotypes."
)


def page(seen: Sequence[Seen], extra: Sequence[Mapping[str, Any]], version: str, now: str) -> str:
    """The HTML of a report on one or several runs.

    ``extra``: more sections with charts, {"title", "note", "charts": [{"title", "spec"}]}, such as fronts on devices.
    """
    sections = [*([_comparison(seen)] if len(seen) > 1 else []), *extra]
    data = {
        "version": version,
        "now": now,
        "runs": [_run(one) for one in seen],
        "sections": sections,
        "volume": timelines.volume(seen) if any(one.curve for one in seen) else None,
    }
    parts = {
        "style": (HERE / "page.css").read_text(encoding="utf-8"),
        "bundle": _bundle(),
        "data": embedded(data),
        "script": (HERE / "page.js").read_text(encoding="utf-8"),
    }
    template = (HERE / "page.html").read_text(encoding="utf-8")
    # One pass, so that nothing inside a part is taken for a place to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def embedded(data: Any) -> str:
    """JSON for a script element: without ``</`` and ``<!`` no text can end the element, or hide its end."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("</", "<\\/").replace("<!", "\\u003c!")


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script."""
    import vl_convert

    return str(vl_convert.javascript_bundle(SNIPPET)).replace("</script", "<\\/script")


def _run(seen: Seen) -> dict[str, Any]:
    summary, space = seen.summary, SPACES[seen.run.config.space]
    found = lines(seen)
    return {
        "name": seen.name,
        "path": str(seen.run.path),
        "sentence": _sentence(seen),
        "scored": [_scored(seen, scored) for scored in seen.scored],
        "networks": {dot.name: _network(seen, dot) for scored in seen.scored for dot in scored.dots},
        "policies": policies(seen),
        "evolution": timelines.evolution(space),
        "probabilities": timelines.probabilities(space),
        "health": [
            {"title": title, "spec": timelines.over_epochs(found[name], axis)}
            for name, title, axis in (
                ("loss", "Training loss of the shared weights", "cross-entropy"),
                ("accuracy", "Accuracy of the samples evaluated", "accuracy (shared weights)"),
                ("entropy", "Entropy: how undecided each policy is", "nats"),
                ("skips", "Share of skip_connect in derived cells", "share of edges"),
            )
            if found[name]
        ],
        "notes": _notes(summary),
        "command": _command(seen.environment.get("command")),
        "environment": _environment(seen),
        "config": _config(seen),
    }


def _config(seen: Seen) -> str:
    """config.toml as it stands, its lines with escapes."""
    text = files.read(seen.run.path / "config.toml", seen.run.path).decode(errors="replace")
    return "\n".join(visible(line) for line in text.split("\n"))


def _command(words: Any) -> str:
    """What was typed, by the command's own name wherever it was installed; empty where it was not kept."""
    if not isinstance(words, list) or not words:
        return ""
    return " ".join(["hwnas", *(shlex.quote(str(word)) for word in words[1:])])


def _sentence(seen: Seen) -> str:
    summary = seen.summary
    baseline = summary["baseline"]
    wanted = " and ".join(seen.objectives) or "accuracy alone"
    return (
        f"{summary['algorithm']} in the {summary['space']} space on {summary['data']}, target"
        f" {summary.get('target', 'cpu')}, for {wanted}: {summary['evaluations']:,} evaluations in"
        f" {summary['seconds']:,.0f} s. Hypervolume {summary['hypervolume']:.4f} against"
        f" {baseline['random_hypervolume']:.4f} of {baseline['random_evaluations']} uniform genotypes on the same"
        " weights and images."
    )


def _scored(seen: Seen, scored: Scored) -> dict[str, Any]:
    shared = scored is seen.scored[0]
    uniform = seen.summary["baseline"].get("random") if shared else None
    known = [cost for cost in seen.costs if any(cost.name in dot.costs for dot in scored.dots)]
    rows = sorted(scored.dots, key=lambda dot: (dot.name not in scored.front, dot.costs[known[0].name][0]))
    return {
        "origin": scored.origin,
        "note": SHARED_NOTE if shared else "Accuracy on the test images after training from scratch.",
        "charts": [{"title": cost.name, "spec": charts.front(scored, cost, uniform)} for cost in known],
        "columns": [f"{cost.name} ({cost.unit})" for cost in known],
        "rows": [
            {
                "name": dot.name,
                "front": dot.name in scored.front,
                "knee": dot.name == scored.knee,
                "within": dot.name in scored.within if scored.targets else None,
                "accuracy": dot.accuracy,
                "costs": [dot.costs[cost.name][0] if cost.name in dot.costs else None for cost in known],
            }
            for dot in rows
        ],
        "target": targets_line(seen, scored),
        "first": scored.knee or next(dot.name for dot in rows),
    }


def targets_line(seen: Seen, scored: Scored) -> str:
    """What the search had to meet, and how much of the front does; empty where nothing was asked for."""
    if not scored.targets:
        return ""
    units = {cost.name: cost.unit for cost in seen.costs}
    wanted = " and ".join(
        f"{name} at most {limit:,.7g} {units.get(name, '')}".rstrip()
        for name, limit in scored.targets.items()
    )
    count = len(scored.front & scored.within)
    met = (
        f"{count} of {len(scored.front)} members of the front are within"
        if count > 1
        else (f"one of {len(scored.front)} members of the front is within")
    )
    if not scored.is_met:
        met = "no member of the front is within, the nearest is marked"
    return f"Target: {wanted}; {met}."


def _network(seen: Seen, dot: Dot) -> dict[str, Any]:
    genotype = seen.genotypes[dot.key]
    return {
        "key": dot.key,
        "cells": [
            {"title": title(picture), "svg": cell_svg(genotype, picture)}
            for picture in pictures(SPACES[genotype.space])
        ],
        "text": format_text(genotype),
        "metrics": metrics(seen, dot),
        "commands": commands(seen, dot),
    }


def _notes(summary: Mapping[str, Any]) -> list[str]:
    if "health" not in summary:
        return ["This run kept no notes on its health."]
    return [_note(note) for note in summary["health"]] or ["No alarm was raised."]


def _note(note: Any) -> str:
    if not isinstance(note, dict):
        return str(note)
    return f"stage {int(note.get('stage', 0)) + 1}: {note.get('text', '')}; {note.get('advice', '')}"


def _environment(seen: Seen) -> list[tuple[str, str]]:
    found = seen.environment
    rows: list[tuple[str, str]] = [
        (str(name), str(found[name]))
        for name in ("processor", "platform", "python", "data_digest")
        if name in found
    ]
    versions = found.get("versions")
    rows += (
        [(str(name), str(value)) for name, value in versions.items()] if isinstance(versions, dict) else []
    )
    return [*rows, ("seed", str(seen.summary.get("seed", ""))), ("run directory", str(seen.run.path))]


def _comparison(seen: Sequence[Seen]) -> dict[str, Any]:
    """All runs on the same axes, for every cost that they share."""
    shared = [cost for cost in seen[0].costs if all(cost.name in {c.name for c in one.costs} for one in seen)]
    labels = [one.name if [s.name for s in seen].count(one.name) == 1 else str(one.run.path) for one in seen]
    found = []
    for cost in shared:
        series = [
            (label, one.scored[0].dots, one.scored[0].front) for label, one in zip(labels, seen, strict=True)
        ]
        spec = charts.compared(series, cost, seen[0].scored[0].origin)
        found.append({"title": cost.name, "spec": spec})
    note = "Each run by its own shared weights: compare fronts that were trained from scratch before you conclude."
    return {"title": "The runs side by side", "note": note, "charts": found}
