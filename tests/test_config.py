"""A config is read strictly, written as resolved, and says in one line what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwnas import catalog
from hwnas.config import Config, dump, load, resolve, with_epochs
from profilers.errors import InputError


@pytest.mark.parametrize("entry", catalog.configs(), ids=lambda entry: entry.name)
def test_every_named_search_is_valid_and_survives_being_written(
    entry: catalog.Entry, tmp_path: Path
) -> None:
    config = resolve({}, str(entry.path))
    path = tmp_path / "config.toml"
    path.write_bytes(dump(config))
    assert load(path) == config


def test_flags_win_over_the_file_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('algorithm = "random"\nseed = 3\n[data]\nsource = "cifar10"\nnoise = 0.5\n')
    config = resolve({"seed": 4, "data": {"noise": 0.1}}, str(path))
    assert (config.algorithm, config.seed) == ("random", 4)
    assert (config.data.source, config.data.noise) == ("cifar10", 0.1)


def test_without_a_cost_the_search_is_for_accuracy_alone() -> None:
    assert resolve({}).algorithm == "ndarts"
    assert resolve({"objectives": [{"metric": "params"}]}).algorithm == "tndnas"
    assert resolve({"algorithm": "tndnas"}).algorithm == "tndnas"


def test_nasbench201_is_stacked_in_three_groups() -> None:
    config = resolve({"space": "nasbench201", "objectives": [{"metric": "params"}]})
    assert config.evaluation.cells == 15 and len(config.stages) == 1


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"algoritm": "random"}, r"unknown key 'algoritm'; did you mean 'algorithm'\?"),
        ({"data": {"nois": 1}}, r"unknown key 'data.nois'; did you mean 'noise'\?"),
        (
            {"stages": [{"cells": 3, "epoch": 1}]},
            r"unknown key 'stages.0.epoch'; did you mean 'epochs'\?",
        ),
        ({"space": "dart"}, r"unknown space 'dart'; did you mean 'darts'\?"),
        ({"algorithm": "nsga"}, r"algorithm: unknown algorithm 'nsga'; did you mean 'nsga2'\?"),
        ({"exponents": [0.1]}, r"a penalty exponent must be within -100..0"),
        ({"seed": -1}, r"seed: Input should be greater than or equal to 0"),
        (
            {"stages": [{"cells": 3, "epochs": 2, "frozen_epochs": 2}]},
            r"stages: frozen_epochs must be below epochs in the last stage",
        ),
        (
            {"stages": [{"cells": 3, "epochs": 3, "finalist_epochs": 1}]},
            r"stages.finalist_epochs: needs finalists_by = 'cover' and an objective",
        ),
        (
            {
                "objectives": [{"metric": "params"}],
                "finalists_by": "cover",
                "stages": [{"cells": 3, "epochs": 3, "finalist_epochs": 2}] * 2,
            },
            r"stages.finalist_epochs: only in the last stage",
        ),
        (
            {"stages": [{"cells": 3, "epochs": 5, "frozen_epochs": 2, "finalist_epochs": 3}]},
            r"finalist_epochs \(3\) and frozen_epochs \(2\) must be below epochs \(5\) together",
        ),
        (
            {"space": "nasbench201", "stages": [{"cells": 4, "epochs": 1}]},
            r"needs a multiple of 3, not 4",
        ),
        (
            {
                "alpha_step": {"form": "directed"},
                "objectives": [{"metric": "params", "target": "1M"}],
            },
            r"directed widens the whole front; a target or a reward needs form = 'paper'",
        ),
        (
            {"objectives": [{"metric": "params"}, {"metric": "params"}]},
            r"each metric can be an objective once",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(given: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        resolve(given)
    assert "\n" not in str(caught.value)


def test_epochs_keep_the_share_that_is_frozen() -> None:
    config = with_epochs(resolve({"stages": [{"cells": 3, "epochs": 10, "frozen_epochs": 5}]}), 4)
    assert (config.stages[0].epochs, config.stages[0].frozen_epochs) == (4, 2)
    last = with_epochs(resolve({"objectives": [{"metric": "params"}]}), 31).stages[-1]
    assert (last.epochs, last.frozen_epochs, last.finalist_epochs) == (31, 5, 19)
    assert with_epochs(resolve({"objectives": [{"metric": "params"}]}), 1).stages[-1].epochs == 1
    with pytest.raises(InputError, match="at least 1"):
        with_epochs(Config(), 0)


def test_a_front_covers_the_costs_where_nothing_else_is_said() -> None:
    params = {"objectives": [{"metric": "params"}]}
    for algorithm in ("tndnas", "random", "nsga2"):
        found = resolve({**params, "algorithm": algorithm})
        assert found.finalists_by == "cover" and found.stages[-1].finalist_epochs
    stages = [{"cells": 3, "epochs": 2}]
    for said in (
        {"finalists_by": "seen"},
        {"stages": stages},
        {"weights": "mixture"},
        {"objectives": []},
        {"space": "nasbench201"},
        {"space": "mobile-small"},
    ):
        found = resolve({**params, **said})
        assert found.finalists_by == "seen"
        assert not any(stage.finalist_epochs for stage in found.stages)
    assert resolve({}, "tnd-cifar10").finalists_by == "seen"


def test_the_quickstart_is_the_default_search() -> None:
    assert resolve({}, "quickstart") == resolve({"objectives": [{"metric": "params"}]})
