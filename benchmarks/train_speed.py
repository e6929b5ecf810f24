"""Images per second of our training loop against a plain one: same network, same data, one interleaved run.

    OMP_NUM_THREADS=1 python -m benchmarks.train_speed ../shared/data/cifar10_jpeg.npz --steps 60

Part 1 feeds both with the same batches from the same initial weights, so that the losses can be compared step by
step. Part 2 is each side's whole loop with its own data pipeline: ours augments batches of uint8 tensors, the plain
one (benchmarks/plain_darts.py) image by image through torchvision's transforms. Steps alternate, so that a busy host
slows both.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.cifar_jpeg import load as load_jpeg
from benchmarks.plain_darts import Cutout, Meter, PlainNetwork, topk
from hwnas.nets.network import Network
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.training import torchvision_shim
from hwnas.training.arrays import Labelled, as_images, as_labels, build, default_augment
from hwnas.training.data import Batch, Dataset, batches
from hwnas.training.loop import Training
from hwnas.training.recipe import RECIPES

ARCHITECTURE = Architecture(PUBLISHED["DARTS_V2"], channels=16, cells=8)
RECIPE = replace(RECIPES["cifar"], batch=64)
MEAN, STD = (0.49139968, 0.48215827, 0.44653124), (0.24703233, 0.24348505, 0.26158768)


def dataset(path: Path, train: int) -> tuple[Dataset, np.ndarray[Any, Any]]:
    arrays = load_jpeg(path, train=train, test=1000)
    parts = [
        Labelled(
            as_images(arrays[f"x_{part}"], part),
            as_labels(arrays[f"y_{part}"], len(arrays[f"x_{part}"]), part),
        )
        for part in ("train", "test")
    ]
    image = (3, 32, 32)
    names = tuple(map(str, arrays["classes"]))
    built = build(
        "cifar10-jpeg",
        names,
        *parts,
        image=image,
        augment=default_augment(image),
        seed=0,
        statistics=(MEAN, STD),
    )
    return built, arrays["x_train"]


class Plain:
    """The plain side: its network, optimiser, meters and step."""

    def __init__(self) -> None:
        self.network = PlainNetwork(ARCHITECTURE.genotype, ARCHITECTURE.channels, ARCHITECTURE.cells, 10)
        self.network.drop_path_prob = 0.0
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), RECIPE.learning_rate, RECIPE.momentum, weight_decay=RECIPE.weight_decay
        )
        self.loss, self.top1, self.top5 = Meter(), Meter(), Meter()

    def step(self, x: Tensor, y: Tensor) -> float:
        self.network.train()
        self.optimizer.zero_grad()
        logits, extra = self.network(x)
        loss = F.cross_entropy(logits, y)
        assert extra is not None
        loss = loss + RECIPE.auxiliary_weight * F.cross_entropy(extra, y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), RECIPE.clip)
        self.optimizer.step()
        top1, top5 = topk(logits, y)
        self.loss.update(loss.item(), len(y))
        self.top1.update(top1.item(), len(y))
        self.top5.update(top5.item(), len(y))
        return loss.item()


def ours(data: Dataset) -> tuple[Training, Callable[[Batch], float]]:
    """Our side: the loop of hwnas train, one step at a time, with drop-path at the same 0 as the plain one."""
    training = Training(ARCHITECTURE, data, replace(RECIPE, drop_path=0.0), 0, "cifar", torch.device("cpu"))
    training.runner.train()

    def step(batch: Batch) -> float:
        before = float(training.totals[0])
        training.step(batch)
        training.progress.step += 1
        return (float(training.totals[0]) - before) / len(batch.y)

    return training, step


def copy_weights(ours: Network, plain: PlainNetwork) -> None:
    """Give the plain network our initial weights, module by module in the order of the computation."""
    theirs: list[nn.Module] = [plain.stem]
    mine: list[nn.Module] = [ours.frame.stem[0]]
    for index, cell in enumerate(plain.cells):
        theirs += [cell.preprocess0, cell.preprocess1, *cell.ops]
        mine += [*ours.frame.before[index], *ours.cells[index].edges]
    theirs += [plain.auxiliary_head, plain.classifier]
    mine += [ours.auxiliary, ours.frame.classifier]
    with torch.no_grad():
        for target, source in zip(theirs, mine, strict=True):
            for one, other in zip(target.parameters(), source.parameters(), strict=True):
                one.copy_(other)


def plain_batches(images: np.ndarray[Any, Any], labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """A DataLoader over PIL images with the usual transforms, for ever."""
    from PIL import Image

    torchvision_shim.datasets()
    from torchvision import transforms

    convert = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
            Cutout(RECIPE.cutout),
        ]
    )

    class Items(torch.utils.data.Dataset[tuple[Tensor, int]]):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return convert(Image.fromarray(images[index])), int(labels[index])

    while True:
        yield from torch.utils.data.DataLoader(Items(), batch_size=RECIPE.batch, shuffle=True, drop_last=True)


def our_batches(data: Dataset) -> Iterator[Batch]:
    epoch = 0
    augment = replace(data.augment, cutout=RECIPE.cutout)
    while True:
        yield from batches(data, "train", RECIPE.batch, (0, epoch), augment=augment, drop_last=True)
        epoch += 1


def alternate(sides: dict[str, Callable[[], float]], steps: int) -> dict[str, dict[str, Any]]:
    """Run the sides in turn; seconds and loss of every step."""
    found: dict[str, dict[str, Any]] = {name: {"seconds": [], "losses": []} for name in sides}
    for number in range(steps):
        order = list(sides) if number % 2 else list(sides)[::-1]
        for name in order:
            start = time.perf_counter()
            loss = sides[name]()
            found[name]["seconds"].append(time.perf_counter() - start)
            found[name]["losses"].append(round(loss, 5))
    return found


def summarised(found: dict[str, dict[str, Any]], warm: int = 2) -> dict[str, Any]:
    """Images per second by median and by best step, and the ratio of paired steps with its quartiles."""
    ours, plain = (np.array(found[name]["seconds"][warm:]) for name in ("ours", "plain"))
    ratios = plain / ours
    return {
        "ours_images_per_s": {"median": RECIPE.batch / np.median(ours), "best": RECIPE.batch / ours.min()},
        "plain_images_per_s": {"median": RECIPE.batch / np.median(plain), "best": RECIPE.batch / plain.min()},
        "ratio": {
            "of medians": np.median(plain) / np.median(ours),
            "of best": plain.min() / ours.min(),
            "paired median": np.median(ratios),
            "paired quartiles": [float(q) for q in np.quantile(ratios, [0.25, 0.75])],
        },
        "steps": len(ours),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cifar", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data, images = dataset(arguments.cifar, arguments.images)
    result: dict[str, Any] = {}
    for part in ("same batches", "whole loop"):
        torch.manual_seed(0)
        np.random.seed(0)
        training, our_step = ours(data)
        plain = Plain()
        copy_weights(training.network, plain.network)
        source = our_batches(data)
        if part == "same batches":
            shared = [next(source) for _ in range(arguments.steps)]
            mine, theirs = iter(shared), iter([(batch.x, batch.y) for batch in shared])
        else:
            mine, theirs = source, plain_batches(images, data.train_labels)
        found = alternate(
            {"ours": lambda: our_step(next(mine)), "plain": lambda: plain.step(*next(theirs))},  # noqa: B023
            arguments.steps,
        )
        result[part] = {**summarised(found), "losses": {name: one["losses"] for name, one in found.items()}}
        for name, losses in result[part]["losses"].items():
            print(
                part,
                name,
                "loss per tenth:",
                [round(float(np.mean(x)), 3) for x in np.array_split(losses, 10)],
            )
        print(part, json.dumps({k: v for k, v in result[part].items() if k != "losses"}, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
