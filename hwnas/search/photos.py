"""What a search of photos takes where its user does not say: trained weights, the space of their
network's parts, and the side of the images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hwnas.algorithms import ALGORITHMS
from hwnas.nets.trained import TRAINED, is_at_hand, weights_named
from hwnas.space.known import elastic_space
from hwnas.training.first_look import FirstLook, first_look
from profilers.errors import InputError

Say = Callable[[str], None]

SMALLEST_SIDE = 48
"""Pixels: on smaller images weights that were trained at 224 pixels know too little."""
SIDES = (96, 80, 64, 48)
"""Of which the largest that the photos have is taken: at 96 a laptop fine-tunes in minutes."""
NONE = "none"


def with_weights(
    given: Mapping[str, Any], file: str | None, say: Say = lambda line: None
) -> dict[str, Any]:
    """The settings of a search with trained weights: those that are named, or, for a folder of
    photos and with nothing else said, those that are at hand.

    ``given``: what the user said, as hwnas.config.resolve takes it; ``file``: the config that it
    goes on top of. ``weights_from`` "none" takes none. ``say`` hears what was chosen and how to
    choose otherwise. Raises InputError for unknown weights, or such of a network without a space.
    """
    named = given.get("weights_from")
    rest = {key: value for key, value in given.items() if key != "weights_from"}
    if named == NONE:
        return rest
    if named is not None:
        return _with(rest, str(named), rest.get("space") is None and file is None)
    look = None if file is not None or _is_said(given) else _photos(given)
    weights = next(iter(TRAINED.values()))
    if look is None or min(look.side, _side(given) or look.side) < SMALLEST_SIDE:
        return rest
    if not is_at_hand(weights):
        say(
            "photos: trained weights save most of the work, and none are here: install"
            " hwnas[pretrained], or say --weights-from FILE; this search starts from random ones"
        )
        return rest
    data = dict(rest["data"])
    side = data.setdefault("image_size", next(side for side in SIDES if side <= look.side))
    say(
        f"photos of {look.side} pixels, {look.images:,} in {look.classes} classes: starting from"
        f" {weights.name}, trained on ImageNet, licence {weights.licence}, at {side} pixels;"
        " otherwise: --weights-from none, --image-size N"
    )
    return _with({**rest, "data": data}, weights.name, True)


def _with(given: dict[str, Any], named: str, choose: bool) -> dict[str, Any]:
    """With weights, what images have to be like for them, and, to ``choose``, their space; one that
    was said, or that a file may say, is checked later.

    So a run directory holds all that is needed to go on, but the weights of its start.
    """
    weights = weights_named(named)
    fitting = elastic_space(weights.genotype)
    if fitting is None:
        raise InputError(
            f"weights-from: no elastic space is made of {weights.name}'s network; there is one of"
            f" {', '.join(name for name, one in TRAINED.items() if elastic_space(one.genotype))}"
        )
    name = named if named in TRAINED else str(Path(named).expanduser().resolve())
    how = weights.preprocessing
    data = {"mean": how.mean, "std": how.std, **(given.get("data") or {})}
    if Path(str(data.get("source", ""))).expanduser().is_dir():
        data = {"crop": how.crop, **data}
    space = {"space": fitting.name} if choose else {}
    return {**given, **space, "weights_from": name, "data": data}


def _side(given: Mapping[str, Any]) -> int | None:
    side = (given.get("data") or {}).get("image_size")
    return side if isinstance(side, int) else None


def _is_said(given: Mapping[str, Any]) -> bool:
    """Whether the user said what to search in, or wants accuracy alone."""
    algorithm = given.get("algorithm")
    # An algorithm that brings its own weight step mixes all networks, of one size alone.
    known = isinstance(algorithm, str) and algorithm in ALGORITHMS
    mixes = known and ALGORITHMS[str(algorithm)].training is not None
    said = any(given.get(key) for key in ("space", "macro", "weights", "evaluation"))
    return said or mixes or not given.get("objectives")


def _photos(given: Mapping[str, Any]) -> FirstLook | None:
    """A first look at a folder of images; None where the data are something else."""
    data = given.get("data") or {}
    path = Path(str(data.get("source", ""))).expanduser()
    if not data.get("source") or not path.is_dir():
        return None
    test = data.get("test")
    return first_look(path.resolve(), Path(str(test)).expanduser().resolve() if test else None)
