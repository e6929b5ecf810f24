"""Choosing networks of a run: by key, all of them, or the one that limits and a preference name.

One rule for every command. Limits (``within``) are hard. Of the networks that meet them all, those
that meet the run's own targets too are looked at, where there are any. Of these, ``prefer`` takes
one: the knee, the most accurate, or the cheapest in one cost.

Trained accuracies are compared with trained ones only, shared ones with shared ones.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from hwnas.errors import Stopped
from hwnas.runs.baselines import of_sitting, read_together, with_sitting
from hwnas.runs.choice_notes import comparison, none_within, not_compared, target_note
from hwnas.runs.directory import Run
from hwnas.runs.limits import Limits, excess, is_within, limits_in_words, read_limits
from hwnas.runs.models import beside_the_front, known_costs
from hwnas.runs.preference import KNEE, preferred
from hwnas.runs.summary import ACCURACY, Member, SearchSummary, read_front
from hwnas.runs.training_record import member_of, read_records, with_trained
from profilers.errors import InputError, nearest

Pool = Literal["front", "trained", "either"]
"""Which networks are in question: those of the search; those that are trained; or the trained ones
where they meet the limits as well as those of the search do, else those of the search."""
FRONT: Pool = "front"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is asked for. ``names``: keys or names of networks. ``every``: all that meet
    ``within``. Else one network: of those that meet ``within``, the one that ``prefer`` names.

    ``within``: hard limits as they are typed, such as ``latency=0.5ms``. ``prefer``: ``knee``,
    ``accuracy``, or a cost that is to be low.
    """

    names: tuple[str, ...] = ()
    every: bool = False
    within: tuple[str, ...] = ()
    prefer: str = KNEE


