"""What benchmarks/photos.py needs: networks narrowed by hand that begin with trained weights, a teacher's soft labels,
and CPU seconds."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from hwnas.nets.inherit import inherited
from hwnas.nets.network import Network
from hwnas.nets.supernet import build_supernet
from hwnas.nets.trained import weights_named
from hwnas.search.seeds import HEAD
from hwnas.search.warm_start import fill
from hwnas.space.build import architecture_graph
from hwnas.space.chain import known_space
from hwnas.space.elastic import EFFICIENTNET, elastic
from hwnas.space.encoding import to_genotype
from hwnas.space.family import Family, family
from hwnas.space.genotype import Architecture
from hwnas.space.known_macros import EFFICIENTNET_LITE0_SAME
from hwnas.training.data import Dataset
from hwnas.training.evaluate import logits
from hwnas.training.recipe import RECIPES
from hwnas.training.run_images import prepared_for
from hwnas.training.start import Start
from hwnas.training.train import Trained, train

WEIGHTS = "efficientnet-lite0"
RECIPE = replace(RECIPES["tune"], name="stock", epochs=3, warmup_epochs=0.33, evaluate_every=1000)
"""How the feasibility study tuned the stock network: for all networks made by hand."""


@dataclass(frozen=True, kw_only=True)
class Hand:
    """The stock network with every block as wide inside as ``share`` says, on images of ``side`` times the usual."""

    share: float
    side: float = 1.0


def family_of(hand: Hand, dataset: Dataset) -> Family:
    """All parts of the stock network that include this one."""
    parts = (1.0,) if hand.share == 1 else (1.0, hand.share)
    name = f"lite0-{round(1000 * hand.share)}-{round(100 * hand.side)}"
    sides = (1.0,) if hand.side == 1 else (1.0, hand.side)
    macro = elastic(name, EFFICIENTNET_LITE0_SAME, EFFICIENTNET.replace("{}", ""), sides, parts)
    space = known_space(macro)
    return family(space, channels=32, cells=16, classes=len(dataset.classes), image=dataset.image)


def choices_of(hand: Hand, of: Family) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The sample of this network: the whole kernel of every block, at the named width."""
    found = []
    for decision in of.space.decisions:
        if decision.of_size:
            found.append(0 if hand.side == 1 else 1)
        else:
            found.append(0 if hand.share == 1 else 1)
    return np.array(found, dtype=np.int64)


def architecture_of(hand: Hand, dataset: Dataset) -> Architecture:
    """The network."""
    of = family_of(hand, dataset)
    return Architecture(to_genotype(of.space, choices_of(hand, of)), channels=32, cells=16)


def start_of(hand: Hand, dataset: Dataset, seed: int) -> Start:
    """Its part of the trained weights, with a classifier fitted to all training images."""
    of = family_of(hand, dataset)
    net = build_supernet(of, 0)
    fill(net, weights_named(WEIGHTS), dataset, (seed, HEAD), "train")
    choices = choices_of(hand, of)
    part = architecture_graph(architecture_of(hand, dataset), of.task)
    tensors = inherited(net.state_dict(), net.graph_of(choices), part)
    return Start(tensors=tensors, origin=WEIGHTS)


def prepared(dataset: Dataset) -> Dataset:
    """The images as the trained weights want them."""
    return prepared_for(dataset, weights_named(WEIGHTS).preprocessing)


def taught(dataset: Dataset, teacher: Network) -> Dataset:
    """With what a trained network says of every training image."""
    order = replace(dataset, split={**dataset.split, "train": torch.arange(len(dataset.train))})
    return replace(dataset, soft_labels=logits(teacher, order, "train", 64).softmax(1))


def tuned(
    hand: Hand, dataset: Dataset, epochs: int, seed: int, soft: bool, scratch: bool
) -> tuple[Trained, float]:
    """Train it; the result, and CPU seconds with the fit of the classifier."""
    began = cpu_seconds()
    recipe = replace(RECIPE, epochs=epochs, soft_labels=0.5 if soft else 0.0)
    if scratch:
        recipe = replace(recipe, learning_rate=0.1)
    start = None if scratch else start_of(hand, dataset, seed)
    found = train(architecture_of(hand, dataset), dataset, recipe, seed, start=start)
    return found, cpu_seconds() - began


def cpu_seconds() -> float:
    """Of this process and its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextmanager
def one_thread() -> Iterator[None]:
    """As every figure here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
