"""One search on several processes: all that torch.distributed is asked for, and nothing where a
process is alone.

Every process (a rank) holds the whole searcher and all shared weights, and comes to the same state
by itself: draws are functions of the position (hwnas.search.loop), so only what depends on images
is exchanged. What a step means with N ranks: docs/decisions/016-what-a-step-is-with-n-processes.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed import PrefixStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from hwnas.errors import Stopped

Floats = NDArray[np.float64]
T = TypeVar("T")

LIMIT = timedelta(minutes=30)
"""How long a rank waits for another that lives: rank 0 may measure a first latency table or
write a checkpoint, and scoring finalists takes some ranks longer than others. One that has died
is noticed at once."""
ON_GPUS_S = 45.0
"""How long a sum over GPUs may take, which all ranks begin within moments of one another: NCCL does
not notice that a rank has died inside one, and waits for ever."""
LAST_WORDS = timedelta(seconds=5)
GRACE_S = 10.0
"""After one process has died: how long the others have to end, and then again before they are
killed."""


class PeerLost(RuntimeError):
    """Another rank is gone, or did not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """This process among those of the search. All of them make the same calls in the same order.

    ``rank`` in 0..size-1; ``local``: its number on its machine, where ``neighbours`` processes run.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    neighbours: int = 1
    store: Any = field(default=None, repr=False, compare=False)

    @property
    def is_main(self) -> bool:
        """Whether this rank writes the run directory, prints, and measures."""
        return self.rank == 0

    def broadcast(self, make: Callable[[], T]) -> T:
        """What ``make`` gives on the leading rank, on every rank."""
        if self.size == 1:
            return make()
        value: list[Any] = [make() if self.is_main else None]
        with _peer_lost():
            dist.broadcast_object_list(value, device=torch.device("cpu"))
        found: T = value[0]
        return found

    def any_rank(self, *asked: bool) -> tuple[bool, ...]:
        """Of each question, whether any rank says yes."""
        if self.size == 1:
            return asked
        return tuple(bool(value) for value in self._summed(np.array(asked, dtype=np.float64)))

    def own(self, count: int) -> list[int]:
        """Which of the items 0..count-1 fall to this rank."""
        return list(range(self.rank, count, self.size))

    def sharded(self, count: int, score: Callable[[int], float]) -> Floats:
        """The scores (count,) of items 0..count-1, of which each rank works out every size-th."""
        scores = np.zeros(count)
        for number in self.own(count):
            scores[number] = score(number)
        return self._summed(scores)  # exact: all but one of the terms are zero

    def gathered(self, count: int, values: Floats) -> Floats:
        """The scores (count, ...) of all items, of which each rank brings those of its ``own``."""
        scores = np.zeros((count, *values.shape[1:]))
        scores[self.own(count)] = values
        return self._summed(scores)  # exact: all but one of the terms are zero

    def mean(self, value: Tensor, counts: bool = True) -> Tensor:
        """The mean of a tensor over the ranks whose own ``counts``, summed in float64."""
        if self.size == 1:
            return value
        own = value.detach().double().cpu().numpy().ravel() if counts else np.zeros(value.numel())
        total = self._summed(np.append(own, float(counts)))
        return torch.from_numpy(total[:-1] / total[-1]).to(value).view_as(value)

    def average_gradients(self, weights: Sequence[Tensor], loss: float | None) -> float:
        """Replace each ``.grad`` by its mean over the paths of this step; returns the mean of their
        losses.

        ``loss``: None on a rank that had no batch in this step. A weight that no path touches keeps
        None; one that some do not touch gets their zeros. Raises OutOfMemoryError where any rank
        called ``give_up``.
        """
        if self.size == 1:
            assert loss is not None
            return loss
        head = (0.0, float(loss is not None), loss or 0.0)
        failed, paths, total, *touched = self._sum_with_weights(head, weights)
        if failed:
            raise torch.OutOfMemoryError("the memory of another process is too small")
        chosen = [weight for weight, count in zip(weights, touched, strict=True) if count]
        flat = torch.cat([_gradient(weight).reshape(-1) for weight in chosen])
        with _peer_lost():
            if flat.device.type == "cpu":
                dist.all_reduce(flat)
            else:
                finish(dist.all_reduce(flat, async_op=True))
        flat /= paths
        for weight, part in zip(
            chosen, torch.split(flat, [one.numel() for one in chosen]), strict=True
        ):
            if weight.grad is None:
                weight.grad = torch.empty_like(weight)
            weight.grad.copy_(part.view_as(weight))
        return float(total / paths)

    def give_up(self, weights: Sequence[Tensor]) -> None:
        """Instead of ``average_gradients``, on a rank whose memory was too small: all of them
        have to know."""
        if self.size > 1:
            self._sum_with_weights((1.0, 0.0, 0.0), weights)

    def check_equal(self, digest: Callable[[], int]) -> None:
        """Raise Stopped where the ranks' digests, 0..2^31, are not all the same."""
        if self.size == 1:
            return
        own = float(digest())
        everyone = self.sharded(self.size, lambda rank: own)
        if (everyone != own).any():
            values = ", ".join(f"{value:.0f}" for value in everyone)
            raise Stopped(
                f"the processes of this search no longer hold the same weights (digests {values})"
            )

    def speaks(self) -> bool:
        """Whether this rank is the first that asks: of an error that several ranks meet, one
        tells."""
        if self.size == 1:
            return True
        try:
            return bool(
                self.store.compare_set("spoken", "", str(self.rank)) == str(self.rank).encode()
            )
        except RuntimeError:  # the store is gone with its host: rather twice than never
            return True

    def leave(self, spoken: bool) -> None:
        """End in order: launchers end all processes with the first that fails, so the one that
        speaks goes first."""
        if self.size > 1:
            with suppress(RuntimeError):
                if spoken:
                    self.store.set("left", "1")
                else:
                    self.store.wait(["left"], LAST_WORDS)

    def _sum_with_weights(
        self, head: tuple[float, float, float], weights: Sequence[Tensor]
    ) -> list[float]:
        touched = [float(weight.grad is not None) for weight in weights]
        return [float(value) for value in self._summed(np.array([*head, *touched]))]

    def _summed(self, values: Floats) -> Floats:
        """The sum over all ranks; small values, by way of the host."""
        if self.size > 1:
            with _peer_lost():
                dist.all_reduce(torch.from_numpy(values))  # in place, in the memory of ``values``
        return values


