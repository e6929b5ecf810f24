"""Images per second of our training loop against a plain one: same network, same data, one
interleaved run.

    OMP_NUM_THREADS=1 python -m benchmarks.train_speed ../shared/data/cifar10_jpeg.npz --steps 60 20
    \
        --out benchmarks/results/train-speed.json --svg docs/evidence/train-loss.svg

Part 1 feeds both with the same batches from the same initial weights, so that the losses can be
compared step by step, beside the noise: a second plain network whose initial weights differ by one
part in a million, about what another order of summation does in float32. Part 2 is each side's
whole loop with its own data pipeline: ours augments batches of uint8 tensors, the plain one
(benchmarks/plain_darts.py) image by image through torchvision's transforms. Steps alternate, so
that a busy host slows all. Ratios are of the process's CPU time, which a busy host leaves nearly
alone; the wall clock stands beside. Freed memory goes back to the system on both sides, although
hwnas train keeps it: the setting is one of the process.
"""

from __future__ import annotations

import argparse
import json
import os
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
from benchmarks.draw import curves
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
PARTS = ("same batches", "whole loop")
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
        self.network = PlainNetwork(
            ARCHITECTURE.genotype, ARCHITECTURE.channels, ARCHITECTURE.cells, 10
        )
        self.network.drop_path_prob = 0.0
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            RECIPE.learning_rate,
            RECIPE.momentum,
            weight_decay=RECIPE.weight_decay,
        )
        self.loss, self.top1, self.top5 = Meter(), Meter(), Meter()

    def take(self, batch: Batch) -> float:
        """A step as the loop makes it, its loss."""
        x, y = batch
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
    """Our side: the loop of hwnas train, one step at a time, with drop-path at the same 0 as the
    plain one."""
    training = Training(
        ARCHITECTURE,
        data,
        recipe=replace(RECIPE, drop_path=0.0),
        seed=0,
        stem="cifar",
        device=torch.device("cpu"),
    )
    training.runner.train()

    def step(batch: Batch) -> float:
        before = float(training.totals[0])
        training.step(batch)
        training.progress.step += 1
        return (float(training.totals[0]) - before) / len(batch.y)

    return training, step


def moved(network: Network) -> Plain:
    """A plain network from the same weights, each off by a millionth of itself."""
    plain = Plain()
    copy_weights(network, plain.network)
    with torch.no_grad():
        for parameter in plain.network.parameters():
            parameter *= 1 + 1e-6 * torch.randn(parameter.shape)
    return plain


def feed(step: Callable[[Batch], float], source: Iterator[Batch]) -> Callable[[], float]:
    """A step on the next batch."""
    return lambda: step(next(source))


def pairs(ours: Network, plain: PlainNetwork) -> tuple[list[Tensor], list[Tensor]]:
    """The parameters of both in the same order, module by module as they are computed."""
    theirs: list[nn.Module] = [plain.stem]
    mine: list[nn.Module] = [ours.get_submodule("stem.part0")]
    for index, cell in enumerate(plain.cells):
        theirs += [cell.preprocess0, cell.preprocess1, *cell.ops]
        mine += ours.get_submodule(f"cell{index}").children()
    theirs += [plain.auxiliary_head, plain.classifier]
    mine += [ours.auxiliary, ours.get_submodule("head.classifier")]
    return [p for module in mine for p in module.parameters()], [
        p for m in theirs for p in m.parameters()
    ]


def copy_weights(ours: Network, plain: PlainNetwork) -> None:
    """Give the plain network our initial weights."""
    with torch.no_grad():
        for source, target in zip(*pairs(ours, plain), strict=True):
            target.copy_(source)


def plain_batches(images: np.ndarray[Any, Any], labels: Tensor) -> Iterator[Batch]:
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
        loader = torch.utils.data.DataLoader(
            Items(), batch_size=RECIPE.batch, shuffle=True, drop_last=True
        )
        yield from (Batch(x, y) for x, y in loader)


def our_batches(data: Dataset) -> Iterator[Batch]:
    epoch = 0
    augment = replace(data.augment, cutout=RECIPE.cutout)
    while True:
        yield from batches(data, "train", RECIPE.batch, (0, epoch), augment=augment, drop_last=True)
        epoch += 1


def alternate(sides: dict[str, Callable[[], float]], steps: int) -> dict[str, dict[str, Any]]:
    """Run the sides in turn; CPU and wall seconds and the loss of every step."""
    found: dict[str, dict[str, Any]] = {
        name: {"cpu": [], "wall": [], "losses": []} for name in sides
    }
    for number in range(steps):
        order = list(sides) if number % 2 else list(sides)[::-1]
        for name in order:
            wall, cpu = time.perf_counter(), time.process_time()
            loss = sides[name]()
            found[name]["cpu"].append(time.process_time() - cpu)
            found[name]["wall"].append(time.perf_counter() - wall)
            found[name]["losses"].append(round(loss, 5))
    return found


