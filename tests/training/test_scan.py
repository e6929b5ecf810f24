"""Every image of a class is found, and nothing is passed over in silence."""

from __future__ import annotations

import os

import pytest

from hwnas.training.scan import is_hidden, passed_over, scan, scan_test
from profilers.errors import InputError
from tests.training.trees import classes, lay


@pytest.mark.parametrize(
    "name",
    [
        "._leaf.png",
        ".hidden.png",
        "__MACOSX",
        "Thumbs.db",
        "@eaDir",
        "~$a.png",
        ".ipynb_checkpoints",
    ],
)
def test_hidden_files_and_what_systems_leave_behind_are_no_images(tmp_path, name):
    lay(tmp_path, "oak/0.png", f"oak/{name}/x.png", f"{name}/oak/x.png", "pine/0.png")
    found = scan(tmp_path)
    assert is_hidden(name) and found.classes == ("oak", "pine")
    assert [file for file, _ in found.files] == [
        str(tmp_path / "oak/0.png"),
        str(tmp_path / "pine/0.png"),
    ]
    assert passed_over([found]) == ("not read: 2 hidden",)


def test_other_files_are_counted_by_their_endings_in_one_line(tmp_path):
    lay(tmp_path, "oak/0.png", "oak/a.gif", "oak/b.GIF", "oak/deep/c.heic", "oak/README", "top.png")
    lay(tmp_path, "pine/0.JFIF", "pine/1.jpe", "pine/2.webp")
    found = scan(tmp_path)
    assert len(found.files) == 4
    assert passed_over([found]) == (
        "not read: 1 beside the class folders, 1 without an ending, 2 .gif, 1 .heic",
    )


def test_links_are_files_or_are_said_and_never_go_round_in_circles(tmp_path):
    lay(tmp_path, "oak/0.png", "pine/0.png")
    (tmp_path / "oak" / "round").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(".")
    (tmp_path / "pine" / "1.png").symlink_to(tmp_path / "oak" / "0.png")
    os.mkfifo(tmp_path / "pine" / "fifo.png")
    (tmp_path / "pine" / "loop.png").symlink_to("loop.png")
    (tmp_path / "pine" / "zero.png").symlink_to("/dev/zero")
    found = scan(tmp_path)
    assert found.classes == ("oak", "pine") and len(found.files) == 3
    assert [os.path.basename(file) for file in found.irregular] == [
        "fifo.png",
        "loop.png",
        "zero.png",
    ]
    assert passed_over([found]) == ("not read: 2 links to folders",)


def test_a_folder_inside_a_folder_is_pointed_at(tmp_path):
    lay(tmp_path, *classes("flowers"))
    with pytest.raises(InputError, match=r"1 sub-folders; .* did you mean .*/flowers\?"):
        scan(tmp_path)


def test_a_name_that_is_no_text_is_no_class(tmp_path):
    lay(tmp_path, "oak/0.png")
    for name in (b"\xff\xfe", b"a\x1b[31m"):
        (tmp_path / os.fsdecode(name)).mkdir()
        with pytest.raises(InputError, match="can't be the name of a class"):
            scan(tmp_path)
        (tmp_path / os.fsdecode(name)).rmdir()


def test_test_images_are_labelled_as_the_training_classes_are(tmp_path):
    lay(tmp_path, *classes("b", "oak", "pine"))
    found = scan_test(tmp_path / "b", ("ash", "oak", "pine"))
    assert found.classes == ("ash", "oak", "pine") and [label for _, label in found.files] == [1, 2]
