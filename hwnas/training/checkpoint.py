"""The state of a training on disk: one safetensors file, replaced whole, with what is no tensor
in its header.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hwnas import files
from profilers.errors import InputError

STATE = "training.safetensors"
WEIGHTS = "weights.safetensors"
BEST = "best.safetensors"
# What reading a file that is not one of ours may raise.
DAMAGE = (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEpoch:
    """One point of the learning curve.

    Accuracies in 0..1; those on unseen images are None where not measured.

    ``train_loss`` and ``train_accuracy`` are means over the epoch's augmented images while the
    weights moved.
    """

    number: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    held_out_accuracy: float | None
    test_accuracy: float | None
    seconds: float


@dataclass(kw_only=True)
class Progress:
    """How far a training is: the next step to make, and what was seen so far.

    ``seconds`` of all calls together. ``legs``: where parts ended after which the training went on
    (hwnas.training.legs). ``stopped``: it ended early, as no epoch was better any more.
    ``micro_batches``: pieces that a batch is trained in, more after the memory was too small.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    best_epoch: int = -1
    best_accuracy: float = -1.0
    curve: list[TrainingEpoch] = field(default_factory=list)
    scaler: dict[str, Any] = field(default_factory=dict)
    legs: list[int] = field(default_factory=list)
    stopped: bool = False
    micro_batches: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTraining:
    """What is known of a training on disk without reading its tensors: the name of its recipe, how
    many epochs are planned, how many are done, and whether it has ended."""

    recipe: str
    epochs: int
    done: int
    ended: bool


def save_progress(
    folder: Path, settings: Mapping[str, Any], progress: Progress, tensors: Mapping[str, Tensor]
) -> None:
    """Replace the state in ``folder``.

    Raises OSError where it cannot be written; the old one then still stands.
    """
    header = json.dumps({"settings": settings, "progress": asdict(progress)})
    files.replace(
        folder / STATE,
        folder,
        pack(tensors, {"training": header, "digest": tensors_digest(tensors, header)}),
    )


def load_progress(
    folder: Path, settings: Mapping[str, Any], progress: Progress, tensors: Mapping[str, Tensor]
) -> None:
    """Fill ``progress`` and ``tensors`` in place from ``folder``, or leave them where nothing is
    stored.

    Raises InputError where the stored training had other settings, or its file is damaged.
    """
    path = folder / STATE
    if not files.exists(path, folder):
        return
    files.check(path, folder, files.LARGEST_STATE)
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            header = json.loads(notes["training"])
            found = header["settings"]
            _check_settings(path, found, settings)
            saved = {name: file.get_tensor(name) for name in [*file.keys()]}
        if notes.get("digest") != tensors_digest(saved, notes["training"]) or set(saved) != set(
            tensors
        ):
            raise ValueError("its contents do not match their digest")
        fields = header["progress"]
        curve = [TrainingEpoch(**epoch) for epoch in fields.pop("curve")]
    except (SafetensorError, OSError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: not a readable training state ({error}); delete it to start over"
        ) from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{path}: not a readable training state ({error}); delete it to start over"
        ) from error
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(saved[name])
    for name, value in {**fields, "curve": curve}.items():
        setattr(progress, name, value)


def go_on(
    folder: Path, settings: Mapping[str, Any], progress: Progress, tensors: Mapping[str, Tensor]
) -> None:
    """Load what is in ``folder``, as ``load_progress`` does; where it was planned for fewer epochs
    than ``settings`` say, they are a part of their own, after its end."""
    stored, recipe = stored_training(folder), settings["recipe"]
    if stored is None or stored.epochs >= recipe["epochs"]:
        load_progress(folder, settings, progress, tensors)
        return
    before = {**settings, "recipe": {**recipe, "epochs": stored.epochs}}
    load_progress(folder, before, progress, tensors)
    progress.legs.append(progress.epoch if progress.stopped else stored.epochs)
    progress.stopped = False


def stored_training(folder: Path) -> StoredTraining | None:
    """What the training in ``folder`` has planned and done; None where nothing is stored that can
    be read."""
    try:
        header = _header(folder)
        recipe, progress = header["settings"].get("recipe", {}), header["progress"]
        done = int(progress["epoch"])
        epochs = int(recipe.get("epochs", done))
        ended = done >= epochs or bool(progress.get("stopped", False))
        return StoredTraining(
            recipe=str(recipe.get("name", "")), epochs=epochs, done=done, ended=ended
        )
    except DAMAGE:
        return None


def _header(folder: Path) -> dict[str, Any]:
    """What stands beside the tensors of the state in ``folder``; raises one of ``DAMAGE``."""
    files.check(folder / STATE, folder, files.LARGEST_STATE)
    with safe_open(folder / STATE, framework="pt") as file:
        found: dict[str, Any] = json.loads((file.metadata() or {})["training"])
    return found


def begun_after(folder: Path, now: Sequence[str]) -> Sequence[str]:
    """The networks after whose training the one in ``folder`` began; ``now`` where nothing is
    stored that can be read. What has begun goes on, whatever was trained since."""
    try:
        return [str(name) for name in _header(folder)["settings"].get("after", ())]
    except DAMAGE:
        return now


def epochs_done(folder: Path) -> int:
    """How many epochs the training in ``folder`` has behind it; 0 where nothing is stored that
    can be read."""
    stored = stored_training(folder)
    return 0 if stored is None else stored.done


def pack(tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> bytes:
    """The bytes of a safetensors file; layouts other than contiguous are not kept (they change
    no value)."""
    return save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, dict(notes)
    )


def _check_settings(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    # Through JSON, because a tuple comes back as a list. Keys of either side: what was trained with
    # a setting that is not wanted now is another training too.
    there = json.loads(json.dumps(wanted))
    for key in [*there, *(key for key in found if key not in there)]:
        value = there.get(key)
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            _check_settings(path, found[key], value)
        elif found.get(key) != value:
            raise InputError(
                f"{path}: a training with {key} {_short(found.get(key))}, not {_short(value)}; "
                "go on with the same settings, or start afresh (--fresh)"
            )


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def tensors_digest(tensors: Mapping[str, Tensor], header: str = "") -> str:
    """A text that changes with any bit or name of the tensors, and with the header."""
    total = hashlib.blake2b(header.encode(), digest_size=16)
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(
            tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return total.hexdigest()
