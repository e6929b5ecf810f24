"""A finished run on digits as a search would leave it, without the search."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.config import validate
from hwnas.costs.counts import count
from hwnas.runs.directory import Run, create
from hwnas.runs.models import model_of
from hwnas.runs.right_images import packed
from hwnas.runs.schema import to_json
from hwnas.runs.summary import SearchSummary, read_front, write_front
from hwnas.runs.training_record import TrainingRecord, write_record
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.text import format_text
from hwnas.training.data import Dataset, digest, load
from hwnas.training.run_images import parts_of

CHANNELS, CELLS = 4, 3
NAMES = ("DARTS_V1", "DARTS_V2", "PDARTS", "PC_DARTS_CIFAR")


def member(name: str, accuracy: float) -> dict[str, Any]:
    genotype = PUBLISHED[name]
    params, macs = count(Architecture(genotype, channels=CHANNELS, cells=CELLS), 10, (1, 8, 8))
    return {
        "key": genotype.key,
        "genotype": genotype.to_dict(),
        "text": format_text(genotype),
        "channels": CHANNELS,
        "cells": CELLS,
        "accuracy": {"value": accuracy, "origin": "shared weights (validation)"},
        "costs": {
            "params": {"value": params, "unit": "parameters", "origin": "counted"},
            "macs": {"value": macs, "unit": "MAC", "origin": "counted"},
            "latency": {"value": 1.5, "unit": "ms", "origin": "table cpu"},
        },
    }


@cache
def digits() -> Dataset:
    return load("digits")


def finished_run(path: Path, objectives: tuple[str, ...] = ("params",)) -> Run:
    """Three members of a front by rising parameters, and a dominated finalist."""
    config = validate(
        {
            "objectives": [{"metric": name} for name in objectives],
            "evaluation": {"channels": CHANNELS, "cells": CELLS},
        },
        "test",
    )
    run = create(path, config, ["hwnas", "search"], digest(digits()), parts_of(digits()))
    names = sorted(NAMES, key=lambda name: member(name, 0)["costs"]["params"]["value"])
    front = [
        member(name, accuracy) for name, accuracy in zip(names, (0.5, 0.8, 0.82), strict=False)
    ]
    front = front if objectives else front[-1:]
    costs = [one["costs"]["params"]["value"] for one in front]
    bounds = {name: [0, 2 * max(costs)] for name in objectives}
    write_front(
        run,
        SearchSummary.model_validate(
            {
                "space": "darts",
                "algorithm": "tndnas",
                "seed": 0,
                "evaluations": 40,
                "seconds": 1.5,
                "hypervolume": 0.5,
                "reference_point": {
                    "accuracy": 0.1,
                    **{name: 2 * max(costs) for name in objectives},
                },
                "baseline": {"random_hypervolume": 0.4, "random_evaluations": 4},
                "targets": {},
                "within_target": None,
                "data": "digits",
                "classes": list("0123456789"),
                "image": [1, 8, 8],
                "stem": "cifar",
                "bounds": {"accuracy": [0.1, 1.0], **bounds},
                "front": front,
                "dominated": [member(names[3], 0.3)],
            }
        ),
    )
    return run


def trained_record(run: Run, position: int, accuracy: float, channels: int | None = None) -> str:
    """What a training leaves; returns the network's name."""
    model = model_of(run, read_front(run).front[position], channels)
    model.folder.mkdir(parents=True)
    content = {
        "name": model.name,
        "key": model.key,
        "channels": model.architecture.channels,
        "cells": model.architecture.cells,
        "genotype": model.architecture.genotype.to_dict(),
        "text": "",
        "data": "digits",
        "test_accuracy": accuracy,
        "costs": {name: to_json(cost) for name, cost in model.costs.items()},
    }
    (model.folder / "training.json").write_text(json.dumps(content))
    return model.name


def limited(run: Run, **targets: float) -> Run:
    """Give the run targets, and mark the members of its front as a search does."""
    found = json.loads(run.front_path.read_text())
    for one in found["front"]:
        one["within_target"] = all(
            one["costs"][name]["value"] <= limit for name, limit in targets.items()
        )
    met = [one["key"] for one in reversed(found["front"]) if one["within_target"]]
    run.front_path.write_text(json.dumps(found | {"targets": targets, "within_target": met}))
    return run


IMAGES = 100
"""Test images of a trained network."""


def right(count: int) -> np.ndarray[Any, Any]:
    return np.arange(IMAGES) < count


def trained(run: Run, folder: str, number: int, count: int, **changes: Any) -> TrainingRecord:
    """A record of the front's member ``number`` with ``count`` of the images right, in a folder."""
    member = read_front(run).front[number]
    values = {
        **{name: getattr(member, name) for name in ("key", "channels", "cells", "genotype")},
        "name": member.key,
        "text": member.text,
        "test_accuracy": count / IMAGES,
        "data": "digits",
        "costs": dict(member.costs),
        "test_images": IMAGES,
        "right": packed(right(count)),
        **changes,
    }
    record = TrainingRecord(**values)
    path = run.path / folder / record.name
    path.mkdir(parents=True)
    write_record(run, path, record)
    return record
