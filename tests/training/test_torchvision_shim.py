from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from hwnas.training import torchvision_shim


def test_the_data_sets_that_we_name_exist():
    datasets = torchvision_shim.datasets()
    assert datasets.CIFAR10
    assert datasets.CIFAR100
    assert datasets.FashionMNIST
    assert datasets.ImageNet


def test_another_failure_of_the_import_is_not_hidden(monkeypatch):
    def fail(name):
        raise RuntimeError("disk full")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        torchvision_shim.datasets()


def test_loading_digits_imports_neither_torchvision_nor_scikit_learn():
    program = (
        "import sys; from hwnas.training import data; data.load('digits'); "
        "assert not {'torchvision', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
