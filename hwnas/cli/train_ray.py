"""``hwnas train --ray``: each network a task of a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwnas.cli.train_notes import announced, known_device, left_out, told, warned

if TYPE_CHECKING:
    from hwnas.cluster.training import TrainedThere
    from hwnas.runs.directory import Run
    from hwnas.runs.models import Model
    from hwnas.runs.training_record import TrainingRecord
    from hwnas.training.recipe import Recipe


def train_by_ray(
    run: Run,
    models: list[Model],
    recipe: Recipe,
    seed: int,
    goes_on: bool,
    device: str,
    threads: int,
    fresh: bool,
    data_root: Path | None,
    download: bool,
    quiet: bool,
    epochs: int | None,
    address: str,
    gpus: float | None,
) -> list[TrainingRecord]:
    """Train the models on the cluster at ``address``; returns their records. Raises InputError."""
    from hwnas.cli.progress import notes
    from hwnas.cluster.job import gpus_for
    from hwnas.cluster.progress import once_a_minute, trainings
    from hwnas.cluster.ray_cluster import connected
    from hwnas.cluster.training import train_on
    from hwnas.runs.directory import lock
    from hwnas.training.planning import plan_epochs
    from hwnas.training.run_images import images_of

    known_device(device)
    say = notes(quiet)
    dataset = images_of(run, data_root, download, warned)
    plan = plan_epochs(run, models, dataset, recipe, seed, typed=epochs, fresh=fresh)
    for line in plan.lines:
        say(line)
    ended = 0

    def done(model: Model, found: TrainedThere) -> None:
        nonlocal ended
        ended += 1
        record = found.record
        went_on = f", which went on after epoch {found.after_epoch}" if found.after_epoch else ""
        if found.after_epoch == record.epochs:
            went_on = ", trained before"
        say(
            f"{model.name}: test accuracy {record.test_accuracy:.4f} after {record.epochs} epochs,"
            f" on {found.node}{went_on} ({ended} of {len(models)})"
        )

    tick = once_a_minute(lambda: trainings(models, max(plan.epochs.values())), say)
    with told(run), connected(address, say, tick) as cluster, lock(run):
        share = gpus_for(cluster, device, gpus)
        place = "cuda" if share else "cpu"
        say(announced(models, dataset, recipe, place, plan))
        return train_on(
            cluster,
            run,
            models=models,
            dataset=dataset,
            recipe=recipe,
            seed=seed,
            data_root=data_root,
            device=place,
            gpus=share,
            threads=threads,
            fresh=fresh,
            plan=plan,
            inherit=goes_on,
            done=done,
            failed=left_out,
        )
