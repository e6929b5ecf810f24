"""The classes of photos by a trained network of a run, or by an exported ONNX file.

Photos are read as in training (hwnas.training.picture). One that can't be read is a value too, and
stops no others.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from hwnas import files
from hwnas.export.interface import Interface, network_of
from hwnas.export.usage import METADATA, usage
from hwnas.export.usage_file import Usage, checked_usage, usage_of
from hwnas.export.verify import session
from hwnas.runs.directory import Run, inside
from hwnas.training.checkpoint import WEIGHTS
from hwnas.training.picture import probe, read_image
from hwnas.training.scan import EXTENSIONS, is_hidden
from hwnas.training.weights import load_weights
from profilers.errors import InputError


@dataclass(frozen=True, kw_only=True)
class PhotoNetwork:
    """A network ready for photos: `run` takes one image as `usage` says, (1, ...), and gives (1,
    classes)."""

    name: str
    runtime: str
    usage: Usage
    run: Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class PhotoClasses:
    """The likeliest classes of a photo, each with its probability.

    `read_ms`: to decode and resize it. `network_ms`: the network alone. `note`: what of the file
    was not looked at, or empty.
    """

    photo: str
    classes: tuple[tuple[str, float], ...]
    read_ms: float
    network_ms: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class UnreadPhoto:
    """A file that could not be read, and why, in a line that names it."""

    photo: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PhotoTimes:
    """Medians over photos, one at a time, in milliseconds."""

    photos: int
    read_ms: float
    network_ms: float


def times(found: Iterable[PhotoClasses]) -> PhotoTimes | None:
    """What photos took; None where there are none."""
    photos = list(found)
    if not photos:
        return None
    return PhotoTimes(
        photos=len(photos),
        read_ms=median(photo.read_ms for photo in photos),
        network_ms=median(photo.network_ms for photo in photos),
    )


@dataclass(frozen=True, kw_only=True)
class PhotoTally:
    """How often each class was the likeliest, most often first.

    `right`: photos whose folder is called as their likeliest class is, of the `sorted` ones that
    lie in a folder called as one of the classes.
    """

    classes: tuple[tuple[str, int], ...]
    right: int
    sorted: int


def tally(network: PhotoNetwork, found: Iterable[PhotoClasses]) -> PhotoTally:
    """Count the likeliest classes of photos."""
    pairs = [(Path(one.photo).parent.name, one.classes[0][0]) for one in found]
    known = [(folder, name) for folder, name in pairs if folder in network.usage.classes]
    return PhotoTally(
        classes=tuple(Counter(name for _, name in pairs).most_common()),
        right=sum(folder == name for folder, name in known),
        sorted=len(known),
    )


def of_run(run: Run, name: str) -> PhotoNetwork:
    """The trained network called `name` of a run, by torch."""
    file = inside(run, "models", name) / WEIGHTS
    weights = load_weights(file, run.path)
    network = network_of(weights)

    def infer(image: Tensor) -> Tensor:
        with torch.inference_mode():
            outputs: Tensor = network(image)
        return outputs

    said = checked_usage(usage(weights, Interface()), file)
    return PhotoNetwork(name=name, runtime="torch", usage=said, run=infer)


def of_file(path: Path) -> PhotoNetwork:
    """An exported ONNX file, by ONNX Runtime."""
    if path.suffix.lower() != ".onnx":
        there = "" if os.path.exists(path) else "; there is no such file or folder"
        raise InputError(
            f"{path}: neither a run directory nor an .onnx file of hwnas export{there}"
        )
    try:
        content = files.read(path, None, files.LARGEST_STATE)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        ready = session(content, torch.get_num_threads())
    except Exception as error:  # ONNX Runtime has an exception of its own for each kind of fault
        reason = str(error).splitlines()[0][:200]
        raise InputError(f"{path}: not a model that ONNX Runtime can run ({reason})") from None
    said = usage_of(ready.get_modelmeta().custom_metadata_map.get(METADATA), path)
    (taken, *more) = ready.get_inputs()
    shape = [side if isinstance(side, int) else None for side in taken.shape]
    if more or taken.name != said.input.name or shape[1:] != said.input.shape[1:]:
        raise InputError(f"{path}: its input {taken.name} {shape} is not what its metadata say")

    def infer(image: Tensor) -> Tensor:
        return torch.from_numpy(ready.run(None, {taken.name: image.numpy()})[0])

    return PhotoNetwork(name=str(path), runtime="ONNX Runtime", usage=said, run=infer)


def predict(
    network: PhotoNetwork, photos: Sequence[str], top: int = 3
) -> Iterator[PhotoClasses | UnreadPhoto]:
    """The `top` likeliest classes of each photo, in the order given."""
    _once(network)
    for photo in photos:
        try:
            yield _classes(network, photo, top)
        except InputError as error:
            yield UnreadPhoto(photo=photo, reason=str(error))


def photos_of(paths: Sequence[str | Path]) -> list[str]:
    """Files as they are named, and of folders all photos below, by their endings, in order of their
    names.

    Raises InputError for a folder without any.
    """
    found: list[str] = []
    for path in map(str, paths):
        if not os.path.isdir(path):
            found.append(path)
            continue
        below = _below(path)
        if not below:
            raise InputError(f"{path}: no photos in it (known: {', '.join(sorted(EXTENSIONS))})")
        found += below
    if not found:
        raise InputError("predict: no photo is named")
    return found


def image_of(photo: str, said: Usage) -> Tensor:
    """A photo as the network takes it, (1, ...). Raises InputError that names it."""
    crop, taken = said.photo.crop, said.input
    channels = len(taken.mean)
    square = read_image(photo, (channels, said.photo.resize.side, said.photo.resize.side))
    pixels = square[None, :, crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    image = pixels.float()
    if said.photo.average is not None:
        image = F.adaptive_avg_pool2d(image, said.photo.average.side)
    if taken.type == "uint8":
        image = image.round().to(torch.uint8)
    else:
        mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (taken.mean, taken.std))
        image = (image / 255 - mean) / std
    return (image.permute(0, 2, 3, 1) if taken.layout == "NHWC" else image).contiguous()


def _classes(network: PhotoNetwork, photo: str, top: int) -> PhotoClasses:
    said = network.usage
    begun = time.perf_counter()
    image = image_of(photo, said)
    read = time.perf_counter()
    outputs = network.run(image)[0].double()
    ended = time.perf_counter()
    shares = outputs if said.output.softmax_inside else outputs.softmax(0)
    best = shares.topk(min(top, len(shares)))
    more = probe(photo).more_pages
    return PhotoClasses(
        photo=photo,
        classes=tuple(
            (said.classes[label], share)
            for share, label in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ),
        read_ms=1000 * (read - begun),
        network_ms=1000 * (ended - read),
        note="only the first page or frame is read" if more else "",
    )


def _once(network: PhotoNetwork) -> None:
    """Run it on nothing: the first run of a network is slow. Raises InputError where it gives no
    classes."""
    taken, classes = network.usage.input, len(network.usage.classes)
    shape = [1, *(side or 1 for side in taken.shape[1:])]
    kind = torch.uint8 if taken.type == "uint8" else torch.float32
    try:
        outputs = network.run(torch.zeros(shape, dtype=kind))
    except Exception as error:
        raise InputError(f"{network.name}: can't be run ({str(error)[:200]})") from None
    if tuple(outputs.shape) != (1, classes):
        raise InputError(
            f"{network.name}: gives {tuple(outputs.shape)} numbers, but names {classes} classes"
        )


def _below(folder: str) -> list[str]:
    found: list[str] = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        found += [
            os.path.join(where, name)
            for name in sorted(names)
            if not is_hidden(name) and os.path.splitext(name)[1].lower() in EXTENSIONS
        ]
    return found
