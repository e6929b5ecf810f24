"""Everything about the images of a data set that its owner should know, looked at file by file."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwnas.heard import counted
from hwnas.training.archive import read_npz
from hwnas.training.arrays import as_images, as_labels
from hwnas.training.files import READERS
from hwnas.training.parts import parts
from hwnas.training.picture import Header, orientation, probe, upright
from hwnas.training.pixels import Unreadable
from hwnas.training.scan import scan, scan_test
from hwnas.training.usable import faults

_TRAINING, _TEST = "training", "test"


@dataclass(frozen=True, kw_only=True)
class Remark:
    """One kind of thing, and each file that it holds for. `broken`: these files cannot be read."""

    text: str
    files: tuple[str, ...]
    advice: str = ""
    broken: bool = False


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """One image: where it is, its class and part, and a digest of its upright pixels."""

    name: str
    label: str
    part: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class _File:
    """What one file turned out to be."""

    header: Header
    turn: int
    digest: str
    highest: int


def survey_folder(path: Path, test: Path | None = None) -> list[Remark]:
    """Decode every image below a folder and return what is remarkable.

    `test`: the folder of the test images, where it is another. Raises `InputError` for the layout.
    """
    folder = parts(path, test)
    found = {_TRAINING: scan(folder.train)}
    if folder.test is not None:
        found[_TEST] = scan_test(folder.test, found[_TRAINING].classes)
    names = [name for part in found.values() for name, _ in part.files]
    with ThreadPoolExecutor(READERS) as pool:
        found_out = counted(pool.map(_look, names), "image files looked at", len(names))
        looked = dict(zip(names, found_out, strict=True))
    files = {name: file for name, file in looked.items() if isinstance(file, _File)}
    lines = [line for line in looked.values() if isinstance(line, str)]
    lines += faults(file for part in found.values() for file in part.irregular).values()
    seen = [
        _Seen(name=name, label=part.classes[label], part=which, digest=files[name].digest)
        for which, part in found.items()
        for name, label in part.files
        if name in files
    ]
    remarks = [
        Remark(
            text="cannot be read",
            files=tuple(lines),
            advice="mend or remove them; --skip-broken leaves them out",
            broken=True,
        ),
        *_of_headers(files),
        *_duplicates(seen, held_out=folder.test is None),
        Remark(
            text="hidden, and not read",
            files=tuple(file for part in found.values() for file in part.hidden),
        ),
    ]
    return [remark for remark in remarks if remark.files]


def survey_npz(path: Path) -> list[Remark]:
    """Return what is remarkable about the images of an `.npz` file. Raises `InputError`."""
    arrays, seen, flat = read_npz(path), list[_Seen](), list[str]()
    for part, suffix in ((_TRAINING, "train"), (_TEST, "test")):
        images = as_images(arrays[f"x_{suffix}"], f"{path}: x_{suffix}").numpy()
        labels = as_labels(arrays[f"y_{suffix}"], len(images), f"{path}: y_{suffix}")
        for index, (pixels, label) in enumerate(zip(images, labels.tolist(), strict=True)):
            name = f"x_{suffix}[{index}]"
            seen.append(_Seen(name=name, label=str(label), part=part, digest=_digest(pixels)))
            if pixels.min() == pixels.max():
                flat.append(name)
    remarks = [
        Remark(text="all pixels are the same", files=tuple(flat)),
        *_duplicates(seen, held_out=False),
    ]
    return [remark for remark in remarks if remark.files]


def _look(name: str) -> _File | str:
    """What a file is, or the line that says why it cannot be read."""
    try:
        header, turn = probe(name), orientation(name)
        with upright(name) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except Unreadable as error:
        return str(error)
    return _File(header=header, turn=turn, digest=_digest(pixels), highest=int(pixels.max()))


def _digest(pixels: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(
        repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()
    ).hexdigest()


def _of_headers(files: Mapping[str, _File]) -> list[Remark]:
    modes = Counter(file.header.mode for file in files.values())
    usual = max(modes, key=lambda mode: modes[mode], default="RGB")
    odd = {
        name: file.header.mode
        for name, file in files.items()
        if file.header.mode not in ("L", "RGB") or file.header.mode != usual
    }
    counts = ", ".join(f"{count:,} {mode}" for mode, count in Counter(odd.values()).most_common())
    return [
        Remark(
            text=f"another type of pixels than 8-bit grey or RGB, or than most ({usual}): {counts}",
            files=tuple(f"{name}: mode {mode}" for name, mode in odd.items()),
            advice="docs/guide/your-images.md says how each is read",
        ),
        Remark(
            text="16 bits of which no pixel uses the upper four",
            files=tuple(
                name
                for name, file in files.items()
                if file.header.mode.startswith("I") and file.highest < 16
            ),
            advice="scale the whole set to the full range: only the upper eight bits are read",
        ),
        Remark(
            text="transparent pixels, laid on white",
            files=tuple(name for name, file in files.items() if file.header.transparent),
        ),
        Remark(
            text="stored turned or mirrored, and turned upright by their EXIF orientation",
            files=tuple(
                f"{name}: orientation {file.turn}" for name, file in files.items() if file.turn != 1
            ),
        ),
        Remark(
            text="several pages or frames, of which the first is read",
            files=tuple(name for name, file in files.items() if file.header.more_pages),
        ),
    ]


def _duplicates(seen: Sequence[_Seen], *, held_out: bool) -> list[Remark]:
    """Pictures with the same pixels, the most harmful kind first; each is named once."""
    same: dict[str, list[_Seen]] = defaultdict(list)
    for image in seen:
        same[image.digest].append(image)
    groups = [group for group in same.values() if len(group) > 1]
    classes = [group for group in groups if len({image.label for image in group}) > 1]
    alike = [group for group in groups if len({image.label for image in group}) == 1]
    both = [group for group in alike if len({image.part for image in group}) > 1]
    rest = [group for group in alike if len({image.part for image in group}) == 1]
    advice = "one of them may be held out for testing" if held_out else ""
    return [
        Remark(
            text="the same picture in two classes",
            files=tuple(
                " = ".join(f"{image.name} ({image.label})" for image in group) for group in classes
            ),
            advice="one of the labels is wrong",
        ),
        Remark(
            text="the same picture for training and for testing",
            files=tuple(" = ".join(image.name for image in group) for group in both),
            advice="test accuracies will be too good",
        ),
        Remark(
            text="the same picture more than once",
            files=tuple(" = ".join(image.name for image in group) for group in rest),
            advice=advice,
        ),
    ]
