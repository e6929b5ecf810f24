"""Digests change with what the images are, and not with what they are called or where they lie
in a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hwnas.training import data, files, folders
from hwnas.training.fingerprint import VERSION, fingerprint
from profilers.errors import InputError
from tests.training.test_order import paint, pictures


@pytest.fixture(params=["memory", "disk", "ends"])
def folder(request, tmp_path, monkeypatch):
    """Photos that are held, or read when asked for, whole or by their first and last bytes."""
    if request.param != "memory":
        monkeypatch.setattr(folders, "IN_MEMORY_BYTES", 0)
    if request.param == "ends":
        monkeypatch.setattr(files, "WHOLE_BYTES", 0)
    x, y = pictures()
    return paint(tmp_path / "photos", x, y, range(len(x)), ("train", "val"))


def test_one_pixel_of_one_part_changes_that_part_and_the_whole(folder):
    before = fingerprint(data.load(folder))
    file = folder / "val" / "ash" / "2.png"
    file.write_bytes((folder / "val" / "birch" / "12.png").read_bytes())
    after = fingerprint(data.load(folder))
    assert before.train == after.train
    assert before.test.digest != after.test.digest and before.test.count == after.test.count == 30
    assert before.whole != after.whole


def test_a_label_is_part_of_an_image(folder):
    before = fingerprint(data.load(folder))
    (folder / "val" / "ash" / "2.png").rename(folder / "val" / "birch" / "2.png")
    assert fingerprint(data.load(folder)).test.digest != before.test.digest


def test_names_are_no_part_of_it(folder):
    before = fingerprint(data.load(folder))
    for number, file in enumerate(sorted(folder.rglob("*.png"), reverse=True)):
        file.rename(file.with_name(f"renamed{number:03}.png"))
    after = fingerprint(data.load(folder))
    assert (before.train, before.test) == (after.train, after.test)
    in_memory = isinstance(data.load(folder).train, torch.Tensor)
    assert (before.whole == after.whole) == in_memory, (
        "a large folder goes by its names, and so do its halves"
    )


def test_noise_is_a_part_of_it(folder):
    clean, noisy = (fingerprint(data.load(folder, noise=noise)) for noise in (0, 0.1))
    assert clean.train.digest != noisy.train.digest


def test_the_digest_says_how_it_was_made(folder):
    dataset = data.load(folder)
    assert data.digest(dataset).startswith(VERSION)
    assert data.digest(dataset) == data.digest(replace(dataset, name="other"))


def test_a_file_that_has_gone_is_named(folder):
    dataset = data.load(folder)
    gone = folder / "train" / "ash" / "3.png"
    gone.unlink()
    if isinstance(dataset.train, files.Files):
        with pytest.raises(InputError, match=r"ash/3\.png: cannot be read"):
            data.digest(dataset)


def test_the_middle_of_a_file_is_read_unless_there_is_too_much(tmp_path, monkeypatch):
    """Bytes behind the first and before the last 4096 tell two files apart as long as all are
    read."""
    path, content = tmp_path / "one.png", bytearray(20_000)
    found = {}
    for limit in (files.WHOLE_BYTES, 0):
        monkeypatch.setattr(files, "WHOLE_BYTES", limit)
        for middle in (0, 1):
            content[10_000] = middle
            path.write_bytes(content)
            found[limit > 0, middle] = files.Files(paths=(str(path),), image=(3, 8, 8)).contents()
    assert found[True, 0] != found[True, 1]
    assert found[False, 0] == found[False, 1]
    assert np.array([len(one[0]) for one in found.values()]).tolist() == [16] * 4
