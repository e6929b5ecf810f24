"""Parts and classes are told by names and by what the folders hold; nothing is passed over in silence."""

from __future__ import annotations

import os

import pytest

from hwnas.training.scan import is_hidden, parts, passed_over, role, scan, scan_test
from profilers.errors import InputError


def lay(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def classes(part, *names):
    return [f"{part}/{name}/0.png" for name in names or ("oak", "pine")]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"), ("Training", "Testing"), ("TRAIN", "TEST"), ("Train", "VAL"), ("train", "valid"),
        ("training", "Validation"), ("train_set", "test_set"), ("Train-Data", "Test-Data"), ("train2017", "val2017"),
        ("trainset", "devset"), ("train_images", "eval_images"), ("TrainingData", "HoldOut"), ("trn", "tst"),
    ],
)  # fmt: skip
def test_parts_are_known_whatever_their_case_and_ending(tmp_path, train, test):
    lay(tmp_path, *classes(train), *classes(test))
    found = parts(tmp_path)
    assert (found.train, found.test, found.unused) == (tmp_path / train, tmp_path / test, ())


@pytest.mark.parametrize(
    "name", ["trains", "contest", "restraint", "protest", "valley", "evil", "device", "oak"]
)
def test_a_name_that_holds_the_letters_of_a_part_is_no_part(name):
    assert role(name) is None


def test_the_test_part_goes_before_validation_and_what_is_not_used_is_said(tmp_path):
    lay(tmp_path, *classes("train"), *classes("val"), *classes("test"), "docs/readme.md")
    found = parts(tmp_path)
    assert (found.test, found.unused) == (tmp_path / "test", (tmp_path / "docs", tmp_path / "val"))
    assert passed_over([], found.unused) == (
        "not read: docs/, beside the parts that are",
        "not read: val/, beside the parts that are",
    )


def test_folders_named_like_parts_that_hold_images_are_classes(tmp_path):
    lay(tmp_path, "bus/0.png", "car/0.png", "train/0.png", "Test/0.png")
    assert parts(tmp_path).test is None
    assert scan(tmp_path).classes == ("Test", "bus", "car", "train")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (classes("train"), "train/ without test/ or val/ beside it"),
        (classes("Testing"), "Testing/ without train/ beside it"),
        ([*classes("train"), "bus/0.png"], "train/ without test/ .* bus/ may be classes"),
        ([*classes("train"), "test/0.png"], "test/ beside train/ holds no folders"),
        ([*classes("train"), *classes("Training"), *classes("test")], "Training/, train/ are named alike"),
        ([*classes("train"), *classes("val"), *classes("dev")], "dev/, val/ are named alike"),
        (["train/0.png", "test/0.png"], "test/, train/ hold no folders"),
    ],
)
def test_parts_that_could_mean_two_things_are_refused(tmp_path, names, message):
    lay(tmp_path, *names)
    with pytest.raises(InputError, match=message):
        parts(tmp_path)


def test_a_test_folder_that_is_named_needs_no_counterpart(tmp_path):
    lay(tmp_path, *classes("mine/train"), *classes("other"))
    found = parts(tmp_path / "mine", tmp_path / "other")
    assert (found.train, found.test) == (tmp_path / "mine" / "train", tmp_path / "other")
    found = parts(tmp_path / "mine" / "train", tmp_path / "other")
    assert (found.train, found.test) == (tmp_path / "mine" / "train", tmp_path / "other")


@pytest.mark.parametrize(
    "name", ["._leaf.png", ".hidden.png", "__MACOSX", "Thumbs.db", "@eaDir", "~$a.png", ".ipynb_checkpoints"]
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
    assert [os.path.basename(file) for file in found.irregular] == ["fifo.png", "loop.png", "zero.png"]
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
