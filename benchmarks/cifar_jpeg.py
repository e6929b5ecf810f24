"""CIFAR-10 from a file of JPEGs to an ordinary `.npz` for `--data`.

    python -m benchmarks.cifar_jpeg ../shared/data/cifar10_jpeg.npz cifar10k.npz --train 10000
    --test 2000

The JPEGs are lossy (quality about 75), so accuracies on them are not comparable to the last point
with those on the original images; whoever prints one has to say so.

The file holds `{train,test}_jpeg` (all images' bytes one after the other, uint8),
`{train,test}_offsets` (n + 1) and `{train,test}_y` (0..9).
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from hwnas.training.dataset import stratified_order

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
Arrays = dict[str, np.ndarray[Any, Any]]


def load(path: Path, train: int | None = None, test: int | None = None, seed: int = 0) -> Arrays:
    """Return `x_train`, `y_train`, `x_test`, `y_test`, `classes`: images uint8 (n, 32, 32, 3),
    labels (n,).

    `train`, `test`: how many images, drawn by `seed` with equal shares of the classes; all without
    them.
    """
    with np.load(path, allow_pickle=False) as archive:
        parts = [
            _part(archive, name, count, seed) for name, count in (("train", train), ("test", test))
        ]
    return {**parts[0], **parts[1], "classes": np.array(CLASSES)}


def _part(
    archive: Mapping[str, np.ndarray[Any, Any]], name: str, count: int | None, seed: int
) -> Arrays:
    labels = archive[f"{name}_y"].astype(np.int64)
    if count is not None and not 0 < count <= len(labels):
        raise SystemExit(f"--{name} {count}: the file has {len(labels)} images")
    index = np.arange(len(labels)) if count is None else _balanced(labels, count, seed)
    jpeg, offsets = archive[f"{name}_jpeg"], archive[f"{name}_offsets"]
    images = np.stack([decode(jpeg[offsets[i] : offsets[i + 1]].tobytes()) for i in index])
    return {f"x_{name}": images, f"y_{name}": labels[index]}


def _balanced(labels: np.ndarray[Any, Any], count: int, seed: int) -> np.ndarray[Any, Any]:
    """Return `count` sorted indices, as evenly spread over the classes as the file is."""
    order = stratified_order(torch.from_numpy(labels), seed).numpy()
    return np.sort(order[np.linspace(0, len(labels) - 1, count).round().astype(int)])


def decode(jpeg: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def halved(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(n, h, w, c) uint8 -> (n, h/2, w/2, c), each pixel the rounded mean of four."""
    count, height, width, channels = images.shape
    tiles = images.astype(np.float32).reshape(count, height // 2, 2, width // 2, 2, channels)
    return tiles.mean((2, 4)).round().astype(np.uint8)


def main() -> None:
    """Decode the images that the command line asks for and write them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--train", type=int, help="training images (all)")
    parser.add_argument("--test", type=int, help="test images (all)")
    parser.add_argument("--seed", type=int, default=0, help="which images (0)")
    parser.add_argument(
        "--halve", action="store_true", help="average 2 x 2 pixels: images of 16 x 16"
    )
    options = parser.parse_args()
    arrays = load(options.source, options.train, options.test, options.seed)
    if options.halve:
        arrays |= {name: halved(arrays[name]) for name in ("x_train", "x_test")}
    np.savez(options.target, **arrays)


if __name__ == "__main__":
    main()
