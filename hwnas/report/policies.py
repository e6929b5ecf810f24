"""How the policies of a run evolved, as rows for charts: leading operations, probabilities,
derived cells."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwnas.report.drawing import picture_svg
from hwnas.report.layout import pictures, title
from hwnas.report.layout_items import option_label, state_names
from hwnas.report.load import RunData
from hwnas.runs.history import Epoch
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.space.encoding import to_genotype
from hwnas.space.genotype import Cell, Genotype
from hwnas.space.space import NONE, SKIP, SPACES, Space

MOST_EPOCHS = 120
MOST_DRAWINGS = 96  # snapshots of all policies together; each is one or two drawings of about 7 kB
MOST_SNAPSHOTS = 12


def policies(data: RunData) -> dict[str, Any] | None:
    """What the page needs to show each policy over time; None where the run kept no history of
    policies.

    ``tables``: base64 of bytes, probability x 255, (policies, epochs, edges, operations).
    """
    history = [epoch for epoch in thinned(data.history, MOST_EPOCHS) if epoch.probabilities]
    if not history:
        return None
    space = SPACES[data.run.config.space]
    tables = (
        np.array([epoch.probabilities for epoch in history], dtype=np.float64).swapaxes(0, 1) / 1000
    )
    drawings, snapshots = _snapshots(data, len(tables))
    return {
        "names": names(data),
        "epochs": _numbers(data.history, history),
        "edges": [edge_name(space, row) for row in range(len(space.decisions))],
        "operations": [
            [option_label(decision, op) for op in decision.operations]
            for decision in space.decisions
        ],
        "shape": list(tables.shape),
        "tables": base64.b64encode(_bytes(tables).tobytes()).decode(),
        "drawings": drawings,
        "snapshots": snapshots,
    }


def names(data: RunData) -> list[str]:
    """What each policy is called by its algorithm, such as its penalty exponent."""
    config = data.run.config
    return algorithm_of(config).policy_names(config)


def thinned(history: Sequence[Epoch], most: int) -> list[Epoch]:
    """At most so many epochs, evenly taken, the last among them."""
    if len(history) <= most:
        return list(history)
    rows = np.unique(np.linspace(0, len(history) - 1, most).round().astype(int))
    return [history[row] for row in rows]


def edge_name(space: Space, row: int) -> str:
    """``normal c k-2 to 0``."""
    if not space.slots:
        return space.decisions[row].name
    slot, states = space.slots[row], state_names(space.name)
    kind = f"{slot.cell} " if len(space.cells) > 1 else ""
    return f"{kind}{states[slot.source]} \u2192 {states[slot.node]}"


def lines(data: RunData) -> dict[str, list[dict[str, Any]]]:
    """Rows {epoch, value, series, stage} of entropy, loss, accuracy, and skip_connect's share of
    derived edges."""
    found: dict[str, list[dict[str, Any]]] = {
        "entropy": [],
        "loss": [],
        "accuracy": [],
        "skips": [],
    }
    space, called = SPACES[data.run.config.space], names(data)
    for number, epoch in enumerate(data.history, start=1):
        at = {"epoch": number, "stage": epoch.stage + 1}
        if epoch.loss is not None:
            found["loss"].append({**at, "value": epoch.loss, "series": "training loss"})
        if epoch.accuracy is not None:
            found["accuracy"].append(
                {**at, "value": epoch.accuracy, "series": "mean of evaluated samples"}
            )
        for name, value in zip(called, epoch.entropies, strict=False):
            found["entropy"].append({**at, "value": value, "series": name})
        for name, choices in zip(called, epoch.derived, strict=False):
            found["skips"].append({**at, "value": _skip_share(space, choices), "series": name})
    return found


def _skip_share(space: Space, choices: Sequence[int]) -> float:
    pairs = zip(space.decisions, choices, strict=True)
    ops = [decision.operations[choice] for decision, choice in pairs]
    real = [op for op in ops if op != NONE]
    return sum(op == SKIP for op in real) / len(real) if real else 0.0


def _snapshots(data: RunData, count: int) -> tuple[list[str], list[list[dict[str, Any]]]]:
    """SVG drawings, each once, and per policy the epochs at which to show which of them."""
    space, history = SPACES[data.run.config.space], data.history
    channels, image = data.summary.members[0].channels, data.summary.shape
    drawings: dict[tuple[str, Cell | tuple[str, ...]], tuple[int, Genotype]] = {}
    numbers = {id(epoch): number for number, epoch in enumerate(history, start=1)}
    most = max(2, min(MOST_SNAPSHOTS, MOST_DRAWINGS // count))
    told = [
        epoch for epoch in history if epoch.derived and (epoch.evaluations or epoch is history[0])
    ]
    found = []
    for policy in range(count):
        shots = []
        for epoch in thinned(told, most):
            genotype = to_genotype(space, np.array(epoch.derived[policy]))
            refs = [_drawing(drawings, genotype, picture) for picture in pictures(space)]
            shot = {
                "epoch": numbers[id(epoch)],
                "stage": epoch.stage + 1,
                "key": genotype.key,
                "cells": refs,
            }
            shots.append(shot)
        found.append(shots)
    drawn = [
        picture_svg(
            genotype,
            picture,
            title(picture),
            title(picture) * (len(pictures(space)) > 1),
            channels=channels,
            image=image,
        )
        for (picture, _), (_, genotype) in drawings.items()
    ]
    return drawn, found


def _drawing(
    drawings: dict[tuple[str, Cell | tuple[str, ...]], tuple[int, Genotype]],
    genotype: Genotype,
    picture: str,
) -> int:
    """The number of a picture, a new one where none looks the same."""
    content = genotype.cell(picture) if picture in ("normal", "reduce") else genotype.operations
    return drawings.setdefault((picture, content), (len(drawings), genotype))[0]


def _numbers(history: Sequence[Epoch], kept: Sequence[Epoch]) -> list[int]:
    places = {(epoch.stage, epoch.epoch): number for number, epoch in enumerate(history, start=1)}
    return [places[epoch.stage, epoch.epoch] for epoch in kept]


def _bytes(tables: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.rint(255 * tables).astype(np.uint8))
