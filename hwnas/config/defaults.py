"""What a search takes where its user does not say, by its images and its space."""

from __future__ import annotations

from typing import Any

DIGITS_DEFAULTS: dict[str, Any] = {"alpha_step": {"every": 2, "images": 64}}
"""On maps of 8 x 8 pixels an evaluation costs its Python calls, whatever the images: take more
of both."""

COVER_DEFAULTS: dict[str, Any] = {
    "finalists_by": "cover",
    "stages": [
        {"cells": 3, "epochs": 32, "frozen_epochs": 16},
        {"cells": 4, "epochs": 26, "frozen_epochs": 10},
        {"cells": 5, "epochs": 70, "frozen_epochs": 12, "finalist_epochs": 44},
    ],
}
"""A front that covers the costs, in the time of three stages of 32, 26 and 40 epochs without: an
epoch that evaluates takes as long as two or three that train finalists alone (docs/decisions/028).
"""

NASBENCH201_DEFAULTS: dict[str, Any] = {
    "channels": 8,
    "stages": [{"cells": 3, "epochs": 40, "frozen_epochs": 8}],
    "evaluation": {"channels": 16, "cells": 15},
}
"""NAS-Bench-201 has one stage and no shrinking; its networks are stacked in three groups."""

ELASTIC_DEFAULTS: dict[str, Any] = {
    "algorithm": "surrogate",
    "stages": [
        {"epochs": 2, "train": "largest"},
        {"epochs": 4, "frozen_epochs": 4},
        {"epochs": 1, "train": "nothing", "rounds": 6},
    ],
    "data": {"policy_share": 0.125},
    "weight_step": {
        "paths": "spread",
        "lr": 0.02,
        "head_rate": 1.0,
        "nesterov": True,
        "weight_decay": 1e-4,
        "label_smoothing": 0.1,
    },
    "alpha_step": {"score": "likelihood", "images": 256},
    "finalists_by": "bins",
    "finalists_per_policy": 1,
}
"""Parts of a trained network: the whole is tuned, then random parts, and then candidates are
compared on weights that stand still (docs/evidence/photos.md)."""

NARROW = "narrow"
NARROW_DEFAULTS: dict[str, Any] = {
    **ELASTIC_DEFAULTS,
    "algorithm": NARROW,
    "stages": [{"epochs": 1, "train": "nothing", "rounds": 1}],
    "finalists_by": "seen",
}
"""Nothing is searched, so nothing has to be trained before (hwnas.search.algorithms.narrow)."""

WITHOUT_COST = {**ELASTIC_DEFAULTS, "algorithm": "random", "finalists_by": "regression"}
"""Accuracy alone: there are no bins of cost, and networks of several sizes can't be mixed."""
