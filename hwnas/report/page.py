"""The report as one HTML file that needs nothing else: no network, no server, no second file.

Charts are drawn by Vega-Lite, whose JavaScript stands inside the file. All that comes from outside
(names, paths, genotypes, notes) is JSON in a block that no text can end, and reaches the page as
text, never as HTML.
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
from hwnas.report.answer import answer, in_runtime
from hwnas.report.by_class import by_class
from hwnas.report.commands import commands
from hwnas.report.comparison import comparison
from hwnas.report.drawing import cell_svg
from hwnas.report.front_table import evaluated_front
from hwnas.report.layout import pictures, title
from hwnas.report.layout_items import NETWORK
from hwnas.report.load import RunData, metrics
from hwnas.report.policies import lines, policies
from hwnas.report.render import javascript_bundle
from hwnas.runs.summary import Member, SearchSummary, health_lines
from hwnas.space.space import SPACES
from hwnas.space.text import format_text
from profilers.errors import visible

HERE = Path(__file__).parent
SNIPPET = "window.vegaEmbed = vegaEmbed;"


def page(
    loaded: Sequence[RunData], extra: Sequence[Mapping[str, Any]], version: str, now: str
) -> str:
    """The HTML of a report on one or several runs.

    ``extra``: more sections with charts, {"title", "note", "charts": [{"title", "spec"}]}, such as
    fronts on devices; "tables" may stand before them, [{"title", "columns", "rows"}].
    """
    sections = [*([_comparison(loaded)] if len(loaded) > 1 else []), *extra]
    data = {
        "version": version,
        "now": now,
        "runs": [_run(one) for one in loaded],
        "sections": sections,
        "volume": timelines.volume(loaded) if any(one.curve for one in loaded) else None,
    }
    parts = {
        "style": (HERE / "page.css").read_text(encoding="utf-8"),
        "bundle": _bundle(),
        "data": embedded(data),
        "script": _script(),
    }
    template = (HERE / "page.html").read_text(encoding="utf-8")
    # One pass, so that nothing inside a part is taken for a place to fill.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def embedded(data: Any) -> str:
    """JSON for a script element: without ``</`` and ``<!`` no text can end the element, or hide
    its end."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("</", "<\\/").replace("<!", "\\u003c!")


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed as one script."""
    return javascript_bundle(SNIPPET).replace("</script", "<\\/script")


SCRIPTS = ("tools", "front", "network", "blocks", "policies", "start")
"""The parts of the page's own script, page.NAME.js, in this order."""


def _script() -> str:
    """All parts as one function, so that none of their names is global."""
    parts = [(HERE / f"page.{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return "\n".join(['"use strict";', "(() => {", *parts, "})();"])


def _run(data: RunData) -> dict[str, Any]:
    space = SPACES[data.run.config.space]
    found = lines(data)
    return {
        "name": data.name,
        "path": str(data.run.path),
        "sentence": _sentence(data),
        "answer": answer(data),
        "scored": [evaluated_front(data, front) for front in data.fronts],
        "networks": {
            member.label: _network(data, member)
            for front in data.fronts
            for member in front.members
        },
        "blocks": comparison(data),
        "policies": policies(data),
        "evolution": timelines.evolution(space),
        "probabilities": timelines.probabilities(space),
        "health": [
            {"title": title, "spec": timelines.over_epochs(found[name], axis)}
            for name, title, axis in (
                ("loss", "Training loss of the shared weights", "cross-entropy"),
                ("accuracy", "Accuracy of the samples evaluated", "accuracy (shared weights)"),
                ("entropy", "Entropy: how undecided each policy is", "nats"),
                ("skips", "Share of skip_connect in derived networks", "share of decisions"),
            )
            if found[name]
        ],
        "notes": _notes(data.summary),
        "command": _command(data.environment.command),
        "environment": _environment(data),
        "config": _config(data),
    }


def _config(data: RunData) -> str:
    """config.toml as it stands, its lines with escapes."""
    text = files.read(data.run.path / "config.toml", data.run.path).decode(errors="replace")
    return "\n".join(visible(line) for line in text.split("\n"))


def _command(words: list[str] | None) -> str:
    """What was typed, by the command's own name wherever it was installed; empty where it was
    not kept."""
    return " ".join(["hwnas", *map(shlex.quote, words[1:])]) if words else ""


def _sentence(data: RunData) -> str:
    summary = data.summary
    wanted = " and ".join(name + in_runtime(data, name) for name in data.objectives)
    wanted = wanted or "accuracy alone"
    return (
        f"{summary.algorithm} in the {summary.space} space on {summary.data}, target"
        f" {summary.target}, for {wanted}: {summary.evaluations:,} evaluations in"
        f" {summary.seconds:,.0f} s. Hypervolume {summary.hypervolume:.4f} against"
        f" {summary.chance}."
    )


def _network(data: RunData, member: Member) -> dict[str, Any]:
    genotype = data.genotypes[member.key]
    return {
        "key": member.key,
        "cells": [
            {
                # The section is headed "Network" already.
                "title": "" if picture == NETWORK else title(picture),
                "svg": cell_svg(
                    genotype, picture, channels=member.channels, image=data.summary.shape
                ),
            }
            for picture in pictures(SPACES[genotype.space])
        ],
        "text": format_text(genotype),
        "metrics": metrics(data, member),
        "classes": by_class(data, member),
        "commands": commands(data, member),
    }


def _notes(summary: SearchSummary) -> list[str]:
    if summary.health is None:
        return ["This run kept no notes on its health."]
    return health_lines(summary.health) or ["No alarm was raised."]


def _environment(data: RunData) -> list[tuple[str, str]]:
    known = data.environment
    rows = [
        ("processor", known.processor),
        ("computed by", known.computed_by),
        ("platform", known.platform),
        ("python", known.python),
        ("data_digest", known.data_digest),
        *(known.versions or {}).items(),
        ("seed", str(data.summary.seed)),
        ("run directory", str(data.run.path)),
    ]
    return [(name, text) for name, text in rows if text is not None]


def _comparison(loaded: Sequence[RunData]) -> dict[str, Any]:
    """All runs on the same axes, for every cost that they share."""
    names = [{axis.name for axis in one.costs} for one in loaded]
    shared = [axis for axis in loaded[0].costs if all(axis.name in known for known in names)]
    called = [one.name for one in loaded]
    labels = [one.name if called.count(one.name) == 1 else str(one.run.path) for one in loaded]
    found = []
    for axis in shared:
        series = [
            (label, one.fronts[0].members, one.fronts[0].front)
            for label, one in zip(labels, loaded, strict=True)
        ]
        spec = charts.compared(series, axis, loaded[0].fronts[0].provenance)
        found.append({"title": axis.name, "spec": spec})
    note = (
        "Each run by its own shared weights: compare fronts that were trained from scratch before"
        " you conclude."
    )
    return {"title": "The runs side by side", "note": note, "charts": found}
