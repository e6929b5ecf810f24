"""What to type about a member of a front."""

from __future__ import annotations

import json
import shlex

from hwnas.report.load import RunData
from hwnas.runs.summary import Member
from hwnas.space.space import SPACES


def commands(data: RunData, member: Member) -> list[str]:
    """What to type to train, export and profile one network; what is not trained is trained
    before its export."""
    run, key = shlex.quote(str(data.run.path)), shlex.quote(member.key)
    train, export = f"hwnas train {run} {key}", f"hwnas export {run} {key}"
    if member.label in data.records:
        export = f"hwnas export {run} {shlex.quote(member.label)}"
    else:
        export = f"{train} && {export}"
    return [train, export, _profile_command(data, member, export)]


def _profile_command(data: RunData, member: Member, export: str) -> str:
    """What measures this network again, at its own size and on images of its own shape.

    The table of a run's own macro is known to the run alone: its front is profiled, or the ONNX
    file of a network that is not on it.
    """
    target = f"--target {shlex.quote(data.summary.target)}"
    if data.run.config.macro is not None:
        run = data.run.path
        front = {(one.key, one.channels, one.cells) for one in data.summary.front}
        if (member.key, member.channels, member.cells) in front:
            return f"hwnas profile {shlex.quote(str(run))} {target}"
        file = shlex.quote(str(run / "models" / member.label / "model.onnx"))
        return f"{export} && hwnas profile {file} {target}"
    genotype = data.genotypes[member.key]
    written = shlex.quote(json.dumps(genotype.to_dict(), separators=(",", ":")))
    space, stem = SPACES[genotype.space], data.run.config.evaluation.stem
    size = f"--channels {member.channels}"
    if space.depth is None:  # a chain has the depth and the stem of its table
        size += f" --cells {member.cells} --stem {stem}"
    image = "x".join(map(str, data.summary.shape))
    classes = len(data.summary.classes)
    return f"hwnas profile {written} {size} --classes {classes} --image {image} {target}"
