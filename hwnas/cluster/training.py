"""Train the networks of a run as tasks: each in its folder of the run directory, all records by
one writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hwnas.cluster.job import Cluster, Job, Needs
from hwnas.cluster.place import located
from hwnas.cluster.ray_cluster import where
from hwnas.runs.directory import Run
from hwnas.runs.models import Model
from hwnas.runs.training_record import TrainingRecord
from hwnas.training.data import Dataset, digest
from hwnas.training.epochs import EpochPlan
from hwnas.training.finalists import forget, keep_record, record_of, train_model
from hwnas.training.inherited import starts
from hwnas.training.loop import TrainingDiverged
from hwnas.training.recipe import Recipe
from hwnas.training.run_images import check_images, read_images
from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """One network to train, with all that another node has to know.

    ``run`` and the model's folder are absolute.
    """

    run: Run
    model: Model
    recipe: Recipe
    seed: int
    data_root: Path | None
    data_digest: str
    device: str
    threads: int
    inherit: bool = False
    """Begin with the model's part of the shared weights, which lie in the run directory."""


@dataclass(frozen=True, kw_only=True)
class TrainedThere:
    """A task's answer: the record, the node it ended on, and the epoch after which that node
    went on (0: afresh)."""

    record: TrainingRecord
    node: str
    after_epoch: int


def train_there(job: TrainJob) -> TrainedThere:
    """On a node: go on from the checkpoint in the model's folder, or begin.

    The record is returned, not written.
    """
    import torch

    torch.set_num_threads(job.threads)
    # The digest is that of images which were compared with the run's where the work was given out.
    dataset = read_images(job.run.config, job.data_root)
    if digest(dataset) != job.data_digest:
        raise InputError(
            f"{job.model.name}: node {where()} has other images under the name {dataset.name!r}"
        )
    numbers: list[int] = []
    result = train_model(
        job.run,
        job.model,
        dataset=dataset,
        recipe=job.recipe,
        seed=job.seed,
        device=job.device,
        report=lambda model, epoch: numbers.append(epoch.number),
        start=starts(job.run, dataset.task, job.inherit).of(job.model),
    )
    record = record_of(job.model, dataset, job.recipe, job.seed, result)
    after = numbers[0] - 1 if numbers else result.epochs
    return TrainedThere(record=record, node=where(), after_epoch=after)


def train_on(
    cluster: Cluster,
    run: Run,
    models: Sequence[Model],
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    *,
    data_root: Path | None = None,
    device: str = "cpu",
    gpus: float = 0,
    threads: int = 1,
    fresh: bool = False,
    plan: EpochPlan | None = None,
    inherit: bool = False,
    done: Callable[[Model, TrainedThere], None] = lambda model, result: None,
    failed: Callable[[Model, TrainingDiverged], None] = lambda model, error: None,
) -> list[TrainingRecord]:
    """Train each model as a task of ``cluster``; only this process writes training.json and
    trained.json.

    Returns one record per trained model, in the order of ``models``. Raises InputError where the
    images are not the run's, a node does not share the run directory, or an earlier training had
    other settings.
    """
    check_images(run, dataset)
    cluster.check(run.path.absolute())
    if fresh:  # once, before any task: a task that is begun again must not forget what it did
        for model in models:
            forget(model.folder, run.path)
    by_name = {model.name: model for model in models}
    there = elsewhere(run)
    root = data_root.absolute() if data_root else None
    images = digest(dataset)
    jobs = [
        TrainJob(
            run=there,
            model=replace(model, folder=model.folder.absolute()),
            recipe=recipe if plan is None else plan.recipe(model.name, recipe),
            seed=seed,
            data_root=root,
            data_digest=images,
            device=device,
            threads=threads,
            inherit=inherit,
        )
        for model in by_name.values()
    ]
    needs = Needs(cpus=threads, gpus=gpus)
    records: dict[str, TrainingRecord] = {}
    for ended in cluster.run(
        [Job(name=job.model.name, function=train_there, argument=job, needs=needs) for job in jobs]
    ):
        model = by_name[ended.job.name]
        if isinstance(ended.error, TrainingDiverged):
            failed(model, ended.error)
        elif ended.error is not None:
            raise ended.error
        else:
            keep_record(run, model, ended.result.record)
            records[model.name] = ended.result.record
            done(model, ended.result)
    return [records[name] for name in by_name if name in records]


def elsewhere(run: Run) -> Run:
    """The run as other nodes find it. They download nothing: that has happened here, once."""
    config = located(run.config)
    return Run(
        path=run.path.absolute(),
        config=config.model_copy(
            update={"data": config.data.model_copy(update={"download": False})}
        ),
    )
