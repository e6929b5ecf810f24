"""Whether a search paid, as a run's files and ``--json`` say it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hwnas.runs.schema import Name, Number, Positive, Record, Text


class BaselineComparison(Record):
    """A baseline beside the member of the front that was chosen for its cost.

    ``cost_ratio``: the member's cost ``metric`` over the baseline's; ``within``: whether that is at
    most 1. ``difference``: accuracy of the member minus the baseline's on the test images, in
    -1..1, with its 95 % interval. ``baseline_epochs``, ``member_epochs``: for how many each was
    trained; None where its record does not say.
    """

    baseline: Name
    title: Text
    member: Name
    metric: Name
    cost_ratio: Number
    within: bool
    difference: Number
    low: Number
    high: Number
    images: Positive
    paired: bool
    outcome: Literal["paid", "did not pay", "open"]
    baseline_epochs: int | None = None
    member_epochs: int | None = None


class Verdict(Record):
    """Whether the search paid, in a line, and what that rests on: the baseline nearest to the knee,
    then the others."""

    line: Text
    outcome: Literal["paid", "did not pay", "open", "unknown"]
    comparisons: list[BaselineComparison] = Field(default_factory=list)
