"""What a search is about to do, known before anything is written or trained; and what is to be said
of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwnas.catalog import find_device
from hwnas.config import Config
from hwnas.costs.short import short_amount
from hwnas.costs.tables import other_device
from hwnas.errors import Stopped
from hwnas.measuring.attached import AttachedTarget, Say, first_table, lacks_table
from hwnas.search import compute
from hwnas.search.algorithms.algorithm import algorithm_of
from hwnas.search.algorithms.asked import plugin_words, searcher_from, to_arrays
from hwnas.search.algorithms.reward import Objective
from hwnas.search.algorithms.searcher import Searcher
from hwnas.search.costs import (
    CostModel,
    CostRange,
    build_costs,
    check_targets,
    cost_range,
    objectives_of,
    target_value,
)
from hwnas.search.distributed.ranks import ALONE, Ranks
from hwnas.search.memory import (
    check_step,
    check_target,
    room_mib,
    small_step,
    step_memory,
    weights_mib,
)
from hwnas.search.seeds import STAGE, rng
from hwnas.space.space import SPACES
from hwnas.training.data import Dataset
from hwnas.training.run_images import read_images
from profilers import device as devices
from profilers.backends import backend
from profilers.cuda import compute_place, cuda_problem
from profilers.device import Device
from profilers.errors import asking
from profilers.runtimes import RUNTIMES, check_runtime


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """What a search is about to do: known before anything is written or trained."""

    config: Config
    dataset: Dataset
    device: Device
    costs: tuple[CostModel, ...]
    cost_ranges: dict[str, CostRange]
    objectives: tuple[tuple[Objective, ...], ...]
    attached_target: AttachedTarget | None = None
    """The target, where it is attached and finalists are to be measured on it."""


def plan(
    config: Config, say: Say = lambda line: None, table: Path | None = None, ranks: Ranks = ALONE
) -> SearchPlan:
    """Load images and target, and check that what is asked for can be had. Raises InputError.

    ``table``: the latency table to ask, where it is not the target's own. An attached target
    without any, and without peaks to estimate from, is measured first; ``say`` is told. All
    ``ranks`` plan; what one has to write for all, a table or downloaded images, is written first.
    """
    check_targets(config)
    with asking(plugin_words(config.algorithm), "check", Stopped):
        algorithm_of(config).check(config)
    check_back_end(config)
    device = devices.load(find_device(config.target))
    data = config.data
    if data.download and ranks.local:
        ranks.any_rank()
    # Whoever called says whether to download, and where to.
    dataset = read_images(config, Path(data.root) if data.root else None, data.download)
    if data.download and not ranks.local:
        ranks.any_rank()
    for line in (compute_place(config.device)[1], compute.check_precision(config, ranks)):
        if line:
            say(line)
    attached_target = _here(config, device, dataset, say)
    # to the leading rank: it measures
    attached = ranks.broadcast(lambda: attached_target is not None)
    ranks.broadcast(lambda: _first_table(attached_target, table, say))
    other = None if table is None else other_device(table, device)
    if other is not None:
        say(f"note: {table} is a table of {other}, and the target is {device.name}")
    costs = build_costs(
        config,
        device,
        classes=len(dataset.classes),
        image=dataset.image,
        attached=attached,
        table=table,
    )
    generator = rng(config.seed, STAGE)
    ranges = {cost.name: cost_range(SPACES[config.space], cost, generator) for cost in costs}
    check_target(device, ranges["params"])
    check_step(config, dataset, room_mib(config, dataset, ranks))
    if compute.compute_device(config, ranks).type != "cpu" and small_step(config, dataset):
        say(
            "device: steps this small take a GPU's time to launch them, not to compute: try"
            " --device cpu, too"
        )
    return SearchPlan(
        config=config,
        dataset=dataset,
        device=device,
        costs=costs,
        cost_ranges=ranges,
        objectives=objectives_of(config, ranges),
        attached_target=attached_target,
    )


def check_back_end(config: Config) -> None:
    """Raise InputError, before anything is trained, for a back end that is not known or not
    installed, or lacks the precision."""
    if config.backend is not None:
        backend(config.backend)
    name = config.backend or "onnxruntime"
    if name in RUNTIMES and (config.backend is not None or config.precision != "fp32"):
        check_runtime(name, config.precision, elsewhere=False)


def _first_table(attached_target: AttachedTarget | None, table: Path | None, say: Say) -> None:
    if attached_target is not None and table is None and lacks_table(attached_target):
        first_table(attached_target, say)


def _here(config: Config, device: Device, dataset: Dataset, say: Say) -> AttachedTarget | None:
    """The target, where something depends on it and it is attached and usable."""
    if not {"latency", "memory"} & {objective.metric for objective in config.objectives}:
        return None
    return attached_target(config, device, len(dataset.classes), dataset.image, say)


def attached_target(
    config: Config, device: Device, classes: int, image: tuple[int, int, int], say: Say
) -> AttachedTarget | None:
    """The target, where it is attached to this machine and usable; ``say`` hears of one that can't
    be measured."""
    place = devices.match(device, devices.attached())
    problem = (
        cuda_problem(int(place.partition(":")[2] or 0))
        if place and place.startswith("cuda")
        else ""
    )
    if problem:
        say(f"target {device.name} can't be measured: {problem}")
    if place is None or problem:
        return None
    return AttachedTarget(config=config, device=device, place=place, classes=classes, image=image)


def searcher_of(planned: SearchPlan) -> Searcher:
    """A fresh searcher of the algorithm that the config names."""
    config, generator = planned.config, np.random.default_rng([planned.config.seed, STAGE, STAGE])
    algorithm, name = algorithm_of(config), config.algorithm
    with asking(plugin_words(name), "start", Stopped):
        found: object = algorithm.start(config, planned.objectives, generator)
    searcher = searcher_from(name, "start", found)
    to_arrays(name, searcher)  # what no checkpoint can hold is refused before anything is trained
    return searcher


def feasibility(planned: SearchPlan, verbose: bool = False) -> list[str]:
    """One line per objective: what the space reaches and, with ``verbose``, what the policies
    pursue."""
    budget, batch = planned.device.memory_mib, planned.config.weight_step.batch_size
    step_mib = step_memory(planned.config, planned.dataset).mib(batch)
    largest = weights_mib(planned.cost_ranges["params"].bounds[1])
    memory = "memory not stated" if budget is None else f"{budget:,.0f} MiB"
    lines = [
        (
            f"target {planned.device.name} ({memory}): weights of the largest network take"
            f" {largest:,.2f} MiB"
        ),
        (
            f"search: a step on {batch} images takes up to about {step_mib:,.0f} MiB of memory"
            " (estimated)"
        ),
    ]
    for number, wanted in enumerate(planned.config.objectives):
        costs = planned.cost_ranges[wanted.metric]
        low, high = costs.bounds
        aims = sorted({of_policy[number].target for of_policy in planned.objectives})
        forms = sorted({of_policy[number].form for of_policy in planned.objectives})
        exponents = ", ".join(f"{of_policy[number].exponent:g}" for of_policy in planned.objectives)
        goal = f"target {wanted.target}" if wanted.target else "no target"
        if wanted.target and target_value(wanted.target, costs) >= high:
            goal += ", which every network of this space meets: it asks for nothing"
        lines.append(
            f"{wanted.metric}: this space reaches {short_amount(low, costs.cost.unit)} to"
            f" {short_amount(high, costs.cost.unit)} ({costs.cost.provenance}); {goal}"
        )
        if verbose:
            lines.append(
                f"{wanted.metric}: {'/'.join(forms)} reward, samples aim at {aims[0]:,.4g}"
                f"{'' if wanted.target else ', the median sample'}, exponents {exponents}"
            )
    return lines
