from __future__ import annotations

import numpy as np
import pytest

from hwnas.costs import sized
from hwnas.costs.counts import count_table
from hwnas.space import SPACES
from hwnas.space.encoding import sample
from hwnas.space.family import Family, family


@pytest.fixture(scope="module")
def of() -> Family:
    space = SPACES["mobile"]
    channels, cells = space.published_size
    return family(space, channels=channels, cells=cells, classes=10, image=(3, 32, 32))


def column(of: Family, choices: np.ndarray, name: str) -> np.ndarray:
    design = sized.design(of, choices)
    return design.counts[:, design.names.index(name)]


def drawn(of: Family, count: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([sample(of.space, rng) for _ in range(count)])


def test_where_no_channels_are_wasted_the_kinds_of_macs_add_up_to_all(
    of: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sized, "BLOCK", 1)
    sized._tables.cache_clear()
    choices = drawn(of)
    kinds = [column(of, choices, name) for name in sized.WORK if name.startswith("macs")]
    assert np.sum(kinds, axis=0) * 1e6 == pytest.approx(count_table(of).macs.of(choices))
    sized._tables.cache_clear()


def test_weights_are_the_parameters_of_the_network_at_its_own_size(of: Family) -> None:
    choices = drawn(of)
    counted = count_table(of).params.of(choices)
    assert column(of, choices, "weights") * 1e3 == pytest.approx(counted)


def test_a_smaller_side_has_fewer_macs_and_values_and_the_same_weights_and_calls(
    of: Family,
) -> None:
    whole = drawn(of, 5)
    (row,) = [i for i in of.space.size_rows if of.space.decisions[i].name == "side"]
    sides = list(of.space.decisions[row].operations)
    whole[:, row], half = sides.index("1"), whole.copy()
    half[:, row] = sides.index("0.5")
    for name in ("macs_pointwise", "values"):
        assert (column(of, half, name) < column(of, whole, name)).all()
    for name in ("weights", "calls"):
        assert column(of, half, name) == pytest.approx(column(of, whole, name))


def test_a_size_has_columns_of_its_own_that_are_zero_at_other_sizes(of: Family) -> None:
    choices = drawn(of)
    for row in of.space.size_rows:
        decision = of.space.decisions[row]
        for number, option in enumerate(decision.operations[1:], start=1):
            own = column(of, choices, f"calls/{decision.name}={option}")
            here = choices[:, row] == number
            assert own == pytest.approx(np.where(here, column(of, choices, "calls"), 0.0))


def test_what_a_block_takes_is_what_the_network_takes_less_without_it(of: Family) -> None:
    rng = np.random.default_rng(3)
    choices = drawn(of)
    known = sized.design(of, choices)
    coefficients = {name: float(rng.uniform(0.1, 1)) for name in known.names}
    slopes = np.array([coefficients[name] for name in known.names])
    latency = 2.0 + known.counts @ slopes
    found = sized.shares(of, choices, coefficients, 2.0)
    assert (found[:, list(of.space.size_rows)] == 0).all()
    for row, decision in enumerate(of.space.decisions):
        if "none" not in decision.operations:
            continue
        without = choices.copy()
        without[:, row] = decision.operations.index("none")
        saved = latency - (2.0 + sized.design(of, without).counts @ slopes)
        np.testing.assert_allclose(found[:, row], saved / latency, atol=1e-12)
