"""Part "agree": the device tests.

Every kind of step gives on the device what it gives on the CPU, up to rounding.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.book import Book, Record, Skip, needs, work
from benchmarks.gpu.place import Place
from benchmarks.gpu.sizes import DEFAULTS
from hwnas.nets.supernet import SkipDropout, Supernet, build_supernet
from hwnas.search.bilevel import ndarts
from hwnas.search.distributed import shared_weights
from hwnas.space.encoding import sample
from hwnas.space.family import family
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.space import SPACES
from hwnas.training.dataset import Batch, generator
from hwnas.training.loop import Training
from hwnas.training.recipe import RECIPES

Check = Callable[[Place], Record]
TOLERANCE = 2e-3
"""Of the largest value: float32 sums in another order, through some ten layers and two steps."""
DIFFERENCES = 0.1
"""The same where products are central differences, which make rounding larger."""
TESTS = "tests/gpu"


def checks() -> dict[str, Check]:
    """Every check by name, in the order of importance."""
    found: dict[str, Check] = {}
    for space in ("darts", "nasbench201", "tnd"):
        for form in ("path", "mixture"):
            found[f"{space}: weights after two {form} steps"] = partial(_weights, space, form)
        found[f"{space}: logits"] = partial(_logits, space)
        for way in ("neumann", "first_order", "second_order"):
            found[f"{space}: alpha step, {way}"] = partial(_alpha, space, way)
    return found | {
        "nasbench201: weights after a path step in bfloat16": partial(_low, "nasbench201"),
        "skip dropout on the device": _dropout,
        "evolution's loss never rises": _evolution,
        "training: weights after two steps": _training,
        "weights and momentum, there and back": _there_and_back,
    }


def run(book: Book, place: Place) -> None:
    """In float32 without TF32, on a dozen images."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for name, check in checks().items():
        work(book, name, partial(check, place))
    work(book, "out of memory is recognised", lambda: _out_of_memory(place))
    work(book, f"pytest {TESTS}", lambda: _pytest(place))


def _net(space: str, device: torch.device) -> Supernet:
    net = build_supernet(
        family(SPACES[space], channels=4, cells=3, classes=5, image=(3, 16, 16)), seed=1
    )
    return net.to(device)


def _batch(device: torch.device, seed: int = 0) -> Batch:
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 3, 16, 16, generator=source).to(device)
    return Batch(x, (torch.arange(12) % 5).to(device))


def _settings(**changes: Any) -> Any:
    return SimpleNamespace(**{**DEFAULTS["weight_step"], **changes})


def _flat(tensors: Any) -> Tensor:
    return torch.cat([one.detach().cpu().double().reshape(-1) for one in tensors])


def _close(found: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> Record:
    """The largest difference, as a share of the largest value.

    Raises where it is more than rounding.
    """
    share = float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1e-12))
    if not share <= tolerance:
        raise AssertionError(f"differs from the CPU by {share:.2g} of the largest value")
    return {"difference": share}


def _weights(space: str, form: str, place: Place) -> Record:
    mask, found = SPACES[space].mask, []
    path: Any = sample(SPACES[space], np.random.default_rng(3))
    if form == "mixture":
        path = mask / mask.sum(axis=1, keepdims=True)
    for device in (place.device, torch.device("cpu")):
        shared = shared_weights.optimise(_net(space, device), _settings())
        for step in range(2):
            shared_weights.weight_step(shared, _batch(device, step), path, 0.05)
        found.append(_flat(shared.net.parameters()))
    return _close(*found)


def _low(space: str, place: Place) -> Record:
    """A step in bfloat16 on the device, beside one in float32 on the CPU: autocast rounds to eight
    bits, weights stay float32."""
    path, found = sample(SPACES[space], np.random.default_rng(3)), []
    for device, precision in ((place.device, "bfloat16"), (torch.device("cpu"), "float32")):
        shared = shared_weights.optimise(_net(space, device), _settings(precision=precision))
        shared_weights.weight_step(shared, _batch(device), path, 0.05)
        assert all(weight.dtype == torch.float32 for weight in shared.weights)
        found.append(_flat(shared.net.parameters()))
    return _close(*found, 0.02)


def _logits(space: str, place: Place) -> Record:
    path, found = sample(SPACES[space], np.random.default_rng(3)), []
    for device in (place.device, torch.device("cpu")):
        with torch.no_grad():
            found.append(_flat([_net(space, device).sampled(_batch(device).x, path)]))
    return _close(*found)


