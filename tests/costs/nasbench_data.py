"""The measured latencies of others that stand beside the project, for tests of tables and
estimates."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hwnas.space import SPACES, Choices
from hwnas.space.encoding import to_choices
from hwnas.space.text import parse

CSV = Path(__file__).parents[2] / ".." / "shared" / "data" / "nasbench201.csv.gz"
SPACE = SPACES["nasbench201"]


@cache
def rows() -> list[dict[str, str]]:
    """All 15,625 rows; skips where the file is absent."""
    if not CSV.is_file():
        pytest.skip(f"{CSV} is absent: measured latencies of others are not part of the project")
    with gzip.open(CSV, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def choices() -> Choices:
    """(15625, 6)."""
    return np.stack([to_choices(parse(row["arch_str"])) for row in rows()])


@cache
def latency_ms(column: str) -> npt.NDArray[np.float64]:
    """(15625,), NaN where blank. ``column`` without its prefix, as in 1080ti_1."""
    return np.array([float(row[f"latency_ms_{column}"] or "nan") for row in rows()])
