"""Known networks by name: genotypes of the spaces in hwnas.space.known_macros.

Golden counts are in tests/space/test_known.py, logits in tests/nets/test_foreign.py; of the
Proxyless networks only the counts could be compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from hwnas.space import known_macros as macros
from hwnas.space import mobile
from hwnas.space.chain import block_name
from hwnas.space.elastic import ELASTIC
from hwnas.space.genotype import Genotype
from hwnas.space.macro import Macro
from hwnas.space.space import NONE, SPACES, Space

_EFFICIENTNET = (
    "separable_k3{} | 2 k3_e6{} | 2 k5_e6{} | 3 k3_e6{} | 3 k5_e6{} | 4 k5_e6{} | k3_e6{}"
)
_V3_LARGE = (
    "separable_k3 | k3_e4, k3_e3 | 3 k5_e3_se | k3_e6, k3_e2.5, 2 k3_e2.3 | 2 k3_e6_se | 3 k5_e6_se"
)
_V3_SMALL = "separable_k3_se | k3_e4.5, k3_e3.67 | k5_e4_se, 2 k5_e6_se | 2 k5_e3_se | 3 k5_e6_se"

_POINTS: dict[str, tuple[Macro, str]] = {
    "MOBILENET_V2": (
        macros.MOBILENET_V2,
        "separable_k3 | 2 k3_e6 | 3 k3_e6 | 4 k3_e6 | 3 k3_e6 | 3 k3_e6 | k3_e6",
    ),
    "MOBILENET_V3_SMALL": (macros.MOBILENET_V3_SMALL, _V3_SMALL),
    "MOBILENET_V3_LARGE": (macros.MOBILENET_V3_LARGE, _V3_LARGE),
    "MNASNET_A1": (
        macros.MNASNET_A1,
        "separable_k3 | 2 k3_e6 | 3 k5_e3_se | 4 k3_e6 | 2 k3_e6_se | 3 k5_e6_se | k3_e6",
    ),
    "MNASNET_B1": (
        macros.MNASNET_B1,
        "separable_k3 | 3 k3_e3 | 3 k5_e3 | 3 k5_e6 | 2 k3_e6 | 4 k5_e6 | k3_e6",
    ),
    "SINGLE_PATH": (
        macros.MNASNET_B1,
        (
            "separable_k3 | 3 k3_e3 | k5_e6, 3 k3_e3 | k5_e6, 3 k3_e3 | k5_e6, 3 k5_e3 | 4 k5_e6 |"
            " k3_e6"
        ),
    ),
    "FBNET_C": (
        mobile.FBNET,
        (
            "k3_e1 | k3_e6, 2 k3_e1 | k5_e6, k5_e3, k5_e6, k3_e6 | k5_e6, k5_e3, 2 k5_e6"
            " | 3 k5_e6, k5_e3 | 4 k5_e6 | k3_e6"
        ),
    ),
    "EFFICIENTNET_B0": (macros.EFFICIENTNET_B0, _EFFICIENTNET.replace("{}", "_se")),
    "EFFICIENTNET_LITE0": (macros.EFFICIENTNET_LITE0, _EFFICIENTNET.replace("{}", "")),
    "EFFICIENTNET_LITE0_SAME": (
        macros.EFFICIENTNET_LITE0_SAME,
        _EFFICIENTNET.replace("{}", ""),
    ),
    "PROXYLESS_MOBILE": (
        mobile.PROXYLESS_MOBILE,
        (
            "separable_k3 | k5_e3, k3_e3 | k7_e3, k3_e3, 2 k5_e3 | k7_e6, 3 k5_e3 | k5_e6, 3 k5_e3"
            " | 2 k7_e6, 2 k7_e3 | k7_e6"
        ),
    ),
    "PROXYLESS_CPU": (
        mobile.PROXYLESS_CPU,
        (
            "separable_k3 | k3_e6, 3 k3_e3 | k3_e6, 2 k3_e3, k5_e3 | k3_e6, none, none, k3_e3 |"
            " k5_e6, 3 k3_e3 | k5_e6, 2 k5_e3, k3_e3 | k5_e6"
        ),
    ),
    "PROXYLESS_GPU": (
        mobile.PROXYLESS_GPU,
        (
            "separable_k3 | k5_e3 | k7_e3, none, none, k3_e3 | k7_e6, none, none, k5_e3 | k5_e6,"
            " none, k3_e3, k5_e3 | 2 k7_e6, k7_e6, k5_e6 | k7_e6"
        ),
    ),
    "RESNET8": (macros.RESNET, "plain_k3 | plain_k3 | plain_k3"),
    "RESNET20": (macros.RESNET, "3 plain_k3 | 3 plain_k3 | 3 plain_k3"),
}
"""Name -> its family and the blocks of each stage, divided by bars; a number repeats a block,
missing ones are none."""


_WIDTHS = {"SINGLE_PATH": (1.0,)}
"""The width multipliers of those that were not published at all of their family's."""


def point(macro: Macro, text: str, multiplier: float) -> Genotype:
    """The genotype that the text of a network says, at a width multiplier and the whole image
    side."""
    chosen = {"side": "1", "width": f"{multiplier:g}", **dict(_blocks(macro, text))}
    return Genotype(
        macro.name, operations=tuple(chosen[one.name] for one in SPACES[macro.name].decisions)
    )


def _blocks(macro: Macro, text: str) -> Iterator[tuple[str, str]]:
    """(name of the decision, block) of each block in the text."""
    for number, (stage, part) in enumerate(zip(macro.stages, text.split("|"), strict=True)):
        blocks: list[str] = []
        for item in part.split(","):
            *times, block = item.split()
            blocks += [block] * int(times[0] if times else 1)
        blocks += [NONE] * (stage.depth - len(blocks))
        for position, block in enumerate(blocks):
            yield block_name(number, position), block


def _known() -> Iterator[tuple[str, Genotype]]:
    for name, (macro, text) in _POINTS.items():
        for multiplier in _WIDTHS.get(name, macro.multipliers):
            suffix = "" if multiplier == 1.0 else f"_{multiplier:g}"
            yield name + suffix, point(macro, text, multiplier)


KNOWN: dict[str, Genotype] = dict(_known())
"""Every known network; ``MOBILENET_V2_0.35`` is one at a width multiplier."""


def elastic_space(genotype: Genotype) -> Space | None:
    """The space of all parts of a known network, where there is one."""
    names = (name for name in ELASTIC if KNOWN[name] == genotype)
    return next((SPACES[ELASTIC[name].name] for name in names), None)
