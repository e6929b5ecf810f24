from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch

from hwnas.training import archive, arrays, data
from profilers.errors import InputError

RNG = np.random.default_rng(0)


def sets(shape=(8, 8), count=12, classes=3):
    x = RNG.integers(0, 256, (count, *shape), dtype=np.uint8)
    y = np.arange(count) % classes
    return {"x_train": x, "y_train": y, "x_test": x[:6], "y_test": y[:6]}


def same_images(one, other):
    """Whether both hold the same images, in whatever order."""
    rows = (np.asarray(images).reshape(len(images), -1) for images in (one, other))
    return np.array_equal(*(np.unique(images, axis=0, return_counts=True)[0] for images in rows))


def saved(path, **changes):
    file = path / "mine.npz"
    np.savez(file, **{k: v for k, v in {**sets(), **changes}.items() if v is not None})
    return file


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((8, 8), (1, 8, 8)),
        ((9, 12, 3), (3, 9, 12)),
        ((3, 9, 12), (3, 9, 12)),
        ((1, 8, 8), (1, 8, 8)),
    ],
)
def test_layouts_are_told_apart(tmp_path, shape, image):
    dataset = data.load(saved(tmp_path, **sets(shape)))
    assert dataset.image == image
    assert next(data.batches(dataset, "train", 5)).x.shape == (5, *image)
    assert dataset.classes == ("0", "1", "2")


def test_channels_last_pixels_arrive_in_their_places(tmp_path):
    original = sets((8, 8, 3))
    dataset = data.load(saved(tmp_path, **original))
    assert same_images(dataset.train, original["x_train"].transpose(0, 3, 1, 2))


def test_floats_in_0_to_1_become_bytes(tmp_path):
    original = sets()
    dataset = data.load(saved(tmp_path, **original | {"x_train": original["x_train"] / 255}))
    assert same_images(dataset.train[:, 0], original["x_train"])


def test_names_of_classes_may_be_given(tmp_path):
    assert data.load(saved(tmp_path, classes=np.array(["a", "b", "c"]))).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "no array 'y_test' .arrays: x_train"),
        ({"x_train": np.zeros((12, 8))}, r"x_train: shape \(12, 8\)"),
        ({"x_train": np.zeros((12, 2, 8, 8))}, "x_train: shape"),
        ({"x_train": np.zeros((12, 4, 4))}, "smaller than 8 x 8"),
        ({"x_train": np.full((12, 8, 8), np.nan)}, "x_train: pixels from nan"),
        ({"x_train": np.full((12, 8, 8), 256)}, "x_train: pixels from 256.0"),
        ({"x_train": np.zeros((12, 8, 8), complex)}, "pixels of type complex128"),
        ({"y_train": np.arange(11) % 3}, r"y_train: shape \(11,\), expected \(12,\)"),
        ({"y_train": np.full(12, 0.5)}, "labels are whole numbers from 0"),
        ({"y_train": np.full(12, np.nan)}, "labels are whole numbers from 0"),
        ({"y_train": np.full(12, np.inf)}, "labels are whole numbers from 0"),
        ({"y_train": np.ones((12, 2))}, r"row 0 of shape \(2,\) is no single one among zeros"),
        ({"y_train": np.eye(12)[:, :3]}, r"row 3 of shape \(3,\) is no single one among zeros"),
        ({"y_train": np.full((12, 1, 1), 1)}, r"y_train: shape \(12, 1, 1\)"),
        ({"y_train": np.arange(12) % 3 - 1}, "labels are whole numbers from 0"),
        ({"y_train": np.arange(12) % 3 * 2}, "class '1' has 0"),
        ({"y_train": np.zeros(12, int)}, "one class only"),
        ({"y_test": np.full(6, 3)}, "test label 3, but 3 classes"),
        ({"x_test": np.zeros((6, 9, 9), np.uint8)}, r"x_test of \(1, 9, 9\)"),
        ({"classes": np.array(["a", "a", "b"])}, "2 different names for labels up to 2"),
        ({"x_train": np.array([object()] * 12)}, "not a readable .npz archive of plain arrays"),
    ],
)
def test_what_is_wrong_with_an_archive_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        data.load(saved(tmp_path, **changes))


