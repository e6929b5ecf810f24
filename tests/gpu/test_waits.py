"""How often the host waits for a GPU: a queue that runs dry is time that the GPU does nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.gpu import kinds, sizes
from benchmarks.gpu.place import Place, Step
from hwnas.nets.fast.convolution import Depthwise
from hwnas.runs.history import read_history
from hwnas.runs.trials import read_trials
from hwnas.search import compute, loop
from hwnas.search.distributed import shared_weights
from hwnas.search.search import search
from hwnas.search.state import State, read_losses
from tests.pretended import Counts, counted
from tests.search import tiny


def step_of(config: str, build: kinds.Build, device: torch.device, **ndarts: Any) -> Step:
    place = Place(kind="pretended", device=device, name="pretended")
    size = sizes.read(config, place)
    size = replace(size, settings=SimpleNamespace(**vars(size.settings)))
    size.settings.ndarts = SimpleNamespace(**{**vars(size.settings.ndarts), **ndarts})
    return build(size, 0, place)


def second(step: Step) -> Counts:
    """The second call: the first makes what is kept."""
    step()
    with counted() as counts:
        step()
    return counts


def test_a_weight_step_waits_for_nothing(pretended: torch.device) -> None:
    for config, build in (
        ("tnd-nasbench201", kinds.weight_step),
        ("ndarts-nasbench201", kinds.bilevel_weight_step),
        ("ndarts-cifar10", kinds.training_step("cifar", "DARTS_V2", 36, 20)),
    ):
        counts = second(step_of(config, build, pretended))
        assert counts.synchronisations == Counter()
        # Index and labels; draws of the augmentation; mixture weights, or holes and dropped paths.
        assert counts.copies.total() <= 4


@pytest.mark.parametrize(("way", "most"), [("first_order", 1), ("second_order", 2), ("neumann", 2)])
def test_an_alpha_step_waits_twice_at_the_most(
    pretended: torch.device, way: str, most: int
) -> None:
    step = step_of("ndarts-nasbench201", kinds.bilevel_alpha_step, pretended, hypergradient=way)
    assert second(step).synchronisations.total() == most


def test_the_accuracies_of_an_alpha_step_are_waited_for_once(pretended: torch.device) -> None:
    counts = second(step_of("tnd-nasbench201", kinds.evaluation, pretended))
    assert counts.synchronisations.total() == 1


def test_losses_of_many_steps_are_read_at_once_and_the_first_bad_one_is_named(
    pretended: torch.device,
) -> None:
    state = State(searcher=None, shared=None, position=None)  # type: ignore[arg-type]
    state.unread = [
        (7, torch.tensor(1.5, device=pretended)),
        (8, torch.tensor(2.5, device=pretended)),
    ]
    with counted() as counts:
        assert read_losses(state) is None
    assert (
        state.losses == [1.5, 2.5] and state.unread == [] and counts.synchronisations.total() == 1
    )
    bad = [torch.tensor(value, device=pretended) for value in (1.0, float("nan"), 1.0, 2e4)]
    state.unread = list(enumerate(bad, start=9))
    assert read_losses(state) == 10 and len(state.losses) == 4


def test_a_divergence_sets_a_search_on_a_gpu_back_to_its_checkpoint(
    device: torch.device, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "compute_device", lambda config, ranks=None: device)
    step, made = shared_weights.weight_step, 0

    def once_infinite(*given: Any, **more: Any) -> Any:
        nonlocal made
        made += 1
        loss = step(*given, **more)
        assert isinstance(loss, torch.Tensor)
        return loss * torch.inf if made == 2 else loss

    monkeypatch.setattr(loop.shared_weights, "weight_step", once_infinite)
    config = tiny.config(
        data,
        space="nasbench201",
        stages=[{"cells": 3, "epochs": 2}],
        evaluation={"channels": 4, "cells": 3},
        weight_step={"batch_size": 8},
    )
    run = search(config, tmp_path / "run")
    # Three steps in each of two epochs; the first epoch, at whose end its losses are read, is made
    # again.
    assert made == 3 * (1 + 2)
    assert [len(read_history(run)), len(read_trials(run))] == [2, 2 * 3 * 4]


def test_the_cpus_way_through_a_depthwise_convolution_is_the_cpus_alone(
    pretended: torch.device,
) -> None:
    for stride, dilation in ((1, 2), (2, 2)):
        module = Depthwise(4, 5, stride, dilation).to(pretended).train()
        x = torch.randn(2, 4, 8, 8).to(pretended).requires_grad_()
        with counted() as counts:
            y = module(x)
        assert counts.kernels == Counter({"convolution": 1})
        torch.testing.assert_close(y.detach().cpu(), module.to("cpu")(x.detach().cpu()).detach())
