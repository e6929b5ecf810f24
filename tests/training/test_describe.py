"""What is printed before a search says what the search will see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwnas.training import data
from hwnas.training.describe import FEW, LISTED, _what_follows, described


def dataset(tmp_path, classes=2, each=100):
    labels = np.arange(classes * each) % classes
    pixels = np.zeros((len(labels), 8, 10), np.uint8)
    names = np.array([f"name{i}" for i in range(classes)])
    np.savez(
        tmp_path / "x.npz",
        x_train=pixels,
        y_train=labels,
        x_test=pixels,
        y_test=labels,
        classes=names,
    )
    return data.load(tmp_path / "x.npz")


def test_classes_images_per_class_and_part_side_and_channels_are_said(tmp_path):
    assert described(dataset(tmp_path)) == [
        "data x: 400 images in 2 classes, 10 x 8 pixels, grey (100 to train, 100 to compare, 200 to test)",
        "  name0: 50 to train, 50 to compare, 100 to test",
        "  name1: 50 to train, 50 to compare, 100 to test",
    ]


def test_a_long_list_of_classes_is_shortened_and_says_by_how_many(tmp_path):
    lines = described(dataset(tmp_path, classes=LISTED + 8))
    assert len(lines) == 1 + LISTED
    hidden = LISTED + 8 - (LISTED - 1)  # all lines but one are classes
    assert lines[-2:] == [
        f"  ... {hidden} more classes",
        "  name19: 50 to train, 50 to compare, 100 to test",
    ]


@pytest.mark.parametrize(("each", "few"), [(2 * FEW, False), (2 * FEW - 1, True)])
def test_a_class_of_few_images_in_a_part_is_a_line(tmp_path, each, few):
    lines = described(dataset(tmp_path, each=each))
    assert any(f"2 of 2 classes have fewer than {FEW}" in line for line in lines) == few


def test_what_few_images_of_a_class_mean_is_said(tmp_path):
    (line,) = [line for line in described(dataset(tmp_path, each=8)) if "few images" in line]
    said = "its accuracy is uncertain: one image more or less that is right moves it by 25 %"
    assert line.endswith(f"the fewest: name0, 4 to compare; {said}")
    assert _what_follows("to test", 4) == said
    assert _what_follows("to test", 0) == "no accuracy says anything about it"
    assert _what_follows("to train", 4) == "a class can hardly be learnt from so few"


def test_what_was_not_read_is_said_before_the_classes(tmp_path):
    noted = replace(dataset(tmp_path), notes=("not read: 3 .gif",))
    assert described(noted)[1] == "not read: 3 .gif"
