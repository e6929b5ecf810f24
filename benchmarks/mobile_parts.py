"""What benchmarks/mobile.py needs: images, latencies of networks of any space in turn, training for so many seconds.

Judged are seeds 0, 1, 2; settings were chosen with seeds from 10 on. Neither sees an image of the other: judged seeds
take every second image of each class of the file, from the first on, the others those between.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image

from benchmarks.cifar_jpeg import CLASSES, decode
from hwnas.export.onnx_format import onnx_model
from hwnas.measuring.built import built
from hwnas.space.genotype import Architecture
from hwnas.training.data import Dataset, batches
from hwnas.training.loop import Training
from hwnas.training.recipe import Recipe
from hwnas.training.train import train
from profilers.measurement import Measurement, Outcome
from profilers.onnx_check import check_onnx
from profilers.onnx_latency import OnnxOptions, measure_latency
from profilers.timing import Protocol

SOURCE = Path("../shared/data/cifar10_jpeg.npz")
JUDGED = 10
"""Seeds below this are judged."""
TIMED = 6
"""Rounds of steps that the time of an epoch is taken from, after one to warm up."""


def write_images(path: Path, classes: Sequence[int], each: int, seed: int) -> None:
    """An .npz: ``each`` training images of every class drawn by ``seed``, and all test images of its half."""
    half = int(seed >= JUDGED)
    arrays: dict[str, np.ndarray] = {"classes": np.array([CLASSES[one] for one in classes])}
    with np.load(SOURCE, allow_pickle=False) as archive:
        for part in ("train", "test"):
            labels, images = archive[f"{part}_y"], []
            jpeg, offsets = archive[f"{part}_jpeg"], archive[f"{part}_offsets"]
            for one in classes:
                index = np.flatnonzero(labels == one)[half::2]
                if part == "train":
                    index = np.random.default_rng([seed, one]).choice(index, each, replace=False)
                images.append([decode(jpeg[offsets[i] : offsets[i + 1]].tobytes()) for i in index])
            arrays[f"x_{part}"] = np.concatenate(images)
            arrays[f"y_{part}"] = np.repeat(np.arange(len(classes)), [len(some) for some in images])
    np.savez(path, **arrays)


def write_pictures(folder: Path, npz: Path, side: int) -> dict[str, str]:
    """The images of such a file as a user's pictures: PNG files, enlarged to ``side`` pixels, one folder per class.

    Returns where they are, as a config names it.
    """
    where = {"x_train": folder / "train", "x_test": folder / "test"}
    with np.load(npz, allow_pickle=False) as arrays:
        for part, target in where.items():
            names = [str(arrays["classes"][label]) for label in arrays[f"y{part[1:]}"]]
            for name in dict.fromkeys(names):
                (target / name).mkdir(parents=True)
            for number, (image, name) in enumerate(zip(arrays[part], names, strict=True)):
                picture = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
                picture.save(target / name / f"{number:05}.png", compress_level=1)
    return {"source": str(where["x_train"]), "test": str(where["x_test"])}


def latencies(
    networks: Sequence[Architecture], dataset: Dataset, budget_s: float = 0.5
) -> list[Measurement]:
    """ms in ONNX Runtime on one thread, batch 1, all sampled in turn in one process."""
    classes = tuple(map(str, range(len(dataset.classes))))
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for number, network in enumerate(networks):
            module = built(network, len(classes), dataset.image, "cifar")
            tensors = {
                name: tensor.detach().numpy() for name, tensor in module.state_dict().items()
            }
            path = Path(folder) / f"{number}.onnx"
            onnx.save_model(
                onnx_model(network, tensors, classes, dataset.image, "cifar"), str(path)
            )
            models.append(check_onnx(path, batch=1))
        protocol = Protocol(budget_s=budget_s, min_s=budget_s / 2)
        return [_measured(one) for one in measure_latency(models, OnnxOptions(protocol=protocol))]


def _measured(outcome: Outcome) -> Measurement:
    if not isinstance(outcome, Measurement):
        raise SystemExit(f"not measured: {outcome}")
    return outcome


def epoch_seconds(
    networks: Sequence[Architecture], dataset: Dataset, recipe: Recipe
) -> list[float]:
    """CPU seconds of an epoch of each: medians of steps that are taken in turn."""
    runs = [
        Training(one, dataset, recipe=recipe, seed=0, stem="cifar", device=torch.device("cpu"))
        for one in networks
    ]
    seconds: list[list[float]] = [[] for _ in runs]
    drawn = partial(
        batches, dataset, "train", recipe.batch, augment=runs[0].augment(), drop_last=True
    )
    for turn in range(1 + TIMED):
        for run, spent in zip(runs, seconds, strict=True):
            run.runner.train()
            began = time.process_time()
            run.step(next(drawn((0, 1, turn))))
            spent.append(time.process_time() - began)
    return [
        run.steps * float(np.median(spent[1:])) for run, spent in zip(runs, seconds, strict=True)
    ]


def trained(
    network: Architecture, dataset: Dataset, recipe: Recipe, epochs: int, seed: int
) -> tuple[float, float]:
    """(accuracy on the test images, CPU seconds of the training with its one test)."""
    began = time.process_time()
    result = train(network, dataset, replace(recipe, epochs=epochs, evaluate_every=epochs), seed)
    return result.test_accuracy, time.process_time() - began
