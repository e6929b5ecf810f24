"""Broken files end the reading, or are left out and counted, the same ones every time."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from hwnas.training import data
from profilers.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for label, name in enumerate(("oak", "pine")):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("L", (8, 8), 100 * label + i).save(tmp_path / name / f"{i}.png")
    (tmp_path / "oak" / "half.png").write_bytes((tmp_path / "oak" / "0.png").read_bytes()[:44])
    (tmp_path / "pine" / "empty.jpg").touch()
    (tmp_path / "pine" / "gone.png").symlink_to("nowhere")
    return tmp_path


def test_a_broken_file_is_named_with_the_two_ways_out(folder):
    with pytest.raises(
        InputError, match=r"image .*: cannot be read .*doctor --data.*--skip-broken"
    ):
        data.load(folder)


def test_without_broken_files_it_is_the_folder_that_never_had_them(folder):
    skipped = data.load(folder, skip_broken=True)
    assert [line.split(",")[0] for line in skipped.notes] == [
        "left out: 3 files that cannot be read"
    ]
    for name in ("oak/half.png", "pine/empty.jpg", "pine/gone.png"):
        (folder / name).unlink()
    clean = data.load(folder)
    assert clean.notes == ()
    assert data.digest(skipped) == data.digest(clean)
    assert torch.equal(skipped.train_labels, clean.train_labels)


def test_a_folder_of_nothing_but_broken_files_is_refused(tmp_path):
    for name in ("oak", "pine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").touch()
    with pytest.raises(InputError, match=r"no file can be read; image .*the file is empty"):
        data.load(tmp_path, skip_broken=True)
