"""A space that no one here has thought of: a chain of inverted residuals, on two image sides."""

from __future__ import annotations

from hwnas.space.graph import IMAGE, Builder, Graph
from hwnas.space.layers import Layer, Size
from hwnas.space.size import CellSize, Task
from hwnas.space.space import Decision, Space, strongest

BLOCKS = {"k3_e2": (3, 2), "k5_e2": (5, 2), "k3_e4": (3, 4)}
"""Name -> kernel of the depthwise convolution, and its width in multiples of the block's input."""
STAGES = ((1, 1), (2, 2), (1, 2))
"""Per stage: width in multiples of the initial channels, stride. The second block may be absent."""
SIDES = {"whole": 1, "half": 2}
Layers = tuple[Layer, ...]


def conv_bn(cin: int, cout: int, size: Size, k: int, stride: int = 1, groups: int = 1) -> Layers:
    conv = Layer("conv", cin, cout, size, kernel=(k, k), stride=(stride, stride), groups=groups)
    return (conv, Layer("batch_norm", cout, cout, conv.size_out))


def block(cin: int, cout: int, size: Size, kernel: int, expansion: int, stride: int) -> Layers:
    """Inverted residual (arXiv 1801.04381) with hard-swish."""
    hidden = expansion * cin
    wide = conv_bn(cin, hidden, size, 1)
    deep = conv_bn(hidden, hidden, size, kernel, stride, groups=hidden)
    out = deep[-1].size
    swish = (Layer("hard_swish", hidden, hidden, size), Layer("hard_swish", hidden, hidden, out))
    return (*wide, swish[0], *deep, swish[1], *conv_bn(hidden, cout, out, 1))


def build(space: Space, size: CellSize, task: Task, options: tuple[str, ...]) -> Graph:
    draft = Builder(task.image)
    channels, pixels = draft.shape(IMAGE)
    last, step = IMAGE, SIDES[options[0]]
    if step > 1:
        pool = Layer("avg_pool", channels, channels, pixels, kernel=(2, 2), stride=(2, 2))
        last = draft.layers("side.pool", last, (pool,))
        channels, pixels = draft.shape(last)
    last = draft.layers("stem.conv", last, conv_bn(channels, size.channels, pixels, 3))
    for stage, (times, stride) in enumerate(STAGES):
        for number in range(2):
            channels, pixels = draft.shape(last)
            width, pace = times * size.channels, stride if number == 0 else 1
            row = 1 + 2 * stage + number
            made = [block(channels, width, pixels, *kind, pace) for kind in BLOCKS.values()]
            if number == 0:
                last = draft.open(f"stage{stage}.block0", last, made, row)
            else:
                body = draft.open(f"stage{stage}.block1", last, [*made, None], row)
                last = draft.sum(f"stage{stage}.output", [last, body])
    width, pixels = draft.shape(last)
    pool = Layer("global_pool", width, width, pixels)
    draft.layers("head.classifier", last, (pool, Layer("linear", width, task.classes, (1, 1))))
    return draft.graph()


def decision(name: str, operations: tuple[str, ...], group: str, of_size: bool = False) -> Decision:
    count = len(operations)
    left = (count, max(1, count - 1))
    return Decision(name=name, operations=operations, remaining=left, group=group, of_size=of_size)


SPACE = Space(
    name="strangers-chain",
    rule=strongest,
    build=build,
    decisions=(
        decision("side", tuple(SIDES), "size", of_size=True),
        *(
            decision(f"stage {s}, block {n}", (*BLOCKS, *(("none",) if n else ())), f"stage{s}")
            for s in range(len(STAGES))
            for n in range(2)
        ),
    ),
)
