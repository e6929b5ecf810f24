"""No search: a network and equally narrow ones are handed back, all of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwnas.search.algorithms.narrow import narrow_choices
from hwnas.search.plan import plan
from hwnas.search.search import search
from hwnas.search.worth import doubts
from hwnas.space.encoding import to_genotype
from hwnas.space.space import SPACES
from hwnas.training.run_images import read_images
from profilers.errors import InputError
from tests.search import tiny
from tests.search.test_elastic_search import config

NOTHING = [{"epochs": 1, "train": "nothing", "rounds": 1}]


def test_all_networks_are_handed_back_and_no_others(tmp_path: Path) -> None:
    asked = config(tiny.images(tmp_path / "a.npz"), algorithm="narrow", stages=NOTHING)
    wanted = {to_genotype(SPACES[asked.space], row).key for row in narrow_choices(asked)}
    assert len(wanted) > 1
    run = search(asked, tmp_path / "run")
    found = json.loads((run.path / "front.json").read_text())
    assert {one["key"] for one in found["front"]} == wanted and not found["dominated"]
    assert doubts(asked, read_images(asked)) == []


def test_a_space_whose_options_share_no_weights_has_no_narrow_networks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="algorithm: narrow is for the parts of one network"):
        plan(tiny.config(tiny.images(tmp_path / "a.npz"), algorithm="narrow"))
