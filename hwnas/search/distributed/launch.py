"""One search as several processes of this machine."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from hwnas.search.distributed.ranks import GRACE_S
from profilers.children import working_in


def launch(count: int, enter: Callable[[], None]) -> tuple[list[int], bool]:
    """Run ``enter`` in ``count`` new processes on this machine, with the environment that torchrun
    gives.

    Ctrl-C and SIGTERM are handed on to them. Returns their exit codes (-9: killed by signal 9) and
    whether they were asked to stop. Where one fails the others get GRACE_S to end.
    """
    from torch.multiprocessing.spawn import ProcessExitedException, start_processes

    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the store is this process', and outlives any rank
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCH_CPP_LOG_LEVEL": os.environ.get(
            "TORCH_CPP_LOG_LEVEL", "ERROR"
        ),  # what went wrong is said in a line
    }
    if "lo" in (
        name for _, name in socket.if_nameindex()
    ):  # a host name need not resolve for processes side by side
        environment["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
    asked: list[int] = []
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with tempfile.TemporaryDirectory(prefix="hwnas-") as empty:
            # Python starts them with the current folder on its path: one that holds no modules.
            with working_in(empty) as folder:
                arguments = (enter, environment, folder)
                start: Any = start_processes
                context = start(_enter, arguments, count, join=False)

            def hand_on(number: int, frame: Any) -> None:
                asked.append(number)
                for process in context.processes:
                    process.terminate()

            for number in before:
                signal.signal(number, hand_on)
            with suppress(ProcessExitedException):
                while not context.join(grace_period=GRACE_S):
                    pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return [int(process.exitcode or 0) for process in context.processes], bool(asked)


def _enter(rank: int, enter: Callable[[], None], environment: dict[str, str], folder: str) -> None:
    """The beginning of a launched process, back in the launcher's ``folder``.

    It is out of reach of the terminal's Ctrl-C, which its launcher hands on.
    """
    os.setpgrp()
    if folder:
        os.chdir(folder)
    # SIGTERM is how the launcher hands a stop on: it has to be said also before a search hears it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
    enter()
