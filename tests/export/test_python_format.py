"""model.py: plain code that builds the same network, reads the same weights, and can be read."""

from __future__ import annotations

import ast
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from hwnas.export.interface import Interface
from hwnas.export.python_format import python_source
from hwnas.space import SPACES
from hwnas.space.build import own_image
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Stem
from hwnas.space.published import PUBLISHED
from hwnas.space.size import Task
from hwnas.space.text import parse
from tests.export.networks import halved, images, network
from tests.space.swept import KNOWN_CELLS, KNOWN_CHAINS, SWEPT, sized

NAMES = tuple("abcdefghij")
SIZE = (3, 16, 16)


def executed(source: str) -> ModuleType:
    module = ModuleType("model")
    exec(compile(source, "model.py", "exec"), module.__dict__)
    return module


def assert_same(
    architecture: Architecture, image: tuple[int, int, int] = SIZE, stem: Stem = "cifar"
) -> str:
    net = network(architecture, 10, image, stem)
    source = python_source(architecture, NAMES, image, stem)
    rebuilt: nn.Module = executed(source).Network()
    rebuilt.load_state_dict(net.state_dict())
    rebuilt.eval()
    x = images(4, own_image(architecture, Task(classes=10, image=image)), 3)
    with torch.inference_mode():
        expected, found = net(x), rebuilt(x)
    assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))
    return source


@pytest.mark.parametrize("text", (*KNOWN_CELLS, *KNOWN_CHAINS))
def test_published_genotypes_are_rebuilt(text: str) -> None:
    assert_same(sized(PUBLISHED[text], 8, 5))


@pytest.mark.parametrize("name", SWEPT)
def test_random_genotypes_are_rebuilt(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(8)
    for number in range(4):
        genotype = to_genotype(space, sample(space, rng))
        assert_same(sized(genotype, 4, 3), (3, 9 + number % 2, 8))


@pytest.mark.slow
@pytest.mark.parametrize("name", (*SWEPT, "mobile-small", "fbnet"))
def test_fifty_random_genotypes_are_rebuilt_to_the_last_digits_of_float64(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(9)
    for _ in range(50):
        drawn = sized(to_genotype(space, sample(space, rng)), 8, 3)
        net = network(drawn, 10, (3, 32, 32)).double()
        rebuilt: nn.Module = executed(python_source(drawn, NAMES, (3, 32, 32))).Network().double()
        rebuilt.load_state_dict(net.state_dict())
        x = images(2, own_image(drawn, Task(classes=10, image=(3, 32, 32))), 3).double()
        with torch.inference_mode():
            expected, found = net(x), rebuilt.eval()(x)
        assert float((found - expected).abs().max()) <= 1e-9 * float(expected.abs().max())


def test_the_imagenet_stem_and_empty_cells_are_rebuilt() -> None:
    assert_same(Architecture(PUBLISHED["PDARTS"], channels=8, cells=4), (3, 64, 64), "imagenet")
    assert_same(
        Architecture(parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"), channels=4, cells=3)
    )


def test_the_saidimports_torch_alone() -> None:
    source = assert_same(Architecture(PUBLISHED["TND_CIFAR10"], channels=8, cells=5))
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [])
        + ([str(node.module)] if isinstance(node, ast.ImportFrom) else [])
    }
    assert imported == {"__future__", "json", "math", "torch"}


def test_the_saidnames_the_operations_and_fits_a_page_in_width() -> None:
    source = assert_same(Architecture(PUBLISHED["DARTS_V2"], channels=36, cells=8))
    for expected in (
        "class Cell",
        "self.edge_0_2 = sep_conv_3x3(c1)",
        "edge_0_2 = self.edge_0_2(relu_input0)",
        "node2 = edge_0_2 + edge_1_2",
    ):
        assert expected in source
    assert max(len(line) for line in source.splitlines()) <= 118
    assert not any(line != line.rstrip() for line in source.splitlines())


def test_any_class_name_is_only_text() -> None:
    names = ('"""', "'; import os #", "line\nbreak", "{key}", "naïve", "\\", "a", "b", "c", "d")
    source = python_source(Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3), names, SIZE)
    assert names == executed(source).CLASSES


def test_uint8_images_are_normalised_inside() -> None:
    architecture, mean, std = (
        Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3),
        (0.1, 0.2, 0.3),
        (0.2, 0.3, 0.4),
    )
    net = network(architecture)
    source = python_source(
        architecture, NAMES, SIZE, normalise=(mean, std), interface=Interface(raw=True)
    )
    module = executed(source)
    assert (mean, std) == (module.MEAN, module.STD)
    rebuilt = module.Network()
    rebuilt.load_state_dict(net.state_dict())
    pixels = torch.randint(
        0, 256, (4, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    by_hand = (pixels / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.inference_mode():
        assert torch.allclose(rebuilt.eval()(pixels), net(by_hand), atol=1e-4)


@pytest.mark.parametrize("raw", [False, True])
def test_images_of_another_shape_are_refused_with_the_sides(raw: bool) -> None:
    side = min(SPACES["mobile"].decisions[0].operations, key=float)
    architecture = halved(side)
    own = own_image(architecture, Task(classes=10, image=(3, 64, 64)))
    assert own[1] < 64
    source = python_source(architecture, NAMES, (3, 64, 64), interface=Interface(raw=raw))
    rebuilt = executed(source).Network().eval()
    x = torch.zeros(2, *own, dtype=torch.uint8 if raw else torch.float32)
    assert rebuilt(x).shape == (2, 10)
    channels, height, width = own
    for shape in ((channels, 64, 64), (1, height, width), (channels, width, height + 1)):
        wrong = torch.zeros(2, *shape, dtype=x.dtype)
        said = rf"expected \(n, {channels}, {height}, {width}\), not \(2, {shape[0]}, {shape[1]}"
        with pytest.raises(ValueError, match=said):
            rebuilt(wrong)
    with pytest.raises(ValueError, match="expected"):
        rebuilt(x[0])
    assert f"adaptive_avg_pool2d(images{'.float()' * raw}, ({height}, {width}))" in source


def test_a_network_of_the_whole_side_says_nothing_of_smaller_images() -> None:
    assert "average images" not in python_source(halved("1"), NAMES, (3, 64, 64))


@pytest.mark.parametrize("text", ["DARTS_V2", "TND_CIFAR10", "RESNET8", "MOBILENET_V2_0.35"])
def test_the_header_names_a_known_network_and_its_genotype_can_be_pasted(text: str) -> None:
    genotype = PUBLISHED[text]
    source = python_source(sized(genotype, 8, 5), NAMES, SIZE)
    said = ast.get_docstring(ast.parse(source)) or ""
    lines, parts = said.splitlines(), said.split("\n\n")
    assert lines[0].startswith(f"Network {text} ({genotype.key}): ")
    assert ("blocks" in lines[0]) == (SPACES[genotype.space].depth is not None)
    written = [part for part in parts if part.startswith(("{", "|", "Genotype("))]
    assert [parse(part) for part in written] == [genotype]
