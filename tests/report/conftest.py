"""One finished search, as small as they come, for every test of the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwnas.search.search import search
from tests.search import tiny


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory; leave it as it is."""
    folder = tmp_path_factory.mktemp("report")
    return search(tiny.config(tiny.images(folder / "tiny.npz")), folder / "run").path


@pytest.fixture(scope="session")
def chain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in a space of its own: a table of two stages, two sides and two widths."""
    folder = tmp_path_factory.mktemp("chain")
    macro = {
        "name": "report-chain",
        "sides": [1.0, 0.5],
        "multipliers": [1.0, 0.5],
        "stem": {"width": 8, "stride": 1},
        "stages": [
            {"width": 8, "depth": 2, "blocks": ["separable_k3", "plain_k3", "none"]},
            {"width": 16, "depth": 1, "blocks": ["fused_k3_e2", "k3_e3"]},
        ],
    }
    tiny_stage = {"epochs": 2, "frozen_epochs": 1}
    settings = tiny.config(
        tiny.images(folder / "tiny.npz"),
        macro=macro,
        space="report-chain",
        channels=8,
        stages=[tiny_stage],
        evaluation={},
    )
    return search(settings, folder / "run").path


@pytest.fixture
def run(searched: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(searched, tmp_path / "run"))
