"""Known networks have their published counts, are points of their spaces, and are found by name."""

from __future__ import annotations

import pytest

from hwnas.costs.counts import count
from hwnas.space import SPACES
from hwnas.space.build import architecture_graph
from hwnas.space.encoding import to_choices, to_genotype
from hwnas.space.genotype import Architecture, Genotype
from hwnas.space.known import KNOWN, point
from hwnas.space.known_macros import KNOWN_MACROS, RESNET
from hwnas.space.mobile import FBNET, SEARCHED
from hwnas.space.size import Task
from hwnas.space.text import format_text, parse
from profilers.errors import InputError

GOLDEN = {
    "MOBILENET_V2": (3_504_872, 300_774_272),
    "MOBILENET_V2_0.35": (1_677_128, 59_285_808),
    "MOBILENET_V2_1.4": (6_108_776, 582_195_824),
    "MOBILENET_V3_SMALL": (2_542_856, 56_510_400),
    "MOBILENET_V3_LARGE": (5_483_032, 216_589_760),
    "MNASNET_B1": (4_383_312, 314_415_872),
    "MNASNET_A1": (3_887_038, 311_579_072),
    "FBNET_C": (5_572_200, 384_960_160),
    "SINGLE_PATH": (4_421_616, 333_467_072),
    "EFFICIENTNET_B0": (5_288_548, 385_814_752),
    "EFFICIENTNET_LITE0": (4_652_008, 385_187_552),
    "EFFICIENTNET_LITE0_SAME": (4_652_008, 385_187_552),
    "PROXYLESS_MOBILE": (4_080_512, 320_427_584),
    "PROXYLESS_CPU": (4_361_648, 439_243_864),
    "PROXYLESS_GPU": (7_119_848, 465_260_160),
}
"""Parameters and MACs at 224 pixels and 1,000 classes, of torchvision, timm and the published
configurations."""


def usual(genotype: Genotype, channels: int | None = None) -> Architecture:
    size = SPACES[genotype.space].published_size
    return Architecture(genotype, channels=channels or size[0], cells=size[1])


@pytest.mark.parametrize("name", GOLDEN)
def test_a_known_network_has_its_published_counts(name: str) -> None:
    assert count(usual(parse(name)), 1000, (3, 224, 224)) == GOLDEN[name]


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_network_is_a_point_of_its_space_and_is_written_and_read(name: str) -> None:
    genotype = KNOWN[name]
    assert to_genotype(SPACES[genotype.space], to_choices(genotype)) == genotype
    assert parse(format_text(genotype)) == genotype == parse(name)


def test_every_family_has_a_known_network_and_no_two_are_alike() -> None:
    assert {genotype.space for genotype in KNOWN.values()} == {macro.name for macro in KNOWN_MACROS}
    assert len({genotype.key for genotype in KNOWN.values()}) == len(KNOWN)
    named = [macro.name for macro in (*SEARCHED, *KNOWN_MACROS) if macro.name != "fbnet"]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize(("name", "convolutions"), [("RESNET8", 7), ("RESNET20", 19)])
def test_a_residual_network_is_called_after_its_layers(name: str, convolutions: int) -> None:
    """Convolutions and the classifier; those round a block do not count (arXiv 1512.03385)."""
    graph = architecture_graph(usual(KNOWN[name]), Task(classes=10, image=(3, 32, 32)))
    found = [
        layer.kind
        for node in graph
        for layer in node.layers
        if ".around" not in node.name and layer.params
    ]
    assert found.count("conv") == convolutions
    assert found.count("linear") == 1


def test_the_largest_misspelling_is_answered_with_the_nearest_name() -> None:
    for wrong, meant in (("mobilenet_v2_0.36", "MOBILENET_V2_0.35"), ("FBNETC", "FBNET_C")):
        with pytest.raises(
            InputError, match=f"no published network is called '{wrong}'; did you mean '{meant}'"
        ):
            parse(wrong)


def test_a_network_whose_blocks_its_family_does_not_offer_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"stage0\.block0: unknown operation 'plain_k3' .choices: k3_e1"
    ):
        point(FBNET, "plain_k3 | k3_e6 | k3_e6 | k3_e6 | k3_e6 | k3_e6 | k3_e6", 1.0)


def test_narrower_networks_of_a_family_are_had_by_channels() -> None:
    assert RESNET.multipliers == (1.0,)
    half = count(usual(KNOWN["RESNET8"], 8), 10, (3, 32, 32))
    # Stem, three blocks of two convolutions, two ways round, scale and shift of each, classifier.
    convolutions = (
        27 * 8 + 2 * 9 * 64 + 9 * (8 * 16 + 256) + 9 * (16 * 32 + 1024) + 8 * 16 + 16 * 32
    )
    norms = 2 * (8 + 2 * 8 + 3 * 16 + 3 * 32)
    assert half[0] == convolutions + norms + 33 * 10
