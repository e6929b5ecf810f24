"""A few of a run's images, small, inside the page: what the networks are about."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from hwnas import files
from hwnas.report.load import RunData
from hwnas.training.data import NAMES
from hwnas.training.picture import read_image
from hwnas.training.pixels import Unreadable
from hwnas.training.run_images import TEST_IMAGES, read_images
from profilers.errors import InputError

SIDE = 72
"""Pixels of a photo on the page."""
MOST = 12
"""Photos: of few classes several each, of many the first."""
MOST_EACH = 2
_LARGEST_ARCHIVE = 64 << 20
"""Bytes of an array file that is still read for a few pictures."""


def strip(data: RunData) -> list[dict[str, str]]:
    """Test images of a run: {"label": class, "src": a data URL}; none where they are not here.

    Only images that the run names as its own are read.
    """
    try:
        named = _named(data)
        if not named:
            return []
        each = max(1, min(MOST_EACH, MOST // len(named)))
        chosen = [
            (label, name)
            for label, names in list(named.items())[:MOST]
            for name in _spread(names, each)
        ]
        return [
            {"label": label, "src": source} for label, source in _pictures(data, chosen) if source
        ]
    except (InputError, OSError, ValueError, TypeError, AttributeError, KeyError):
        return []


def test_counts(data: RunData) -> dict[str, int]:
    """How many test images each class has; empty where the run does not say."""
    try:
        return {label: len(names) for label, names in _named(data).items()}
    except (InputError, OSError, ValueError, TypeError, AttributeError):
        return {}


def _named(data: RunData) -> Mapping[str, list[Any]]:
    """The test images of each class: files as seen from the data folder, or rows."""
    path = data.run.path / TEST_IMAGES
    if not files.exists(path, data.run.path):
        return {}
    found = json.loads(files.read(path, data.run.path))["images"]
    return {str(label): list(names) for label, names in found.items() if names}


def _spread(names: list[Any], count: int) -> list[Any]:
    """``count`` of them, as far from one another as they can be."""
    ends = (len(names) - 1) * np.arange(count) / max(count - 1, 1)
    return [names[row] for row in dict.fromkeys(int(end) for end in ends)]


def _pictures(data: RunData, chosen: list[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    config = data.run.config.data
    folder = Path(os.path.expanduser(config.source))
    if config.source not in NAMES and os.path.isdir(folder):
        for label, name in chosen:
            yield label, _of_file(folder, str(name), data.summary.shape[0])
        return
    is_small = os.path.isfile(folder) and os.path.getsize(folder) <= _LARGEST_ARCHIVE
    if config.source != "digits" and not is_small:
        return
    dataset = read_images(data.run.config)
    row_of = {name: row for row, name in enumerate(dataset.test_names)}
    for label, name in chosen:
        row = row_of[name]
        yield label, _encoded(dataset.test[torch.tensor([row])][0].numpy())


def _of_file(folder: Path, name: str, channels: int) -> str:
    """A photo of the folder; empty for what leads out of it or can't be read."""
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts:
        return ""
    try:
        return _encoded(read_image(str(folder / name), (channels, SIDE, SIDE)).numpy())
    except (Unreadable, InputError):
        return ""


def _encoded(pixels: np.ndarray[Any, Any]) -> str:
    """A data URL of uint8 (C, H, W), enlarged where it is tiny."""
    whole = pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(whole))
    if max(picture.size) != SIDE:
        resample = Image.Resampling.NEAREST if max(picture.size) < SIDE else None
        picture = picture.resize((SIDE, SIDE), resample)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(written.getvalue()).decode()
