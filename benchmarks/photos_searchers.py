"""Who searches an elastic supernet best? Policies, chance and evolution, each with and without the regression over all
trials, and the line of uniformly narrowed networks: same shared weights, same number of evaluations.

    OMP_NUM_THREADS=1 python -m benchmarks.photos_searchers --run runs/photos --seed 0 --out benchmarks/results/photos-searchers.jsonl
    python -m benchmarks.photos_searchers --summary benchmarks/results/photos-searchers.jsonl --page docs/evidence/photos.md

``--run``: a finished search of photos with trained weights, whose shared weights all of them get. Each evaluates on the
same photos of `train` that the search kept aside, hands back its front, and is judged by the test photos: accuracy with
inherited weights, BatchNorm re-estimated on training photos, over the latency of the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.page import filled, mean_and_error
from benchmarks.photos_parts import one_thread
from hwnas.config import Config
from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.runs import directory as runs
from hwnas.runs.directory import Run, open_run
from hwnas.runs.front import Bounds, hypervolume
from hwnas.runs.trials import read_trials
from hwnas.search.algorithms.searcher import begin_stage
from hwnas.search.distributed import shared_weights
from hwnas.search.evaluate import evaluate
from hwnas.search.finalists.finish import finish
from hwnas.search.loop import Searched
from hwnas.search.plan import SearchPlan, plan, searcher_of
from hwnas.search.seeds import STAGE, rng
from hwnas.search.state import Position, State
from hwnas.space.encoding import to_choices, to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.space import SPACES, Choices
from hwnas.space.text import from_dict
from hwnas.training.data import Dataset, batches
from hwnas.training.evaluate import accuracy
from hwnas.training.inherited import shared_state, start_of
from hwnas.training.start import begin
from hwnas.training.statistics import calibrate

ARMS: dict[str, dict[str, Any]] = {
    f"{algorithm} {by}": {"algorithm": algorithm, "finalists_by": by, "finalists_per_policy": each}
    for algorithm, each in (("tndnas", 2), ("random", 2), ("nsga2", 2), ("surrogate", 2))
    for by in ("seen", "bins")
}

BEGIN, END = "<!-- searchers: begin -->", "<!-- searchers: end -->"
CHANCE, LINE = "random bins", "uniform line"


def arms(run: Run, seed: int, names: list[str]) -> list[dict[str, Any]]:
    """One row per arm: the hypervolume of what it handed back, and each network."""
    planned = plan(run.config)
    dataset, state = planned.dataset, shared_state(run)
    last = len(run.config.stages) - 1
    net = build_supernet(run.config.stage_family(last, dataset.task), 0)
    net.load_state_dict(state)
    known: dict[str, float] = {}
    rows = []
    for name, changes in ((name, ARMS[name]) for name in names):
        config = run.config.model_copy(
            update={**changes, "seed": seed, "objectives": run.config.objectives}
        )
        found = _front(replace(planned, config=config), net)
        rows.append(_judged(name, seed, run, dataset, state, found, planned, known))
    line = [to_genotype(SPACES[run.config.space], one) for one in uniform(run.config)]
    whole = [
        Architecture(
            one, channels=run.config.evaluation.channels, cells=run.config.evaluation.cells
        )
        for one in line
    ]
    rows.append(_judged(LINE, seed, run, dataset, state, whole, planned, known))
    return rows


def uniform(config: Config) -> list[Choices]:
    """Every block equally narrow, with its whole kernel, at every side of the image."""
    space = SPACES[config.space]
    blocks = [row for row in range(len(space.decisions)) if row not in space.size_rows]
    found = []
    sides = [len(space.decisions[row].operations) for row in space.size_rows]
    for side in np.ndindex(*sides):
        for part in range(4):
            choices = np.zeros(len(space.decisions), dtype=np.int64)
            choices[list(space.size_rows)], choices[blocks] = side, part
            found.append(choices)
    return found


def _front(planned: SearchPlan, net: Supernet) -> list[Architecture]:
    """The last stage of a search on weights that stand still, and the front that it hands back."""
    config, last = planned.config, len(planned.config.stages) - 1
    searcher = searcher_of(planned)
    for stage in range(1, last + 1):
        searcher = begin_stage(searcher, rng(config.seed, stage, STAGE))
    shared = shared_weights.optimise(net, config.weight_step)
    state = State(searcher=searcher, shared=shared, position=Position(stage=last))
    with tempfile.TemporaryDirectory() as folder:
        run = runs.create(Path(folder) / "run", config, [], "")
        for step in range(config.stages[last].rounds):
            evaluate(run, planned.dataset, planned.costs, state, step)
        searched = Searched(
            searcher=state.searcher,
            net=net,
            trials=tuple(read_trials(run)),
            evaluations=state.position.trials,
            seconds=0.0,
        )
    done = finish(config, planned.dataset, planned.costs, planned.cost_ranges, searched)
    return [
        Architecture(from_dict(one.genotype), channels=one.channels, cells=one.cells)
        for one in done.summary.front
    ]


def _judged(
    name: str,
    seed: int,
    run: Run,
    dataset: Dataset,
    state: dict[str, torch.Tensor],
    networks: list[Architecture],
    planned: SearchPlan,
    known: dict[str, float],
) -> dict[str, Any]:
    latency = next(cost for cost in planned.costs if cost.name == run.config.objectives[0].metric)
    range_ = planned.cost_ranges[latency.name].bounds

    costs = latency.of(np.stack([to_choices(one.genotype) for one in networks]))
    for one in networks:
        key = one.genotype.key
        if key not in known:
            known[key] = _inherited_accuracy(run, dataset, state, one)
    right = np.array([known[one.genotype.key] for one in networks])
    bounds = Bounds(accuracy=dataset.task.score_range, costs=(range_,))
    return {
        "arm": name,
        "seed": seed,
        "hypervolume": round(float(hypervolume(right, costs[:, None], bounds)), 5),
        "networks": [[round(cost, 5), round(value, 5)] for cost, value in _sorted(costs, right)],
    }


def _sorted(costs: NDArray[np.float64], right: NDArray[np.float64]) -> list[tuple[float, float]]:
    return sorted(zip(costs.tolist(), right.tolist(), strict=True))


def _inherited_accuracy(
    run: Run, dataset: Dataset, state: dict[str, torch.Tensor], one: Architecture
) -> float:
    """Of the test photos, without any training of its own."""
    network = Network(one, len(dataset.classes), dataset.image)
    begin(network, start_of(run, state, one, dataset.task))
    few = zip(range(8), batches(dataset, "train", 128, (0, 1)), strict=False)
    calibrate(network, (batch.x.contiguous(memory_format=torch.channels_last) for _, batch in few))
    return accuracy(network.eval(), dataset)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: the mean hypervolume of each arm, and its paired differences to chance with the
    regression and to equally narrow networks."""
    of = {(one["arm"], one["seed"]): float(one["hypervolume"]) for one in rows}
    lines = [
        "| searcher, finalists by | hypervolume | minus random, bins | minus equally narrow ones | networks | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for arm in dict.fromkeys(one["arm"] for one in rows):
        seeds = sorted(seed for name, seed in of if name == arm)
        sizes = [len(one["networks"]) for one in rows if one["arm"] == arm]
        gains = [
            mean_and_error([of[arm, seed] - of[base, seed] for seed in seeds], 4, "+")
            for base in (CHANCE, LINE)
        ]
        mean = statistics.mean(of[arm, seed] for seed in seeds)
        few = f"{statistics.mean(sizes):.1f}"
        lines.append(f"| {arm} | {mean:.4f} | {' | '.join(gains)} | {few} | {len(seeds)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--run", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", default=",".join(ARMS), help="beside the uniform line")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summary", type=Path, help="print the table of such rows and stop")
    parser.add_argument(
        "--page", type=Path, help="with --summary: the page that the table goes into"
    )
    said = parser.parse_args()
    if said.summary is not None:
        found = table([json.loads(line) for line in said.summary.read_text().splitlines()])
        if said.page is None:
            print(found)
        else:
            said.page.write_text(filled(said.page.read_text(), found, BEGIN, END))
        return
    with one_thread():
        rows = arms(open_run(said.run), said.seed, said.arms.split(","))
    for row in rows:
        print(json.dumps(row))
    if said.out is not None:
        with said.out.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
