"""Published or printed counts: exact numbers that the table and the built network must both
give."""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.space.layers import Stem

ARCH_11 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"


def everywhere(op: str) -> str:
    """The NAS-Bench-201 cell with one operation on all edges."""
    return f"|{op}~0|+|{op}~0|{op}~1|+|{op}~0|{op}~1|{op}~2|"


@dataclass(frozen=True, kw_only=True)
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
    Golden(text="DARTS_V1", channels=36, cells=20, params=3_169_414, macs=500_987_520),
    Golden(text="DARTS_V2", channels=36, cells=20, params=3_349_342, macs=528_359_040),
    Golden(text="PDARTS", channels=36, cells=20, params=3_433_798, macs=532_174_464),
    Golden(text="PC_DARTS_CIFAR", channels=36, cells=20, params=3_634_678, macs=556_670_592),
    Golden(text="DARTS_V2", channels=36, cells=20, params=3_401_272, classes=100),
    Golden(text="PDARTS", channels=36, cells=20, params=3_485_728, classes=100),
    Golden(
        text="DARTS_V2",
        channels=48,
        cells=14,
        params=4_718_752,
        classes=1000,
        image=IMAGENET,
        stem="imagenet",
    ),
    Golden(
        text="PDARTS",
        channels=48,
        cells=14,
        params=4_944_352,
        classes=1000,
        image=IMAGENET,
        stem="imagenet",
    ),
    Golden(text="TND_CIFAR10", channels=16, cells=20, params=1_099_034, macs_m=167.1),
    Golden(text="TND_CIFAR10", channels=24, cells=20, params=2_433_634, macs_m=369.3),
    Golden(text="TND_CIFAR10", channels=36, cells=20, params=5_416_894, macs_m=820.7),
    Golden(text="TND_CIFAR10", channels=48, cells=20, params=9_577_786, macs_m=1449.9),
    Golden(text="TND_CIFAR10", channels=24, cells=20, params=2_468_284, classes=100),
    Golden(text="TND_CIFAR10", channels=36, cells=20, params=5_468_824, classes=100),
    Golden(text=ARCH_11, channels=16, cells=15, params=802_426, macs=113_951_360),
    Golden(text=everywhere("none"), channels=16, cells=15, params=73_306, macs=7_783_040),
    Golden(
        text=everywhere("nor_conv_3x3"), channels=16, cells=15, params=1_531_546, macs=220_119_680
    ),
)
