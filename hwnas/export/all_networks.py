"""The loop of ``hwnas export``: each network to its files, then all latencies in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwnas import files
from hwnas.export.formats import RECORD
from hwnas.export.images import images_for
from hwnas.export.latencies import latencies
from hwnas.export.network_files import Exported, export, int8_notes, record_bytes, write_files
from hwnas.export.points import points_of
from hwnas.export.selection import EXPORTED, UNCALIBRATED, UNTRAINED, NetworkToExport
from hwnas.runs.directory import Run
from hwnas.runs.precision_record import PrecisionPoint
from hwnas.runs.precisions import keep_precisions
from profilers.errors import InputError
from profilers.onnx_latency import utc_now


def export_all(
    networks: Sequence[NetworkToExport],
    out: Path | None,
    formats: tuple[str, ...],
    raw: bool,
    channels_last: bool = False,
    softmax: bool = False,
    *,
    threads: int | None,
    say: Callable[[str], None],
    run: Run | None = None,
) -> list[dict[str, Any]]:
    """Export each, then measure the latency of all files in turn (``threads``; None: not at all).

    Returns one record per network, which is also kept beside its files. ``out``: a folder for all
    of them. ``run``: keeps what the files of its networks reach, take and weigh, by precision.
    """
    began = utc_now()
    exported: list[tuple[NetworkToExport, Path, Exported]] = []
    for network in networks:
        folder = _folder(network, out)
        images = images_for(network.weights, network.dataset, raw=raw)
        if network.notes.get("accuracy") == UNTRAINED:  # chance: no accuracy to speak of
            images = replace(images, labels=None, validation=[], validation_labels=None)
        result = export(
            network.weights,
            folder,
            images,
            raw=raw,
            channels_last=channels_last,
            softmax=softmax,
            formats=formats,
            notes=network.notes,
        )
        if (
            network.dataset is None
            and {"int8", "tflite-int8"} & set(formats)
            and network.notes.get("accuracy") != UNTRAINED
        ):
            result = replace(result, warnings=(*result.warnings, UNCALIBRATED))
        parity = result.parity
        say(
            f"{network.name}: verified on {parity.test_images} images; rms error against float64"
            f" {parity.onnx_rms:.1e} (torch {parity.torch_rms:.1e}, largest logit"
            f" {parity.largest_logit:.2g})"
        )
        for warning in result.warnings:
            say(f"warning: {network.name}: {warning}")
        exported.append((network, folder, result))
    measured = latencies([result for _, _, result in exported], threads, channels_last)
    records, points = [], list[PrecisionPoint]()
    for (network, folder, result), latency in zip(exported, measured, strict=True):
        warnings = (*result.warnings, *int8_notes(result.sizes, latency))
        result = replace(result, latency=latency, warnings=warnings)
        drawn = "random images" if network.dataset is None else "test images"
        record = {"name": network.name, **result.to_dict(), "checked_on": drawn}
        # In the folder the files are named as seen from it: it may be moved.
        there = {name: path.name for name, path in result.files.items()}
        write_files(folder, {RECORD: record_bytes({**record, "files": there})})
        records.append(record)
        points += points_of(network, result, began)
    if run is not None:
        keep_precisions(run, points)
    return records


def _folder(network: NetworkToExport, out: Path | None) -> Path:
    """Where the files go, made.

    Raises InputError where a link stands in its place, or it can't be made.
    """
    folder = network.folder if out is None else out / network.name
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            files.make_folder(folder, out)
        elif (
            not folder.is_absolute() and folder.parts[0] == EXPORTED
        ):  # in the current folder, whosever it is
            files.make_folder(folder, Path())
    except OSError as error:
        raise InputError(f"{error.filename or folder} can't be written: {error.strerror}") from None
    return folder
