from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from hwnas.catalog import find_device
from hwnas.costs.kernels import fixed_kernels, option_kernels
from hwnas.costs.latency import Roofline, TablePredictor, roofline
from hwnas.costs.tables import BENCHMARK, family_of, peaks_of
from hwnas.space import SPACES
from hwnas.space.encoding import sample
from profilers.agreement import kendall_tau, seven_digits
from profilers.device import load
from profilers.errors import InputError
from profilers.fit import Fitted, Form
from profilers.roofline import Peaks, Runtime, latency_ms
from profilers.table import NetworkSize, Operations, Table
from tests.costs.nasbench_data import choices
from tests.costs.nasbench_data import latency_ms as measured_ms
from tests.space.swept import SWEPT, depth, whole

NB201 = SPACES["nasbench201"]


def estimate(device: str, runtime: Runtime, batch: int = 1) -> Roofline:
    peaks = peaks_of(load(find_device(device)))
    assert peaks is not None
    return roofline(family_of(NB201, BENCHMARK), peaks, runtime, device, batch)


@pytest.mark.parametrize(("batch", "tau"), [(1, 0.90), (32, 0.84), (256, 0.70)])
def test_the_roofline_of_a_gpu_ranks_networks_that_others_measured(batch: int, tau: float) -> None:
    some = np.random.default_rng(0).choice(len(choices()), 4000, replace=False)
    predicted = estimate("1080ti", "eager_gpu", batch).predict(choices()[some])
    assert kendall_tau(seven_digits(predicted), measured_ms(f"1080ti_{batch}")[some]) > tau


def test_the_roofline_of_a_small_board_beats_counting_macs() -> None:
    measured = measured_ms("raspi4_1")
    kept = np.random.default_rng(0).choice(np.flatnonzero(measured > 0.2), 4000, replace=False)
    predicted = estimate("raspberry-pi-4", "graph_cpu").predict(choices()[kept])
    assert kendall_tau(seven_digits(predicted), measured[kept]) > 0.83  # MACs alone: 0.74


@pytest.mark.parametrize("runtime", ["eager_gpu", "graph_cpu"])
@pytest.mark.parametrize("name", SWEPT)
def test_the_additive_roofline_equals_pricing_the_kernels_of_each_network(
    name: str, runtime: Runtime
) -> None:
    space, peaks = SPACES[name], Peaks(gmacs_per_s=500.0, gb_per_s=100.0)
    network = NetworkSize(channels=8, cells=depth(name, 6), classes=10, image=(3, 16, 16))
    predictor = roofline(family_of(space, network), peaks, runtime, "", batch=2)
    graph = whole(name, 8, 6, 10, (3, 16, 16))
    sizes = {node.name: node.size for node in graph}
    rng = np.random.default_rng(0)
    for _ in range(5):
        # No `none`, so that every edge runs under every runtime; of sizes the first.
        one = sample(space, rng, space.mask & ~space.is_none)
        one[list(space.size_rows)] = 0
        kernels = list(fixed_kernels(graph, 2))
        for node in graph:
            if node.row is not None:
                option, source = node.options[one[node.row]], sizes[node.inputs[0]]
                kernels += option_kernels(node, option, source, 2, space.none_is_written)
        assert predictor.predict(one)[0] == pytest.approx(latency_ms(kernels, peaks, runtime))


def test_a_compiled_network_does_not_pay_for_dead_edges() -> None:
    alive, dead = np.array([0, 0, 0, 1, 0, 0]), np.array([3, 0, 0, 1, 0, 0])
    compiled, eager = estimate("raspberry-pi-4", "graph_cpu"), estimate("1080ti", "eager_gpu")
    assert compiled.predict(alive)[0] == compiled.predict(dead)[0]
    assert eager.predict(alive)[0] < eager.predict(dead)[0]


def table(**changes: object) -> Table:
    fitted = Fitted(
        form=Form(design="eager", loss="squares", ridge=0.1, nodes=False),
        constant=1.0,
        coefficients={"operations_ms": 2.0, "normal/skip_connect": 0.5},
        smallest=0.1,
    )
    plain = Table(
        device="cpu",
        space="nasbench201",
        batch=1,
        network=BENCHMARK,
        fitted=fitted,
        agreement={},
        provenance={},
        operations=Operations(fixed=0.25, edges=tuple((0.0, 0.0, 1.0, 3.0, 2.0) for _ in range(6))),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_table_adds_its_operations_and_its_corrections() -> None:
    predictor = TablePredictor(table=table(), source="test")
    # Edges: convolutions 1x1 and 3x3, a skip, else none: 1 + 2 (0.25 + 1 + 3 + 0) + 0.5.
    assert predictor.predict(np.array([2, 3, 1, 0, 0, 0])).tolist() == [pytest.approx(10.0)]
    assert predictor.origin == "table"


def test_where_operations_were_measured_alone_an_edge_takes_its_part_of_their_sum() -> None:
    predictor = TablePredictor(table=table(), source="test")
    found = predictor.shares(np.array([2, 3, 1, 0, 0, 0]))
    # Of 0.25 + 1 + 3.
    assert found is not None
    assert found[0].tolist() == pytest.approx([1 / 4.25, 3 / 4.25, 0, 0, 0, 0])
    counts = replace(table().fitted, coefficients={"normal/skip_connect": 0.5})
    without = TablePredictor(table=table(operations=None, fitted=counts), source="test")
    assert without.shares(np.zeros(6, dtype=np.int64)) is None


def test_a_table_that_does_not_fit_its_space_is_refused() -> None:
    for changes, message in (
        ({"space": "nasbench"}, "unknown space 'nasbench'; did you mean 'nasbench201'"),
        ({"space": "darts"}, "does not fit the space darts"),
        (
            {
                "fitted": Fitted(
                    form=Form(design="dead", loss="squares", ridge=0.1, nodes=False),
                    constant=1.0,
                    coefficients={},
                    smallest=0.1,
                )
            },
            "does not fit the space",
        ),
        ({"operations": Operations(fixed=0.0, edges=((1.0,) * 9,))}, "does not fit the space"),
    ):
        with pytest.raises(InputError, match=message):
            TablePredictor(table=table(**changes), source="test")


def test_a_prediction_takes_microseconds() -> None:
    rng = np.random.default_rng(0)
    many = np.stack([sample(NB201, rng) for _ in range(2000)])
    for predictor in (
        TablePredictor(table=table(), source="test"),
        estimate("1080ti", "eager_gpu"),
    ):
        start = time.perf_counter()
        predictor.predict(many)
        assert (time.perf_counter() - start) / len(many) < 100e-6
