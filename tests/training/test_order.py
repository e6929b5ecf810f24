"""The order of images is their own: whatever the order of rows, files or file names, the data
set is the same."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hwnas.training import data, files, folders
from hwnas.training.order import Labelled, hold_out, in_order

RNG = np.random.default_rng(0)
CLASSES = ("ash", "birch", "cedar")


def pictures(count=30, side=8, channels=3):
    """Images with two pairs of duplicates within a class, and labels, class after class."""
    x = RNG.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    y = np.arange(count) * 3 // count
    x[1], x[-1] = x[0], x[-2]
    return x, y


def archive(path, x, y, test=6, order=None):
    """An .npz of `x`, its first images as test images too, rows in the order given."""
    order = np.arange(len(x)) if order is None else order
    tests = np.arange(len(x))[:: len(x) // test]
    rows = tests if order is None else RNG.permutation(tests)
    np.savez(
        path, x_train=x[order], y_train=y[order], x_test=x[rows], y_test=y[rows], classes=CLASSES
    )
    return path


def paint(root, x, y, names, parts=("",)):
    for part in parts:
        for image, label, name in zip(x, y, names, strict=True):
            file = root / part / CLASSES[label] / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
    return root


def alike(one, other, but=("name", "test_names", "device", "augment")):
    """Whether two data sets are equal in everything that a search or a training looks at."""
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name in but:
            continue
        if isinstance(mine, torch.Tensor):
            assert torch.equal(mine, theirs), field.name
        elif field.name == "split":
            assert all(torch.equal(mine[key], theirs[key]) for key in mine)
        else:
            assert mine == theirs, field.name
    return one.augment == other.augment


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_order_of_rows_changes_nothing(tmp_path, noise):
    x, y = pictures()
    first = data.load(archive(tmp_path / "one.npz", x, y), noise=noise)
    for number in range(3):
        order = np.random.default_rng(number).permutation(len(x))
        assert alike(
            first, data.load(archive(tmp_path / "two.npz", x, y, order=order), noise=noise)
        )


@pytest.mark.parametrize("parts", [("",), ("train", "val")])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_names_of_files_change_nothing_nor_does_an_archive_of_the_same_pixels(
    tmp_path, parts, noise
):
    x, y = pictures()
    named = data.load(paint(tmp_path / "named", x, y, range(len(x)), parts), noise=noise)
    others = [f"{word:08x}" for word in RNG.permutation(10**6)[: len(x)]]
    renamed = data.load(paint(tmp_path / "renamed", x, y, others, parts), noise=noise)
    assert alike(named, renamed)
    assert data.digest(named) == data.digest(renamed)
    if len(parts) == 2:
        order = RNG.permutation(len(x))
        np.savez(
            tmp_path / "same.npz",
            x_train=x[order],
            y_train=y[order],
            x_test=x[::-1],
            y_test=y[::-1],
            classes=CLASSES,
        )
        same = data.load(tmp_path / "same.npz", noise=noise)
        assert alike(named, same)
        assert data.digest(named) == data.digest(same)


def test_names_of_the_test_images_lead_back_to_them(tmp_path):
    x, y = pictures()
    folder = paint(tmp_path / "photos", x, y, range(len(x)))
    dataset = data.load(folder)
    for name, image, label in zip(
        dataset.test_names, dataset.test, dataset.test_labels, strict=True
    ):
        assert np.array_equal(
            np.asarray(Image.open(folder / name)).transpose(2, 0, 1), image.numpy()
        )
        assert str(name).startswith(CLASSES[label])
    rows = data.load(archive(tmp_path / "one.npz", x, y))
    stored = np.load(tmp_path / "one.npz")["x_test"].transpose(0, 3, 1, 2)
    assert np.array_equal(stored[list(rows.test_names)], rows.test.numpy())


def test_a_large_folder_goes_by_names_mixed_by_a_fixed_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "IN_MEMORY_BYTES", 0)
    x, y = pictures(60)
    dataset = data.load(paint(tmp_path / "photos", x, y, range(60)))
    assert isinstance(dataset.train, files.Files)
    assert len(set(dataset.train_labels[:12].tolist())) == 3, (
        "a batch in order would hold one class"
    )
    before = data.digest(dataset)
    again = data.load(tmp_path / "photos")
    assert (again.train.paths, again.test.paths) == (dataset.train.paths, dataset.test.paths)
    (tmp_path / "photos").rename(tmp_path / "moved")
    moved = data.load(tmp_path / "moved")
    assert [path.replace("moved", "photos") for path in moved.train.paths] == list(
        dataset.train.paths
    )
    assert data.digest(moved) == before


def test_the_held_out_part_has_noise_of_its_own_in_memory_and_on_disk(tmp_path, monkeypatch):
    folder = paint(
        tmp_path / "photos", np.full((30, 8, 8, 3), 128, np.uint8), pictures()[1], range(30)
    )
    for limit in (folders.IN_MEMORY_BYTES, 0):
        monkeypatch.setattr(folders, "IN_MEMORY_BYTES", limit)
        dataset = data.load(folder, noise=0.2)
        shown = [part[torch.arange(2)] for part in (dataset.train, dataset.test)]
        assert not torch.equal(shown[0], shown[1])


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=40), st.randoms()
)
def test_any_permutation_is_undone_duplicates_or_not(drawn, random):
    def ordered(rows):
        y, shade = (torch.tensor(column) for column in zip(*rows, strict=True))
        return in_order(Labelled(shade.to(torch.uint8).view(-1, 1, 1, 1), y), CLASSES)

    one, other = ordered(drawn), ordered(random.sample(drawn, len(drawn)))
    assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)
    assert one.labels.tolist() == sorted(one.labels.tolist())
    assert all(map(torch.equal, hold_out(one.labels), hold_out(other.labels)))


def test_which_files_are_looked_at_does_not_depend_on_their_names(tmp_path, monkeypatch):
    """The side of the images is the median of some files; with other names those would be
    others."""
    monkeypatch.setattr(folders, "_PROBED", 3)
    for root, order in (("a", range(20)), ("b", RNG.permutation(20))):
        for label in CLASSES[:2]:
            for number, name in enumerate(order):
                file = tmp_path / root / label / f"{name:02}.bmp"
                file.parent.mkdir(parents=True, exist_ok=True)
                side = 10 + number // 2  # and two of each size, with other pixels
                Image.new("RGB", (side, side), (number, 0, 0)).save(file)
    assert data.load(tmp_path / "a").image == data.load(tmp_path / "b").image
