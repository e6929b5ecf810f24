"""Fit a latency model to a few measured networks, and say by cross-validation how far to trust it.

One procedure for every device, nothing tuned to any: a handful of forms, from plain to less plain,
each scored by cross-validation on the training rows; the plainest one that is as good as the best
is kept. The forms:

    latency = constant + sum_j coefficient_j * count_j    (linear)
    latency = linear * (1 + g(counts and edges))          (a Gaussian process g on what is left)

Errors are relative throughout, because that is what a ratio of latencies, a target and MAPE ask
for: the linear part minimises squares or absolute values of predicted / measured - 1 (the second
shrugs off single slow runs). Counts come as `Design`s, one per way a device may execute a network;
which one fits is part of the choice. Knows no search space.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from profilers.agreement import kendall_tau, mape_percent, seven_digits
from profilers.gaussian_process import Array, Process, fit_process, process_correction

Rows = npt.NDArray[np.int64]
Loss = Literal["squares", "absolute"]
View = Literal["none", "counts", "edges", "both"]

FEWEST_ROWS = 10
FOLDS = 5
_RIDGE = (1e-6, 1e-2, 1e-1)
# Beside a trusted column the counts are corrections, which may have to go to nothing.
_RIDGE_OF_CORRECTIONS = (1e-2, 1e-1, 1.0, 1e3)
_MOST_ROWS_PER_CHOICE = 2000


@dataclass(frozen=True, kw_only=True)
class Design:
    """Features of n networks under one assumption about what a device executes.

    counts: (n, f) named counts. detail: (n, d) finer indicators, for the Gaussian process only.
    share: (n,) the part of a network that is executed; below 1 it scales the counts and the
    constant falls away. trusted: how many of the first columns are estimates of the latency itself
    (a sum of measured operations), which no ridge may shrink.
    """

    name: str
    names: tuple[str, ...]
    counts: Array
    detail: Array
    share: Array
    trusted: int = 0

    def rows(self, rows: Rows) -> Design:
        """The same design for some of its networks."""
        return replace(
            self, counts=self.counts[rows], detail=self.detail[rows], share=self.share[rows]
        )


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way to turn a design into a latency."""

    design: str
    loss: Loss
    ridge: float
    nodes: bool
    view: View = "none"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A fitted model: coefficient by feature name, all in the unit of the fitted values."""

    form: Form
    constant: float
    coefficients: dict[str, float]
    smallest: float
    process: Process | None = None

    def predict(self, designs: Sequence[Design]) -> Array:
        """Latencies of networks given as the same designs that were fitted, shape (n,)."""
        design = next(design for design in designs if design.name == self.form.design)
        values = self._linear(design)
        if self.process is not None:
            values = values * (1 + process_correction(self.process, _view(design, self.form.view)))
        return self._floored(values, design)

    def _linear(self, design: Design) -> Array:
        columns = [design.names.index(name) for name in self.coefficients]
        slopes = np.array(list(self.coefficients.values()))
        values = design.share * (design.counts[:, columns] @ slopes) + self.constant * (
            design.share >= 1
        )
        return self._floored(values, design)

    def _floored(self, values: Array, design: Design) -> Array:
        """No network is much faster than the fastest that was seen; what is left of a folded one
        takes its share of that, and never no time at all."""
        floor = self.smallest * np.minimum(design.share, 1.0)
        return np.asarray(np.maximum(values, floor), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Out-of-fold agreement on the training rows; beside it the error of each design's best
    form."""

    mape_percent: float
    kendall_tau: float
    by_design: dict[str, float]


def fit(designs: Sequence[Design], values: Array, seed: int = 0) -> tuple[Fitted, Validation]:
    """Choose a form by cross-validation and fit it to all rows.

    `values`: (n,) positive latencies. Rows whose network folds (share < 1 in any design) take no
    part. Raises ValueError for fewer than `FEWEST_ROWS` rows.
    """
    kept = np.flatnonzero(np.all([design.share >= 1 for design in designs], axis=0))
    if len(kept) < FEWEST_ROWS:
        raise ValueError(f"{len(kept)} networks to fit, at least {FEWEST_ROWS} are needed")
    designs, values = [design.rows(kept) for design in designs], values[kept]
    rng = np.random.default_rng(seed)
    repeats = 4 if len(values) <= _MOST_ROWS_PER_CHOICE else 1
    splits = [split for _ in range(repeats) for split in _splits(len(values), rng)]
    errors: dict[Form, Array] = {}
    for form in _linear_forms(designs):
        errors[form] = _errors(form, designs, values, splits)
    best = _plainest(errors)
    for view in ("counts", "edges", "both"):
        form = replace(best, view=view)
        errors[form] = _errors(form, designs, values, splits)
    chosen = _plainest(errors)
    by_design = {
        design.name: float(
            100 * min(e.mean() for f, e in errors.items() if f.design == design.name)
        )
        for design in designs
    }
    return fit_form(chosen, designs, values), _validate(chosen, designs, values, splits, by_design)


