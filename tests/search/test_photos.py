"""Real photos: their order and their names change nothing, and their classes are mixed where
networks are scored."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hwnas.runs.trials import Trial, read_trials
from hwnas.search.search import search, summary
from hwnas.training.data import load
from tests.search import tiny

DATA = Path(__file__).parents[3] / "shared" / "data"
FLOWERS, CIFAR = DATA / "flowers", DATA / "cifar10_jpeg.npz"


def renamed(folder: Path, place: Path, seed: int) -> Path:
    """The same photos under names that say nothing; another seed, other names and another order."""
    rng = np.random.default_rng(seed)
    for file in sorted(folder.rglob("*.jpg")):
        target = place / file.relative_to(folder).parent / f"{rng.bytes(8).hex()}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return place


def archive(folder: Path, place: Path, side: int) -> Path:
    """The same pixels as rows in an order of their own."""
    dataset, rng = load(folder, image_size=side), np.random.default_rng(7)
    arrays: dict[str, Any] = {"classes": np.array(dataset.classes)}
    for part, images, labels in (
        ("train", dataset.train, dataset.train_labels),
        ("test", dataset.test, dataset.test_labels),
    ):
        order = rng.permutation(len(labels))
        arrays[f"x_{part}"] = np.asarray(images)[order].transpose(0, 2, 3, 1)
        arrays[f"y_{part}"] = np.asarray(labels)[order]
    np.savez(place, **arrays)
    return place


def found(source: Path, run: Path, **data: Any) -> tuple[list[Trial], Any, Any, Any]:
    """Trials, front, hypervolume and baseline of a small search."""
    config = tiny.config(
        source,
        weight_step={"batch_size": 64},
        alpha_step={"samples": 4, "every": 4, "images": 32},
    )
    made = search(config.model_copy(update={"data": config.data.model_copy(update=data)}), run)
    front = summary(made)
    return read_trials(made), front["front"], front["hypervolume"], front["baseline"]


@pytest.mark.slow
@pytest.mark.skipif(not FLOWERS.is_dir(), reason="needs the flower photos in ../shared/data")
def test_photos_under_other_names_and_in_an_archive_give_the_same_front(tmp_path: Path) -> None:
    expected = found(FLOWERS, tmp_path / "run", image_size=32)
    assert len(expected[0]) > 50
    for seed in (1, 2):
        other = renamed(FLOWERS, tmp_path / f"names{seed}", seed)
        assert found(other, tmp_path / f"run{seed}", image_size=32) == expected
    assert found(archive(FLOWERS, tmp_path / "flowers.npz", 32), tmp_path / "run3") == expected


@pytest.mark.slow
@pytest.mark.skipif(not CIFAR.is_file(), reason="needs CIFAR-10 in ../shared/data")
def test_photos_class_by_class_are_scored_like_shuffled_ones(tmp_path: Path) -> None:
    with np.load(CIFAR) as held:
        kept = {
            part: (held[f"{part}_jpeg"], held[f"{part}_offsets"], held[f"{part}_y"])
            for part in ("train", "test")
        }
    rng = np.random.default_rng(0)
    for part, (jpeg, offsets, labels) in kept.items():
        rows = np.concatenate([np.flatnonzero(labels == label)[:400] for label in (0, 1, 2)])
        for name, order in (("ordered", rows), ("shuffled", rng.permutation(rows))):
            for number, row in enumerate(order):
                image = Image.open(io.BytesIO(jpeg[offsets[row] : offsets[row + 1]].tobytes()))
                file = tmp_path / name / part / str(labels[row]) / f"{number:05}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                image.resize((16, 16)).save(file)
    ordered, shuffled = (
        found(tmp_path / name, tmp_path / f"run-{name}") for name in ("ordered", "shuffled")
    )
    assert ordered == shuffled
