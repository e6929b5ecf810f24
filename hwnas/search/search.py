"""A whole search from a config to a front: the one public door, used by the command line and from Python."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hwnas.catalog import find_device
from hwnas.config import Config, with_data
from hwnas.costs.step_memory import Footprint, footprint
from hwnas.costs.tables import other_device
from hwnas.errors import Stopped
from hwnas.measuring.attached import Here, Say, first_table, lacks_table
from hwnas.runs import directory as runs
from hwnas.runs.directory import Run
from hwnas.runs.environment import read_environment
from hwnas.runs.measurements import keep_table, kept_table, write_measurements
from hwnas.runs.schema import to_json
from hwnas.runs.summary import HealthNote, read_front, write_front
from hwnas.search.algorithms import nsga2, tndnas
from hwnas.search.algorithms.random_search import RandomSearch
from hwnas.search.algorithms.reward import Objective
from hwnas.search.algorithms.searcher import Searcher
from hwnas.search.bilevel import ndarts
from hwnas.search.costs import Cost, Reach, build_costs, check_targets, objectives_of, reach, target_value
from hwnas.search.distributed.ranks import ALONE, Parted, Ranks
from hwnas.search.distributed.shared_weights import out_of_memory
from hwnas.search.finalists.finish import finish
from hwnas.search.health import verdict
from hwnas.search.loop import STAGE, Progress, rng, run_stages
from hwnas.search.state import checkpoint, place
from hwnas.space.space import SPACES
from hwnas.training.data import Dataset, default_root, digest, to_device
from hwnas.training.run_images import TEST_IMAGES, check_same, parts_of, read_images, record_of_test
from profilers import device as devices
from profilers.backends import backend
from profilers.cuda import compute_place, cuda_problem
from profilers.device import Device
from profilers.errors import InputError
from profilers.host import available_mib

DOUBLE_BACKWARD = 3
"""An alpha step of NDARTS keeps what two derivatives need: three times the maps (docs/evidence/ndarts.md)."""


@dataclass(frozen=True)
class Plan:
    """What a search is about to do: known before anything is written or trained."""

    config: Config
    dataset: Dataset
    device: Device
    costs: tuple[Cost, ...]
    reaches: dict[str, Reach]
    objectives: tuple[tuple[Objective, ...], ...]
    here: Here | None = None
    """The target, where it is attached and finalists are to be measured on it."""


def plan(
    config: Config, say: Say = lambda line: None, table: Path | None = None, ranks: Ranks = ALONE
) -> Plan:
    """Load images and target, and check that what is asked for can be had. Raises InputError.

    ``table``: the latency table to ask, where it is not the target's own. An attached target without any, and
    without peaks to estimate from, is measured first; ``say`` is told. All ``ranks`` plan; what one has to write
    for all, a table or downloaded images, is written first.
    """
    check_targets(config)
    if config.backend is not None:
        backend(config.backend)  # known before anything is trained
    device = devices.load(find_device(config.target))
    data = config.data
    if data.download and ranks.local:
        ranks.agree()
    # Whoever called says whether to download, and where to.
    dataset = read_images(config, Path(data.root) if data.root else None, data.download)
    if data.download and not ranks.local:
        ranks.agree()
    said = compute_place(config.device)[1]
    if said:
        say(said)
    here = _here(config, device, dataset, say)
    attached = ranks.share(lambda: here is not None)  # to the leading rank: it measures
    ranks.share(lambda: _first_table(here, table, say))
    other = None if table is None else other_device(table, device)
    if other is not None:
        say(f"note: {table} is a table of {other}, and the target is {device.name}")
    costs = build_costs(config, device, len(dataset.classes), dataset.image, attached, table)
    generator = rng(config.seed, STAGE)
    reaches = {cost.name: reach(SPACES[config.space], cost, generator) for cost in costs}
    _check_memory(device, reaches["params"])
    check_step(config, dataset, room_mib(config, dataset, ranks))
    if compute_device(config, ranks).type != "cpu" and _small(config, dataset):
        say(
            "device: steps this small take a GPU's time to launch them, not to compute: try --device cpu, too"
        )
    return Plan(config, dataset, device, costs, reaches, objectives_of(config, reaches), here)


def _first_table(here: Here | None, table: Path | None, say: Say) -> None:
    if here is not None and table is None and lacks_table(here):
        first_table(here, say)


def _here(config: Config, device: Device, dataset: Dataset, say: Say) -> Here | None:
    """The target, where something depends on it and it is attached and usable."""
    if not {"latency", "memory"} & {objective.metric for objective in config.objectives}:
        return None
    place = devices.match(device, devices.attached())
    problem = cuda_problem(int(place.partition(":")[2] or 0)) if place and place.startswith("cuda") else ""
    if problem:
        say(f"target {device.name} can't be measured: {problem}")
    return (
        None if place is None or problem else Here(config, device, place, len(dataset.classes), dataset.image)
    )


def weights_mib(params: float) -> float:
    """Memory of so many float32 weights, in MiB."""
    return params * 4 / 2**20


def _check_memory(device: Device, params: Reach) -> None:
    """The target's memory is a budget: its smallest network's weights have to fit."""
    need, budget = weights_mib(params.bounds[0]), device.memory_mib
    if budget is not None and need > budget:
        raise InputError(
            f"target {device.name}: the smallest network needs {need:,.1f} MiB for its weights,"
            f" of {budget:,.0f} MiB; choose fewer channels or cells"
        )


def free_mib(config: Config, ranks: Ranks = ALONE) -> float:
    """Memory that is free where the supernet will be trained, in MiB; infinite where nobody can say.

    Processes that share it get equal parts.
    """
    device = compute_device(config, ranks)
    if device.type == "cuda":
        sharing = math.ceil(ranks.neighbours / torch.cuda.device_count())
        return torch.cuda.mem_get_info(device)[0] / 2**20 / sharing
    return (available_mib() or math.inf) / ranks.neighbours


SMALL_MIB = 64.0
"""A step whose maps take less keeps no GPU busy; a bound by reasoning, not measured (docs/evidence/gpu.md)."""


def _small(config: Config, dataset: Dataset) -> bool:
    return step_memory(config, dataset).mib(config.weight_step.batch_size) < SMALL_MIB


def room_mib(config: Config, dataset: Dataset, ranks: Ranks = ALONE) -> float:
    """What a step may take of it, in MiB: on a GPU the images go there first."""
    free = free_mib(config, ranks)
    if compute_device(config, ranks).type == "cpu":
        return free  # they are there already
    held = (images for images in (dataset.train, dataset.test) if isinstance(images, torch.Tensor))
    return free - sum(images.numel() * images.element_size() for images in held) / 2**20


def step_memory(config: Config, dataset: Dataset) -> Footprint:
    """What a training step of the largest stage needs."""
    mixture = config.algorithm == "ndarts" or config.weights == "mixture"
    steps = [
        footprint(config.stage_family(stage, dataset.task), "mixture" if mixture else "sampled")
        for stage in range(len(config.stages))
    ]
    if config.algorithm == "ndarts" and config.ndarts.hypergradient == "neumann":
        steps = [replace(one, per_image=DOUBLE_BACKWARD * one.per_image) for one in steps]
    return max(steps, key=lambda one: one.mib(config.weight_step.batch_size))


def check_step(config: Config, dataset: Dataset, free: float) -> None:
    """Raise InputError where a training step does not fit into ``free`` MiB, with a batch that does."""
    step, batch = step_memory(config, dataset), config.weight_step.batch_size
    if step.mib(batch) <= free:
        return
    fitting = step.largest_batch(free)
    advice = f"at most {fitting} fit" if fitting else "fewer channels or cells are needed"
    raise InputError(
        f"weight_step.batch_size: a step on {batch} images takes about {step.mib(batch):,.0f} MiB of memory,"
        f" of {free:,.0f} MiB free; {advice}"
    )


def feasibility(planned: Plan) -> list[str]:
    """One line per objective: what the space reaches, and what the policies pursue."""
    budget = planned.device.memory_mib
    largest = weights_mib(planned.reaches["params"].bounds[1])
    memory = "memory not stated" if budget is None else f"{budget:,.0f} MiB"
    lines = [
        f"target {planned.device.name} ({memory}): weights of the largest network take {largest:,.2f} MiB",
        f"search: a step on {planned.config.weight_step.batch_size} images takes up to about"
        f" {step_memory(planned.config, planned.dataset).mib(planned.config.weight_step.batch_size):,.0f} MiB"
        " of memory (estimated)",
    ]
    for number, wanted in enumerate(planned.config.objectives):
        found = planned.reaches[wanted.metric]
        low, high = found.bounds
        aims = sorted({mine[number].target for mine in planned.objectives})
        forms = sorted({mine[number].form for mine in planned.objectives})
        exponents = ", ".join(f"{mine[number].exponent:g}" for mine in planned.objectives)
        goal = f"target {wanted.target}" if wanted.target else "no target: power law around the median sample"
        if wanted.target and target_value(wanted.target, found) >= high:
            goal += ", which every network of this space meets: it asks for nothing"
        lines.append(
            f"{wanted.metric}: this space reaches {low:,.4g} to {high:,.4g} {found.cost.unit}"
            f" ({found.cost.origin}); {goal}; {'/'.join(forms)} reward,"
            f" samples aim at {aims[0]:,.4g}, exponents {exponents}"
        )
    return lines


def search(
    config: Config,
    out: Path,
    watch: Callable[[Progress], None] = lambda progress: None,
    planned: Plan | None = None,
    say: Say = lambda line: None,
    ranks: Ranks = ALONE,
) -> Run:
    """Search and leave a run directory at ``out``, whose front.json is the summary. Raises InputError.

    All ``ranks`` call this together, with the same arguments; the leading one writes.
    """
    planned = planned or plan(config, say, ranks=ranks)

    def begin() -> Run:
        started = runs.create(
            out,
            config,
            sys.argv,
            digest(planned.dataset),
            parts_of(planned.dataset),
            {TEST_IMAGES: record_of_test(planned.dataset)},
        )
        keep_table(started, next((cost.table for cost in planned.costs if cost.table), None))
        return started

    return _go(ranks.share(begin), planned, watch, say, ranks)


def resume(
    path: Path,
    watch: Callable[[Progress], None] = lambda progress: None,
    say: Say = lambda line: None,
    ranks: Ranks = ALONE,
    root: Path | None = None,
    download: bool = False,
) -> Run:
    """Go on with a search that was stopped, from its last checkpoint. A finished one is left as it is.

    With as many ``ranks`` as before it ends as if it had not been stopped; with others, within noise. ``root``: where
    public data sets are now; ``download``: fetch a missing one.
    """
    found = ranks.share(lambda: runs.open_run(path))
    if ranks.share(lambda: runs.ended(found)):
        return found
    if download and root is None:
        root = default_root()  # not to a place that a file names
    config = with_data(found.config, root=None if root is None else str(root), download=download)
    planned = plan(config, say, ranks.share(lambda: kept_table(found)), ranks)
    check_same(found, planned.dataset, ranks.share(lambda: read_environment(found.path)))
    say(f"run {path}: {ranks.share(lambda: whereabouts(found, ranks.size))}")
    return _go(found, planned, watch, say, ranks)


def whereabouts(run: Run, processes: int = 1) -> str:
    """Where a search goes on with so many processes, in words."""
    found = checkpoint(run)
    if found is None:
        return "nothing was saved yet, beginning anew"
    at = found[1]["position"]
    where, evaluations = place(run.config, at), f"{at['trials']:,} evaluations"
    if where is None:
        return f"all stages done, {evaluations}; scoring the finalists"
    before = found[1].get("processes", 1)
    other = "" if before == processes else f"; {processes} processes after {before}: the same within noise"
    return f"going on from {where}, {evaluations} so far{other}"


def summary(run: Run) -> dict[str, Any]:
    """The summary of a finished search: what ``hwnas show RUN --json`` prints."""
    return to_json(read_front(run))


def _go(run: Run, planned: Plan, watch: Callable[[Progress], None], say: Say, ranks: Ranks) -> Run:
    config = planned.config
    torch.set_num_threads(config.threads)
    device = compute_device(config, ranks)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # NCCL's collectives and new streams go to the current device
    dataset = to_device(planned.dataset, device)
    try:
        with runs.lock(run) if ranks.leads else nullcontext():
            searched = run_stages(run, dataset, planned.costs, searcher_of(planned), watch, ranks=ranks)
            began = time.monotonic()
            here = planned.here if ranks.leads else None
            result = finish(config, dataset, planned.costs, planned.reaches, searched, here, say)
            if ranks.leads:
                write_measurements(run, result.measurements)
                seconds = searched.seconds + time.monotonic() - began
                notes = [*searched.notes, *verdict(len(config.stages) - 1, to_json(result.summary))]
                more = {
                    "target": planned.device.name,
                    "health": [HealthNote(**note.to_dict()) for note in notes],
                    "seconds": round(seconds, 1),
                }
                write_front(run, result.summary.model_copy(update=more))
    except Parted as error:
        silent = "did not answer in time" if "timed out" in str(error).lower() else "has died"
        raise Stopped(
            f"another process of this search {silent}; all finished work up to the last checkpoint is kept: go on"
            f" with: hwnas resume {run.path} --processes {ranks.size}"
        ) from None
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, Stopped) or not out_of_memory(error):
            raise
        raise Stopped(
            "the memory is too small to score networks on validation images; what was finished is kept: close other"
            f" programs and go on with: hwnas resume {run.path}"
        ) from None
    return run


def compute_device(config: Config, ranks: Ranks = ALONE) -> torch.device:
    """Where the supernet runs: a GPU when there is one, unless the config names a place; one per process."""
    if compute_place(config.device)[0] == "cpu":
        return torch.device("cpu")
    if ranks.size == 1:
        return torch.device("cuda")
    return torch.device("cuda", ranks.local % torch.cuda.device_count())


def searcher_of(planned: Plan) -> Searcher:
    """A fresh searcher of the algorithm that the config names."""
    config, generator = planned.config, np.random.default_rng([planned.config.seed, STAGE, STAGE])
    if config.algorithm == "tndnas":
        return tndnas.start(config, planned.objectives, generator)
    if config.algorithm == "nsga2":
        return nsga2.start(config)
    if config.algorithm == "random":
        return RandomSearch(config)
    return ndarts.start(config, generator)
