"""A search that ends in a second: random images that still have classes, the smallest supernets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hwnas.config import Config, resolve

COVER: dict[str, Any] = {
    "finalists_by": "cover",
    "stages": [
        {"cells": 3, "epochs": 1},
        {"cells": 3, "epochs": 4, "finalist_epochs": 3},
    ],
}
"""What lets the front cover the costs: candidates are narrowed down twice."""


def images(path: Path, count: int = 96, side: int = 8, classes: int = 3) -> Path:
    """An .npz of grey images whose brightness tells the class."""
    rng = np.random.default_rng(0)
    labels = np.arange(2 * count) % classes
    pixels = rng.integers(0, 80, (2 * count, side, side, 1)) + 80 * labels[:, None, None, None]
    pixels = pixels.astype(np.uint8)
    np.savez(
        path,
        x_train=pixels[:count],
        y_train=labels[:count],
        x_test=pixels[count:],
        y_test=labels[count:],
    )
    return path


def config(data: Path, **changes: Any) -> Config:
    """Two stages of two epochs, three policies."""
    settings: dict[str, Any] = {
        "algorithm": "tndnas",
        "space": "darts",
        "objectives": [{"metric": "params"}],
        "exponents": [0.0, -0.2, -0.8],
        "channels": 2,
        "stages": [
            {"cells": 3, "epochs": 2, "frozen_epochs": 1, "skip_dropout": 0.3},
            {"cells": 3, "epochs": 2, "skip_dropout": 0.3},
        ],
        "evaluation": {"channels": 4, "cells": 3},
        "weight_step": {"batch_size": 16},
        "alpha_step": {"samples": 4, "every": 1, "images": 16},
        "finalists_per_policy": 2,
        "data": {"source": str(data)},
    }
    return resolve({**settings, **changes})
