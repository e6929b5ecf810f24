"""The survey finds every remarkable file at once, and only those."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hwnas.training.survey import survey_folder, survey_npz

RNG = np.random.default_rng(0)


def photo(path, *, mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    picture.convert(mode).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path):
    for part in ("train", "test"):
        for name in ("oak", "pine"):
            for i in range(3):
                photo(tmp_path / part / name / f"{i}.png")
    return tmp_path


def names_in(remark, folder):
    return [line.replace(f"{folder}/", "") for line in remark.files]


def test_a_clean_folder_has_no_remarks(folder):
    assert survey_folder(folder) == []


def test_every_kind_is_listed_with_its_files(folder):
    exif = Image.Exif()
    exif[274] = 6
    photo(folder / "train/oak/turned.png", exif=exif)
    photo(folder / "train/pine/printed.tif", mode="CMYK")
    photo(folder / "train/pine/grey.png", mode="L")
    (folder / "train/oak/broken.png").write_bytes(b"\x89PNG")
    (folder / "train/oak/._0.png").write_bytes(b"\0\5\26\7")
    whole = (folder / "train/oak/0.png").read_bytes()
    Image.open(folder / "train/oak/1.png").save(
        folder / "train/oak/again.tif"
    )  # same pixels, other bytes
    (folder / "train/pine/wrong.png").write_bytes(whole)
    (folder / "test/oak/leak.png").write_bytes((folder / "train/oak/2.png").read_bytes())
    remarks = survey_folder(folder)
    found = {remark.text.split(":")[0]: names_in(remark, folder) for remark in remarks}
    assert [remark.text for remark in remarks if remark.broken] == ["cannot be read"]
    assert (
        len(found["cannot be read"]) == 1 and "train/oak/broken.png" in found["cannot be read"][0]
    )
    assert found["another type of pixels than 8-bit grey or RGB, or than most (RGB)"] == [
        "train/pine/grey.png: mode L",
        "train/pine/printed.tif: mode CMYK",
    ]
    turned = "stored turned or mirrored, and turned upright by their EXIF orientation"
    assert found[turned] == ["train/oak/turned.png: orientation 6"]
    assert found["the same picture in two classes"] == [
        "train/oak/0.png (oak) = train/pine/wrong.png (pine)"
    ]
    assert found["the same picture for training and for testing"] == [
        "train/oak/2.png = test/oak/leak.png"
    ]
    assert found["the same picture more than once"] == ["train/oak/1.png = train/oak/again.tif"]
    assert found["hidden, and not read"] == ["train/oak/._0.png"]
    assert len(found) == len(remarks) == 7


def test_16_bit_images_of_a_12_bit_camera_are_noticed(folder):
    values = RNG.integers(0, 4096, (12, 16)).astype(np.uint16)  # 12 bits: the upper four are 0
    Image.fromarray(values).save(folder / "train/oak/camera.png")
    Image.fromarray(values * 16).save(folder / "train/oak/scaled.png")
    found = {remark.text: names_in(remark, folder) for remark in survey_folder(folder)}
    assert found["16 bits of which no pixel uses the upper four"] == ["train/oak/camera.png"]


def test_an_archive_is_surveyed_by_index(tmp_path):
    x = RNG.integers(0, 256, (8, 8, 8), dtype=np.uint8)
    test = RNG.integers(0, 256, (4, 8, 8), dtype=np.uint8)
    x[5], test[1], x[7] = x[0], x[2], 9
    labels = np.arange(8) % 2
    test_labels = np.array([0, labels[2], 1, 1])
    np.savez(tmp_path / "x.npz", x_train=x, y_train=labels, x_test=test, y_test=test_labels)
    found = {remark.text: remark.files for remark in survey_npz(tmp_path / "x.npz")}
    assert found == {
        "all pixels are the same": ("x_train[7]",),
        "the same picture in two classes": ("x_train[0] (0) = x_train[5] (1)",),
        "the same picture for training and for testing": ("x_train[2] = x_test[1]",),
    }
