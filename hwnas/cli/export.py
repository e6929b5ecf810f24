"""``hwnas export``: trained networks as files that run elsewhere, verified and measured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwnas.cli.export_words import formats_of, image_of
from hwnas.cli.outside import echo, echo_json, print_table, table
from profilers.errors import InputError, nearest
from profilers.limits import MOST_THREADS, check_numbers

if TYPE_CHECKING:
    from hwnas.export.selection import NetworkToExport

Option = typer.Option


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
    keys: Annotated[
        list[str] | None,
        typer.Argument(help="Keys or names of trained networks of a run.", metavar="[KEY]..."),
    ] = None,
    every: Annotated[bool, Option("--all", help="Every trained network of the run.")] = False,
    knee: Annotated[
        bool, Option("--knee", help="The knee of the trained front (the default).")
    ] = False,
    out: Annotated[
        Path | None, Option(help="Folder for the files (default: beside the weights).")
    ] = None,
    formats: Annotated[
        str,
        Option(
            help=(
                "What to write, with commas between: onnx, int8, pt2, python, weights; with their"
                " extras openvino, openvino-fp16, ncnn, ncnn-fp16."
            )
        ),
    ] = "onnx,int8,pt2,python,weights",
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
        Path | None, Option(help="For a genotype: weights.safetensors of hwnas train.")
    ] = None,
    untrained: Annotated[
        bool, Option("--untrained", help="Random weights, to measure or to look at.")
    ] = False,
    channels: Annotated[int | None, Option(help="For --untrained: initial channels.")] = None,
    cells: Annotated[int | None, Option(help="For --untrained: cells.")] = None,
    classes: Annotated[
        int, Option(min=2, max=1_000_000, help="For an untrained genotype: number of classes.")
    ] = 10,
    image: Annotated[
        str, Option(help="For an untrained genotype: SIDE or CHANNELSxHEIGHTxWIDTH, in pixels.")
    ] = "3x32x32",
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
    from hwnas.cli.train_notes import warned
    from hwnas.export.selection import of_genotype, of_run

    check_numbers("--", channels=channels, cells=cells)
    if sum((bool(keys), every, knee)) > 1:
        raise InputError("export: say either --all, --knee or keys")
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
    # Not Path.is_dir(), which raises where a genotype's text is longer than any file name can be.
    if os.path.isdir(subject):
        if weights is not None:
            raise InputError("export: a run has its own weights; --weights is for a genotype")
        chosen = of_run(
            Path(subject),
            keys or [],
            every=every,
            without_training=untrained,
            channels=channels,
            cells=cells,
            data_root=data_root,
            download=download,
            warn=warned,
            data=data,
            test=test,
        )
        if not keys and not every:
            _note_the_knee(Path(subject), untrained, quiet)
    else:
        if keys:
            raise InputError(
                f"export: {subject!r} is no run directory, so it has no network {keys[0]!r}"
            )
        size = (channels, cells, classes, image_of(image), stem)
        chosen = of_genotype(
            subject,
            weights,
            without_training=untrained,
            size=size,
            data=data,
            data_root=data_root,
            download=download,
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
    )
    if json:
        echo_json(records)
    else:
        _print(records)


def _note_the_knee(path: Path, untrained: bool, quiet: bool) -> None:
    """Say where the knee does not meet the run's targets."""
    from hwnas.cli.progress import notes
    from hwnas.runs.directory import open_run
    from hwnas.runs.models import knee_note

    note = knee_note(open_run(path), is_trained=not untrained)
    if note is not None:
        notes(quiet)(f"note: {note}")


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
) -> list[dict[str, Any]]:
    import torch

    from hwnas.cli.progress import notes
    from hwnas.export.formats import NotTheSame
    from hwnas.export.selection import export_all

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
        )
    except NotTheSame as error:
        raise InputError(f"export: {error}; nothing was kept") from None


def _print(records: list[dict[str, Any]]) -> None:
    """A line per ONNX file: what it reaches, costs and takes, with intervals."""
    from rich import box

    tested = any(record["accuracy"] is not None for record in records)
    origin = "trained (test)" if tested else "not tested, random images"
    measured = any(record["latency"] for record in records)
    host = ", latency: measured on this host" if measured else ""
    title = f"Exported networks; accuracy: {origin}{host}"
    # Narrow, so that names with width and depth fit a terminal of 80 columns beside eight figures.
    grid = table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    # Where there is no room a name is broken, and no figure is cut.
    grid.add_column("network", overflow="fold", min_width=10)
    grid.add_column("file", no_wrap=True)
    named = next((",\n".join(record["size"]) for record in records if record["size"]), "")
    for column in (
        *((f"size\n{named}",) if named else ()),
        "accuracy",
        "params",
        "MACs",
        "KiB",
        *(("ms", "95 % of ms") if measured else ()),
    ):
        grid.add_column(column, justify="right", no_wrap=True)
    for record in records:
        rows: list[list[str]] = []
        accuracies = {"onnx": record["accuracy"], "int8": record["int8_accuracy"]}
        for name, accuracy in {**accuracies, **record.get("tflite_accuracy", {})}.items():
            if name in record["bytes"]:
                row = _row(record, name, accuracy, not rows)
                row[2:2] = [""] if named else []
                rows.append(row[: len(grid.columns)])
        # In the second line, where they do not widen the table: a published name, under the key,
        # and the width, under the side.
        size = list(record["size"].values())
        if rows and len(rows) < max(len(size), 2 if record["known_as"] else 1):
            rows.append([""] * len(grid.columns))
        if rows and record["known_as"]:
            rows[1][0] = record["known_as"]
        for row, value in zip(rows, size, strict=False):
            row[2] = value
        for row in rows:
            grid.add_row(*row)
    print_table(grid)
    for record in records:
        folder = Path(next(iter(record["files"].values()))).parent
        known = f" ({record['known_as']})" if record["known_as"] else ""
        echo(
            f"{record['name']}{known}: {folder}"
            f" (verified on {record['parity']['test_images']} images)"
        )
        if record["averaged_down"]:
            echo(f"note: {record['name']}: {record['averaged_down']}")
        for warning in record["warnings"]:
            echo(f"warning: {record['name']}: {warning}")


FILES = {"onnx": "fp32", "tflite-int8": "tflite int8"}
"""What the table calls a format's file."""


def _row(record: dict[str, Any], name: str, accuracy: float | None, first: bool) -> list[str]:
    """A file's line; `first` of its network, which says what the network is."""
    found = record["latency"].get(name)
    if not found:
        measured = ["", ""]
    elif found["value"] is None:
        measured = ["failed", str(found["failure"]["reason"])]
    else:
        measured = [f"{found['value']:.3g}", f"{found['low']:.3g}..{found['high']:.3g}"]
    return [
        record["name"] if first else "",
        FILES.get(name, name),
        "" if accuracy is None else f"{accuracy:.4f}",
        _amount(record["params"]) if first else "",
        _amount(record["macs"]) if first else "",
        f"{record['bytes'][name] / 1024:,.0f}",
        *measured,
    ]


def _amount(value: int) -> str:
    """Three digits and a unit: 79.5 K, 1.45 G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return str(value)
