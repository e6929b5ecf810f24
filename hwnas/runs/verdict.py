"""Whether a search paid: each baseline beside the network that the search would give for its cost.

For every baseline, the member of the front that costs no more and that the search held for the most
accurate (by shared weights, so the test images choose nothing). The verdict is about the baseline
whose cost is nearest to that of the knee; the others are listed. Costs are compared where they are
of one kind: latency measured in one sitting, else the first objective, else MACs. Nothing is said
to be better than a network that was trained for fewer epochs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwnas.costs.short import cost_word
from hwnas.costs.table_runtime import runtime_words
from hwnas.errors import quoted, several
from hwnas.runs.baselines import read_baselines, read_together, with_baselines, with_sitting
from hwnas.runs.directory import Run
from hwnas.runs.models import search_knee
from hwnas.runs.paired import Difference, paired_difference, unpaired_difference
from hwnas.runs.right_images import unpacked
from hwnas.runs.summary import Cost, Member, SearchSummary
from hwnas.runs.training_record import TrainingRecord, read_records, with_trained
from hwnas.runs.verdict_record import BaselineComparison, Verdict

ALIKE = 0.9
"""From this ratio on two costs are called the same in the line."""

Costs = Mapping[str, Cost]
Together = Mapping[str, Mapping[str, Cost]]


def with_verdict(run: Run, summary: SearchSummary) -> SearchSummary:
    """The summary with trained accuracies, baselines, and the verdict that they allow; and what its
    latencies are of, where that was asked for.

    Raises InputError for a damaged record.
    """
    full = with_baselines(run, with_sitting(run, with_trained(run, summary)))
    words = runtime_words(run.config.backend, run.config.precision)
    asked = {"runtime": words} if words else {}
    return full.model_copy(update={"verdict": verdict_of(run, summary), **asked})


def verdict_of(run: Run, summary: SearchSummary) -> Verdict:
    """The verdict on a run. Raises InputError for a damaged record."""
    trained = {record.name: record for record in read_records(run)}
    together = read_together(run).costs
    found = [
        compared
        for baseline in read_baselines(run)
        if (compared := _compared(run, summary, baseline, trained, together)) is not None
    ]
    if not found:
        return Verdict(line=unknown_line(run.path, bool(read_baselines(run))), outcome="unknown")
    middle = search_knee(summary) or found[0].member
    costs = {
        record.name: costs_together(record.name, record.costs, together)
        for record in read_baselines(run)
    }
    own = {
        member.key: costs_together(member.key, member.costs, together) for member in summary.front
    }

    def far(one: BaselineComparison) -> float:
        pair = costs[one.baseline][one.metric].value, own[middle][one.metric].value
        return abs(math.log(max(pair[0], 1e-9) / max(pair[1], 1e-9)))

    ordered = sorted(found, key=far)
    return Verdict(line=line_of(ordered[0]), outcome=ordered[0].outcome, comparisons=ordered)


def chosen_for(
    summary: SearchSummary, costs: Costs, name: str, key: str, together: Together
) -> tuple[Member, str] | None:
    """The member that a baseline is compared with, and the cost by which it was chosen. ``key``:
    of the baseline's genotype; a member that is the same network is none to compare with.

    Where none costs as little: the cheapest. None where the front holds no other network.
    """
    summary = summary.model_copy(
        update={"front": [one for one in summary.front if not _is(one, key, costs)]}
    )
    if not summary.front:
        return None
    mine = costs_together(name, costs, together)
    own = [costs_together(member.key, member.costs, together) for member in summary.front]
    metric = metric_of(summary, mine, own)
    limit = mine[metric].value
    pairs = list(zip(summary.front, own, strict=True))
    within = [member for member, paid in pairs if paid[metric].value <= limit]
    if within:
        return max(within, key=lambda member: member.accuracy.value), metric
    return min(pairs, key=lambda pair: pair[1][metric].value)[0], metric


def _is(member: Member, key: str, costs: Costs) -> bool:
    """Whether a member is the network of this genotype and these costs."""
    return member.key == key and member.costs["params"].value == costs["params"].value


def metric_of(summary: SearchSummary, mine: Costs, others: Sequence[Costs]) -> str:
    """The cost to compare by: the first of latency, the objectives and MACs that comes from one
    source for all."""
    for name in ("latency", *summary.objectives, "macs"):
        kinds = {(one[name].unit, one[name].provenance) if name in one else None for one in others}
        if name in mine and kinds == {(mine[name].unit, mine[name].provenance)}:
            return name
    return "macs"


def costs_together(name: str, costs: Costs, together: Together) -> Costs:
    """Costs of a network, those that were measured in one sitting in place of others."""
    return {**costs, **together.get(name, {})}


def _compared(
    run: Run,
    summary: SearchSummary,
    baseline: TrainingRecord,
    trained: Mapping[str, TrainingRecord],
    together: Together,
) -> BaselineComparison | None:
    """None where the member that it would be compared with is not trained on the same images."""
    chosen = chosen_for(summary, baseline.costs, baseline.name, baseline.key, together)
    if chosen is None or chosen[0].key not in trained:
        return None
    (member, metric), record = chosen, trained[chosen[0].key]
    difference = _difference(record, baseline)
    if difference is None:
        return None
    mine = costs_together(baseline.name, baseline.costs, together)[metric].value
    own = costs_together(member.key, member.costs, together)[metric].value
    ratio = own / max(mine, 1e-9)
    outcome = {"better": "paid", "worse": "did not pay", "open": "open"}[difference.outcome]
    # More accurate and more expensive is no gain, but a choice.
    outcome = "open" if outcome == "paid" and ratio > 1 else outcome
    outcome = "open" if _is_unfair(run, outcome, record.epochs, baseline.epochs) else outcome
    return BaselineComparison.model_validate(
        {
            "baseline": baseline.name,
            "title": baseline.title or baseline.name,
            "member": member.key,
            "metric": metric,
            "cost_ratio": ratio,
            "within": ratio <= 1,
            "difference": difference.value,
            "low": difference.low,
            "high": difference.high,
            "images": difference.images,
            "paired": difference.paired,
            "outcome": outcome,
            "baseline_epochs": baseline.epochs,
            "member_epochs": record.epochs,
        }
    )


def _is_unfair(run: Run, outcome: str, member: int | None, baseline: int | None) -> bool:
    """Whether the network that lost was trained for fewer epochs than the other.

    A member that went on from weights which the search has tuned needs fewer than a baseline.
    """
    if member is None or baseline is None:
        return False
    if outcome == "paid":
        return baseline < member
    return outcome == "did not pay" and member < baseline and run.config.weights_from is None


def _difference(member: TrainingRecord, baseline: TrainingRecord) -> Difference | None:
    images = baseline.test_images
    if images is None or baseline.right is None:
        return None
    if member.right is not None and member.test_images == images:
        return paired_difference(unpacked(member.right, images), unpacked(baseline.right, images))
    return unpaired_difference(member.test_accuracy, baseline.test_accuracy, images)


def line_of(one: BaselineComparison) -> str:
    """A comparison in a sentence; in two, where one network was trained for longer."""
    own, theirs = one.member_epochs, one.baseline_epochs
    if own is None or theirs is None or own == theirs:
        return _sentence(one)
    member, baseline = several(own, "epoch"), several(theirs, "epoch")
    if one.outcome == "open" and ((one.within and one.low > 0) or one.high < 0):
        return (
            f"Whether the search paid can't be told: {one.title} was trained for {baseline}, the"
            f" front ({one.member}) for {member}. Train both alike: --epochs {max(own, theirs)}."
        )
    return f"{_sentence(one)} {one.member} was trained for {member}, {one.title} for {baseline}."


def _sentence(one: BaselineComparison) -> str:
    word, points = cost_word(one.metric), f"{100 * abs(one.difference):.1f} points"
    # Zero has no sign.
    low, high = (round(100 * end, 1) + 0.0 for end in (one.low, one.high))
    is_cheaper = one.cost_ratio < ALIKE
    if not one.within:
        front = f"the cheapest network of the front, {one.member}, at {_times(one)} its {word}, is"
    elif is_cheaper:
        front = f"the front ({one.member}) is, at {_times(one)} its {word},"
    else:
        front = f"the front ({one.member}) is, at its {word},"
    if one.outcome == "paid" and is_cheaper:
        return (
            f"The search paid: the front ({one.member}) is {points} better than {one.title}"
            f" ({low:.1f} to {high:.1f}), at {_times(one)} its {word}."
        )
    if one.outcome == "paid":
        return (
            f"The search paid: at the {word} of {one.title} the front ({one.member}) is {points}"
            f" better ({low:.1f} to {high:.1f})."
        )
    if one.outcome == "did not pay":
        return (
            f"The search did not pay here: beside {one.title} {front} {points} worse"
            f" ({0.0 - high:.1f} to {0.0 - low:.1f})."
        )
    side = "better" if one.difference >= 0 else "worse"
    ends = (low, high) if one.difference >= 0 else (0.0 - high, 0.0 - low)
    if not one.within and one.low > 0:
        return (
            f"Whether the search paid can't be told: no network of the front is as cheap as"
            f" {one.title}; {front} {points} better ({low:.1f} to {high:.1f})."
        )
    return (
        f"No difference can be told: beside {one.title} {front} {points} {side}"
        f" ({ends[0]:.1f} to {ends[1]:.1f})."
    )


def _times(one: BaselineComparison) -> str:
    return f"{one.cost_ratio:.2g} times"


def unknown_line(path: Path, is_begun: bool) -> str:
    """What is said before baselines are trained, or the networks to compare them with."""
    more = " (the networks to compare with are not trained)" if is_begun else ""
    return f"Not known yet whether the search paid{more}: hwnas train {quoted(path)} --baselines"