def fit_form(form: Form, designs: Sequence[Design], values: Array) -> Fitted:
    """Fit one form to all rows. `values`: (n,) positive."""
    design = next(design for design in designs if design.name == form.design)
    wanted = [
        j
        for j, name in enumerate(design.names)
        if (form.nodes or name != "nodes") and np.ptp(design.counts[:, j]) > 0
    ]
    matrix = np.column_stack([design.counts[:, wanted], np.ones(len(values))])
    penalised = np.array([design.trusted <= j for j in wanted] + [False])
    solution = _solve(matrix / values[:, None], form.loss, form.ridge, penalised)
    fitted = Fitted(
        form=form,
        constant=float(solution[-1]),
        coefficients={design.names[j]: float(c) for j, c in zip(wanted, solution, strict=False)},
        smallest=float(0.5 * values.min()),
    )
    if form.view == "none":
        return fitted
    residuals = values / fitted._linear(design) - 1
    return replace(fitted, process=fit_process(_view(design, form.view), residuals))


def _linear_forms(designs: Sequence[Design]) -> Iterator[Form]:
    """Plainest first: squares before absolute values, fewer features before more."""
    trusted = any(design.trusted for design in designs)
    for nodes in (False, True):
        for loss in ("squares", "absolute"):
            for ridge in reversed(_RIDGE_OF_CORRECTIONS) if trusted else _RIDGE:
                for design in designs:
                    yield Form(design=design.name, loss=loss, ridge=ridge, nodes=nodes)


def _plainest(errors: dict[Form, Array]) -> Form:
    """The first form that is not worse than the best by more than half a standard error of the
    difference."""
    best = min(errors, key=lambda form: float(errors[form].mean()))
    for form, error in errors.items():
        difference = error - errors[best]
        if difference.mean() <= 0.5 * difference.std() / np.sqrt(len(difference)):
            return form
    return best


def _splits(n: int, rng: np.random.Generator) -> Iterator[tuple[Rows, Rows]]:
    order = rng.permutation(n)
    for fold in range(FOLDS):
        held = np.sort(order[fold::FOLDS])
        yield np.setdiff1d(order, held), held


def _errors(
    form: Form, designs: Sequence[Design], values: Array, splits: Sequence[tuple[Rows, Rows]]
) -> Array:
    """(n,): each row's relative error when it was held out, averaged over the repeats."""
    total = np.zeros(len(values))
    for predicted, held in _held_out(form, designs, values, splits):
        total[held] += np.abs(predicted / values[held] - 1)
    return total * FOLDS / len(splits)


def _held_out(
    form: Form, designs: Sequence[Design], values: Array, splits: Sequence[tuple[Rows, Rows]]
) -> Iterator[tuple[Array, Rows]]:
    own = [design for design in designs if design.name == form.design]
    for rest, held in splits:
        fitted = fit_form(form, [design.rows(rest) for design in own], values[rest])
        yield fitted.predict([design.rows(held) for design in own]), held


def _validate(
    form: Form,
    designs: Sequence[Design],
    values: Array,
    splits: Sequence[tuple[Rows, Rows]],
    by_design: dict[str, float],
) -> Validation:
    predicted = np.zeros((len(splits) // FOLDS, len(values)))
    for number, (part, held) in enumerate(_held_out(form, designs, values, splits)):
        predicted[number // FOLDS, held] = part
    return Validation(
        mape_percent=float(np.mean([mape_percent(row, values) for row in predicted])),
        kendall_tau=float(np.mean([kendall_tau(seven_digits(row), values) for row in predicted])),
        by_design=by_design,
    )


def _solve(matrix: Array, loss: Loss, ridge: float, penalised: npt.NDArray[np.bool_]) -> Array:
    """Minimise |matrix @ c - 1|^2 + ridge * n * |scaled c|^2, or the sum of |matrix @ c - 1| by
    re-weighting.

    Only the coefficients of `penalised` columns, (f,), are held back by the ridge.
    """
    n = len(matrix)
    scale = np.sqrt(np.mean(matrix**2, axis=0))
    scaled = matrix / scale
    # Scaled columns keep the normal equations well-conditioned: the ridge bounds them from below.
    penalty = np.diag(ridge * n * penalised)
    weights = np.ones(n)
    for _ in range(1 if loss == "squares" else 25):
        weighted = scaled * weights[:, None]
        solution = np.linalg.solve(weighted.T @ scaled + penalty, weights @ scaled)
        weights = 1 / np.maximum(np.abs(scaled @ solution - 1), 1e-4)
        weights /= np.mean(weights)
    return np.asarray(solution / scale, dtype=np.float64)


def _view(design: Design, view: View) -> Array:
    if view == "counts":
        return design.counts
    # Counts at twice the weight beside the indicators: two networks with equal counts are near each
    # other.
    return (
        design.detail
        if view == "edges"
        else np.concatenate([2 * design.counts, design.detail], axis=1)
    )
