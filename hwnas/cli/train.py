"""``hwnas train``: networks of a finished search, from scratch, and the front by what they
reach."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Annotated

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
from hwnas.cli.panels import DataOption, HardwareOption, Option, OutputOption, TrainingOption
from hwnas.cli.train_baselines import (
    HowToTrain,
    refuse_for_baselines,
    say_verdict,
    train_baselines,
)
from hwnas.cli.train_output import print_trained
from hwnas.cli.train_words import numbers_of, recipe_of
from hwnas.cli.values import seconds_of
from profilers.errors import InputError
from profilers.limits import MOST_THREADS


def train(
    run: Annotated[Path, typer.Argument(help="A run directory.", metavar="RUN")],
    keys: Keys = None,
    every: Every = False,
    best: Best = False,
    knee: Knee = False,
    within: Within = None,
    prefer: Prefer = None,
    baselines: Annotated[
        bool,
        Option(
            "--baselines",
            help="Plain networks that you would have used instead, and whether the search paid.",
        ),
    ] = False,
    recipe: Annotated[
        str | None,
        TrainingOption(
            help=(
                "tune (from shared weights), quick, cifar (600 epochs) or imagenet (250). Default:"
                " tune where networks begin with the search's weights, else quick."
            )
        ),
    ] = None,
    from_scratch: Annotated[
        bool,
        TrainingOption(
            "--from-scratch", help="Begin with random weights, not with those of the search."
        ),
    ] = False,
    channels: Annotated[
        str | None,
        TrainingOption(help="Initial channels: one or several widths, such as 16,24,36,48."),
    ] = None,
    cells: Annotated[
        str | None, TrainingOption(help="Cells: one or several depths, such as 20.")
    ] = None,
    epochs: Annotated[
        int | None,
        TrainingOption(
            help=(
                "Epochs in all, instead of the recipe's. A training that has ended goes on where"
                " you say more. With few images the recipe's are more by default."
            )
        ),
    ] = None,
    time: Annotated[
        str | None,
        TrainingOption(
            metavar="TIME",
            help="The most that this call may take, such as 10m: epochs are cut to fit.",
        ),
    ] = None,
    batch: Annotated[
        int | None, TrainingOption(help="Images per step, instead of the recipe's.")
    ] = None,
    learning_rate: Annotated[float | None, TrainingOption(help="Instead of the recipe's.")] = None,
    cutout: Annotated[
        int | None, TrainingOption(help="Side of the square cut out, instead of the recipe's.")
    ] = None,
    label_smoothing: Annotated[
        float | None, Option(help="Share of each label that all classes get, such as 0.1.")
    ] = None,
    mixup: Annotated[
        float | None,
        Option(help="Mix images in pairs, by a share from Beta(MIXUP, MIXUP), such as 0.2."),
    ] = None,
    average: Annotated[
        float | None,
        TrainingOption(help="Keep an exponential moving average of the weights, with this decay."),
    ] = None,
    hold_out: Annotated[
        float | None,
        TrainingOption(help="Share of the training images kept aside to choose the best epoch by."),
    ] = None,
    patience: Annotated[
        int | None,
        TrainingOption(
            help=(
                "End where so many epochs were no better on the images held out, with the best"
                " epoch's weights; needs --hold-out."
            )
        ),
    ] = None,
    precision: Annotated[
        str | None, TrainingOption(help="float32, bfloat16 or, on CUDA, float16.")
    ] = None,
    compile: Annotated[
        bool, TrainingOption("--compile", help="torch.compile: minutes at first, then faster.")
    ] = False,
    seed: Annotated[
        int | None, TrainingOption(min=0, max=2**31 - 1, help="Default: the seed of the search.")
    ] = None,
    device: Annotated[str, HardwareOption(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, HardwareOption(min=1, max=MOST_THREADS, help="CPU threads.")] = 1,
    fresh: Annotated[
        bool, TrainingOption("--fresh", help="Forget an earlier training of these networks.")
    ] = False,
    data: Annotated[
        str | None, DataOption(help="Where the images of the search are now, if they have moved.")
    ] = None,
    test: Annotated[Path | None, DataOption(help="Where its folder of test images is now.")] = None,
    data_root: Annotated[Path | None, DataOption(help="Folder of the public data sets.")] = None,
    download: Annotated[
        bool, DataOption("--download", help="Fetch a missing public data set.")
    ] = False,
    ray: Annotated[str | None, HardwareOption("--ray", metavar="[ADDRESS]", help=HELP)] = None,
    gpus: Annotated[
        float | None,
        HardwareOption(
            min=0,
            max=64,
            help="With --ray: GPUs per network (default: 1 where the cluster has some).",
        ),
    ] = None,
    json: Annotated[bool, OutputOption("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, OutputOption("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train networks of a run; call again to go on where a training was stopped.

    Networks of an elastic space begin with the weights of their search, others with random ones.

    hwnas train runs/NAME --all
    """
    from hwnas.cli.progress import notes
    from hwnas.cli.train_here import train_here
    from hwnas.runs.choice import Choice
    from hwnas.runs.directory import open_run
    from hwnas.runs.models import models_at
    from hwnas.runs.schema import to_json
    from hwnas.training.inherited import inherits
    from hwnas.training.run_images import moved

    began = monotonic()
    typed = choice_of(
        "train", keys, every=every, best=best, knee=knee, within=within, prefer=prefer
    )
    if baselines and typed is not None:
        raise InputError("train: --baselines chooses its networks itself: say nothing beside it")
    opened = moved(open_run(run), data, test)
    members = chosen_of(opened, typed or Choice(), "front", notes(quiet or baselines)).members
    sizes = [(c, n) for c in numbers_of("channels", channels) for n in numbers_of("cells", cells)]
    models = models_at(opened, members, sizes)
    on = inherits(opened) and not from_scratch
    changes = {
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "cutout": cutout,
        "average": average,
        "hold_out": hold_out,
        "label_smoothing": label_smoothing,
        "mixup": mixup,
        "patience": patience,
        "evaluate_every": 1 if patience else None,
        "precision": precision,
        "compile": compile or None,
    }
    chosen = recipe_of(recipe or ("tune" if on else "quick"), **changes)
    seed = opened.config.seed if seed is None else seed
    time_s = None if time is None else seconds_of("--time", time)
    if ray is not None and time_s is not None:
        raise InputError("--time: not together with --ray, where nodes differ in speed")
    if baselines:
        refuse_for_baselines(
            {"--channels": channels, "--cells": cells, "--ray": ray, "--time": time}
        )
        is_typed = recipe is not None or any(value is not None for value in changes.values())
        records = train_baselines(
            opened,
            HowToTrain(
                recipe=chosen if is_typed else None,
                member_recipe=chosen,
                epochs=epochs,
                seed=seed,
                inherit=on,
                device=device,
                threads=threads,
                fresh=fresh,
                data_root=data_root,
                download=download,
                quiet=quiet,
            ),
        )
    elif ray is None:
        records = train_here(
            opened,
            models,
            recipe=chosen,
            seed=seed,
            goes_on=on,
            epochs=epochs,
            time_s=time_s,
            began=began,
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
        records = train_by_ray(opened, models, chosen, *how, epochs, ray, gpus)
    if not records:
        raise InputError("train: every training diverged; try a lower --learning-rate")
    if json:
        echo_json(
            [{key: part for key, part in to_json(one).items() if key != "curve"} for one in records]
        )
        return
    if baselines:
        say_verdict(opened)
        return
    print_trained(opened, records)
