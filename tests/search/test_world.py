"""Joining and leaving the processes of one search: one back end for all, and the group is left
whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist

from hwnas.search.distributed import ranks
from hwnas.search.distributed.ranks import PrefixStore, world


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Rank 0 of 2 on a machine with two GPUs; what is asked of torch.distributed is noted, not
    done."""
    made: list[Any] = []
    store = dist.HashStore()
    made.append(store)
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "here",
        "MASTER_PORT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(ranks, "rendezvous", lambda *_, **__: iter([(store, 0, 2)]))
    monkeypatch.setattr(dist, "is_nccl_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "set_device", lambda place: pytest.fail("a GPU for a search on CPUs")
    )
    monkeypatch.setattr(dist, "init_process_group", lambda backend, **_: made.append(backend))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: made.append("left"))
    return made


@pytest.mark.parametrize(("other", "backend"), [("1", "cpu:gloo,cuda:nccl"), ("0", "gloo")])
def test_all_take_nccl_or_none_does(calls: list[Any], other: str, backend: str) -> None:
    # The other rank's machine has a GPU of its own for each process, or not.
    PrefixStore("agree", calls[0]).set("1", other)
    with world() as joined:
        assert (joined.rank, joined.size) == (0, 2)
    assert calls[1:] == [backend, "left"]


def test_the_group_is_left_after_an_error_too(calls: list[Any]) -> None:
    PrefixStore("agree", calls[0]).set("1", "1")
    with pytest.raises(ZeroDivisionError), world():
        raise ZeroDivisionError
    assert calls[-1] == "left"
