"""hwnas.search.finalists.shortlist: who is handed back, and what is said of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwnas.config import Config
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.runs.trials import Trial
from hwnas.search.algorithms.regression import best_of_bins
from hwnas.search.bilevel import ndarts
from hwnas.search.finalists import shortlist as finalists
from hwnas.search.finalists import synflow
from hwnas.search.finalists.shortlist import Finalists, choose
from hwnas.search.finalists.synflow import log_flow, probe
from hwnas.search.loop import Searched
from hwnas.search.plan import SearchPlan, plan, searcher_of
from hwnas.space import SPACES
from hwnas.space.encoding import likeliest, sample
from hwnas.space.family import family
from profilers.errors import InputError
from tests.search import tiny

CELL = SPACES["nasbench201"]
IMAGE = (1, 8, 8)
BY_TRIALS = {"algorithm": "random", "finalists_by": "regression", "finalists_per_policy": 5}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.images(tmp_path_factory.mktemp("finalists") / "images.npz")


def planned(data: Path, **changes: Any) -> SearchPlan:
    stages = [{"cells": 3, "epochs": 1}]
    return plan(tiny.config(data, space="nasbench201", stages=stages, exponents=[0.0], **changes))


def searched(planned: SearchPlan, searcher: Any, count: int = 200) -> Searched:
    """A search that has seen uniform samples, better by the edges that carry weights."""
    rng, trials = np.random.default_rng(0), []
    for number in range(count):
        choices = sample(CELL, rng)
        seen = 0.3 + 0.1 * float(np.isin(choices, (2, 3)).mean()) + 0.01 * rng.normal()
        paid = {cost.name: float(cost.of(choices[None])[0]) for cost in planned.costs}
        trials.append(
            Trial(
                number=number,
                stage=0,
                epoch=0,
                step=number // 10,
                key="",
                choices=tuple(map(int, choices)),
                accuracy=seen,
                costs=paid,
            )
        )
    net = build_supernet(
        family(CELL, channels=planned.config.channels, cells=3, classes=3, image=IMAGE), seed=0
    )
    return Searched(
        searcher=searcher, net=net, trials=tuple(trials), evaluations=count, seconds=0.0
    )


def chosen(planned: SearchPlan, searcher: Any) -> Finalists:
    ended = searched(planned, searcher)
    return choose(planned.config, planned.dataset, planned.costs, planned.cost_ranges, ended)


def flows(config: Config, choices: np.ndarray) -> np.ndarray:
    net = probe(
        build_supernet(
            family(CELL, channels=config.channels, cells=3, classes=3, image=IMAGE), seed=0
        )
    )
    return np.array([log_flow(net, one, IMAGE) for one in choices])


def test_of_those_that_alpha_finds_likely_the_ones_with_most_flow_are_handed_back(
    data: Path,
) -> None:
    used = planned(
        data, algorithm="ndarts", objectives=[], finalists_per_policy=3, finalists_synflow=True
    )
    searcher = ndarts.start(used.config, np.random.default_rng(1))
    shares = np.where(CELL.is_none, 0.0, searcher.mixture())
    likely = np.stack(likeliest(CELL, shares, finalists.SHORTLISTED))
    by_flow = np.argsort(-flows(used.config, likely), kind="stable")
    found = chosen(used, searcher)
    assert found.choices.tolist() == likely[by_flow[:3]].tolist()
    assert [one["log_synflow"] for one in found.evidence] == pytest.approx(
        flows(used.config, likely)[by_flow[:3]]
    )
    plain = chosen(
        planned(data, algorithm="ndarts", objectives=[], finalists_per_policy=3), searcher
    )
    assert plain.choices.tolist() == likely[:3].tolist()
    assert plain.evidence == ({}, {}, {})


def test_a_bin_hands_back_what_regression_and_flow_together_find_best(data: Path) -> None:
    used = planned(data, **BY_TRIALS, finalists_synflow=True)
    found = chosen(used, searcher_of(used))
    assert set(found.evidence[0]) == {"regression", "log_synflow", "believed"}
    regression, flow, believed = (
        np.array([one[name] for one in found.evidence])
        for name in ("regression", "log_synflow", "believed")
    )
    assert flow == pytest.approx(flows(used.config, found.choices))
    # Both count in units of their own spread: the sum is linear in either with a positive factor.
    design = np.stack([regression, flow, np.ones(len(flow))], axis=1)
    factors, *_ = np.linalg.lstsq(design, believed, rcond=None)
    assert (factors[:2] > 0).all() and design @ factors == pytest.approx(believed)
    # One per band, and the best of its band among the finalists.
    params = used.costs[0].of(found.choices)
    bounds = used.cost_ranges["params"].bounds
    assert sorted(best_of_bins(believed, params, bounds, 5)) == list(range(len(found.choices)))


def test_flow_changes_who_is_chosen_and_not_what_the_regression_says(data: Path) -> None:
    plain, with_flow = (
        planned(data, **BY_TRIALS),
        planned(data, **BY_TRIALS, finalists_synflow=True),
    )
    one, other = chosen(plain, searcher_of(plain)), chosen(with_flow, searcher_of(with_flow))
    assert set(one.evidence[0]) == {"regression"}
    assert one.choices.tolist() != other.choices.tolist()
    assert flows(plain.config, other.choices).mean() > flows(plain.config, one.choices).mean()
    best = [float(np.max([b["regression"] for b in found.evidence])) for found in (one, other)]
    assert best[0] >= best[1]


def test_without_a_cost_regression_and_flow_choose_the_best_of_all(data: Path) -> None:
    used = planned(data, **BY_TRIALS, objectives=[], finalists_synflow=True)
    found = chosen(used, searcher_of(used))
    believed = [one["believed"] for one in found.evidence]
    assert len(believed) == 5 and believed == sorted(believed, reverse=True)


def test_a_genotype_that_lets_nothing_through_is_not_handed_back(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = planned(data, **BY_TRIALS, finalists_synflow=True)
    flow = synflow.log_flow

    def without_convolutions(
        net: Supernet, choices: np.ndarray, image: tuple[int, int, int]
    ) -> float:
        return -np.inf if (choices == 3).any() else flow(net, choices, image)

    assert (chosen(used, searcher_of(used)).choices == 3).any()
    monkeypatch.setattr(synflow, "log_flow", without_convolutions)
    found = chosen(used, searcher_of(used))
    assert len(found.choices) and not (found.choices == 3).any()
    assert all("believed" in one for one in found.evidence)


def test_without_trials_the_searcher_names_them(data: Path) -> None:
    used = planned(data, **{**BY_TRIALS, "algorithm": "tndnas"}, finalists_synflow=True)
    ended = searched(used, searcher_of(used), count=0)
    found = choose(used.config, used.dataset, used.costs, used.cost_ranges, ended)
    assert found.choices.tolist() == [
        one.tolist() for one in searcher_of(used).policy_rows().derived
    ]
    assert all("regression" not in one for one in found.evidence)


@pytest.mark.parametrize(
    "values", [[1.0, 2.0, 6.0], [-np.inf, 1.0, 3.0], [2.0, 2.0, -np.inf], [-np.inf] * 2]
)
def test_standard_deviations_keep_order_and_what_is_not_finite(values: list[float]) -> None:
    given = np.array(values)
    found = finalists._standardised(given)
    finite = np.isfinite(given)
    assert (np.isfinite(found) == finite).all()
    assert (np.argsort(found, kind="stable") == np.argsort(given, kind="stable")).all()
    if len(set(given[finite])) > 1:
        assert found[finite].mean() == pytest.approx(0) and found[finite].std() == pytest.approx(1)


def test_flow_alone_orders_nothing(data: Path) -> None:
    with pytest.raises(InputError, match="finalists_synflow: needs finalists_by = 'regression'"):
        tiny.config(data, finalists_synflow=True)