def _searcher(space: str, **changes: Any) -> Any:
    config: Any = SimpleNamespace(
        space=space,
        ndarts=SimpleNamespace(**{**DEFAULTS["ndarts"], **changes}),
        weight_step=_settings(),
        seed=0,
    )
    return ndarts.start(config, np.random.default_rng(0))


def _alpha(space: str, way: str, place: Place) -> Record:
    found = []
    for device in (place.device, torch.device("cpu")):
        shared = shared_weights.optimise(_net(space, device), _settings())
        searcher = _searcher(space, hypergradient=way)
        stepped = ndarts.alpha_step(searcher, shared, _batch(device), _batch(device, 1), 0.01)
        found.append(
            torch.from_numpy(stepped.policies.first)
        )  # Adam's mean: a tenth of the gradient
    return _close(*found, DIFFERENCES if way == "second_order" else TOLERANCE)


def _dropout(place: Place) -> Record:
    net = _net("nasbench201", place.device)
    net.dropout = SkipDropout(probability=0.5, generator=generator(0, device=place.device))
    mask = SPACES["nasbench201"].mask
    path: Any = mask / mask.sum(axis=1, keepdims=True)
    loss = shared_weights.weight_step(
        shared_weights.optimise(net, _settings()), _batch(place.device), path, 0.05
    )
    return {"loss": float(loss)}


def _evolution(place: Place) -> Record:
    shared = shared_weights.optimise(_net("nasbench201", place.device), _settings())
    searcher = _searcher("nasbench201", weights="es", population=4)
    batch, source = _batch(place.device), generator(0, device=place.device)
    losses = [float(ndarts.weight_step(searcher, shared, batch, 0.05, source)) for _ in range(3)]
    if not all(later <= earlier * (1 + 1e-4) for earlier, later in itertools.pairwise(losses)):
        raise AssertionError(f"losses on one batch: {losses}")
    return {"first": losses[0], "last": losses[-1]}


def _training(place: Place) -> Record:
    found = []
    how = RECIPES["quick"]
    for device in (place.device, torch.device("cpu")):
        data: Any = SimpleNamespace(
            classes=tuple("abcde"),
            image=(3, 16, 16),
            split={"train": torch.arange(24)},
            name="made up",
        )
        training = Training(
            Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3),
            data,
            recipe=how,
            seed=0,
            stem="cifar",
            device=device,
        )
        training.runner.train()
        for step in range(2):
            training.step(_batch(device, step))
        found.append(_flat(training.network.parameters()))
    return _close(*found)


def _there_and_back(place: Place) -> Record:
    shared = shared_weights.optimise(_net("nasbench201", place.device), _settings())
    path = sample(SPACES["nasbench201"], np.random.default_rng(3))
    shared_weights.weight_step(shared, _batch(place.device), path, 0.05)
    there = shared_weights.to_arrays(shared)
    for device in (torch.device("cpu"), place.device):
        other = shared_weights.optimise(_net("nasbench201", device), _settings())
        shared_weights.from_arrays(other, there)
        shared_weights.weight_step(other, _batch(device, 1), path, 0.05)
    return {"tensors": len(there)}


def _out_of_memory(place: Place) -> Record:
    if place.kind != "cuda":
        raise Skip("only a GPU has a memory to fill")
    free, _ = torch.cuda.mem_get_info(place.device)
    try:
        torch.empty(4 * free, dtype=torch.uint8, device=place.device)
    except RuntimeError as error:
        if not shared_weights.out_of_memory(error):
            raise
        return {"said": " ".join(str(error).split())[:120]}
    raise AssertionError("four times the free memory was given")


def _pytest(place: Place) -> Record:
    needs("pytest")
    if not Path(TESTS).is_dir():
        raise Skip(f"no folder {TESTS} here")
    files, left_out = [TESTS], ""
    try:
        needs("pydantic", "typer", "pymoo", "sklearn", "thop")
    except Skip as reason:  # whole searches can't be made here; steps can
        files, left_out = [f"{TESTS}/test_steps.py"], f"searches and trainings left out: {reason}"
    environment = {
        **os.environ,
        "HWNAS_TEST_DEVICE": "cuda" if place.kind == "cuda" else "pretended",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    last = (run.stdout.strip().splitlines() or [""])[-1]
    if run.returncode:
        raise AssertionError(last)
    return {"said": last, "left_out": left_out}
