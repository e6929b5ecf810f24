from __future__ import annotations

import pytest
import torch

from hwnas.training import data
from profilers.errors import InputError


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("cifar", r"unknown data set 'cifar'.*did you mean 'cifar10'\? \(choices: digits, cifar10"),
        ("no/such.npz", r"data file no/such\.npz: not found"),
        ("no/such/folder", "unknown data set 'no/such/folder', and no folder"),
    ],
)
def test_an_unknown_source_gets_the_nearest_name(source, message):
    with pytest.raises(InputError, match=message):
        data.load(source)


def test_a_mistyped_folder_gets_the_one_beside_it(tmp_path):
    (tmp_path / "my photos").mkdir()
    with pytest.raises(InputError, match=r"; did you mean '.*/my photos'\?$"):
        data.load(tmp_path / "my_photos")


@pytest.mark.parametrize("noise", [-0.1, 1.5, float("nan")])
def test_noise_outside_0_to_1_is_refused(noise):
    with pytest.raises(InputError, match="data noise"):
        data.load("digits", noise=noise)


def test_noisy_digits_are_other_images_with_the_same_labels_and_split():
    clean, noisy = data.load("digits"), data.load("digits", noise=0.5)
    assert not torch.equal(clean.train, noisy.train)
    assert torch.equal(clean.train_labels, noisy.train_labels)
    assert torch.equal(clean.split["policy"], noisy.split["policy"])
    assert torch.equal(noisy.test, data.load("digits", noise=0.5, seed=9).test)
