from __future__ import annotations

import numpy as np
import pytest

from hwnas.costs.counts import additive
from hwnas.costs.tables import family_of
from hwnas.measuring.bench import BenchOperation
from hwnas.measuring.calibration_runs import operation_sites
from hwnas.measuring.operations_apart import measure_apart
from hwnas.space import SPACES
from hwnas.space.encoding import sample
from hwnas.space.family import Family
from profilers.table import NetworkSize
from tests.measuring.test_calibrate import Fake, cost


def of(name: str) -> Family:
    cells = {"mobile-small": 6, "nasbench201": 3}[name]
    network = NetworkSize(channels=16, cells=cells, classes=10, image=(3, 16, 16))
    return family_of(SPACES[name], network)


class Starting(Fake):
    """A device that takes 5 ms to begin."""

    def _one(self, item: object) -> float:
        assert isinstance(item, BenchOperation)
        return 5.0 + super()._one(item)


@pytest.mark.parametrize("name", ["mobile-small", "nasbench201"])
def test_what_an_operation_adds_is_all_that_is_left_of_its_measurement(name: str) -> None:
    family = of(name)
    found = measure_apart(family, Starting(), "reached")
    assert found is not None and found.measured == len(operation_sites(family))
    (graph,) = family.graphs.values()
    known = additive(graph, family.space.mask.shape, lambda layers: sum(map(cost, layers)))
    # An operation of no layers takes no time; an absent one stands nowhere.
    assert found.added_ms == pytest.approx(known.table, abs=1e-3)


def test_operations_that_do_not_run_are_no_part_of_a_network() -> None:
    family = of("nasbench201")
    found = measure_apart(family, Starting(), "reached")
    assert found is not None
    names = family.space.decisions[0].operations
    none, one = names.index("none"), names.index("nor_conv_3x3")
    # 0 to 1 leads nowhere where 1 to 2 and 1 to 3 are absent.
    read, unread = [none, none, none, one, none, none], [one, none, none, one, none, none]
    rng = np.random.default_rng(0)
    choices = np.array([read, unread, *(sample(family.space, rng) for _ in range(20))])
    said = found.prior(family, choices, np.arange(len(choices)))
    for each in said.parts:
        assert each.points[0].tolist() == each.points[1].tolist()
    # Their sum, the stem and the head, sums of maps, and what reads nothing but zeros.
    assert len(said.parts) == 4


def test_nothing_is_said_of_operations_where_one_failed_or_sizes_are_decided() -> None:
    assert measure_apart(of("mobile-small"), Fake(fails=True), "reached") is None
    network = NetworkSize(channels=16, cells=17, classes=10, image=(3, 32, 32))
    assert measure_apart(family_of(SPACES["mobile"], network), Starting(), "reached") is None
