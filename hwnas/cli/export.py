"""``hwnas export``: trained networks as files that run elsewhere, verified and measured."""

from __future__ import annotations

import os
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
    refuse_choice,
)
from hwnas.cli.export_output import print_exported
from hwnas.cli.export_words import formats_of, image_of
from hwnas.cli.next_steps import Command, say_next
from hwnas.cli.outside import echo_json
from profilers.errors import InputError, nearest
from profilers.limits import MOST_THREADS, check_numbers

if TYPE_CHECKING:
    from hwnas.export.selection import NetworkToExport
    from hwnas.runs.choice import Pool
    from hwnas.runs.directory import Run

Option = typer.Option
USUAL = "onnx,int8,pt2,python,weights"


def export(
    subject: Annotated[
        str,
        typer.Argument(
            help=(
                "A run directory, or a genotype: a published name, its text, or a file with either."
            ),
            metavar="RUN|GENOTYPE",
        ),
    ],
    keys: Keys = None,
    every: Every = False,
    best: Best = False,
    knee: Knee = False,
    within: Within = None,
    prefer: Prefer = None,
    out: Annotated[
        Path | None, Option(help="Folder for the files (default: beside the weights).")
    ] = None,
    formats: Annotated[
        str,
        Option(
            help=(
                "What to write, with commas between: onnx, int8, pt2, python, weights; with their"
                " extras openvino, openvino-fp16, ncnn, ncnn-fp16, tflite, tflite-int8. Default:"
                " the first five."
            ),
            show_default=False,
        ),
    ] = USUAL,
    precision: Annotated[
        str | None,
        Option(
            help=(
                "fp32, fp16, int8 or any: of a run, choose among the networks in this precision by"
                " what their exported files reach and take, and write files of it."
            )
        ),
    ] = None,
    input: Annotated[
        str, Option(help="float32 (normalised images) or uint8 (raw pixels; the files normalise).")
    ] = "float32",
    layout: Annotated[
        str,
        Option(help="nchw or nhwc: the order of the files' images. TFLite files are nhwc always."),
    ] = "nchw",
    softmax: Annotated[
        bool, Option("--softmax", help="The files give probabilities, not logits.")
    ] = False,
    weights: Annotated[
        Path | None,
        Option(
            help=(
                "For a genotype: weights.safetensors of hwnas train, or what code like that of"
                " DARTS has saved."
            )
        ),
    ] = None,
    untrained: Annotated[
        bool, Option("--untrained", help="Random weights, to measure or to look at.")
    ] = False,
    channels: Annotated[int | None, Option(help="For --untrained: initial channels.")] = None,
    cells: Annotated[int | None, Option(help="For --untrained: cells.")] = None,
    classes: Annotated[
        int | None,
        Option(
            min=2,
            max=1_000_000,
            help="For an untrained genotype: number of classes. Default: those of --data, or 10.",
        ),
    ] = None,
    image: Annotated[
        str | None,
        Option(
            help=(
                "For a genotype that is untrained, or with weights of other code: the side in"
                " pixels, or channels, height and width, such as"
                " 3x32x32 (default that of --data, or 3x32x32; with an ImageNet stem of other code"
                " 3x224x224). Images of --data are read at this side."
            )
        ),
    ] = None,
    stem: Annotated[str, Option(help="For an untrained genotype: cifar or imagenet.")] = "cifar",
    data: Annotated[
        str | None,
        Option(
            help=(
                "For a genotype: images to verify on and calibrate with. For a run: where the"
                " images of its search are now, if they have moved."
            )
        ),
    ] = None,
    test: Annotated[
        Path | None, Option(help="For a run: where its folder of test images is now.")
    ] = None,
    data_root: Annotated[Path | None, Option(help="Folder of the public data sets.")] = None,
    download: Annotated[
        bool, Option("--download", help="Fetch a missing public data set.")
    ] = False,
    measure: Annotated[
        bool, Option(help="Measure the latency of the ONNX files on this host.")
    ] = True,
    threads: Annotated[
        int, Option(min=1, max=MOST_THREADS, help="CPU threads, also of the latency.")
    ] = 1,
    json: Annotated[bool, Option("--json", help="Only JSON on standard output.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write ONNX, INT8, .pt2 and Python files of trained networks, each checked against float64.

    hwnas export runs/NAME --all
    hwnas export DARTS_V2 --untrained --channels 36 --cells 20
    """
    from hwnas.cli.export_precision import in_precision, precision_of
    from hwnas.cli.progress import notes
    from hwnas.cli.train_notes import warned
    from hwnas.export.selection import of_genotype, of_run
    from hwnas.runs.choice import Choice, knee_of_run
    from hwnas.runs.directory import open_run
    from hwnas.training.run_images import moved

    check_numbers("--", channels=channels, cells=cells)
    typed = choice_of(
        "export", keys, every=every, best=best, knee=knee, within=within, prefer=prefer
    )
    if input not in ("float32", "uint8"):
        raise InputError(f"input: unknown {input!r}{nearest(input, ('float32', 'uint8'))}")
    if layout not in ("nchw", "nhwc"):
        raise InputError(f"layout: unknown {layout!r}{nearest(layout, ('nchw', 'nhwc'))}")
    if not untrained and (channels, cells) != (None, None):
        raise InputError(
            "export: --channels and --cells are for --untrained; a trained network has its own, and"
            " a run's networks of several widths are told apart by name (KEY-cCHANNELS-nCELLS)"
        )
    wanted = formats_of(formats)
    asked = None if precision is None else precision_of(precision)
    if asked is not None and (untrained or not os.path.isdir(subject)):
        raise InputError("export: --precision chooses among the trained networks of a run")
    middle: str | None = None
    kept_in: Run | None = None
    # Not Path.is_dir(), which raises where a genotype's text is longer than any file name can be.
    if os.path.isdir(subject):
        if weights is not None:
            raise InputError("export: a run has its own weights; --weights is for a genotype")
        if classes is not None or image is not None:
            raise InputError(
                "export: --classes and --image are for a genotype; a run's networks have those of"
                " its search"
            )
        run = moved(open_run(Path(subject)), data, test)
        pool: Pool = "front" if untrained else "trained"
        middle = knee_of_run(run, pool).label
        if asked is None:
            members, has_figures = (
                chosen_of(run, typed or Choice(), pool, notes(quiet)).members,
                False,
            )
        else:
            said = None if formats == USUAL else wanted
            members, wanted, has_figures = in_precision(
                run, typed or Choice(), asked, said, notes(quiet)
            )
        # Files that lie elsewhere are not the run's. What a choice was made by stays comparable
        # with the rest, which was measured beside it.
        kept_in = None if untrained or out is not None or has_figures else run
        chosen = of_run(
            run,
            members,
            without_training=untrained,
            channels=channels,
            cells=cells,
            data_root=data_root,
            download=download,
            warn=warned,
        )
    else:
        refuse_choice("export", typed, subject)
        size = (channels, cells, classes, None if image is None else image_of(image), stem)
        chosen = of_genotype(
            subject,
            weights,
            without_training=untrained,
            size=size,
            data=data,
            data_root=data_root,
            download=download,
            warn=warned,
        )
    records = _export(
        chosen,
        out,
        formats=wanted,
        raw=input == "uint8",
        channels_last=layout == "nhwc",
        softmax=softmax,
        measure=measure,
        threads=threads,
        quiet=quiet,
        run=kept_in,
    )
    if json:
        echo_json(records)
        return
    print_exported(records, middle)
    steps: list[Command] = [] if middle is None else [("report", Path(subject))]
    steps += [] if kept_in is None else [("show", Path(subject))]
    written = [record["files"]["onnx"] for record in records if "onnx" in record["files"]]
    say_next(*steps, *(("profile", Path(file)) for file in written))


def _export(
    chosen: list[NetworkToExport],
    out: Path | None,
    formats: tuple[str, ...],
    raw: bool,
    channels_last: bool,
    softmax: bool,
    measure: bool,
    threads: int,
    quiet: bool,
    run: Run | None,
) -> list[dict[str, Any]]:
    import torch

    from hwnas.cli.progress import notes
    from hwnas.export.all_networks import export_all
    from hwnas.export.formats import NotTheSame

    torch.set_num_threads(threads)
    say = notes(quiet)
    try:
        return export_all(
            chosen,
            out,
            formats=formats,
            raw=raw,
            channels_last=channels_last,
            softmax=softmax,
            threads=threads if measure else None,
            say=say,
            run=run,
        )
    except NotTheSame as error:
        raise InputError(f"export: {error}; nothing was kept") from None
