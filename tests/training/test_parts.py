"""Parts and classes are told by names and by what the folders hold."""

from __future__ import annotations

import pytest

from hwnas.training.parts import parts, role
from hwnas.training.scan import passed_over, scan
from profilers.errors import InputError
from tests.training.trees import classes, lay


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


def test_a_long_name_is_matched_in_one_pass():
    # 2 ** 36 ways to read it would take hours.
    assert role("dataset" * 36 + "x") is None
    assert role("dataset" * 20 + "train" + "dataset" * 10) == "train"


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
        (
            [*classes("train"), *classes("Training"), *classes("test")],
            "Training/, train/ are named alike",
        ),
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


def test_parts_that_only_a_word_tells_are_refused(tmp_path) -> None:
    for part in ("seg_train", "seg_test"):
        for name in ("oak", "pine"):
            (tmp_path / part / part / name).mkdir(parents=True)
    with pytest.raises(InputError, match=r"seg_train.*seg_test.* are named like parts"):
        parts(tmp_path)


def test_folders_that_hold_the_same_folders_and_no_images_are_no_classes(tmp_path) -> None:
    for part in ("fold1", "fold2"):
        for name in ("oak", "pine"):
            (tmp_path / part / name).mkdir(parents=True)
    with pytest.raises(InputError, match="hold the same folders and no images"):
        parts(tmp_path)
    # With an image of its own a folder is a class that is sorted further below.
    (tmp_path / "fold1" / "leaf.png").touch()
    assert parts(tmp_path).train == tmp_path
