"""The graph of a chain of blocks: the one function that knows how a macro architecture is wired.

Nodes are called GROUP.PART: ``stem.conv``; ``stage2.block1``, decided where there are several
options; ``stage2.sum1``, the sum of a block and its input where both have one shape; ``head.conv``,
``head.classifier``.
"""

from __future__ import annotations

from collections.abc import Iterator

from hwnas.space.blocks import Site, block_layers, conv_bn, conv_bn_act
from hwnas.space.graph import IMAGE, Builder, Graph
from hwnas.space.layers import Layer
from hwnas.space.macro import Macro, Stage, scaled, strides
from hwnas.space.macro_check import check_macro
from hwnas.space.node import Sharing
from hwnas.space.size import CellSize, Task
from hwnas.space.space import NONE, SPACES, Decision, Space, strongest
from profilers.errors import InputError

REMAINING = (1.0, 0.6, 0.3)
"""Which part of a block's options each stage of progressive shrinking keeps, at least two (TND:
10, 6, 3 of 10)."""


def chain_space(macro: Macro) -> Space:
    """The space of all chains of one macro architecture.

    Raises InputError where it can't be built.
    """
    check_macro(macro)
    decisions = (*_size_decisions(macro), *_block_decisions(macro))
    return Space(
        name=macro.name,
        decisions=decisions,
        rule=strongest,
        build=chain_graph,
        macro=macro,
        depth=macro.depth,
        published_size=(macro.stem.width, macro.depth),
    )


def known_space(macro: Macro, file: str | None = None) -> Space:
    """The space of a macro architecture, under whose name its genotypes are read from now on.

    A package makes the value behind its entry point `hwnas.spaces` by `chain_space`. ``file``: that
    of the table, for messages.

    Raises InputError where another space is known by this name, or where the macro can't be built.
    """
    if macro.name not in SPACES:
        SPACES[macro.name] = chain_space(macro)
    space = SPACES[macro.name]
    if space.macro != macro:
        where = "" if file is None else f"{file}: "
        raise InputError(
            f"{where}macro: name: another space is called {macro.name!r} here; give this one"
            " another name"
        )
    return space


def block_name(stage: int, number: int) -> str:
    """The name of a block's node, and of its decision."""
    return f"stage{stage}.block{number}"


def options_of(stage: Stage, number: int) -> tuple[str, ...]:
    """The blocks that may stand at one position of a stage."""
    if number:
        return stage.blocks
    return tuple(name for name in stage.first or stage.blocks if name != NONE)


def _size_decisions(macro: Macro) -> Iterator[Decision]:
    for name, offered in (("side", macro.sides), ("width", macro.multipliers)):
        if len(offered) > 1:
            names = tuple(f"{value:g}" for value in offered)
            yield Decision(
                name=name,
                operations=names,
                remaining=_remaining(macro, len(names)),
                group="size",
                of_size=True,
            )


def _block_decisions(macro: Macro) -> Iterator[Decision]:
    for number, stage in enumerate(macro.stages):
        for block in range(stage.depth):
            options = options_of(stage, block)
            if len(options) > 1:
                yield Decision(
                    name=block_name(number, block),
                    operations=options,
                    remaining=_remaining(macro, len(options)),
                    group=f"stage{number}",
                )


def _remaining(macro: Macro, options: int) -> tuple[int, ...]:
    if macro.sliced:
        return (options,)  # they share weights, so fewer of them save nothing
    return tuple(max(min(2, options), round(part * options)) for part in REMAINING)


def chain_graph(space: Space, size: CellSize, task: Task, options: tuple[str, ...]) -> Graph:
    """The supernet of a chain at one side and one width.

    ``options``: what the decisions about the size chose.

    ``size.channels`` are the stem's at multiplier 1: with fewer than the macro's, all of the chain
    is narrower.
    """
    macro: Macro = space.macro
    chosen = dict(zip((space.decisions[row].name for row in space.size_rows), options, strict=True))
    return _Chain(
        macro, size, task, chosen, {one.name: row for row, one in enumerate(space.decisions)}
    ).graph()


