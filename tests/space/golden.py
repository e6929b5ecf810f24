"""Published or printed counts: exact numbers that the table and the built network must both give."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.layers import Stem

ARCH_11 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"


def everywhere(op: str) -> str:
    """The NAS-Bench-201 cell with one operation on all edges."""
    return f"|{op}~0|+|{op}~0|{op}~1|+|{op}~0|{op}~1|{op}~2|"


@dataclass(frozen=True)
class Golden:
    """``macs_m`` is a figure printed in millions with one decimal, ``macs`` an exact one."""

    text: str
    channels: int
    cells: int
    params: int
    macs: int | None = None
    macs_m: float | None = None
    classes: int = 10
    image: tuple[int, int, int] = (3, 32, 32)
    stem: Stem = "cifar"


IMAGENET = (3, 224, 224)
GOLDEN = (
    Golden("DARTS_V1", 36, 20, 3_169_414, 500_987_520),
    Golden("DARTS_V2", 36, 20, 3_349_342, 528_359_040),
    Golden("PDARTS", 36, 20, 3_433_798, 532_174_464),
    Golden("PC_DARTS_CIFAR", 36, 20, 3_634_678, 556_670_592),
    Golden("DARTS_V2", 36, 20, 3_401_272, classes=100),
    Golden("PDARTS", 36, 20, 3_485_728, classes=100),
    Golden("DARTS_V2", 48, 14, 4_718_752, classes=1000, image=IMAGENET, stem="imagenet"),
    Golden("PDARTS", 48, 14, 4_944_352, classes=1000, image=IMAGENET, stem="imagenet"),
    Golden("TND_CIFAR10", 16, 20, 1_099_034, macs_m=167.1),
    Golden("TND_CIFAR10", 24, 20, 2_433_634, macs_m=369.3),
    Golden("TND_CIFAR10", 36, 20, 5_416_894, macs_m=820.7),
    Golden("TND_CIFAR10", 48, 20, 9_577_786, macs_m=1449.9),
    Golden("TND_CIFAR10", 24, 20, 2_468_284, classes=100),
    Golden("TND_CIFAR10", 36, 20, 5_468_824, classes=100),
    Golden(ARCH_11, 16, 15, 802_426, 113_951_360),
    Golden(everywhere("none"), 16, 15, 73_306, 7_783_040),
    Golden(everywhere("nor_conv_3x3"), 16, 15, 1_531_546, 220_119_680),
)
