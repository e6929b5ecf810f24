"""Tensors are read out of files of others; what is no file of tensors is refused, and never run."""

from __future__ import annotations

import io
import json
import pickle
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from hwnas.nets.trained import reading
from hwnas.nets.trained.reading import read
from profilers.errors import InputError

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


def written(value: object, new: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=new)
    return file.getvalue()


def refusal(content: bytes) -> str:
    with pytest.raises(InputError, match=r"^file: ") as refused:
        read(content, "file")
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model": {f"module.{name}": one for name, one in STATE.items()}},
        {f"module._orig_mod.{name}": torch.nn.Parameter(one) for name, one in STATE.items()},
    ],
    ids=["plain", "state_dict", "model and module", "parameters"],
)
@pytest.mark.parametrize("new", [True, False], ids=["zip", "of before"])
def test_tensors_are_found_under_their_names_whatever_wraps_them(value: object, new: bool) -> None:
    found = read(written(value, new), "file")
    assert found.ordered
    assert list(found.tensors) == list(STATE)
    assert all(torch.equal(found.tensors[name], one) for name, one in STATE.items())


def test_a_safetensors_file_keeps_no_order_and_may_say_what_it_is() -> None:
    found = read(save(STATE, {"hwnas": json.dumps({"classes": 3})}), "file")
    assert not found.ordered
    assert (set(found.tensors), found.notes) == (set(STATE), {"classes": 3})


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("new", [True, False])
def test_a_pickle_is_never_run(tmp_path: Path, new: bool) -> None:
    trap = tmp_path / "sprung"
    for value in ({**STATE, "b": _Trap(trap)}, _Trap(trap)):
        assert "nothing in it was run" in refusal(written(value, new))
    assert "nothing in it was run" in refusal(pickle.dumps(_Trap(trap)))
    assert not trap.exists()


@pytest.mark.parametrize("new", [True, False])
def test_a_damaged_file_is_refused_wherever_it_breaks_off(new: bool) -> None:
    whole = written(STATE, new)
    for size in range(0, len(whole) - 1, 97):
        refusal(whole[:size])


def test_a_small_archive_that_unpacks_to_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(2_000_000))
    monkeypatch.setattr(reading, "LARGEST", 1_000_000)
    assert len(file.getvalue()) < 10_000
    assert "unpacks to more than 1000000 bytes" in refusal(file.getvalue())


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1, 2], "holds a list, not tensors by name"),
        (torch.ones(2), "holds a Tensor, not tensors by name"),
        ({}, "holds no tensors"),
        ({"epoch": 3}, "'epoch' is a int, not a tensor with a name"),
        ({**STATE, "epoch": 3}, "'epoch' is a int"),
        ({**STATE, 7: torch.ones(1)}, "'7' is a Tensor"),
        ({"a": torch.eye(2).to_sparse()}, "'a' is sparse, quantised or without numbers"),
        ({"a": torch.empty(2, device="meta")}, "'a' is sparse, quantised or without numbers"),
    ],
)
def test_what_holds_no_tensors_by_name_is_told_what_it_holds(value: object, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert words in refusal(written(value))


def test_more_tensors_than_a_network_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_TENSORS", 1)
    assert "2 tensors, at most 1 are read" in refusal(written(STATE))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 20) + b'{"a":{"dtype":"F32"}}',
        save(STATE, {"hwnas": "[1]"}),
        save(STATE, {"hwnas": "{"}),
        save(STATE)[:-4],
    ],
)
def test_bytes_that_are_no_weights_are_refused(content: bytes) -> None:
    refusal(content)


def test_an_archive_that_says_it_spans_disks_is_refused() -> None:
    locator = b"PK\x06\x07" + (1).to_bytes(4, "little") + bytes(8) + (2).to_bytes(4, "little")
    content = b"PK\x03\x04" + bytes(30) + locator + b"PK\x05\x06" + bytes(18)
    with pytest.raises(InputError, match="damaged"):
        read(content, "w.pth")
