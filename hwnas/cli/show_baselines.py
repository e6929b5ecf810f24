"""Baselines in the table of ``hwnas show``: a row each, marked, below the front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwnas.runs.summary import Cost, Member, SearchSummary


def trained_provenance(summary: SearchSummary) -> str | None:
    """What the column of trained accuracies says of them; None where nothing is trained."""
    found = [member.trained for member in summary.front if member.trained]
    found += [baseline.accuracy for baseline in summary.baselines]
    return found[0].provenance if found else None


def add_baselines(
    grid: Any,
    baselines: Sequence[Member],
    *,
    before: int,
    names: Sequence[tuple[str, int]],
    amount: Callable[[Cost], str],
) -> None:
    """A row of each baseline. ``before``: cells between name and trained accuracy; the last
    says what it is. ``names``: each cost with the number of its columns."""
    for number, baseline in enumerate(baselines):
        if not number:
            grid.add_section()
        cells = [baseline.title or baseline.label, *[""] * (before - 1), "baseline"]
        cells.append(f"{baseline.accuracy.value:.4f}")
        for name, columns in names:
            cost = baseline.costs.get(name)
            cells += [_said(cost, amount), *[""] * (columns - 1)]
        grid.add_row(*cells)


def _said(cost: Cost | None, amount: Callable[[Cost], str]) -> str:
    """The amount; of an estimate it is said, for the column is of another kind."""
    if cost is None:
        return ""
    return (
        f"{amount(cost)} (estimated)" if cost.provenance.startswith("estimated") else amount(cost)
    )
