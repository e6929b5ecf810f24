"""What ``hwnas doctor RUN`` looks at in a run directory: its files, its search, and whether
shared weights rank."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from hwnas.errors import quoted
from hwnas.finding import Check, Finding

LEAST_FREE_MIB = 500


def examine_run(path: Path) -> list[Check]:
    """The checks of a run directory."""
    return [
        ("run", lambda: _files(path)),
        ("images", lambda: _images(path)),
        ("search", lambda: _search(path)),
        ("ranking", lambda: _ranking(path)),
    ]


def _files(path: Path) -> Iterator[Finding]:
    from hwnas.runs import directory as runs
    from hwnas.runs.history import read_history
    from hwnas.runs.trials import read_trials
    from hwnas.search.checkpoint import checkpoint as read_checkpoint
    from hwnas.search.checkpoint import place

    found = runs.open_run(path)
    trials, lines = read_trials(found), read_history(found)
    text = (
        f"{found.config.algorithm} in the {found.config.space} space: {len(trials):,} trials,"
        f" {len(lines)} epochs"
    )
    yield Finding(area="run", level="ok", text=text)
    held = runs.held(found)
    if held:
        yield Finding(area="run", level="ok", text="a process is working on it now")
    free_mib = shutil.disk_usage(path).free / 2**20
    if free_mib < LEAST_FREE_MIB:
        yield Finding(
            area="run",
            level="problem",
            text=f"{free_mib:,.0f} MiB of disk are free",
            advice="a checkpoint may not fit",
        )
    if not os.access(path, os.W_OK):
        yield Finding(
            area="run",
            level="problem",
            text="this user may not write to it",
            advice="it can be shown, not resumed",
        )
    checkpoint = read_checkpoint(found)
    if checkpoint is None and not runs.ended(found):
        yield Finding(
            area="run",
            level="note",
            text="no checkpoint yet",
            advice="a search that is stopped now begins anew",
        )
    elif checkpoint is not None:
        at = checkpoint[1]["position"]
        where = place(found.config, at)
        whole = f"checkpoint whole, {at['trials']:,} trials and {at['seconds']:.0f} s in, "
        whole += "all stages done" if where is None else f"next: {where}"
        yield Finding(area="run", level="ok", text=whole)
        if len(trials) > at["trials"]:
            more = len(trials) - at["trials"]
            yield Finding(
                area="run",
                level="ok",
                text=f"{more} trials after the checkpoint will be made again, the same ones",
            )
    if not runs.ended(found) and not held:
        yield Finding(
            area="run",
            level="note",
            text="the search has not ended",
            advice=f"hwnas resume {quoted(path)}",
        )


def _images(path: Path) -> Iterator[Finding]:
    """Whether the images of a search lie where they lay; they are not read."""
    from hwnas.runs import directory as runs
    from hwnas.training.data import NAMES

    data = runs.open_run(path).config.data
    places = [("images", data.source, "--data")] if data.source not in NAMES else []
    places += [("test images", data.test, "--test")] if data.test else []
    for what, place, option in places:
        folder = os.path.expanduser(place)
        text = f"the {what} of its search are no longer at {place}"
        if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
            yield Finding(area="images", level="ok", text=f"the {what} of its search: {place}")
            continue
        if os.path.exists(folder):
            text = f"the {what} of its search: {place} is an empty folder"
        yield Finding(
            area="images",
            level="problem",
            text=text,
            advice=f"it can be shown; train, export and resume take {option} PATH, where they are"
            f" now, and compare them: hwnas train {quoted(path)} {option} PATH",
        )


def _search(path: Path) -> Iterator[Finding]:
    from hwnas.runs import directory as runs
    from hwnas.runs.history import read_history
    from hwnas.runs.summary import read_front
    from hwnas.runs.trials import read_trials
    from hwnas.search.checkpoint import checkpoint as read_checkpoint
    from hwnas.search.checkpoint import rollbacks_of
    from hwnas.search.health import diagnose

    found = runs.open_run(path)
    if runs.ended(found):
        summary = read_front(found)
        notes = [(note.stage, note.text, note.advice) for note in summary.health or []]
        better = summary.hypervolume - summary.baseline.random_hypervolume
        count = len(summary.front)
        text = f"{count} members on the front, hypervolume {better:+.3f} against random ones"
        advice = (
            ""
            if better > 0
            else "the search found no more than chance: more epochs, or weights that rank better"
        )
        yield Finding(area="search", level="ok" if better > 0 else "note", text=text, advice=advice)
    else:
        checkpoint = read_checkpoint(found)
        rollbacks = rollbacks_of(checkpoint[1]) if checkpoint else []
        lines, trials = read_history(found), read_trials(found)
        notes = [
            (one.stage, one.text, one.advice)
            for one in diagnose(found.config, None, lines, trials, rollbacks)
        ]
    for stage, text, advice in notes:
        yield Finding(area="search", level="note", text=f"stage {stage + 1}: {text}", advice=advice)
    if not notes:
        yield Finding(area="search", level="ok", text="nothing unusual in its history")


def _ranking(path: Path) -> Iterator[Finding]:
    from hwnas.runs import directory as runs
    from hwnas.runs.summary import read_front
    from hwnas.runs.training_record import read_records
    from hwnas.search.health import ranking

    found = runs.open_run(path)
    if not runs.ended(found):
        return
    summary = read_front(found)
    shared = {member.key: member.accuracy.value for member in summary.members}
    both = [
        (shared[record.name], record.test_accuracy)
        for record in read_records(found)
        if record.name in shared
    ]
    if len(both) < 5:
        text = (
            f"{len(both)} of its networks are trained: too few to say whether shared weights rank"
            " them"
        )
        yield Finding(
            area="ranking",
            level="ok",
            text=text,
            advice=f"hwnas train {quoted(path)} --all" if len(shared) >= 5 else "",
        )
        return
    tau, notes = ranking(*zip(*both, strict=True))
    yield Finding(
        area="ranking",
        level="ok",
        text=f"Kendall tau of shared and trained accuracy: {tau:.2f} on {len(both)} networks",
    )
    for note in notes:
        yield Finding(area="ranking", level="note", text=note.text, advice=note.advice)
