"""The networks by which benchmarks/mobile_ranks.py judges a supernet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import mobile_ranks
from benchmarks.mobile_parts import SOURCE


@pytest.mark.skipif(not SOURCE.is_file(), reason=f"{SOURCE} is not there")
@pytest.mark.slow
def test_trained_networks_go_from_few_macs_to_many_and_none_comes_twice(tmp_path: Path) -> None:
    of = mobile_ranks.planned(tmp_path)
    choices = mobile_ranks.networks(of)
    assert len(np.unique(choices, axis=0)) == mobile_ranks.TRAINED
    assert (np.diff(of.costs[0].of(choices)) > 0).all()
