"""``hwnas train`` on this machine: one network after the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.cli.train_notes import announced, epochs_of, known_device, left_out, told, warned

if TYPE_CHECKING:
    from hwnas.runs.directory import Run
    from hwnas.runs.models import Model
    from hwnas.runs.training_record import TrainingRecord
    from hwnas.training.recipe import Recipe
    from hwnas.training.train import Trained


def train_here(
    run: Run,
    models: list[Model],
    recipe: Recipe,
    seed: int,
    goes_on: bool,
    epochs: int | None,
    time_s: float | None,
    began: float,
    device: str,
    threads: int,
    fresh: bool,
    data_root: Path | None,
    download: bool,
    quiet: bool,
) -> list[TrainingRecord]:
    """Train the models, and say how far they are; returns their records. Raises InputError."""
    import torch

    from hwnas import files
    from hwnas.cli.progress import notes
    from hwnas.export.formats import RECORD
    from hwnas.nets.fast.allocator import keep_freed_memory
    from hwnas.runs.directory import lock
    from hwnas.training.finalists import train_models
    from hwnas.training.inherited import INHERITED, starts
    from hwnas.training.planning import forget_plan, plan_epochs
    from hwnas.training.run_images import check_images, images_of
    from profilers.bfloat16 import slow_bfloat16
    from profilers.cuda import compute_place

    say = notes(quiet)
    torch.set_num_threads(threads)
    keep_freed_memory()
    place, said = compute_place(known_device(device))
    if said:
        say(said)
    slow = slow_bfloat16(place) if recipe.precision == "bfloat16" else ""
    if slow:
        say(f"--precision bfloat16: {slow}")
    dataset = images_of(run, data_root, download, warned)
    begun: set[str] = set()
    reached: dict[str, float] = {}

    def report(model: Model, epoch: Any) -> None:
        if not epoch.number:
            where = f"{INHERITED}, as larger ones left them" if reached else INHERITED
            reached[model.name] = epoch.test_accuracy
            say(f"{model.name} begins at test accuracy {epoch.test_accuracy:.4f} ({where})")
            return
        if epoch.number > 1 and model.name not in begun:
            say(f"{model.name} went on from an earlier call, after epoch {epoch.number - 1}")
        begun.add(model.name)
        tested = ""
        if epoch.test_accuracy is not None:
            before = reached.get(model.name)
            reached[model.name] = epoch.test_accuracy
            gained = (
                "" if before is None else f" ({100 * (epoch.test_accuracy - before):+.1f} points)"
            )
            tested = f", test accuracy {epoch.test_accuracy:.4f}{gained}"
        say(
            f"{model.name} epoch {epoch.number}/{plan.epochs[model.name]}: loss"
            f" {epoch.train_loss:.3f}{tested} ({epoch.seconds:.1f} s)"
        )

    def done(model: Model, result: Trained) -> None:
        say(f"{model.name}: test accuracy {result.test_accuracy:.4f} after {epochs_of(result)}")
        if model.name in begun and files.exists(model.folder / RECORD, run.path):
            say(
                f"note: the exported files of {model.name} hold its weights of before: export again"
            )

    with told(run), lock(run):
        check_images(run, dataset)
        start = starts(run, dataset.task, goes_on)
        if time_s is not None:
            say("--time: a few steps of each network are timed")
        plan = plan_epochs(
            run,
            models,
            dataset,
            recipe,
            seed,
            typed=epochs,
            time_s=time_s,
            began=began,
            fresh=fresh,
            device=place,
            start=start.of,
        )
        for line in plan.lines:
            say(line)
        say(announced(models, dataset, recipe, place, plan))
        if goes_on and len(models) > 1:
            say("from the largest to the smallest: each hands what they share on to the next")
        records = train_models(
            run,
            models,
            dataset,
            recipe,
            seed,
            device=place,
            fresh=fresh,
            plan=plan,
            start=start,
            report=report,
            done=done,
            failed=left_out,
        )
        if time_s is not None:
            forget_plan(run)
        return records
