"""How close hypergradients are to the exact one, and what they cost: docs/evidence/ndarts.md.

    export OMP_NUM_THREADS=1
    python -m benchmarks.hypergradient closeness --figure docs/evidence/hypergradient.svg
    python -m benchmarks.hypergradient cost --space nasbench201
    python -m benchmarks.hypergradient cost --space darts
    python -m benchmarks.hypergradient evolution
    python -m benchmarks.hypergradient signs --seeds 20

``closeness``: a mixture network on digits, small and smooth enough that Newton's method solves its
inner problem to a gradient below 1e-9, and d_alpha L2 - M H^-1 d_w L2 by dense linear algebra.
``cost``: CPU time (best of interleaved rounds, all methods in each) and memory of one alpha step on
a supernet. ``evolution``: weights by SGD, evolution or both, equal CPU time. ``signs``: the
evolution's step with either sign.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hwnas.config import WeightStep
from hwnas.nets.supernet import build_supernet
from hwnas.search.bilevel.curvature import Loss, Tensors, gradient, leaves
from hwnas.search.bilevel.hypergradient import Hypergradient, Method, first_order, neumann, unrolled
from hwnas.search.bilevel.ndarts import mixture_loss
from hwnas.search.bilevel.weight_evolution import (
    Evolution,
    antithetic,
    batched,
    evolve,
    one_by_one,
    scale,
    search_gradient,
)
from hwnas.search.distributed import shared_weights
from hwnas.space.family import family
from hwnas.space.space import SPACES
from hwnas.training.data import Batch, Dataset, batches, equal_batches, load
from tests.search.bilevel.problems import Problem, flat, second_derivatives, solve

LR = 0.025


def digits_problem(seed: int, sgd_steps: int = 0) -> Problem:
    """100 + 100 digits of 8 x 8, two mixed edges of five operations, 146 weights, a ridge of 0.001
    |w|^2.

    The weights are the solution, or with ``sgd_steps`` what so many full-batch steps of LR make of
    the start.
    """
    data = load("digits", seed=seed)
    train, valid = (next(batches(data, split, 100, (seed,))) for split in ("weights", "policy"))
    rng = torch.Generator().manual_seed(seed)
    shapes = ((2, 1, 2, 2), *((2, 2, 3, 3), (2, 1, 3, 3)) * 2, (10, 2), (10,))
    start = tuple(0.3 * torch.randn(*s, generator=rng, dtype=torch.float64) for s in shapes)
    alpha = (0.5 * torch.randn(2, 5, generator=rng, dtype=torch.float64),)

    def logits(weights: Tensors, alpha: Tensors, x: Tensor) -> Tensor:
        stem, *edges, head, bias = weights
        state = torch.tanh(F.conv2d(x.double(), stem, stride=2))
        for number, share in enumerate(torch.softmax(alpha[0], dim=-1)):
            dense, depthwise = edges[2 * number : 2 * number + 2]
            ops = (
                state,
                torch.tanh(F.conv2d(state, dense, padding=1)),
                torch.tanh(F.conv2d(state, depthwise, padding=2, dilation=2, groups=2)),
                F.avg_pool2d(state, 3, 1, 1),
            )
            state = sum(
                (p * op for p, op in zip(share[1:], ops, strict=True)), torch.zeros_like(state)
            )
        return state.mean((2, 3)) @ head.T + bias

    def inner(weights: Tensors, alpha: Tensors) -> Tensor:
        ridge = sum((w.square().sum() for w in weights), torch.zeros(()))
        return F.cross_entropy(logits(weights, alpha, train.x), train.y) + 0.001 * ridge

    def outer(weights: Tensors, alpha: Tensors) -> Tensor:
        return F.cross_entropy(logits(weights, alpha, valid.x), valid.y)

    for _ in range(sgd_steps):
        at = leaves(start)
        start = tuple(
            w.detach() - LR * g for w, g in zip(at, gradient(inner(at, alpha), at), strict=True)
        )
    weights = start if sgd_steps else solve(inner, start, alpha, tolerance=1e-10)
    hessian, mixed = second_derivatives(inner, weights, alpha)
    return Problem(
        train_loss=inner,
        valid_loss=outer,
        weights=weights,
        alpha=alpha,
        hessian=hessian,
        mixed=mixed,
    )


def closeness(seeds: int, figure: Path | None) -> None:
    rows: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        problem = digits_problem(seed)
        exact, (mu, largest) = problem.exact(), problem.curvatures
        leaf = leaves(problem.weights)
        slope = flat(gradient(problem.train_loss(leaf, problem.alpha), leaf)).norm()
        print(
            f"seed {seed}: |inner gradient| {slope:.1e}, mu {mu:.2e}, lambda_max {largest:.2f}",
            flush=True,
        )
        for name, found in estimates(problem, largest).items():
            a = flat(found.alpha)
            rows.setdefault(name, []).append(
                (
                    float(F.cosine_similarity(a, exact, dim=0)),
                    float((a - exact).norm() / exact.norm()),
                )
            )
    print(
        "| hypergradient | cosine to the exact one, mean (least) | relative error, mean |\n|---|---|---|"
    )
    for name, values in rows.items():
        cosines, errors = zip(*values, strict=True)
        print(
            f"| {name} | {statistics.mean(cosines):.4f} ({min(cosines):.4f}) | {statistics.mean(errors):.4f} |"
        )
    if figure:
        draw(rows, figure)


def estimates(problem: Problem, largest: float) -> dict[str, Hypergradient]:
    at = problem.train_loss, problem.valid_loss, problem.weights, problem.alpha
    found = {
        "DARTS first order": first_order(*at),
        "DARTS second order, xi = lr": unrolled(*at, LR, products="exact"),
        "DARTS second order, xi = lr, differences": unrolled(*at, LR),
        "DARTS second order, xi = 1/lambda_max": unrolled(*at, 1 / largest, products="exact"),
    }
    for label, gamma in (("lr", LR), ("1/lambda_max", 1 / largest)):
        for terms in (0, 1, 2, 3, 10, 30, 100):
            found[f"NDARTS K = {terms}, gamma = {label}"] = neumann(*at, terms=terms, gamma=gamma)
    return found


def draw(rows: dict[str, list[tuple[float, float]]], figure: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "hwnas"
    drawing, axis = plt.subplots(figsize=(6.5, 3.6), constrained_layout=True)
    means = {name: statistics.mean(c for c, _ in values) for name, values in rows.items()}
    for label in ("lr", "1/lambda_max"):
        chosen = {
            int(name.split()[3].rstrip(",")): value
            for name, value in means.items()
            if name.endswith(f"gamma = {label}")
        }
        axis.plot(
            [k + 1 for k in chosen], list(chosen.values()), "o-", label=f"NDARTS, gamma = {label}"
        )
    axis.axhline(
        means["DARTS first order"], color="black", linestyle=":", label="DARTS first order"
    )
    axis.axhline(
        means["DARTS second order, xi = lr"],
        color="gray",
        linestyle="--",
        label="DARTS second order, xi = lr",
    )
    axis.set_xscale("log")
    axis.set_xlabel("terms of the series, K + 1")
    axis.set_ylabel("cosine to the exact hypergradient")
    axis.legend()
    drawing.savefig(figure, metadata={"Date": None})


def to_weights_and_alpha(
    train_loss: Loss, valid_loss: Loss, weights: Tensors, alpha: Tensors, lr: float
) -> None:
    """What a step costs that back-propagates one batch to weights and alpha: the unit of the
    speed bar."""
    at_w, at_a = leaves(weights), leaves(alpha)
    gradient(valid_loss(at_w, at_a), at_w + at_a)


METHODS: dict[str, Method | Callable[..., None]] = {
    "unit": to_weights_and_alpha,
    "DARTS first order (alpha only)": first_order,
    "DARTS second order, differences": unrolled,
    "DARTS second order, exact": partial(unrolled, products="exact"),
    **{f"NDARTS K = {k}": partial(neumann, terms=k) for k in range(5)},
    "NDARTS K = 2, differences": partial(neumann, terms=2, products="difference"),
}


def supernet_problem(
    space_name: str, channels: int, cells: int, images: int, side: int
) -> tuple[Loss, Loss, Tensors, Tensors]:
    space = SPACES[space_name]
    net = build_supernet(
        family(space, channels=channels, cells=cells, classes=10, image=(3, side, side)), seed=0
    )
    rng = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(2):
        x = torch.randn(images, 3, side, side, generator=rng).to(memory_format=torch.channels_last)
        losses.append(
            mixture_loss(net, space.mask, Batch(x, torch.randint(10, (images,), generator=rng)))
        )
    alpha = (1e-3 * torch.randn(space.mask.shape, generator=rng),)
    return losses[0], losses[1], tuple(p.detach() for p in net.parameters()), alpha


def cost(space: str, channels: int, cells: int, images: int, side: int, rounds: int) -> None:
    at = supernet_problem(space, channels, cells, images, side)
    times: dict[str, list[float]] = {name: [] for name in METHODS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for turn in range(rounds + 1):
            for name, method in METHODS.items():
                began = time.process_time()
                method(*at, LR)
                if turn:
                    times[name].append(time.process_time() - began)
    best = {name: min(values) for name, values in times.items()}
    peak = {name: memory(name, space, channels, cells, images, side) for name in METHODS}
    print(
        f"{space}: C {channels}, {cells} cells, {images} images of {side} x {side}, {rounds} rounds"
    )
    print(
        "| alpha step | CPU ms, best | x unit: of bests | x unit: median of rounds | MiB over the net |\n"
        "|---|---|---|---|---|"
    )
    for name, value in best.items():
        paired = statistics.median(a / b for a, b in zip(times[name], times["unit"], strict=True))
        print(
            f"| {name} | {1e3 * value:.0f} | {value / best['unit']:.2f} | {paired:.2f} | {peak[name]:.0f} |"
        )


def memory(name: str, *problem: str | int) -> float:
    """Growth of the peak resident size by one step, in a process of its own, in MiB."""
    # From /proc: getrusage's peak begins with that of the process which started this one.
    code = (
        "import json, sys, torch, warnings; torch.set_num_threads(1); warnings.simplefilter('ignore');"
        "from pathlib import Path;"
        "from benchmarks.hypergradient import METHODS, supernet_problem, LR;"
        "from benchmarks.step import status_kib;"
        "name, problem = json.loads(sys.argv[1]);"
        "at = supernet_problem(*problem);"
        "before = status_kib('VmRSS'); Path('/proc/self/clear_refs').write_text('5');"
        "METHODS[name](*at, LR); print((status_kib('VmHWM') - before) / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps([name, problem])],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def evolution(seconds: float, seeds: int) -> None:
    """Loss of the mixture on unseen digits after equal CPU time, NAS-Bench-201 C 4, 3 cells, 32
    images a step."""
    print(
        f"| weights | steps in {seconds:g} CPU s | validation loss, mean of {seeds} seeds (each) |\n|---|---|---|"
    )
    for mode in ("sgd", "es", "es batched", "sgd+es"):
        runs = [train_for(mode, seconds, seed) for seed in range(seeds)]
        losses = [loss for _, loss in runs]
        each = ", ".join(f"{loss:.3f}" for loss in losses)
        print(f"| {mode} | {runs[0][0]} | {statistics.mean(losses):.3f} ({each}) |", flush=True)


def signs(seeds: int) -> None:
    """Loss of a batch after one step of the search gradient with either sign, before the best
    candidate is taken.

    NAS-Bench-201 C 4, 3 cells, 64 digits, 10 noises, the default rate; ``seeds`` draws of weights
    and noises.
    """
    data, space = load("digits", seed=0), SPACES["nasbench201"]
    table = space.mask / space.mask.sum(1, keepdims=True)
    alpha = (torch.from_numpy(np.log(np.maximum(table, 1e-9))).float(),)
    batch = next(batches(data, "weights", 64, (0, 0)))
    rows = []
    for seed in range(seeds):
        net, rng = (
            build_supernet(
                family(space, channels=4, cells=3, classes=10, image=data.image), seed=seed
            ),
            torch.Generator().manual_seed(seed),
        )
        mixture, settings = mixture_loss(net, space.mask, batch), Evolution()
        weights = tuple(p.detach() for p in net.parameters())
        noises, scales = antithetic(weights, settings.population, rng), [scale(w) for w in weights]

        def at(
            amount: float, along: Tensors, start: Tensors = weights, s: list[Tensor] = scales
        ) -> Tensors:
            return tuple(w + amount * one * d for w, one, d in zip(start, s, along, strict=True))

        def loss(w: Tensors, of: Loss = mixture) -> Tensor:
            return of(w, alpha)

        around = one_by_one(loss, [at(settings.sigma, noise) for noise in noises])
        step = search_gradient(noises, around, settings.sigma)
        before, minus, plus = one_by_one(
            loss, [weights, at(-settings.rate, step), at(settings.rate, step)]
        ).tolist()
        rows.append((before, minus - before, plus - before))
    for name, column in (("minus", 1), ("plus, as printed", 2)):
        changes = [row[column] for row in rows]
        worse = sum(change > 0 for change in changes)
        print(
            f"{name}: loss changes by {statistics.mean(changes):+.5f} in the mean, rises in {worse} of {seeds}"
        )


def train_for(mode: str, seconds: float, seed: int) -> tuple[int, float]:
    data, space = load("digits", seed=seed), SPACES["nasbench201"]
    net = build_supernet(
        family(space, channels=4, cells=3, classes=10, image=data.image), seed=seed
    )
    shared = shared_weights.optimise(net, WeightStep(lr=LR))
    table = space.mask / space.mask.sum(1, keepdims=True)
    alpha = (torch.zeros(space.mask.shape),)
    rng = torch.Generator().manual_seed(seed)
    began, steps, epoch = time.process_time(), 0, 0
    while time.process_time() - began < seconds:
        for batch in batches(data, "weights", 32, (seed, epoch), drop_last=True):
            if "sgd" in mode:
                shared_weights.weight_step(shared, batch, np.asarray(table), LR)
            if "es" in mode:
                loss = mixture_loss(net, space.mask, batch)
                way = batched if "batched" in mode else one_by_one
                found = evolve(
                    lambda w, f=loss: f(w, alpha), tuple(net.parameters()), rng, Evolution(), way
                )
                with torch.no_grad():
                    for weight, value in zip(net.parameters(), found.weights, strict=True):
                        weight.copy_(value)
            steps += 1
            if time.process_time() - began > seconds:
                break
        epoch += 1
    return steps, validation_loss(net, space.mask, data)


def validation_loss(net: torch.nn.Module, mask: np.ndarray, data: Dataset) -> float:
    weights = tuple(p.detach() for p in net.parameters())
    alpha = (torch.zeros(mask.shape),)
    with torch.no_grad():
        return statistics.mean(
            float(mixture_loss(net, mask, batch)(weights, alpha))
            for batch in equal_batches(data, "policy", 256, (0,))
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("closeness", "cost", "evolution", "signs"))
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--space", default="nasbench201", choices=tuple(SPACES))
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--cells", type=int, default=3)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    a = parser.parse_args()
    torch.set_num_threads(1)
    if a.what == "closeness":
        closeness(a.seeds, a.figure)
    elif a.what == "cost":
        cost(a.space, a.channels, a.cells, a.images, a.side, a.rounds)
    elif a.what == "signs":
        signs(a.seeds)
    else:
        evolution(a.seconds, min(a.seeds, 3))


if __name__ == "__main__":
    main()
