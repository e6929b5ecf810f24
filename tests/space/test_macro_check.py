"""A table that can't be built is refused in one line that names the key."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from hwnas.space.chain import chain_graph, chain_space
from hwnas.space.known_macros import KNOWN_MACROS
from hwnas.space.macro import Head, Macro, SqueezeExciteRule, Stage, Stem
from hwnas.space.macro_check import check_macro
from hwnas.space.mobile import SEARCHED
from hwnas.space.size import CellSize
from hwnas.space.task import Task
from profilers.errors import InputError

STAGE = Stage(width=8, depth=2, blocks=("k3_e3", "none"))
MACRO = Macro(name="mine", stem=Stem(width=8), stages=(STAGE,))


def staged(**changes: Any) -> dict[str, Any]:
    return {"stages": (STAGE, replace(STAGE, **changes))}


@pytest.mark.parametrize("macro", [MACRO, *SEARCHED, *KNOWN_MACROS], ids=lambda macro: macro.name)
def test_a_table_that_can_be_built_passes(macro: Macro) -> None:
    check_macro(macro)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "my space"}, "macro: name: 'my space' is no letter"),
        ({"stem": Stem(width=0)}, r"macro mine: stem\.width must be within 1\.\.4096, not 0"),
        ({"stem": Stem(width=8, kernel=4)}, r"stem\.kernel must be odd, not 4"),
        ({"head": Head(width=-1)}, r"head\.width must be within 0\.\.4096, not -1"),
        ({"epsilon": float("nan")}, "epsilon must be within 1e-08..0.1, not nan"),
        ({"sides": (1.0, 0.05)}, r"sides\[1\] must be within 0\.1\.\.1, not 0\.05"),
        ({"multipliers": ()}, "multipliers: at least one is needed"),
        ({"multipliers": (1.0, 0.5, 1.0)}, "multipliers: 1 is there twice"),
        (
            {"multipliers": tuple(0.1 * n for n in range(1, 40)), "sides": (1.0, 0.5)},
            "78 sizes, at most 64",
        ),
        ({"stages": ()}, "stages: 0 blocks in all"),
        ({"stages": (replace(STAGE, depth=64),) * 4}, "256 blocks in all, from 1 to 200"),
        (staged(depth=0), r"stages\[1\]\.depth must be within 1\.\.64, not 0"),
        (staged(stride=5), r"stages\[1\]\.stride must be within"),
        (
            staged(squeeze_excite=SqueezeExciteRule(ratio=0)),
            r"stages\[1\]\.squeeze_excite\.ratio must be",
        ),
        (staged(blocks=("k3_e3", "k3_e3")), r"stages\[1\]\.blocks: k3_e3 is there twice"),
        (staged(blocks=()), r"stages\[1\]\.blocks: at least one is needed"),
        (
            staged(blocks=("k3_e3", "skip")),
            r"stages\[1\]\.blocks: unknown block 'skip': a block is called",
        ),
        (staged(first=("k2_e3",)), r"stages\[1\]\.first: unknown block 'k2_e3'"),
        (staged(blocks=("none",)), r"stages\[1\]: its first block can't be absent"),
        (staged(blocks=("k3_e3_g3",)), "k3_e3_g3 divides its channels into 3 groups"),
        ({"stages": (replace(STAGE, blocks=("k3_e3",)),)}, "nothing to decide"),
        (
            {**staged(blocks=("k3_e6", "k5_e3")), "sliced": True},
            r"macro mine: stages\[1\]\.blocks: with sliced = true all blocks are parts of the",
        ),
        (
            {**staged(first=("k3_e3", "plain_k3")), "sliced": True},
            r"stages\[1\]\.first: with sliced = true.*; here plain_k3 is of another kind than k3_e3$",
        ),
        (
            {**staged(blocks=("k3_e6", "k5_e3")), "sliced": True},
            "here k5_e3 has the largest kernel, and k3_e6 the largest expansion$",
        ),
        (
            {**staged(blocks=("k3_e6", "none", "k5_e6_se")), "sliced": True},
            "here k5_e6_se has gates, and k3_e6 has none$",
        ),
        ({**staged(blocks=("k3_e6", "k3_e3_g2")), "sliced": True}, "here k3_e3_g2 has groups$"),
    ],
)
def test_a_table_that_can_not_be_built_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        chain_space(replace(MACRO, **changes))
    assert "\n" not in str(caught.value)


BLOCKS = ("k3_e1", "k5_e1", "k3_e3", "k5_e3", "k3_e3_se", "k5_e6_se", "k3_e1_g2", "k5_e2_g2")
BLOCKS += ("separable_k3", "separable_k5_se", "fused_k3_e2", "fused_k5_e4", "plain_k3", "plain_k5")


@pytest.mark.parametrize("pair", list(combinations(BLOCKS, 2)), ids="+".join)
def test_a_sliced_table_passes_where_its_graph_can_be_built_and_nowhere_else(
    pair: tuple[str, str],
) -> None:
    stage = replace(STAGE, blocks=pair)
    macro = replace(MACRO, name="sliced-" + "-".join(pair), stages=(stage,), sliced=True)
    space = replace(chain_space(replace(macro, sliced=False)), macro=macro)
    try:
        chain_graph(space, CellSize(channels=8, cells=2), Task(classes=2, image=(3, 32, 32)), ())
    except InputError:
        with pytest.raises(InputError, match="with sliced = true"):
            check_macro(macro)
    else:
        check_macro(macro)