def summarised(found: dict[str, dict[str, Any]], warm: int = 2) -> dict[str, Any]:
    """Images per second by the median and the best step, and the ratio of paired steps with its
    quartiles."""
    result: dict[str, Any] = {}
    for clock in ("cpu", "wall"):
        ours, plain = (np.array(found[name][clock][warm:]) for name in ("ours", "plain"))
        ratios = plain / ours
        result[clock] = {
            "ours, images/s, median and best": [
                RECIPE.batch / np.median(ours),
                RECIPE.batch / ours.min(),
            ],
            "plain, images/s, median and best": [
                RECIPE.batch / np.median(plain),
                RECIPE.batch / plain.min(),
            ],
            "ratio, median and quartiles": [
                float(q) for q in np.quantile(ratios, [0.5, 0.25, 0.75])
            ],
            "ratio of best": float(plain.min() / ours.min()),
        }
    return {"steps": len(found["ours"]["cpu"]) - warm, **result}


def agreement(data: Dataset) -> dict[str, float]:
    """One step of both in float64 from the same weights: largest differences of logits and of
    gradients."""
    training, _ = ours(data)
    plain = Plain()
    copy_weights(training.network, plain.network)
    x, y = next(our_batches(data))
    x, y = x[:16].double(), y[:16]
    outputs = []
    for network in (training.network.double(), plain.network.double()):
        logits, extra = network.train()(x)
        (
            F.cross_entropy(logits, y) + RECIPE.auxiliary_weight * F.cross_entropy(extra, y)
        ).backward()
        outputs.append(logits.detach())
    found = 0.0
    for mine, theirs in zip(*pairs(training.network, plain.network), strict=True):
        assert mine.grad is not None and theirs.grad is not None
        found = max(found, float((mine.grad - theirs.grad).abs().max() / theirs.grad.abs().max()))
    return {"logits": float((outputs[0] - outputs[1]).abs().max()), "gradients, relative": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cifar", type=Path)
    parser.add_argument(
        "--steps", type=int, nargs=2, default=(30, 20), help="of part 1 and of part 2"
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--out", type=Path, help="a JSON file with every step's loss")
    parser.add_argument("--svg", type=Path, help="the losses of part 1, drawn")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data, images = dataset(arguments.cifar, arguments.images)
    result: dict[str, Any] = {
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
        "float64 agreement": agreement(data),
    }
    print(json.dumps(result), flush=True)
    for part, steps in zip(PARTS, arguments.steps, strict=True):
        torch.manual_seed(0)
        np.random.seed(0)
        training, our_step = ours(data)
        plain = Plain()
        copy_weights(training.network, plain.network)
        source = our_batches(data)
        sides: dict[str, Callable[[], float]]
        if part == PARTS[0]:
            shared = [next(source) for _ in range(steps)]
            sides = {
                "ours": feed(our_step, iter(shared)),
                "plain": feed(plain.take, iter(shared)),
                "plain, moved": feed(moved(training.network).take, iter(shared)),
            }
        else:
            theirs = plain_batches(images, data.train_labels)
            sides = {"ours": feed(our_step, source), "plain": feed(plain.take, theirs)}
        found = alternate(sides, steps)
        result[part] = {
            **summarised(found),
            "losses": {name: one["losses"] for name, one in found.items()},
        }
        for name, losses in result[part]["losses"].items():
            means = [
                round(float(np.mean(x)), 3) for x in np.array_split(losses, min(8, len(losses)))
            ]
            print(part, name, "mean losses in order:", means)
        shown = {key: value for key, value in result[part].items() if key != "losses"}
        print(part, json.dumps(shown), flush=True)
        write(result, arguments.out, arguments.svg)


def write(result: dict[str, Any], out: Path | None, svg: Path | None) -> None:
    """Keep what is known so far, also where the second part never ends."""
    if out is not None:
        out.write_text(json.dumps(result, indent=1) + "\n")
    if svg is not None:
        losses = result[PARTS[0]]["losses"]
        lines = {name: list(enumerate(smooth(values), start=1)) for name, values in losses.items()}
        title = "Training loss on the same batches, mean of five steps"
        svg.write_text(curves(title, "step", "loss", lines))


def smooth(values: list[float], width: int = 5) -> list[float]:
    """Means over up to ``width`` values before and including each."""
    return [float(np.mean(values[max(0, end - width) : end])) for end in range(1, len(values) + 1)]


if __name__ == "__main__":
    main()
