from __future__ import annotations

import hashlib
import importlib
import pickle

import numpy as np
import pytest
import torch

from hwnas.training import data, sources, torchvision_shim
from hwnas.training.order import Labelled, hold_out, in_order
from profilers.errors import InputError

RNG = np.random.default_rng(0)


def write_cifar(root, monkeypatch, name="CIFAR10", label_key="labels", count=20):
    """Write files in CIFAR's format, and the md5 list that torchvision checks them against."""
    reader = getattr(torchvision_shim.datasets(), name)
    folder = root / reader.base_folder
    folder.mkdir(parents=True)
    contents = {}
    for part, stem in (("train_list", "train"), ("test_list", "test")):
        content = {
            "data": RNG.integers(0, 256, (count, 3072), dtype=np.uint8),
            label_key: [i % 2 for i in range(count)],
        }
        contents[part] = content
        monkeypatch.setattr(reader, part, [[stem, _pickled(folder / stem, content)]])
    meta = {
        **reader.meta,
        "md5": _pickled(folder / reader.meta["filename"], {reader.meta["key"]: ["cat", "dog"]}),
    }
    monkeypatch.setattr(reader, "meta", meta)
    return contents


def _pickled(path, content):
    path.write_bytes(pickle.dumps(content, protocol=2))
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_digits_are_complete_and_the_same_as_scikit_learns():
    from sklearn.datasets import load_digits

    dataset = data.load("digits")
    assert (
        data.size(dataset, "weights"),
        data.size(dataset, "policy"),
        data.size(dataset, "test"),
    ) == (
        719,
        719,
        359,
    )
    assert (dataset.image, dataset.classes) == ((1, 8, 8), tuple("0123456789"))
    x, y = load_digits(return_X_y=True)
    pixels = torch.from_numpy((x * 255 / 16).round().astype(np.uint8)).view(-1, 1, 8, 8)
    whole = in_order(Labelled(pixels, torch.from_numpy(y)), dataset.classes)
    train, test = hold_out(whole.labels)
    assert torch.equal(dataset.test_labels, whole.labels[test])
    assert torch.equal(dataset.train, whole.images[train])


def test_digits_do_without_the_file_that_we_know(monkeypatch):
    expected = sources._digits()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    pixels, labels = sources._digits()
    assert np.array_equal(pixels, expected[0])
    assert torch.equal(labels, expected[1])


def test_digits_are_never_mirrored():
    assert not data.load("digits").augment.flip


def test_every_class_gives_a_fifth_to_the_test_set():
    labels = torch.tensor([0] * 50 + [1] * 25 + [2] * 10)
    train, test = hold_out(labels)
    assert torch.bincount(labels[test]).tolist() == [10, 5, 2]
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(85))


@pytest.mark.parametrize(
    ("name", "reader", "key"),
    [("cifar10", "CIFAR10", "labels"), ("cifar100", "CIFAR100", "fine_labels")],
)
def test_cifar_files_are_read_through_torchvision(tmp_path, monkeypatch, name, reader, key):
    contents = write_cifar(tmp_path, monkeypatch, reader, key)
    dataset = data.load(name, root=tmp_path)
    assert dataset.classes == ("cat", "dog")
    for part, images, labels in (
        ("train_list", dataset.train, dataset.train_labels),
        ("test_list", dataset.test, dataset.test_labels),
    ):
        pixels = contents[part]["data"].reshape(-1, 3, 32, 32)
        expected = {
            image.tobytes(): label for image, label in zip(pixels, contents[part][key], strict=True)
        }
        assert len(expected) == len(images)
        assert [expected[image.tobytes()] for image in images.numpy()] == labels.tolist()
    assert dataset.augment.crop_padding == 4
    assert dataset.augment.flip


def test_cifar_is_read_at_the_side_that_is_asked_for(tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch)
    whole = data.load("cifar10", root=tmp_path)
    dataset = data.load("cifar10", root=tmp_path, image_size=16)
    assert dataset.image == (3, 16, 16)
    assert dataset.augment.crop_padding == 2 and dataset.augment.flip
    assert dataset.train.float().mean() == pytest.approx(float(whole.train.float().mean()), abs=1)


def test_a_changed_cifar_file_is_never_unpickled(tmp_path, monkeypatch):
    write_cifar(tmp_path, monkeypatch)

    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    (tmp_path / "cifar-10-batches-py" / "train").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="'cifar10': not found or damaged"):
        data.load("cifar10", root=tmp_path)


def write_idx(path, array):
    """Write the IDX format: magic number 0, 0, type 8 (bytes), dimensions, sizes in big-endian
    order."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


def test_fashion_mnist_is_read_through_torchvision(tmp_path):
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    images = RNG.integers(0, 256, (40, 28, 28), dtype=np.uint8)
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte", (np.arange(40) % 10).astype(np.uint8))
    dataset = data.load("fashion-mnist", root=tmp_path)
    assert dataset.image == (1, 28, 28)
    assert len(dataset.classes) == 10
    found = dataset.train.numpy()[:, 0]
    assert sorted(image.tobytes() for image in found) == sorted(image.tobytes() for image in images)


@pytest.mark.parametrize("name", sources.TORCHVISION)
def test_missing_data_names_the_folder_and_both_ways_out(tmp_path, name):
    with pytest.raises(
        InputError, match=rf"'{name}': not found .*{tmp_path.name}.*--download .*--data-root"
    ):
        data.load(name, root=tmp_path)


def test_a_failed_download_is_one_line_and_stdout_stays_clean(tmp_path, monkeypatch, capsys):
    def fail(self):
        print("Downloading")
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision_shim.datasets().CIFAR10, "download", fail)
    with pytest.raises(InputError, match=r"the download to .* failed \(no route to host\)"):
        data.load("cifar10", root=tmp_path, download=True)
    assert capsys.readouterr().out == ""
