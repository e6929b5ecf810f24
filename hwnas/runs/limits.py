"""Hard limits on costs: read as they are typed, met or missed by a network, and said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwnas.costs.amounts import parse_quantity
from hwnas.costs.short import exact_amount
from hwnas.runs.front import largest_and_all
from hwnas.runs.summary import Member
from profilers.errors import InputError, nearest

Limits = Mapping[str, float]
"""The most that each cost may be, in the unit of its metric."""
OPTION = "--within"


def read_limits(
    texts: Sequence[str], units: Mapping[str, str], objectives: Sequence[str]
) -> dict[str, float]:
    """``["latency=0.5ms"]`` -> {"latency": 0.5}; an amount alone is of the one objective.

    ``units``: of every cost that a network may be limited by. Of two limits on one cost the lower
    one holds. Raises InputError for another cost, or for what is no amount of its unit.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, sign, amount = (part.strip() for part in text.partition("="))
        if not sign:
            if len(objectives) != 1:
                example = next(iter([*objectives, *units]), "params")
                raise InputError(f"{OPTION}: say of which cost, such as {example}={text[:60]}")
            name, amount = objectives[0], name
        if name not in units:
            raise InputError(
                f"{OPTION}: {name[:60]!r} is no cost of this run{nearest(name, list(units))}"
            )
        limit = parse_quantity(amount, units[name], f"{OPTION} {name}")
        limits[name] = min(limit, limits.get(name, limit))
    return limits


def is_within(member: Member, limits: Limits) -> bool | None:
    """Whether a network meets all limits at once; None where one of the costs is not known."""
    if any(name not in member.costs for name in limits):
        return None
    return all(member.costs[name].value <= limit for name, limit in limits.items())


def excess(member: Member, limits: Limits) -> tuple[float, float]:
    """By how much limits are missed, to be compared: the largest share that a cost is of its
    limit, and all that is over, added. All costs must be known."""
    return largest_and_all([(member.costs[name].value, limit) for name, limit in limits.items()])


def limits_in_words(limits: Limits, units: Mapping[str, str]) -> str:
    """``latency 0.5 ms and params 40k``."""
    return " and ".join(
        f"{name} {exact_amount(limit, units.get(name, ''))}" for name, limit in limits.items()
    )


def misses_in_words(member: Member, limits: Limits) -> str:
    """Each cost that is over its limit, and by how much: ``latency 0.6 ms (0.1 ms over, 20 %)``."""
    words = []
    for name, limit in limits.items():
        cost = member.costs.get(name)
        if cost is not None and cost.value > limit:
            reached, over = (
                exact_amount(value, cost.unit) for value in (cost.value, cost.value - limit)
            )
            share = 100 * (cost.value / max(limit, 1e-100) - 1)
            words.append(f"{name} {reached} ({over} over, {share:,.3g} %)")
    return " and ".join(words)
