"""Tables of networks that choose their own side and width: both are said, and no figure is cut."""

from __future__ import annotations

import pytest

from hwnas.cli.export_output import print_exported
from hwnas.space import SPACES
from hwnas.space.chosen_size import chosen_size, size_names, size_text
from hwnas.space.genotype import Genotype
from hwnas.space.text import parse

MEASURED = {"value": 0.012345, "low": 0.0121, "high": 0.01257}


def chosen(side: str, width: str) -> Genotype:
    space = SPACES["mobile"]
    operations = {one.name: one.operations[0] for one in space.decisions}
    operations |= {"side": side, "width": width}
    return Genotype("mobile", operations=tuple(operations.values()))


def test_a_size_is_said_in_the_order_of_its_names() -> None:
    genotype = chosen("0.75", "0.35")
    assert size_names(SPACES["mobile"]) == "side, width"
    assert size_text(genotype) == "0.75, 0.35"
    assert chosen_size(genotype) == {"side": "0.75", "width": "0.35"}
    assert chosen_size(parse("MOBILENET_V2_0.35")) == {"width": "0.35"}
    assert chosen_size(parse("RESNET8")) == chosen_size(parse("DARTS_V2")) == {}


@pytest.mark.parametrize("known_as", ["", "MOBILENET_V3_SMALL_0.75"])
def test_an_export_of_a_chain_fits_80_columns(monkeypatch, capsys, known_as: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    record = {
        "name": "0123456789",
        "known_as": known_as,
        "size": {"side": "0.75", "width": "0.35"},
        "averaged_down": "",
        "accuracy": 0.9123,
        "int8_accuracy": 0.9012,
        "params": 123_456,
        "macs": 123_456_789,
        "bytes": {"onnx": 7_654_321, "int8": 1_234_567},
        "latency": {"onnx": MEASURED, "int8": MEASURED},
        "files": {"onnx": "here/model.onnx"},
        "parity": {"test_images": 64},
        "checked_on": "test images",
        "warnings": [],
    }
    print_exported([record])
    lines = capsys.readouterr().out.splitlines()
    first = next(line.split() for line in lines if "fp32" in line)
    second = next(line.split() for line in lines if "int8" in line)
    figures = ["123", "K", "123", "M", "7,475", "0.0123", "0.0121..0.0126"]
    assert first == ["0123456789", "fp32", "0.75", "0.9123", *figures]
    assert second[-5:] == ["0.35", "0.9012", "1,206", "0.0123", "0.0121..0.0126"]
