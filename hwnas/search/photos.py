"""What a search of images takes where its user does not say: trained weights and the space of their
network's parts, or chains of blocks; the side of the images; and how long it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hwnas.algorithms import ALGORITHMS
from hwnas.config.defaults import NARROW
from hwnas.nets.trained import TRAINED, is_at_hand, weights_named
from hwnas.search.fitting import SMALL_SIDE, chain_fit, elastic_fit
from hwnas.space.known import elastic_space
from hwnas.training.first_look import FirstLook, first_look
from profilers.errors import InputError

Say = Callable[[str], None]

NONE = "none"


def with_weights(
    given: Mapping[str, Any],
    file: str | None,
    say: Say = lambda line: None,
    epochs: int | None = None,
) -> dict[str, Any]:
    """The settings of a search with trained weights: those that are named, or, for a folder of
    photos and with nothing else said, those that are at hand.

    ``given``: what the user said, as hwnas.config.resolve takes it; ``file``: the config that it
    goes on top of. ``weights_from`` "none" takes none. ``say`` hears what was chosen and how to
    choose otherwise. ``epochs``: those that were asked for. Raises InputError for unknown weights,
    or such of a network without a space.
    """
    named = given.get("weights_from")
    rest = {key: value for key, value in given.items() if key != "weights_from"}
    if named == NONE:
        return rest
    if named is not None:
        return _with(rest, str(named), rest.get("space") is None and file is None)
    look = None if file is not None or _is_said(given) else _looked_at(given)
    if look is None:
        return rest
    weights, side = next(iter(TRAINED.values())), _side(given) or look.side
    at_hand = side >= SMALL_SIDE and is_at_hand(weights)
    fit = (elastic_fit if at_hand else chain_fit)(look.images, side, look.resizable, epochs)
    what = f"{look.images:,} training images of {look.side} pixels in {look.classes} classes"
    if not at_hand:
        if side >= SMALL_SIDE:
            say(
                "photos: trained weights save most of the work, and none are here: install"
                " hwnas[pretrained], or say --weights-from FILE; this search starts from random"
                " ones"
            )
        say(f"{what}: {fit.words}")
        return _merged(fit.settings, rest)
    say(
        f"{what}: starting from {weights.name}, trained on ImageNet, licence {weights.licence}"
        f" (otherwise: --weights-from none), {fit.words}"
    )
    settings = dict(fit.settings)
    if given.get("algorithm") == NARROW:
        del settings["stages"]  # nothing trains
    return _with(_merged(settings, rest), weights.name, True)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, table by table; those of ``above`` win."""
    both = {**below, **above}
    for key in set(below) & set(above):
        if isinstance(below[key], Mapping) and isinstance(above[key], Mapping):
            both[key] = {**below[key], **above[key]}
    return both


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


def _looked_at(given: Mapping[str, Any]) -> FirstLook | None:
    """A first look at a folder of images or an .npz file; None where the data are something
    else."""
    data = given.get("data") or {}
    path = Path(str(data.get("source", ""))).expanduser()
    is_archive = path.suffix == ".npz" and path.is_file()
    if not data.get("source") or not (path.is_dir() or is_archive):
        return None
    test = data.get("test")
    return first_look(path.resolve(), Path(str(test)).expanduser().resolve() if test else None)
