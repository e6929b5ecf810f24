"""Blocks: what a name says, which layers follow from it, and which names are none."""

from __future__ import annotations

import pytest

from hwnas.space.blocks import Block, Site, block_layers, block_of, inverted
from hwnas.space.layers import Layer
from hwnas.space.macro import SqueezeExciteRule
from profilers.errors import InputError

GATES = SqueezeExciteRule(ratio=0.25, of="hidden", divisor=8, inner="relu", gate="hard_sigmoid")


def site(channels_in: int = 16, channels_out: int = 24, stride: int = 2, **changes: object) -> Site:
    values = {
        "size": (9, 7),
        "activation": "swish",
        "squeeze_excite": GATES,
        "divisor": 8,
        "epsilon": 1e-3,
        **changes,
    }
    return Site(channels_in=channels_in, channels_out=channels_out, stride=stride, **values)  # type: ignore[arg-type]


def summary(layers: tuple[Layer, ...]) -> list[str]:
    """Of each convolution: its channels, kernel, stride and groups; of others the kind."""
    return [
        f"{one.channels_in}>{one.channels_out} k{one.kernel[0]} s{one.stride[0]} g{one.groups}"
        if one.kind == "conv"
        else one.kind
        for one in layers
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("k5_e6", Block(kind="inverted", kernel=5, expansion=6.0)),
        ("k3_e3.67_se", Block(kind="inverted", kernel=3, expansion=3.67, gated=True)),
        ("k3_e1_g2", Block(kind="inverted", kernel=3, expansion=1.0, groups=2)),
        ("separable_k3", Block(kind="separable", kernel=3)),
        ("separable_k5_se", Block(kind="separable", kernel=5, gated=True)),
        ("fused_k3_e4", Block(kind="fused", kernel=3, expansion=4.0)),
        ("plain_k3", Block(kind="plain", kernel=3)),
    ],
)
def test_a_name_says_what_a_block_is(name: str, expected: Block) -> None:
    assert block_of(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "", "k4_e6", "k0_e1", "k3", "e6", "k3_e0", "k3_e100", "k3_e6_g1", "k3_e6_se_g2", "K3_E6", "fused_k3",
        "plain_k3_e2", "plain_k3_se", "separable_k3_e2", "fused_k3_e4_g2", "k3_e6 ", "k33_e6", "skip", "k3_e.5",
    ],
)  # fmt: skip
def test_a_name_that_says_no_block_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"unknown block .*: a block is called k5_e6, k5_e6_se"):
        block_of(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("k4_e6", "; its kernel must be odd, of 1..9, not 4"),
        ("fused_k33_e6", "; its kernel must be odd, of 1..9, not 33"),
        ("k3_e0", "; its expansion (e) must be of 1..99.99, with at most two decimals, not 0"),
        ("k3_e100_se", "; its expansion (e) must be of 1..99.99, with at most two decimals, not 100"),
        ("k3_e6_g1", "; its groups (g) must be of 2..8, not 1"),
        ("skip", " or none"),
        ("plain_k3_e2", " or none"),
    ],
)  # fmt: skip
def test_the_number_that_is_wrong_in_a_name_is_said(name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        block_of(name)
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "k5_e3_se",
            ["16>48 k1 s1 g1", "batch_norm", "swish", "48>48 k5 s2 g48", "batch_norm", "swish", "squeeze_excite",
             "48>24 k1 s1 g1", "batch_norm"],
        ),
        (
            "k3_e1_g2",
            ["16>16 k1 s1 g2", "batch_norm", "swish", "16>16 k3 s2 g16", "batch_norm", "swish", "16>24 k1 s1 g2",
             "batch_norm"],
        ),
        ("separable_k3", ["16>16 k3 s2 g16", "batch_norm", "swish", "16>24 k1 s1 g1", "batch_norm"]),
        ("fused_k3_e2", ["16>32 k3 s2 g1", "batch_norm", "swish", "32>24 k1 s1 g1", "batch_norm"]),
        ("plain_k3", ["16>24 k3 s2 g1", "batch_norm", "swish", "24>24 k3 s1 g1", "batch_norm"]),
    ],
)  # fmt: skip
def test_a_block_is_its_layers_in_a_row(name: str, expected: list[str]) -> None:
    layers = block_layers(name, site())
    assert layers is not None
    assert summary(layers) == expected
    assert all(layer.epsilon == 1e-3 for layer in layers if layer.kind == "batch_norm")
    assert (layers[0].size, layers[-1].size_out) == ((9, 7), (5, 4))


def test_none_is_absent() -> None:
    assert block_layers("none", site()) is None


@pytest.mark.parametrize(
    ("gates", "squeezed", "inner"),
    [
        (GATES, 16, "relu"),  # a quarter of 48 is 12: the nearest multiple of 8 is 16
        (SqueezeExciteRule(of="input", divisor=1), 4, "swish"),
        (SqueezeExciteRule(ratio=0.01, of="input", divisor=1), 1, "swish"),
    ],
)
def test_the_width_of_a_gate_is_a_part_of_what_it_gates_or_of_the_input(
    gates: SqueezeExciteRule, squeezed: int, inner: str
) -> None:
    layers = block_layers("k3_e3_se", site(squeeze_excite=gates)) or ()
    (gate,) = (layer for layer in layers if layer.kind == "squeeze_excite")
    assert (gate.channels_in, gate.hidden, gate.inner, gate.gate) == (
        48,
        squeezed,
        inner,
        gates.gate,
    )


def test_all_kernels_and_expansions_have_names_that_read_back() -> None:
    names = inverted((3, 5), (2.5, 6), "_se")
    assert names == ("k3_e2.5_se", "k3_e6_se", "k5_e2.5_se", "k5_e6_se")
    assert [(block_of(name).kernel, block_of(name).expansion) for name in names] == [
        (3, 2.5), (3, 6.0), (5, 2.5), (5, 6.0),
    ]  # fmt: skip
