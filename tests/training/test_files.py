"""Images in files are read ahead of who uses them: the same, in order, a few batches at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.training import dataset as dataset_module
from hwnas.training import folders
from hwnas.training.augment import rectangles
from hwnas.training.data import load
from hwnas.training.dataset import batches, equal_batches, sample
from hwnas.training.files import AHEAD, Files
from hwnas.training.pixels import rectangle
from hwnas.training.stored import Wanted
from profilers.errors import InputError


@pytest.fixture
def stored(tmp_path: Path) -> Files:
    rng = np.random.default_rng(0)
    paths = []
    for number in range(24):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)).save(paths[-1])
    return Files(paths=tuple(map(str, paths)), image=(3, 8, 8), noise=0.1, stream=1)


def until(true: Callable[[], bool]) -> bool:
    """Whether it comes true; waits for it, at most long."""
    for _ in range(2000):
        if true():
            return True
        time.sleep(0.005)
    return False


def test_what_is_read_ahead_is_what_is_asked_for(stored: Files) -> None:
    indices = list(torch.randperm(24, generator=torch.Generator().manual_seed(0)).split(5))
    read = list(stored.ahead(map(Wanted, indices)))
    assert [len(one) for one in read] == [5, 5, 5, 5, 4]
    assert all(torch.equal(one, stored[index]) for one, index in zip(read, indices, strict=True))
    assert list(stored.ahead([])) == []


def test_a_few_batches_wait_and_no_more(stored: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def noted(self: Files, index: int, cut: None) -> torch.Tensor:
        read.append(index)
        return torch.full((3, 8, 8), index, dtype=torch.uint8)

    monkeypatch.setattr(Files, "_read", noted)
    source = stored.ahead(map(Wanted, torch.arange(24).split(2)))
    next(source)
    # Who asks for one batch has one read: pieces of a search are timed by one.
    assert read == [0, 1]
    for number in range(1, 4):
        assert next(source)[:, 0, 0, 0].tolist() == [2 * number, 2 * number + 1]
        wanted = set(range(2 * (number + 1 + AHEAD)))
        assert until(lambda wanted=wanted: set(read) == wanted)  # type: ignore[misc]
    source.close()
    assert len(read) == 2 * (4 + AHEAD)


def test_who_stops_leaves_no_thread_behind(stored: Files) -> None:
    before = set(threading.enumerate())
    for stop in (KeyboardInterrupt, ValueError):
        with pytest.raises(stop):
            for number, _ in enumerate(stored.ahead(map(Wanted, torch.arange(24).split(2)))):
                if number == 2:
                    raise stop
    source = stored.ahead(map(Wanted, torch.arange(24).split(2)))
    next(source), next(source)
    del source
    assert until(lambda: set(threading.enumerate()) <= before)


def test_a_file_that_cannot_be_read_is_named_where_its_turn_comes(stored: Files) -> None:
    Path(stored.paths[9]).write_bytes(b"\x89PNG no more")
    source = stored.ahead(map(Wanted, torch.arange(24).split(4)))
    assert torch.equal(next(source), stored[torch.arange(4)])
    assert torch.equal(next(source), stored[torch.arange(4, 8)])
    with pytest.raises(InputError, match=r"image .*9\.png: cannot be read"):
        next(source)


def test_batches_of_files_are_those_of_images_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 255, (10, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / label / f"{number}.png")
    monkeypatch.setattr(folders, "IN_MEMORY_BYTES", 0)
    lazy = folders.load_folder(tmp_path / "data", seed=0, noise=0.0)
    assert isinstance(lazy.train, Files) and isinstance(lazy.test, Files)
    both = {"train": lazy.train, "test": lazy.test}
    held = replace(lazy, **{name: one[torch.arange(len(one))] for name, one in both.items()})
    for each in (
        lambda data: batches(data, "weights", 4, (1, 2), augment=data.augment, start=1, stride=2),
        lambda data: batches(data, "test", 3),
        lambda data: equal_batches(data, "policy", 3, (5,), 7),
    ):
        pairs = list(zip(each(lazy), each(held), strict=True))
        assert pairs
        for found, wanted in pairs:
            assert torch.equal(found.x, wanted.x) and torch.equal(found.y, wanted.y)


def striped(path: Path) -> Path:
    """A picture three times as wide as high: its middle square is 100, what is beside it is not."""
    pixels = np.full((40, 120, 3), 100, dtype=np.uint8)
    pixels[:, :40], pixels[:, 80:] = 50, 200
    Image.fromarray(pixels).save(path)
    return path


def test_random_rectangles_are_cut_out_of_the_whole_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(({"n01": ("tench",), "n02": ("goldfish",)}, []), tmp_path / "meta.bin")
    for split, count in (("train", 16), ("val", 2)):
        for wnid in ("n01", "n02"):
            (tmp_path / split / wnid).mkdir(parents=True)
            for i in range(count):
                striped(tmp_path / split / wnid / f"{i}.png").rename(
                    tmp_path / split / wnid / f"{i}.JPEG"
                )
    dataset = load("imagenet", root=tmp_path, image_size=16)
    assert dataset.augment.smallest_area == 0.08
    monkeypatch.setattr(dataset_module, "_normalised", lambda dataset, pixels: pixels)
    seen = set()
    for epoch in range(2):
        words = (3, epoch)
        source = [
            *batches(dataset, "train", 8, words, augment=dataset.augment),
            sample(dataset, "policy", 8, words, augment=dataset.augment),
        ]
        for batch in source:
            assert batch.x.shape == (8, 3, 16, 16)
            seen |= {int(one.float().mean()) for one in batch.x}
        again = list(batches(dataset, "train", 8, words, augment=dataset.augment, start=2))
        assert torch.equal(again[0].x, source[2].x)
    # Of the middle square alone there would be nothing but 100.
    assert {50, 100, 200} <= seen and len(seen) > 10
    # Without augmentation the middle square is what is seen.
    for part in ("train", "test"):
        assert next(batches(dataset, part, 4)).x[..., 2:14].unique().tolist() == [100]  # type: ignore[arg-type]


def test_rectangles_have_the_area_and_the_form_that_were_drawn() -> None:
    size, draws = (300, 200), rectangles(500, 0.08, torch.Generator().manual_seed(0))
    boxes: list[tuple[float, ...]] = []

    class Picture:
        width, height = size

        def resize(self, side: object, how: object, box: tuple[float, ...], **_: object) -> None:
            boxes.append(box)

    for cut in draws.T.tolist():
        rectangle(Picture(), 16, cut)  # type: ignore[arg-type]
    whole = 0
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]
        width, height = right - left, bottom - top
        if width < size[0] and height < size[1]:  # not cut short by the picture's edge
            whole += 1
            assert 0.08 - 1e-6 <= width * height / (size[0] * size[1]) <= 1
            assert 3 / 4 - 1e-6 <= width / height <= 4 / 3 + 1e-6
    assert whole > 250