ALONE = Ranks()


def waits() -> bool:
    """Whether torchrun, or ``launch``, has started this process as one of several."""
    names = ("RANK", "MASTER_ADDR", "MASTER_PORT")
    return all(name in os.environ for name in names) and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def world() -> Iterator[Ranks]:
    """Join the processes that torchrun or ``launch`` has started; alone where there are none.

    Host memory goes through gloo, and GPUs through NCCL where each process has one of its own.
    """
    if not waits():
        yield ALONE
        return
    with _peer_lost():
        store, rank, size = next(rendezvous("env://", timeout=LIMIT))
        local, neighbours = (
            int(os.environ.get(name, "0")) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE")
        )
        own_gpus = dist.is_nccl_available() and torch.cuda.device_count() >= max(1, neighbours)
        backend = "cpu:gloo,cuda:nccl" if _all_agree(store, rank, size, own_gpus) else "gloo"
        dist.init_process_group(
            backend, store=PrefixStore("group", store), rank=rank, world_size=size, timeout=LIMIT
        )
    try:
        yield Ranks(
            rank=rank,
            size=size,
            local=local,
            neighbours=max(1, neighbours),
            store=PrefixStore("words", store),
        )
    finally:
        with suppress(RuntimeError):
            dist.destroy_process_group()


def _all_agree(store: Any, rank: int, size: int, yes: bool) -> bool:
    """Whether every rank says yes: machines differ, and ranks of two back ends would wait for
    each other for ever."""
    words = PrefixStore("agree", store)
    words.set(str(rank), str(int(yes)))
    return all(words.get(str(other)) == b"1" for other in range(size))


def finish(work: Any, limit_s: float = ON_GPUS_S) -> None:
    """Wait for what torch.distributed has begun; whatever runs after it then sees its result.

    Raises PeerLost where it does not end within ``limit_s`` seconds.
    """
    began, pause = time.monotonic(), 5e-5
    while not work.is_completed():
        if time.monotonic() - began > limit_s:
            raise PeerLost(f"a sum over the GPUs of all processes timed out after {limit_s:g} s")
        time.sleep(pause)
        pause = min(1.2 * pause, 0.01)
    work.wait()


def _gradient(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


@contextmanager
def _peer_lost() -> Iterator[None]:
    """What torch says about a rank that is gone, in one type."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLost(str(error)) from error