@dataclass(frozen=True, kw_only=True)
class ChosenNetworks:
    """The networks that are meant, and lines that a person should read about how they were
    chosen."""

    members: tuple[Member, ...]
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str | None:
        """What the first of them is called."""
        return self.members[0].label if self.members else None


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Networks that can be compared with each other. ``spare``: those that they dominate.

    ``words``: what a line calls them.
    """

    members: tuple[Member, ...]
    spare: tuple[Member, ...]
    words: str


def choose(run: Run, choice: Choice, pool: Pool = FRONT) -> ChosenNetworks:
    """The networks of a run that ``choice`` means.

    Raises InputError for a key, a cost or an amount that the run does not have, with the nearest
    one, and where none is trained that should be; Stopped where no network meets ``within``, with
    the one that misses it by least.
    """
    summary = with_sitting(run, with_trained(run, read_front(run)))
    records = read_records(run) if pool != FRONT else []
    trained = of_sitting([member_of(record) for record in records], read_together(run))
    if choice.names:
        return ChosenNetworks(members=tuple(_named(run, summary, trained, choice.names, pool)))
    searched = Networks(
        members=tuple(summary.front), spare=tuple(summary.dominated), words="network of the front"
    )
    units = {
        name: cost.unit
        for member in [*summary.members, *trained]
        for name, cost in member.costs.items()
    }
    limits = read_limits(choice.within, units, summary.objectives)
    if choice.prefer not in (KNEE, ACCURACY, *units):
        hint = nearest(choice.prefer, [KNEE, ACCURACY, *units])
        raise InputError(f"--prefer: no cost of this run is called {choice.prefer[:60]!r}{hint}")
    if pool == "trained" and not trained:
        raise InputError(
            f"{run.path}: no network is trained yet: hwnas train {shlex.quote(str(run.path))}"
            " --best"
        )
    if choice.every:
        if pool == "trained":
            return _all(run, trained, limits, units, "trained network")
        group = [*summary.front, *_believed(summary)]
        return _all(run, group, limits, units, searched.words)
    notes: list[str] = []
    if pool == "either":
        asked = {**summary.targets, **limits}
        reached = _meets(trained, limits, asked)
        pool = (
            "trained" if reached and reached >= _meets(searched.members, limits, asked) else FRONT
        )
        if trained and pool == FRONT:
            notes.append(
                f"no trained network is within {limits_in_words(asked, units)}: those of the search"
                " are compared"
            )
    if pool == FRONT:
        if not summary.front:
            raise InputError(f"{run.path}: its front is empty")
        chosen = one_network(run, summary, choice, searched, limits, units)
        return replace(chosen, notes=(*notes, *chosen.notes))
    left_out = [
        member for member in summary.front if not member.trained and is_within(member, limits)
    ]
    networks = Networks(members=tuple(trained), spare=(), words="trained network")
    try:
        chosen = one_network(run, summary, choice, networks, limits, units)
    except Stopped as stop:
        if not left_out:
            raise
        key = one_network(run, summary, choice, searched, limits, units).members[0].key
        raise Stopped(
            f"{stop}; {key}, which is not trained, is within: hwnas train"
            f" {shlex.quote(str(run.path))} {key}"
        ) from None
    return replace(chosen, notes=(*not_compared(run, left_out), *chosen.notes))


def knee_of_run(run: Run, pool: Pool) -> ChosenNetworks:
    """The network that is taken where nothing is said; no member where there is none to take."""
    try:
        return choose(run, Choice(), pool)
    except InputError:
        return ChosenNetworks(members=())


def _meets(members: Sequence[Member], limits: Limits, asked: Limits) -> int:
    """2 where a network meets all that is asked, 1 where one meets at least the hard limits."""
    if any(is_within(member, asked) for member in members):
        return 2
    return int(any(is_within(member, limits) for member in members))


def _named(
    run: Run, summary: SearchSummary, trained: Sequence[Member], names: Sequence[str], pool: Pool
) -> list[Member]:
    """The networks of these keys or names, each once. Raises InputError."""
    searched = {member.key: member for member in summary.members}
    found: dict[str, Member] = {}
    for name in names:
        fitting = [member for member in trained if name in (member.name, member.key)]
        if pool != "trained" and name in searched:
            fitting = [searched[name]]
        if not fitting and pool == "trained" and name in searched:
            raise InputError(
                f"{run.path}: {name} is not trained yet: hwnas train"
                f" {shlex.quote(str(run.path))} {name}"
            )
        if not fitting and pool == "trained":
            known = [member.label for member in trained]
            raise InputError(
                f"{run.path}: no trained network is called {name!r}{nearest(name, known)}"
            )
        if not fitting:
            # Of dozens of dominated finalists only the one that was meant is worth a line.
            meant = get_close_matches(name, searched, n=1)
            hint = nearest(
                name, [*dict.fromkeys([*meant, *(member.key for member in summary.front)])]
            )
            raise InputError(f"{run.path}: no network has the key {name!r}{hint}")
        found |= {member.label: member for member in fitting}
    return list(found.values())


def _believed(summary: SearchSummary) -> list[Member]:
    """What SynFlow helped to choose, beside the front."""
    known = {member.key: member for member in summary.members}
    return [known[key] for key in beside_the_front(summary)]


def _all(
    run: Run, members: Sequence[Member], limits: Limits, units: Mapping[str, str], words: str
) -> ChosenNetworks:
    """Those that meet the limits. Raises Stopped where none does, which calls them ``words``."""
    inside = [member for member in members if is_within(member, limits)]
    if not members:
        raise InputError(f"{run.path}: its front is empty")
    if not inside:
        raise none_within(run, members, limits, units, words)
    return ChosenNetworks(members=tuple(inside))


def one_network(
    run: Run,
    summary: SearchSummary,
    choice: Choice,
    networks: Networks,
    limits: Limits,
    units: Mapping[str, str],
    keep_low: Sequence[str] | None = None,
) -> ChosenNetworks:
    """The one network that is meant. ``keep_low``: costs that the knee is of, the objectives where
    they are not said. Raises Stopped where none meets the limits."""
    notes: list[str] = []
    scale: Sequence[Member] = networks.members
    inside = [member for member in scale if is_within(member, limits)]
    if not inside:
        inside = [member for member in networks.spare if is_within(member, limits)]
        scale = inside
        if not inside:
            raise none_within(run, networks.members, limits, units, networks.words)
        notes.append(
            f"no {networks.words} is within {limits_in_words(limits, units)}: finalists that the"
            " front dominates are looked at"
        )
    if choice.prefer in units:
        inside = [member for member in inside if choice.prefer in member.costs]
        if not inside:
            raise InputError(f"--prefer {choice.prefer}: not known of any {networks.words}")
    targets = {name: limit for name, limit in summary.targets.items() if name not in limits}
    unknown = [name for name in targets if any(name not in member.costs for member in inside)]
    if unknown:
        notes.append(
            f"{', '.join(unknown)} is not known of every {networks.words}, so its target is not"
            " looked at"
        )
        targets = {name: limit for name, limit in targets.items() if name not in unknown}
    by_trained, mixed = comparison(inside)
    if by_trained:
        inside, scale = _by_trained(inside), _by_trained(scale)
    met = [member for member in inside if is_within(member, targets)]
    if met:
        # Without a cost to keep low the knee is the most accurate.
        wanted = summary.objectives if keep_low is None else keep_low
        names = known_costs(scale, wanted) if wanted else []
        taken = preferred(met, scale, choice.prefer, names)
        notes += mixed if len(met) > 1 else []
    else:
        taken = min(inside, key=lambda member: (excess(member, targets), -member.accuracy.value))
        notes.append(target_note(taken, targets, units))
    label = taken.label
    return ChosenNetworks(
        members=tuple(
            member for member in (*networks.members, *networks.spare) if member.label == label
        )[:1],
        notes=tuple(notes),
    )


def _by_trained(members: Sequence[Member]) -> list[Member]:
    """Those that are trained, with the accuracy that they reached."""
    return [
        member.model_copy(update={"accuracy": member.trained})
        for member in members
        if member.trained is not None
    ]