def image_at(image: tuple[int, int, int], side: float) -> tuple[int, int, int]:
    """The images that a network reads, (channels, height, width): those of its task, or smaller
    ones."""
    return (image[0], max(1, round(image[1] * side)), max(1, round(image[2] * side)))


class _Chain:
    """One chain while it is written."""

    def __init__(
        self, macro: Macro, size: CellSize, task: Task, chosen: dict[str, str], rows: dict[str, int]
    ) -> None:
        self.macro, self.classes, self.rows = macro, task.classes, rows
        self.base = size.channels / macro.stem.width
        self.multiplier = float(chosen.get("width", macro.multipliers[0]))
        # A smaller side is chosen to have smaller maps, so strides follow the task's own images.
        self.strides = strides(macro, min(task.image[1:]))
        self.draft = Builder(image_at(task.image, float(chosen.get("side", macro.sides[0]))))

    def graph(self) -> Graph:
        stem, draft = self.macro.stem, self.draft
        channels, pixels = draft.shape(IMAGE)
        width = scaled(stem.width, self.base, self.multiplier, stem.scales, self.macro.divisor)
        site = self._site(width, Stage(width=1, depth=1, blocks=(), activation=stem.activation))
        layers = conv_bn_act(
            channels, width, pixels, site, kernel=stem.kernel, stride=self.strides[0]
        )
        last = draft.layers("stem.conv", IMAGE, layers)
        for number, stage in enumerate(self.macro.stages):
            for block in range(stage.depth):
                stride = self.strides[1 + number] if block == 0 else 1
                last = self._block(last, number, stage, block, stride)
        self._head(last)
        return draft.graph()

    def _site(self, channels_out: int, stage: Stage, source: str = IMAGE, stride: int = 1) -> Site:
        channels, pixels = self.draft.shape(source)
        return Site(
            channels_in=channels,
            channels_out=channels_out,
            size=pixels,
            stride=stride,
            activation=stage.activation,
            squeeze_excite=stage.squeeze_excite,
            divisor=self.macro.divisor,
            epsilon=self.macro.epsilon,
            padding=self.macro.padding,
        )

    def _block(self, last: str, number: int, stage: Stage, block: int, stride: int) -> str:
        """Append one block and the way round it; returns the map after both."""
        draft, name = self.draft, block_name(number, block)
        width = scaled(stage.width, self.base, self.multiplier, "yes", self.macro.divisor)
        site = self._site(width, stage, last, stride)
        options = [block_layers(option, site) for option in options_of(stage, block)]
        keeps = stride == 1 and site.channels_in == width
        if name in self.rows:
            weights: Sharing = "sliced" if self.macro.sliced else "separate"
            body = draft.open(name, last, options, self.rows[name], weights)
        else:
            body = draft.layers(name, last, options[0] or ())
        around = last
        if not keeps:
            if not stage.projection:
                return body
            layers = conv_bn(site.channels_in, width, site.size, site, stride=stride)
            around = draft.layers(f"stage{number}.around{block}", last, layers)
        total = draft.sum(f"stage{number}.sum{block}", [around, body])
        if stage.after is None:
            return total
        channels, pixels = draft.shape(total)
        after = (Layer(stage.after, channels, channels, pixels),)
        return draft.layers(f"stage{number}.after{block}", total, after)

    def _head(self, last: str) -> None:
        head, draft, divisor = self.macro.head, self.draft, self.macro.divisor
        channels, pixels = draft.shape(last)
        if head.width:
            width = scaled(head.width, self.base, self.multiplier, head.scales, divisor)
            site = self._site(width, Stage(width=1, depth=1, blocks=(), activation=head.activation))
            last = draft.layers("head.conv", last, conv_bn_act(channels, width, pixels, site))
            channels = width
        layers: tuple[Layer, ...] = (Layer("global_pool", channels, channels, pixels),)
        if head.hidden:
            hidden = scaled(head.hidden, self.base, self.multiplier, head.hidden_scales, divisor)
            layers += (
                Layer("linear", channels, hidden, (1, 1)),
                Layer(head.activation, hidden, hidden, (1, 1)),
            )
            channels = hidden
        draft.layers(
            "head.classifier", last, (*layers, Layer("linear", channels, self.classes, (1, 1)))
        )
