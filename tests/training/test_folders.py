from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.training import data, folders, picture, torchvision_shim
from profilers.errors import InputError


def paint(path, value, mode="RGB", size=(32, 32)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 0, 0)).save(path)


def plain_folder(root, count=10, **options):
    for label, name in enumerate(("cat", "dog")):
        for i in range(count):
            paint(root / name / f"{i:02}.png", 100 * label + i, **options)
    return root


def test_class_folders_alone_hold_out_a_fifth_of_each_class(tmp_path):
    dataset = data.load(plain_folder(tmp_path))
    assert dataset.classes == ("cat", "dog")
    assert torch.bincount(dataset.test_labels).tolist() == [2, 2]
    assert torch.bincount(dataset.train_labels).tolist() == [8, 8]
    # The painted value tells class and image.
    red = torch.cat([dataset.train[:, 0, 0, 0], dataset.test[:, 0, 0, 0]]).long()
    assert sorted(red.tolist()) == [*range(10), *range(100, 110)]
    assert torch.equal(red // 100, torch.cat([dataset.train_labels, dataset.test_labels]))


@pytest.mark.parametrize("part", ["test", "val"])
def test_a_train_folder_is_joined_by_test_or_val(tmp_path, part):
    plain_folder(tmp_path / "train", 4)
    plain_folder(tmp_path / part, 3)
    dataset = data.load(tmp_path)
    assert (data.size(dataset, "train"), data.size(dataset, "test")) == (8, 6)


def test_a_class_known_to_the_test_folder_only_is_named(tmp_path):
    plain_folder(tmp_path / "train", 4)
    plain_folder(tmp_path / "test", 2)
    paint(tmp_path / "test" / "dogg" / "0.png", 0)
    with pytest.raises(
        InputError, match=r"test/dogg: class unknown in training; did you mean 'dog'"
    ):
        data.load(tmp_path)


def test_grey_files_give_one_channel_and_one_in_colour_gives_three(tmp_path):
    plain_folder(tmp_path, mode="L", size=(28, 28))
    assert data.load(tmp_path).image == (1, 28, 28)
    paint(tmp_path / "cat" / "99.png", 7, size=(28, 28))
    assert data.load(tmp_path).image == (3, 28, 28)


def test_the_side_is_the_median_or_as_asked_for_and_the_middle_is_kept(tmp_path):
    plain_folder(tmp_path, size=(60, 40))
    assert data.load(tmp_path).image == (3, 40, 40)
    assert data.load(tmp_path, image_size=16).image == (3, 16, 16)
    wide = np.zeros((40, 60), np.uint8)
    wide[:, 10:50] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert picture.read_image(str(tmp_path / "wide.png"), (1, 40, 40)).unique().tolist() == [200]


def test_large_folders_stay_on_disk_and_give_the_same_images(tmp_path, monkeypatch):
    plain_folder(tmp_path)
    in_memory = data.load(tmp_path, noise=0)
    monkeypatch.setattr(folders, "IN_MEMORY_BYTES", 0)
    lazy = data.load(tmp_path)
    assert isinstance(lazy.train, folders.Files)
    known = {image.numpy().tobytes() for image in in_memory.train} | {
        image.numpy().tobytes() for image in in_memory.test
    }
    found = lazy.train[torch.arange(16)]
    assert len(known) == 20 and {image.numpy().tobytes() for image in found} < known
    assert torch.equal(found[torch.tensor([3, 0, 11])], lazy.train[torch.tensor([3, 0, 11])])
    # The painted value tells the class.
    assert torch.equal(found[:, 0, 0, 0].long() // 100, lazy.train_labels)
    assert next(data.batches(lazy, "weights", 4, (0,), augment=lazy.augment)).x.shape == (
        4,
        3,
        32,
        32,
    )
    assert data.digest(lazy) == data.digest(data.load(tmp_path))


def test_noise_on_files_depends_on_the_image_alone(tmp_path):
    paint(tmp_path / "0.png", 100)
    paint(tmp_path / "1.png", 100)
    files = folders.Files(
        paths=(str(tmp_path / "0.png"), str(tmp_path / "1.png")), image=(3, 32, 32), noise=0.2
    )
    both, second = files[torch.tensor([0, 1])], files[torch.tensor([1])]
    assert torch.equal(both[1], second[0])
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_an_unreadable_image_is_named(tmp_path, content):
    plain_folder(tmp_path)
    file = tmp_path / "dog" / "03.png"
    file.write_bytes(file.read_bytes()[:60] if content is None else content)
    with pytest.raises(InputError, match=r"image .*dog/03\.png: cannot be read"):
        data.load(tmp_path)


def test_an_image_that_claims_too_many_pixels_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(picture, "LARGEST_PIXELS", 100)
    with pytest.raises(InputError, match=r"32 x 32 pixels, too large"):
        data.load(plain_folder(tmp_path))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ([], "0 sub-folders; expected one per class"),
        (["a/0.png"], "1 sub-folders"),
        (["a/0.png", "b/readme.txt"], r"b: no images, but 1 .txt \(known: .bmp"),
        (["train/a/0.png", "train/b/0.png"], "train/ without test/ or val/"),
        (["a/0.png", "b/0.png"], "2 images, too few to hold out a fifth"),
        (["a/0.png", *(f"b/{i}.png" for i in range(4))], "class 'a' has 1"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(tmp_path, layout, message):
    for name in layout:
        if name.endswith(".png"):
            paint(tmp_path / name, 0)
        else:
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).touch()
    with pytest.raises(InputError, match=message):
        data.load(tmp_path)


def test_images_too_small_for_a_network_are_refused(tmp_path):
    with pytest.raises(InputError, match="4 pixels a side, smaller than 8"):
        data.load(plain_folder(tmp_path, size=(4, 4)))


def test_imagenet_is_read_by_torchvision_from_unpacked_folders(tmp_path):
    torchvision_shim.datasets()
    torch.save(({"n01": ("tench", "Tinca"), "n02": ("goldfish",)}, []), tmp_path / "meta.bin")
    for split, count in (("train", 4), ("val", 2)):
        for wnid in ("n01", "n02"):
            for i in range(count):
                paint(tmp_path / split / wnid / f"{i}.JPEG", 50, size=(80, 60))
    dataset = data.load("imagenet", root=tmp_path, image_size=32)
    assert dataset.classes == ("tench, Tinca", "goldfish")
    assert (data.size(dataset, "train"), data.size(dataset, "test"), dataset.image) == (
        8,
        4,
        (3, 32, 32),
    )
    x, *_ = next(data.batches(dataset, "train", 8, (0,), augment=dataset.augment))
    assert x.shape == (8, 3, 32, 32)


def test_missing_imagenet_says_where_to_ask_for_it(tmp_path):
    with pytest.raises(
        InputError, match=r"'imagenet': not found or damaged .*image-net\.org.*--data-root"
    ):
        data.load("imagenet", root=tmp_path)
