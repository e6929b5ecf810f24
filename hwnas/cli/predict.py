"""``hwnas predict``: the classes of photos, by a trained network or an exported file."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwnas.cli.choice_options import (
    Best,
    Knee,
    Prefer,
    Within,
    choice_of,
    chosen_of,
    refuse_choice,
)
from hwnas.cli.outside import echo, echo_json
from hwnas.errors import several
from profilers.limits import MOST_THREADS

if TYPE_CHECKING:
    from hwnas.export.predict import PhotoClasses, PhotoNetwork, PhotoTally, PhotoTimes, UnreadPhoto
    from hwnas.runs.choice import Choice

Option = typer.Option


def predict(
    subject: Annotated[
        str,
        typer.Argument(
            help="A run directory, or an .onnx file of hwnas export.", metavar="RUN|MODEL"
        ),
    ],
    photos: Annotated[
        list[Path], typer.Argument(help="Photos, or folders of them.", metavar="PHOTO")
    ],
    member: Annotated[
        str | None, Option(help="Of a run: the key or name of a trained network.")
    ] = None,
    best: Best = False,
    knee: Knee = False,
    within: Within = None,
    prefer: Prefer = None,
    top: Annotated[int, Option(min=1, help="How many classes of each photo.")] = 3,
    threads: Annotated[int, Option(min=1, max=MOST_THREADS, help="CPU threads.")] = 1,
    json: Annotated[bool, Option("--json", help="Only JSON on standard output.")] = False,
) -> None:
    """Say what is in photos: the likeliest classes, each with its probability, and the time taken.

    A photo that can't be read is told in a line and stops no others; the exit code is then 2.

    hwnas predict runs/NAME photo.jpg
    """
    import torch

    from hwnas.export.predict import UnreadPhoto, photos_of, tally, times
    from hwnas.export.predict import predict as predicting

    torch.set_num_threads(threads)
    keys = None if member is None else [member]
    typed = choice_of(
        "predict", keys, every=False, best=best, knee=knee, within=within, prefer=prefer
    )
    network = _network(subject, typed)
    read: list[PhotoClasses] = []
    failed: list[UnreadPhoto] = []
    for found in predicting(network, photos_of(photos), top):
        if isinstance(found, UnreadPhoto):
            failed.append(found)
            echo(f"error: {found.reason}", err=True)
            continue
        read.append(found)
        if not json:
            echo(_line(found))
        if found.note:
            echo(f"note: {found.photo}: {found.note}", err=True)
    took, counted = times(read), tally(network, read)
    if json:
        echo_json(
            {
                "network": network.name,
                "runtime": network.runtime,
                "threads": threads,
                "photos": [_as_dict(one) for one in read],
                "failed": [asdict(one) for one in failed],
                "likeliest": dict(counted.classes),
                "sorted": {"photos": counted.sorted, "right": counted.right},
                "median_ms": None
                if took is None
                else {"network": took.network_ms, "read": took.read_ms},
            }
        )
    elif took is not None:
        if len(read) > 1:
            echo(_counts(counted))
        echo(_summary(network, took, len(failed), threads))
    if failed:
        raise typer.Exit(2)


def _network(subject: str, typed: Choice | None) -> PhotoNetwork:
    """The network of a run that is meant, or that of a file."""
    from hwnas.cli.progress import notes
    from hwnas.export.predict import of_file, of_run
    from hwnas.runs.choice import Choice
    from hwnas.runs.directory import open_run

    if not os.path.isdir(subject):
        refuse_choice("predict", typed, subject)
        return of_file(Path(subject))
    run = open_run(Path(subject))
    (member,) = chosen_of(run, typed or Choice(), "trained", notes(False)).members
    return of_run(run, member.label)


def _line(found: PhotoClasses) -> str:
    return f"{found.photo}: " + ", ".join(f"{name} {share:.4f}" for name, share in found.classes)


def _counts(counted: PhotoTally) -> str:
    named = ", ".join(f"'{name}' ({count:,})" for name, count in counted.classes)
    if not counted.sorted:
        return f"likeliest: {named}"
    share = 100 * counted.right / counted.sorted
    return (
        f"likeliest: {named}; right by the names of their folders: {counted.right:,} of"
        f" {counted.sorted:,} ({share:.1f} %; it says little where the network was trained on them)"
    )


def _as_dict(found: PhotoClasses) -> dict[str, object]:
    classes = [{"class": name, "probability": share} for name, share in found.classes]
    return {**asdict(found), "classes": classes}


def _summary(network: PhotoNetwork, took: PhotoTimes, failed: int, threads: int) -> str:
    unread = f", {failed:,} could not be read" if failed else ""
    slower = "; exported files are faster" if network.runtime == "torch" else ""
    return (
        f"{several(took.photos, 'photo')}{unread}; {network.name} by"
        f" {network.runtime}, {several(threads, 'thread')}, one photo at a time: network"
        f" {took.network_ms:.3g} ms, reading and resizing {took.read_ms:.3g} ms (medians){slower}"
    )
