"""Of several networks the one that is preferred: the knee, the most accurate, or the cheapest."""

from __future__ import annotations

from collections.abc import Sequence

from hwnas.runs.front import knee_of, pareto_front
from hwnas.runs.models import point_of
from hwnas.runs.summary import ACCURACY, Member

KNEE = "knee"


def preferred(
    members: Sequence[Member], scale: Sequence[Member], prefer: str, names: Sequence[str]
) -> Member:
    """Of ``members`` the one that ``prefer`` names; none of the others beats it in accuracy and
    all costs ``names``.

    ``prefer``: ``knee``, ``accuracy`` or a cost that all members have. ``scale``: the networks
    whose front says how long the axes of the knee are. Equals: the one that is cheaper in the first
    cost, then the more accurate one.
    """
    known = {member.label: member for member in members}
    front = pareto_front([point_of(member, names) for member in members], names).points
    if prefer == KNEE:
        whole = pareto_front([point_of(member, names) for member in scale], names).points
        return known[knee_of(front, whole).key]
    if prefer == ACCURACY:
        best = min(front, key=lambda point: (-point.accuracy, point.costs, point.key))
        return known[best.key]
    return min(
        members,
        key=lambda member: (
            member.costs[prefer].value,
            -member.accuracy.value,
            point_of(member, names).costs,
            member.label,
        ),
    )
