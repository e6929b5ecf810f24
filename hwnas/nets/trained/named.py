"""Trained weights by their name or their file, and their tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from hwnas.nets.trained import match, sources
from hwnas.nets.trained.known import TRAINED
from hwnas.nets.trained.reading import Tensors, read
from hwnas.nets.trained.value import (
    IMAGENET,
    TENSORFLOW,
    OwnFile,
    Preprocessing,
    TrainedWeights,
)
from hwnas.space.known import KNOWN
from hwnas.space.text import from_dict
from profilers.errors import InputError, nearest

ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
_SAME, _CENTRED = "EFFICIENTNET_LITE0_SAME", "EFFICIENTNET_LITE0"


def weights_named(name_or_path: str | Path) -> TrainedWeights:
    """The weights of a name in ``TRAINED``, or of a .safetensors or .pth file.

    A file is read, to see which known network it belongs to. Raises InputError for an unknown name,
    and for a file that is missing, damaged or of no known network.
    """
    word = os.fspath(name_or_path)
    if word in TRAINED:
        return TRAINED[word]
    path = Path(os.path.expanduser(word))
    if not word.lower().endswith(ENDINGS) and os.sep not in word and not os.path.isfile(path):
        raise InputError(
            f"weights {word[:60]!r}: neither a file nor a known name{nearest(word[:60], TRAINED)}"
        )
    source = OwnFile(path=path)
    content = sources.content(word, source)
    for known in TRAINED.values():
        if sources.is_of(content, known.source):
            return replace(known, name=path.name, source=source)
    return _own(source, read(content, str(path)))


def is_at_hand(weights: TrainedWeights) -> bool:
    """Whether the file is on this machine: installed, downloaded, or the user's own."""
    return sources.found(weights.source) is not None


def trained_state(weights: TrainedWeights, download: bool = False) -> dict[str, Tensor]:
    """The state_dict of the weights' network, as hwnas.nets.network.Network names it, classifier
    included, in single precision.

    ``download``: fetch a file that is not here. Raises InputError where it is not here or not what
    it should be.
    """
    where = _where(weights)
    found = read(sources.content(weights.name, weights.source, download), where)
    return match.state(found, weights.genotype, weights.classes, where)


def _where(weights: TrainedWeights) -> str:
    own = isinstance(weights.source, OwnFile)
    return str(weights.source.path) if own else f"weights {weights.name}"  # type: ignore[union-attr]


def _own(source: OwnFile, found: Tensors) -> TrainedWeights:
    """What a file of the user's own is, and what had to be assumed about it."""
    where = str(source.path)
    fits = match.fits(found, where)
    said = _said(found.notes, where)
    networks = [fit.network for fit in fits]
    network, note = networks[0], ""
    if "genotype" in said:
        network = next((name for name in networks if KNOWN[name] == said["genotype"]), "")
        if not network:
            raise InputError(f"{where}: its genotype is not that of a known network")
    elif len(networks) > 1:
        network = _told_apart(source.path.name, found)
        note = f"{' and '.join(networks)} have the same tensors; {network} is taken. "
    if _is_port(found) and network != _SAME:
        note += (
            "the names of its tensors are those of a port from TensorFlow, which was trained with"
            f" padding 'same'; {network} has 'centred' and may lose accuracy. "
        )
    preprocessing = said.get("preprocessing")
    if preprocessing is None:
        preprocessing = TENSORFLOW if _is_port(found) and network == _SAME else IMAGENET
        note += (
            "the file does not say how its images were prepared; taken are the mean"
            f" {_text(preprocessing.mean)} and the standard deviation {_text(preprocessing.std)}"
        )
    return TrainedWeights(
        name=source.path.name,
        genotype=KNOWN[network],
        source=source,
        licence="your own file's",
        preprocessing=preprocessing,
        classes=fits[0].classes,
        side=said.get("side", 224),
        note=note,
    )


def _said(notes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What the header of a weights file of hwnas train says; nothing for other files."""
    if "genotype" not in notes:
        return {}
    try:
        mean, std = (tuple(map(float, notes[key])) for key in ("mean", "std"))
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise InputError("its images are not of three channels")
        return {
            "genotype": from_dict(notes["genotype"]),
            "preprocessing": Preprocessing(mean=mean, std=std),
            "side": int(notes["image"][1]),
        }
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(f"{where}: its header is damaged ({type(error).__name__})") from None


def _told_apart(file: str, found: Tensors) -> str:
    """EfficientNet-Lite0 is ported with TensorFlow's padding or trained anew with torch's."""
    tensorflow = _is_port(found) or file.lower().replace("-", "_").startswith("tf_")
    return _SAME if tensorflow else _CENTRED


def _is_port(found: Tensors) -> bool:
    """Whether tensors are named as in the PyTorch port of TensorFlow's EfficientNet."""
    return "_conv_stem.weight" in found.tensors


def _text(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"
