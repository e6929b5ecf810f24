from __future__ import annotations

import numpy as np
import pytest

from profilers.fit import Design, Form, fit, fit_form
from profilers.gaussian_process import Array

COST = np.array([2.0, 0.5, 0.0])


def design(name: str, counts: Array, share: Array | None = None, trusted: int = 0) -> Design:
    names = tuple(f"op{j}" for j in range(counts.shape[1]))
    ones = np.ones(len(counts))
    return Design(
        name=name,
        names=names,
        counts=counts,
        detail=np.sign(counts),
        share=ones if share is None else share,
        trusted=trusted,
    )


def counts_of(rows: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 5, (rows, 3)).astype(float)


def test_an_additive_device_is_found_exactly() -> None:
    counts = counts_of(40)
    fitted, validation = fit([design("a", counts)], 1 + counts @ COST)
    assert validation.mape_percent < 0.01
    # Below 1 by pairs of equal latency, which the small ridge tells apart in the seventh digit.
    assert validation.kendall_tau > 0.99
    assert fitted.constant == pytest.approx(1.0, abs=1e-3)
    assert [fitted.coefficients[f"op{j}"] for j in range(3)] == pytest.approx(COST, abs=1e-3)
    unseen = counts_of(10, seed=1)
    assert fitted.predict([design("a", unseen)]) == pytest.approx(1 + unseen @ COST, rel=1e-3)


def test_the_design_that_explains_the_latencies_is_chosen() -> None:
    executed, written = counts_of(60), counts_of(60, seed=1)
    noise = np.random.default_rng(2).normal(1, 0.02, 60)
    values = (1 + executed @ COST) * noise
    fitted, validation = fit([design("written", written), design("executed", executed)], values)
    assert fitted.form.design == "executed"
    assert validation.by_design["written"] > 5 * validation.by_design["executed"]


def test_single_slow_runs_do_not_move_the_absolute_loss() -> None:
    counts = counts_of(60)
    values = 1 + counts @ COST
    values[::10] *= 3  # every tenth network was measured while the host was busy
    fitted = fit_form(
        Form(design="a", loss="absolute", ridge=1e-6, nodes=True), [design("a", counts)], values
    )
    assert fitted.predict([design("a", counts)])[1::10] == pytest.approx(
        (1 + counts @ COST)[1::10], rel=0.01
    )
    chosen, _ = fit([design("a", counts)], values)
    assert chosen.form.loss == "absolute"


def test_what_is_not_additive_is_learnt_from_what_is_left() -> None:
    counts = counts_of(150)
    values = (1 + counts @ COST) * (1 + 0.3 * (counts[:, 0] > 2) * (counts[:, 1] > 2))
    fitted, validation = fit([design("a", counts)], values)
    linear = fit_form(
        Form(design="a", loss="squares", ridge=1e-6, nodes=True), [design("a", counts)], values
    )
    error = np.abs(linear.predict([design("a", counts)]) / values - 1).mean()
    assert fitted.form.view != "none"
    assert validation.mape_percent < 100 * error / 2


def test_plain_data_keep_the_plain_form() -> None:
    counts = counts_of(60)
    noise = np.random.default_rng(3).normal(1, 0.05, 60)
    fitted, _ = fit([design("a", counts)], (1 + counts @ COST) * noise)
    assert (fitted.form.view, fitted.process) == ("none", None)


def test_a_constant_column_takes_no_coefficient() -> None:
    counts = np.column_stack([counts_of(30), np.full(30, 3.0)])
    fitted, _ = fit([design("a", counts)], 1 + counts[:, :3] @ COST)
    assert "op3" not in fitted.coefficients


def test_a_folded_network_is_its_share_and_takes_no_part_in_the_fit() -> None:
    counts = counts_of(41)
    share = np.ones(41)
    share[-1] = 0.1
    values = 1 + counts @ COST
    values[-1] = 1e-3
    fitted, _ = fit([design("a", counts, share)], values)
    last = fitted.predict([design("a", counts, share)])[-1]
    assert last == pytest.approx(0.1 * counts[-1] @ COST, rel=1e-2)
    # Where nothing is left that counts, it still takes some time: its share of the fastest one's.
    nothing = fitted.predict([design("a", np.zeros((1, 3)), np.array([0.1]))])[0]
    assert nothing == pytest.approx(0.1 * 0.5 * values[:-1].min())


def test_no_network_is_predicted_far_below_the_fastest_one() -> None:
    counts = counts_of(30)
    values = 5 + counts @ COST
    fitted, _ = fit([design("a", counts)], values)
    assert fitted.predict([design("a", np.full((1, 3), -9.0))])[0] == pytest.approx(
        0.5 * values.min()
    )


def test_the_ridge_spares_trusted_columns() -> None:
    sums = np.random.default_rng(4).uniform(1, 2, 12)
    counts = np.column_stack([sums, counts_of(12)])
    form = Form(design="a", loss="squares", ridge=1e3, nodes=True)
    fitted = fit_form(form, [design("a", counts, trusted=1)], 0.5 + 2 * sums)
    assert fitted.coefficients["op0"] == pytest.approx(2.0, rel=1e-3)
    assert abs(fitted.coefficients["op1"]) < 1e-3


def test_the_same_seed_gives_the_same_model() -> None:
    counts = counts_of(40)
    values = (1 + counts @ COST) * np.random.default_rng(5).normal(1, 0.1, 40)
    first, second = (fit([design("a", counts)], values, seed=3) for _ in range(2))
    assert first[0].coefficients == second[0].coefficients
    assert first[1] == second[1]


def test_too_few_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="9 networks to fit, at least 10"):
        fit([design("a", counts_of(9))], np.ones(9))
