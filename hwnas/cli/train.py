"""``hwnas train``: networks of a finished search, from scratch, and the front by what they
reach."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.choice_options import (
    Best,
    Every,
    Keys,
    Knee,
    Prefer,
    Within,
    choice_of,
    chosen_of,
)
from hwnas.cli.optional import HELP
from hwnas.cli.outside import echo_json
from hwnas.cli.train_notes import announced, known_device, left_out, told, warned
from hwnas.cli.train_output import print_trained
from hwnas.cli.train_words import numbers_of, recipe_of
from profilers.errors import InputError
from profilers.limits import MOST_THREADS

if TYPE_CHECKING:
    from hwnas.runs.directory import Run
    from hwnas.runs.models import Model
    from hwnas.runs.training_record import TrainingRecord
    from hwnas.training.recipe import Recipe
    from hwnas.training.train import Trained

Option = typer.Option


def train(
    run: Annotated[Path, typer.Argument(help="A run directory.", metavar="RUN")],
    keys: Keys = None,
    every: Every = False,
    best: Best = False,
    knee: Knee = False,
    within: Within = None,
    prefer: Prefer = None,
    recipe: Annotated[
        str | None,
        Option(
            help=(
                "tune (from shared weights), quick, cifar (600 epochs) or imagenet (250). [default:"
                " tune where networks begin with the search's weights, else quick]"
            )
        ),
    ] = None,
    from_scratch: Annotated[
        bool,
        Option("--from-scratch", help="Begin with random weights, not with those of the search."),
    ] = False,
    channels: Annotated[
        str | None, Option(help="Initial channels: one or several widths, such as 16,24,36,48.")
    ] = None,
    cells: Annotated[str | None, Option(help="Cells: one or several depths, such as 20.")] = None,
    epochs: Annotated[int | None, Option(help="Instead of the recipe's.")] = None,
    batch: Annotated[int | None, Option(help="Images per step, instead of the recipe's.")] = None,
    learning_rate: Annotated[float | None, Option(help="Instead of the recipe's.")] = None,
    cutout: Annotated[
        int | None, Option(help="Side of the square cut out, instead of the recipe's.")
    ] = None,
    average: Annotated[
        float | None,
        Option(help="Keep an exponential moving average of the weights, with this decay."),
    ] = None,
    hold_out: Annotated[
        float | None,
        Option(help="Share of the training images kept aside to choose the best epoch by."),
    ] = None,
    precision: Annotated[str | None, Option(help="float32, bfloat16 or, on CUDA, float16.")] = None,
    compile: Annotated[
        bool, Option("--compile", help="torch.compile: minutes at first, then faster.")
    ] = False,
    seed: Annotated[
        int | None, Option(min=0, max=2**31 - 1, help="Default: the seed of the search.")
    ] = None,
    device: Annotated[str, Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, Option(min=1, max=MOST_THREADS, help="CPU threads.")] = 1,
    fresh: Annotated[
        bool, Option("--fresh", help="Forget an earlier training of these networks.")
    ] = False,
    data: Annotated[
        str | None, Option(help="Where the images of the search are now, if they have moved.")
    ] = None,
    test: Annotated[Path | None, Option(help="Where its folder of test images is now.")] = None,
    data_root: Annotated[Path | None, Option(help="Folder of the public data sets.")] = None,
    download: Annotated[
        bool, Option("--download", help="Fetch a missing public data set.")
    ] = False,
    ray: Annotated[str | None, Option("--ray", metavar="[ADDRESS]", help=HELP)] = None,
    gpus: Annotated[
        float | None,
        Option(
            min=0,
            max=64,
            help="With --ray: GPUs per network (default: 1 where the cluster has some).",
        ),
    ] = None,
    json: Annotated[bool, Option("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train networks of a run; call again to go on where a training was stopped.

    Networks of an elastic space begin with the weights of their search, others with random ones.

    hwnas train runs/NAME --all
    """
    from hwnas.cli.progress import notes
    from hwnas.runs.choice import Choice
    from hwnas.runs.directory import open_run
    from hwnas.runs.models import model_of
    from hwnas.runs.schema import to_json
    from hwnas.training.inherited import inherits
    from hwnas.training.run_images import moved

    typed = choice_of(
        "train", keys, every=every, best=best, knee=knee, within=within, prefer=prefer
    )
    opened = moved(open_run(run), data, test)
    members = chosen_of(opened, typed or Choice(), "front", notes(quiet)).members
    sizes = [(c, n) for c in numbers_of("channels", channels) for n in numbers_of("cells", cells)]
    models = [model_of(opened, member, *size) for member in members for size in sizes]
    on = inherits(opened) and not from_scratch
    chosen = recipe_of(
        recipe or ("tune" if on else "quick"),
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        cutout=cutout,
        average=average,
        hold_out=hold_out,
        precision=precision,
        compile=compile or None,
    )
    seed = opened.config.seed if seed is None else seed
    if ray is None:
        records = _train(
            opened,
            models,
            recipe=chosen,
            seed=seed,
            goes_on=on,
            device=device,
            threads=threads,
            fresh=fresh,
            data_root=data_root,
            download=download,
            quiet=quiet,
        )
    else:
        from hwnas.cli.train_ray import train_by_ray

        how = (seed, on, device, threads, fresh, data_root, download, quiet)
        records = train_by_ray(opened, models, chosen, *how, ray, gpus)
    if not records:
        raise InputError("train: every training diverged; try a lower --learning-rate")
    if json:
        echo_json(
            [{key: part for key, part in to_json(one).items() if key != "curve"} for one in records]
        )
        return
    print_trained(opened, records)


def _train(
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
) -> list[TrainingRecord]:
    import torch

    from hwnas.cli.progress import notes
    from hwnas.nets.fast.allocator import keep_freed_memory
    from hwnas.runs.directory import lock
    from hwnas.training.finalists import train_models
    from hwnas.training.inherited import INHERITED, starts
    from hwnas.training.run_images import images_of
    from profilers.cuda import compute_place

    say = notes(quiet)
    torch.set_num_threads(threads)
    keep_freed_memory()
    place, said = compute_place(known_device(device))
    if said:
        say(said)
    dataset = images_of(run, data_root, download, warned)
    say(announced(models, dataset, recipe, place))

    begun: set[str] = set()
    reached: dict[str, float] = {}

    def report(model: Model, epoch: Any) -> None:
        if not epoch.number:
            reached[model.name] = epoch.test_accuracy
            say(f"{model.name} begins at test accuracy {epoch.test_accuracy:.4f} ({INHERITED})")
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
            f"{model.name} epoch {epoch.number}/{recipe.epochs}: loss"
            f" {epoch.train_loss:.3f}{tested} ({epoch.seconds:.1f} s)"
        )

    def done(model: Model, result: Trained) -> None:
        say(f"{model.name}: test accuracy {result.test_accuracy:.4f} after {result.epochs} epochs")

    with told(run), lock(run):
        return train_models(
            run,
            models,
            dataset,
            recipe,
            seed,
            device=place,
            fresh=fresh,
            start=starts(run, dataset.task, goes_on),
            report=report,
            done=done,
            failed=left_out,
        )