def test_a_truncated_or_damaged_archive_is_refused(tmp_path):
    file = saved(tmp_path)
    whole = file.read_bytes()
    for content in (
        b"",
        b"no archive",
        whole[: len(whole) // 2],
        whole.replace(b"NUMPY", b"MUMPY"),
    ):
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"mine\.npz"):
            data.load(file)


def test_a_header_that_claims_more_than_the_memory_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 60, 8, 8)}
    )
    file = saved(tmp_path, x_train=None)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("x_train.npy", header.getvalue())
    with pytest.raises(InputError, match=r"mine\.npz"):
        data.load(file)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_BYTES", 1000)
    with pytest.raises(InputError, match="MiB unpacked"):
        data.load(saved(tmp_path))


def test_statistics_are_those_of_the_pixels():
    images = torch.from_numpy(RNG.integers(0, 256, (20, 3, 8, 8), dtype=np.uint8))
    mean, std = arrays.channel_statistics(images)
    values = images.double() / 255
    assert mean == pytest.approx(values.mean((0, 2, 3)).tolist())
    assert std == pytest.approx(values.std((0, 2, 3), unbiased=False).tolist())


def test_a_channel_that_never_changes_is_harmless():
    assert arrays.channel_statistics(torch.zeros(3, 1, 8, 8, dtype=torch.uint8)) == ((0.0,), (1.0,))


def test_noise_has_its_deviation_is_the_same_every_time_and_differs_between_images():
    grey = torch.full((2000, 1, 8, 8), 128, dtype=torch.uint8)
    once, again = arrays.with_noise(grey, 0.1, 0), arrays.with_noise(grey, 0.1, 0)
    assert torch.equal(once, again)
    assert once.float().std().item() / 255 == pytest.approx(0.1, rel=0.02)
    assert not torch.equal(once[0], once[1])
    assert not torch.equal(once, arrays.with_noise(grey, 0.1, 1))
    assert arrays.with_noise(grey, 0.0, 0) is grey


def test_labels_say_the_same_in_every_usual_form():
    plain = np.arange(12) % 3
    forms = (plain[:, None], np.eye(3)[plain], np.eye(3, dtype=np.uint8)[plain], plain.astype("f4"))
    for form in (*forms, np.eye(3, dtype=bool)[plain], plain.astype(float)[:, None]):
        assert arrays.as_labels(form, 12, "y").tolist() == plain.tolist()
    assert arrays.as_labels(plain == 1, 12, "y").tolist() == (plain == 1).astype(int).tolist()


def test_arrays_may_have_the_names_of_medmnist(tmp_path):
    pixels, labels = np.arange(12 * 64, dtype=np.uint8).reshape(12, 8, 8), np.arange(12) % 3
    usual = {"x_train": pixels, "y_train": labels, "x_test": pixels[:6], "y_test": labels[:6]}
    np.savez(tmp_path / "usual.npz", **usual)
    expected = data.load(tmp_path / "usual.npz")
    for image, label in (("{}_images", "{}_labels"), ("X_{}", "Y_{}"), ("{}_x", "{}_y")):
        named = {"x": image, "y": label}
        other = {named[key[0]].format(key[2:]): value for key, value in usual.items()}
        np.savez(tmp_path / "other.npz", **other, val_images=pixels, val_labels=labels)
        found = data.load(tmp_path / "other.npz")
        assert data.digest(found) == data.digest(expected)
    np.savez(tmp_path / "both.npz", **usual, train_images=pixels)
    with pytest.raises(InputError, match="both 'x_train' and 'train_images' are there: keep one"):
        data.load(tmp_path / "both.npz")
