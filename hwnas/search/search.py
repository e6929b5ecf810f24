"""A whole search from a config to a front: the one public door, used by the command line and from
Python.
"""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from hwnas.config import Config, with_data
from hwnas.errors import Stopped, is_memory, quoted
from hwnas.measuring.attached import Say
from hwnas.nets.fast.cudnn import computed_by, trying_kernels
from hwnas.runs import directory as runs
from hwnas.runs.directory import Run
from hwnas.runs.environment import read_environment
from hwnas.runs.measurements import keep_table, kept_table, write_measurements
from hwnas.runs.schema import to_json
from hwnas.runs.summary import HealthNote, read_front, write_front
from hwnas.search import compute
from hwnas.search.algorithms.searcher import Searcher
from hwnas.search.checkpoint import checkpoint, place
from hwnas.search.distributed.ranks import ALONE, PeerLost, Ranks
from hwnas.search.finalists.finish import finish
from hwnas.search.health import verdict
from hwnas.search.loop import run_stages
from hwnas.search.plan import SearchPlan, plan, searcher_of
from hwnas.search.progress import Watcher
from hwnas.search.warm_start import check_start
from hwnas.space.space import SPACES
from hwnas.training.data import default_root, digest, to_device
from hwnas.training.run_images import (
    TEST_IMAGES,
    check_same,
    located,
    moved,
    parts_of,
    record_of_test,
)
from profilers.errors import FaultyPlugin


def search(
    config: Config,
    out: Path,
    watch: Watcher = lambda progress: None,
    planned: SearchPlan | None = None,
    say: Say = lambda line: None,
    ranks: Ranks = ALONE,
) -> Run:
    """Search and leave a run directory at ``out``, whose front.json is the summary. Raises
    InputError.

    All ``ranks`` call this together, with the same arguments; the leading one writes.
    """
    ranks.broadcast(lambda: check_start(config))
    planned = planned or plan(config, say, ranks=ranks)
    fresh = searcher_of(planned)

    def begin() -> Run:
        started = runs.create(
            out,
            located(config),
            command=sys.argv,
            data_digest=digest(planned.dataset),
            images=parts_of(planned.dataset),
            more={TEST_IMAGES: record_of_test(planned.dataset)},
            computed_by=computed_by(compute.compute_device(config, ranks), fixed_shapes(config)),
        )
        keep_table(started, next((cost.table for cost in planned.costs if cost.table), None))
        return started

    return _go(ranks.broadcast(begin), planned, fresh=fresh, watch=watch, say=say, ranks=ranks)


def resume(
    path: Path,
    watch: Watcher = lambda progress: None,
    say: Say = lambda line: None,
    ranks: Ranks = ALONE,
    root: Path | None = None,
    download: bool = False,
    source: str | None = None,
    test: Path | None = None,
) -> Run:
    """Go on with a search that was stopped, from its last checkpoint. A finished one is left as it
    is.

    With as many ``ranks`` as before it ends as if it had not been stopped; with others, within
    noise. ``root``: where public data sets are now; ``download``: fetch a missing one; ``source``,
    ``test``: where the images of a folder or a file are now.
    """
    run = ranks.broadcast(lambda: runs.open_run(path))
    if ranks.broadcast(lambda: runs.ended(run)):
        return run
    run = ranks.broadcast(lambda: moved(run, source, test))
    # Before images are read: its config may have been changed since.
    ranks.broadcast(lambda: whereabouts(run, ranks.size))
    if download and root is None:
        root = default_root()  # not to a place that a file names
    config = with_data(run.config, root=None if root is None else str(root), download=download)
    planned = plan(config, say, ranks.broadcast(lambda: kept_table(run)), ranks)
    check_same(run, planned.dataset, ranks.broadcast(lambda: read_environment(run.path)))
    say(f"run {path}: {ranks.broadcast(lambda: whereabouts(run, ranks.size))}")
    return _go(run, planned, fresh=searcher_of(planned), watch=watch, say=say, ranks=ranks)


def whereabouts(run: Run, processes: int = 1) -> str:
    """Where a search goes on with so many processes, in words."""
    saved = checkpoint(run)
    if saved is None:
        return "nothing was saved yet, beginning anew"
    at = saved[1]["position"]
    where, evaluations = place(run.config, at), f"{at['trials']:,} evaluations"
    if where is None:
        return f"all stages done, {evaluations}; scoring the finalists"
    before = saved[1].get("processes", 1)
    other = (
        ""
        if before == processes
        else f"; {processes} processes after {before}: the same within noise"
    )
    return f"going on from {where}, {evaluations} so far{other}"


def summary(run: Run) -> dict[str, Any]:
    """The summary of a finished search: what ``hwnas show RUN --json`` prints."""
    return to_json(read_front(run))


def fixed_shapes(config: Config) -> bool:
    """Whether a search's convolutions are of few shapes that come again: not where networks have
    many sizes or widths."""
    space = SPACES[config.space]
    return not (space.size_rows or space.shares_weights)


def _go(
    run: Run, planned: SearchPlan, fresh: Searcher, watch: Watcher, say: Say, ranks: Ranks
) -> Run:
    config = planned.config
    torch.set_num_threads(config.threads)
    device = compute.compute_device(config, ranks)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # NCCL's collectives and new streams go to the current device
    dataset = to_device(planned.dataset, device)
    try:
        with (
            runs.lock(run) if ranks.is_main else nullcontext(),
            trying_kernels(device, fixed_shapes(config)),
        ):
            searched = run_stages(run, dataset, planned.costs, fresh, watch, ranks=ranks)
            began = time.monotonic()
            attached_target = planned.attached_target if ranks.is_main else None
            result = finish(
                config,
                dataset,
                costs=planned.costs,
                ranges=planned.cost_ranges,
                searched=searched,
                attached_target=attached_target,
                say=say,
            )
            if ranks.is_main:
                write_measurements(run, result.measurements)
                seconds = searched.seconds + time.monotonic() - began
                diagnostics = [
                    *searched.diagnostics,
                    *verdict(config, to_json(result.summary)),
                ]
                more = {
                    "target": planned.device.name,
                    "health": [HealthNote(**one.to_dict()) for one in diagnostics],
                    "seconds": round(seconds, 1),
                }
                write_front(run, result.summary.model_copy(update=more))
    except FaultyPlugin as error:
        raise Stopped(
            f"{error}; all finished work up to the last checkpoint is kept: mend it and go on with:"
            f" hwnas resume {quoted(run.path)}"
        ) from error
    except PeerLost as error:
        silent = "did not answer in time" if "timed out" in str(error).lower() else "has died"
        raise Stopped(
            f"another process of this search {silent}; all finished work up to the last checkpoint"
            f" is kept: go on with: hwnas resume {quoted(run.path)} --processes {ranks.size}"
        ) from None
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, Stopped) or not is_memory(error):
            raise
        raise Stopped(
            "the memory is too small to score networks on validation images; what was finished is"
            f" kept: close other programs and go on with: hwnas resume {quoted(run.path)}"
        ) from None
    return run
