"""Weights of other code with DARTS's names give the logits that they gave there."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from hwnas.export.interface import network_of
from hwnas.space.published import PUBLISHED
from hwnas.space.text import parse
from hwnas.training.darts_weights import CIFAR, darts_weights, is_foreign
from profilers.errors import InputError
from tests.training.darts_port import DartsNetwork, Pairs, at_random

# Of two edges of one kind into a node the later source comes first, as in DARTS_V1.
NORMAL: Pairs = [
    *[("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)],
    *[("avg_pool_3x3", 1), ("dil_conv_5x5", 0), ("sep_conv_5x5", 4), ("max_pool_3x3", 0)],
]
REDUCE: Pairs = [
    *[("max_pool_3x3", 1), ("skip_connect", 0), ("sep_conv_5x5", 2), ("sep_conv_5x5", 1)],
    *[("skip_connect", 3), ("skip_connect", 1), ("avg_pool_3x3", 0), ("dil_conv_3x3", 4)],
]
TEXT = f"Genotype({NORMAL}, range(2, 6), {REDUCE}, range(2, 6))"


@cache
def made(imagenet: bool = False) -> nn.Module:
    torch.manual_seed(1)
    return at_random(DartsNetwork(NORMAL, REDUCE, 4, 3, 7, imagenet))


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("imagenet", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_logits_are_those_of_the_network_that_was_saved(imagenet: bool, tmp_path: Path) -> None:
    theirs = made(imagenet)
    file = saved(tmp_path / "w.pt", theirs.state_dict())
    side = 64 if imagenet else 16
    found = darts_weights(file, parse(TEXT), (3, side, side)).weights
    assert found.architecture.channels == 4 and found.architecture.cells == 3
    assert len(found.classes) == 7 and found.stem == ("imagenet" if imagenet else "cifar")
    x = torch.randn(3, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        ours, wanted = network_of(found).double()(x), deepcopy(theirs).double()(x)
    assert wanted.std() > 0.01
    torch.testing.assert_close(ours, wanted, rtol=1e-9, atol=1e-9)


def with_module(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"module.{name}": tensor for name, tensor in tensors.items()}


def test_a_training_state_of_several_gpus_with_an_auxiliary_head_is_read_all_the_same(
    tmp_path: Path,
) -> None:
    plain = made().state_dict()
    auxiliary = {"auxiliary_head.classifier.weight": torch.zeros(7, 768)}
    state = with_module({**plain, **auxiliary})
    wrapped = {"epoch": 3, "state_dict": state, "best_acc_top1": torch.tensor(0.9), "optimizer": {}}
    found = darts_weights(saved(tmp_path / "checkpoint.pth.tar", wrapped), parse(TEXT))
    wanted = darts_weights(saved(tmp_path / "w.pt", plain), parse(TEXT))
    for name, tensor in wanted.weights.tensors.items():
        assert torch.equal(found.weights.tensors[name], tensor), name
    assert "auxiliary_head.classifier.weight, ...) is left out" in found.notes[1]
    assert found.weights.image == (3, 32, 32) and found.weights.mean == CIFAR.mean
    assert "CIFAR-10's mean" in found.notes[0] and "--image" in found.notes[0]


def test_old_files_have_no_counters_and_other_files_may_be_safetensors(tmp_path: Path) -> None:
    plain = made().state_dict()
    old = {name: one for name, one in plain.items() if "num_batches" not in name}
    save_file(with_module(old), tmp_path / "w.safetensors")
    torch.save(old, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("w.safetensors", "old.pt"):
        assert is_foreign(tmp_path / name)
        found = darts_weights(tmp_path / name, parse(TEXT)).weights.tensors
        assert torch.equal(found["head.classifier.1.weight"], plain["classifier.weight"])


def without(name: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in made().state_dict().items() if key != name}


EDGE = "cells.0._ops.1.op.5.weight"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda: without(EDGE), f"no tensor '{EDGE}'"),
        (lambda: without("classifier.weight"), "no tensor 'classifier.weight'"),
        (lambda: without("stem.0.weight"), "no tensor 'stem.0.weight' or 'stem0.0.weight'"),
        (
            lambda: {**made().state_dict(), EDGE: torch.zeros(4, 1, 5, 5)},
            rf"'{EDGE}' has shape \(4, 1, 5, 5\), where .* has \(4, 1, 3, 3\)",
        ),
        (
            lambda: {**made().state_dict(), "stem.0.weight": torch.zeros(13, 3, 3, 3)},
            "13 maps, which is not three times a width",
        ),
        (
            lambda: {**made().state_dict(), "classifier.bias": torch.full((7,), torch.nan)},
            "'classifier.bias' holds what is no finite number",
        ),
        (
            lambda: {**made().state_dict(), "cells.0._ops.2.op.1.weight": torch.zeros(1)},
            "'cells.0._ops.2.op.1.weight' belongs to no layer",
        ),
        (
            lambda: {**made().state_dict(), "cells.0._ops.0._ops.3.1.weight": torch.zeros(1)},
            "a search shares between all operations",
        ),
        (
            lambda: {"state_dict": {"conv1.weight": torch.zeros(1)}},
            "first tensor is 'conv1.weight'",
        ),
        (lambda: {"cells.9999.x": torch.zeros(1), **made().state_dict()}, "cells must be within"),
        (lambda: [1, 2], "holds a list, not tensors by name"),
        (lambda: made(), "holds more than tensors"),
    ],
)
def test_the_first_obstacle_is_named(content: Any, message: str, tmp_path: Path) -> None:
    file = saved(tmp_path / "w.pt", content())
    with pytest.raises(InputError, match=message) as caught:
        darts_weights(file, parse(TEXT))
    assert str(caught.value).startswith(str(file)) and "\n" not in str(caught.value)


def test_another_genotype_is_refused_by_the_tensor_that_it_lacks(tmp_path: Path) -> None:
    file = saved(tmp_path / "w.pt", made().state_dict())
    with pytest.raises(InputError, match=r"'cells.0._ops.\d.*in which the genotype names them"):
        darts_weights(file, PUBLISHED["DARTS_V2"])
    with pytest.raises(InputError, match="as DARTS stacks them, but the genotype is one of nasb"):
        darts_weights(file, parse("|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|"))
    with pytest.raises(InputError, match="takes images of 3 channels, not of 1"):
        darts_weights(file, parse(TEXT), (1, 32, 32))


def test_the_order_of_edges_is_no_part_of_a_genotype_but_is_kept() -> None:
    other = parse(TEXT.replace(str(NORMAL[:2])[1:-1], str(NORMAL[1::-1])[1:-1]))
    assert other == parse(TEXT) and hash(other) == hash(parse(TEXT))
    assert other.as_written != parse(TEXT).as_written
