"""How the finalists of a search were measured, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwnas.runs.summary import SearchSummary


def measured_lines(summary: SearchSummary) -> list[str]:
    """How finalists were measured, and how far off the predictions were that the search went by."""
    lines = []
    for name, notes in summary.measured.items():
        metadata = notes.metadata
        if metadata:
            text = (
                f"{name} measured on {metadata.get('host', '?')} by {runtime_of(metadata)},"
                f" {notes.networks} networks"
            )
            if name == "latency":
                text += f", {metadata.get('statistic', '?')}, 95 % intervals{_off(summary, name)}"
                text += f"; the host was busy during {notes.noisy} of them" if notes.noisy else ""
            lines.append(text)
        if notes.failed:
            reason = next(iter(notes.reasons), "no reason was kept")
            lines.append(f"{name} of {notes.failed} networks could not be measured: {reason}")
    return lines


def measured_in(summary: SearchSummary, name: str) -> str:
    """What the column of a cost adds to its origin: the runtime and precision of latencies, where
    they were asked for."""
    return f", {summary.runtime}" if name == "latency" and summary.runtime else ""


def runtime_of(metadata: Mapping[str, Any]) -> str:
    """The back end with its version, and the precision where it is not float32."""
    name, versions = str(metadata.get("backend", "?")), metadata.get("versions")
    version = str(versions.get(name, "")) if isinstance(versions, Mapping) else ""
    precision = str(metadata.get("dtype") or "fp32").replace("float32", "fp32")
    words = [name, version.split("-")[0], "" if precision == "fp32" else f"in {precision}"]
    return " ".join(word for word in words if word)


def _off(summary: SearchSummary, name: str) -> str:
    costs = [member.costs[name] for member in summary.members if name in member.costs]
    pairs = [(cost.predicted, cost.value) for cost in costs if cost.predicted and cost.value]
    if not pairs:
        return ""
    off = sum(abs(predicted.value / value - 1) for predicted, value in pairs) / len(pairs)
    return f"; {pairs[0][0].provenance} values that the search went by were {100 * off:.1f} % off"
