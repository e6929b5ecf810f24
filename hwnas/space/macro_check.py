"""What a macro architecture must hold to be built, whoever wrote it: bounds, names, and
something to decide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hwnas.space.blocks import Block, block_of
from hwnas.space.macro import Macro, Stage
from hwnas.space.space import NONE
from profilers.errors import InputError

BOUNDS: dict[str, tuple[float, float]] = {
    "width": (1, 4096),
    "hidden": (0, 4096),
    "depth": (1, 64),
    "kernel": (1, 9),
    "stride": (1, 4),
    "divisor": (1, 64),
    "ratio": (0.001, 1),
    "epsilon": (1e-8, 0.1),
    "smallest_map": (1, 64),
    "sides": (0.1, 1),
    "multipliers": (0.05, 4),
}
"""Of the numbers of each key, from .. to. The head's width may be 0, too."""
MOST_BLOCKS = 200
MOST_SIZES = 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


def check_macro(macro: Macro) -> None:
    """Raise InputError, in one line that names the key, unless every network of this table can
    be built."""
    if not _NAME.fullmatch(macro.name):
        raise InputError(
            f"macro: name: {macro.name[:60]!r} is no letter with up to 39 letters, digits, - and _"
        )
    where = f"macro {macro.name}"
    for key, value in _numbers(macro):
        name = key.rpartition(".")[2].partition("[")[0]
        low, high = (0, 4096) if key == "head.width" else BOUNDS[name]
        if not low <= value <= high:
            raise InputError(f"{where}: {key} must be within {low:g}..{high:g}, not {value:g}")
    if macro.stem.kernel % 2 == 0:
        raise InputError(f"{where}: stem.kernel must be odd, not {macro.stem.kernel}")
    for key, values in (("sides", macro.sides), ("multipliers", macro.multipliers)):
        _check_different(f"{where}: {key}", [f"{value:g}" for value in values])
    if not 1 <= macro.depth <= MOST_BLOCKS:
        raise InputError(
            f"{where}: stages: {macro.depth} blocks in all, from 1 to {MOST_BLOCKS} can be built"
        )
    sizes = len(macro.sides) * len(macro.multipliers)
    if sizes > MOST_SIZES:
        raise InputError(
            f"{where}: sides x multipliers: {sizes} sizes, at most {MOST_SIZES} are built"
        )
    for number, stage in enumerate(macro.stages):
        _check_stage(f"{where}: stages[{number}]", stage, macro.divisor)
        if macro.sliced:
            _check_parts(f"{where}: stages[{number}]", stage)
    if sizes == 1 and not any(_decides(stage) for stage in macro.stages):
        raise InputError(f"{where}: nothing to decide: no stage has two blocks to choose from")


def _check_stage(where: str, stage: Stage, divisor: int) -> None:
    for key, names in (("blocks", stage.blocks), ("first", stage.first)):
        _check_different(f"{where}.{key}", names, least=0 if key == "first" else 1)
        for name in names:
            if name == NONE:
                continue
            try:
                block = block_of(name)
            except InputError as error:
                raise InputError(f"{where}.{key}: {error}") from None
            if divisor % block.groups:
                raise InputError(
                    f"{where}.{key}: {name} divides its channels into {block.groups} groups, which"
                    f" needs a divisor that is a multiple of {block.groups}, not {divisor}"
                )
    if set(stage.first or stage.blocks) == {NONE}:
        raise InputError(f"{where}: its first block can't be absent: offer another than {NONE!r}")


def _check_parts(where: str, stage: Stage) -> None:
    """Raise InputError unless the options of each block can be parts of the largest of them."""
    for key, names in (("blocks", stage.blocks), ("first", stage.first)):
        wrong = _no_part({name: block_of(name) for name in names if name != NONE})
        if wrong:
            raise InputError(
                f"{where}.{key}: with sliced = true all blocks are parts of the largest one: of one"
                " kind, all with gates or none, without groups, and one has the largest kernel and"
                f" the largest expansion; here {wrong}"
            )


def _no_part(blocks: Mapping[str, Block]) -> str:
    """Which of the blocks, by name, can't be parts of one block, and why; empty where all can."""
    if not blocks:
        return ""
    first = next(iter(blocks))
    for name, block in blocks.items():
        if block.groups > 1:
            return f"{name} has groups"
        if block.kind != blocks[first].kind:
            return f"{name} is of another kind than {first}"
        if block.gated != blocks[first].gated:
            gated, other = (name, first) if block.gated else (first, name)
            return f"{gated} has gates, and {other} has none"
    kernel = max(blocks, key=lambda name: (blocks[name].kernel, blocks[name].expansion))
    expansion = max(blocks, key=lambda name: (blocks[name].expansion, blocks[name].kernel))
    if kernel != expansion:
        return f"{kernel} has the largest kernel, and {expansion} the largest expansion"
    return ""


def _check_different(where: str, names: Sequence[str], least: int = 1) -> None:
    if len(names) < least:
        raise InputError(f"{where}: at least one is needed")
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"{where}: {name} is there twice")


def _decides(stage: Stage) -> bool:
    real = [name for name in stage.first or stage.blocks if name != NONE]
    return len(real) > 1 or (stage.depth > 1 and len(stage.blocks) > 1)


def _numbers(macro: Macro) -> Iterator[tuple[str, float]]:
    """(key, value) of every number that has bounds."""
    stem, head = macro.stem, macro.head
    yield from (
        ("divisor", macro.divisor),
        ("epsilon", macro.epsilon),
        ("smallest_map", macro.smallest_map),
    )
    yield from _several("sides", macro.sides)
    yield from _several("multipliers", macro.multipliers)
    yield from (
        ("stem.width", stem.width),
        ("stem.kernel", stem.kernel),
        ("stem.stride", stem.stride),
    )
    yield from (("head.width", head.width), ("head.hidden", head.hidden))
    for number, stage in enumerate(macro.stages):
        where = f"stages[{number}]"
        yield from ((f"{where}.{key}", getattr(stage, key)) for key in ("width", "depth", "stride"))
        yield f"{where}.squeeze_excite.ratio", stage.squeeze_excite.ratio
        yield f"{where}.squeeze_excite.divisor", stage.squeeze_excite.divisor


def _several(key: str, values: Iterable[float]) -> Iterator[tuple[str, float]]:
    return ((f"{key}[{number}]", value) for number, value in enumerate(values))
