"""What a run keeps of its baselines: plain networks that somebody would have used instead of a
search, trained on the same images.

runs/<name>/baselines/<network>/ holds what models/<network>/ holds of a member;
baselines.json what was measured of them and of the front in one sitting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from hwnas import files
from hwnas.runs.directory import Run
from hwnas.runs.schema import Name, Record, json_bytes, read
from hwnas.runs.summary import Cost, Member, SearchSummary
from hwnas.runs.training_record import TrainingRecord, member_of, read_records

FOLDER = "baselines"
COSTS = "baselines.json"


class MeasuredTogether(Record):
    """Costs that were measured in turn, so that the machine's drift falls on all of them alike:
    by network (a baseline's name, a member's key) and metric."""

    costs: dict[Name, dict[Name, Cost]] = Field(default_factory=dict)


def read_baselines(run: Run) -> list[TrainingRecord]:
    """The records of all trained baselines, by rising MACs. Raises InputError for a damaged one."""
    records = read_records(run, FOLDER)
    return sorted(records, key=lambda record: (record.costs["macs"].value, record.name))


def read_together(run: Run) -> MeasuredTogether:
    """What was measured in one sitting; nothing where nothing was. Raises InputError."""
    path = run.path / COSTS
    if not files.exists(path, run.path):
        return MeasuredTogether()
    return read(path, run.path, MeasuredTogether, "costs that were measured together")


def write_together(run: Run, measured: MeasuredTogether) -> None:
    """Write what was measured in one sitting."""
    files.replace(run.path / COSTS, run.path, json_bytes(measured))


def with_sitting(run: Run, summary: SearchSummary) -> SearchSummary:
    """The summary with the costs that were measured beside the baselines, where they were: what the
    search measured on another day is not to be compared with those.

    Raises InputError for a damaged record.
    """
    together = read_together(run)
    if not together.costs:
        return summary
    return summary.model_copy(
        update={
            "front": of_sitting(summary.front, together),
            "dominated": of_sitting(summary.dominated, together),
        }
    )


def of_sitting(members: Sequence[Member], together: MeasuredTogether) -> list[Member]:
    """The members with what one sitting measured of them."""
    return [
        member.model_copy(update={"costs": costs_of_sitting(member.label, member.costs, together)})
        for member in members
    ]


def costs_of_sitting(
    name: str, costs: Mapping[str, Cost], together: MeasuredTogether
) -> dict[str, Cost]:
    """Costs of a network, those of the sitting in place of others; predictions stay beside them."""
    measured = together.costs.get(name, {})
    kept = {"predicted", "process"}
    return {
        metric: cost
        if metric not in measured
        else measured[metric].model_copy(update={one: getattr(cost, one) for one in kept})
        for metric, cost in costs.items()
    }


def with_baselines(run: Run, summary: SearchSummary) -> SearchSummary:
    """The summary with the trained baselines as members, each with its name and title.

    Raises InputError for a damaged record.
    """
    found = [baseline_member(record) for record in read_baselines(run)]
    return summary.model_copy(update={"baselines": found}) if found else summary


def baseline_member(record: TrainingRecord) -> Member:
    """A trained baseline as a network among others."""
    member = member_of(record)
    return member.model_copy(update={"title": record.title or record.name})
