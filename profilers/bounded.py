"""Run a command with limits on what comes back: its time, the bytes of its output and of its
errors.

`subprocess.run` keeps all that a process writes, and after a timeout waits for its grandchildren: a
command that writes without end fills the memory, one that leaves a child behind hangs. Here neither
does. Standard library only: this file travels to remote hosts.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Literal

MIB = 2**20
MOST_ERRORS = 16 * MIB
"""Bytes of standard error after which a process is ended; the last 64 KiB of them are kept."""
_KEPT_ERRORS = 2**16
_AFTER_KILL_S = 0.5

How = Literal["ended", "timeout", "too much output", "too much error output"]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a process wrote, and how it ended; `returncode` is negative for a signal."""

    how: How
    returncode: int
    output: bytes
    errors: bytes


def run_bounded(
    command: Sequence[str],
    data: bytes,
    wait_s: float,
    most_output: int,
    env: Mapping[str, str] | None = None,
    own_session: bool = False,
) -> Ended:
    """Run `command` with `data` on its standard input, for `wait_s` seconds and `most_output` bytes
    at most.

    `own_session`: what the process starts is ended with it; without it the process keeps the
    terminal, so that `ssh` can ask for a password. Raises OSError where the command cannot be
    started.
    """
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if env is None else dict(env),
        start_new_session=own_session,
        bufsize=0,
    )
    assert process.stdin and process.stdout and process.stderr
    events: queue.SimpleQueue[How] = queue.SimpleQueue()
    output = _Reader(process.stdout, most_output, most_output, "too much output", events)
    errors = _Reader(process.stderr, MOST_ERRORS, _KEPT_ERRORS, "too much error output", events)
    threading.Thread(target=_write, args=(process.stdin, data), daemon=True).start()
    how: How = "ended"
    deadline = time.monotonic() + wait_s
    try:
        for _ in ("output", "errors"):
            how = events.get(timeout=max(0.0, deadline - time.monotonic()))
            if how != "ended":
                break
        else:
            process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except (queue.Empty, subprocess.TimeoutExpired):
        how = "timeout"
    finally:
        # Also after Ctrl-C: nothing that was started here goes on.
        if process.poll() is None or how != "ended":
            kill(process, own_session)
            process.wait()
            # What was written before the end is wanted; a grandchild that keeps the pipe open is
            # not waited for.
            for reader in (output, errors):
                reader.thread.join(_AFTER_KILL_S)
                reader.wanted = False
    return Ended(how=how, returncode=process.returncode, output=output.kept(), errors=errors.kept())


def kill(process: subprocess.Popen[bytes], own_session: bool) -> None:
    """End the process, and all that it started where it has a session of its own."""
    with suppress(ProcessLookupError, PermissionError):
        if own_session and hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


class _Reader:
    """Reads one stream in a thread of its own and keeps its last bytes; says when it ended or
    was too long."""

    def __init__(
        self, stream: IO[bytes], most: int, keep: int, too_much: How, events: queue.SimpleQueue[How]
    ) -> None:
        self.wanted = True
        self._chunks: list[bytes] = []
        self._stream, self._most, self._keep, self._too_much = stream, most, keep, too_much
        self._events = events
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        total, held = 0, 0
        how: How = "ended"
        with self._stream, suppress(OSError):
            while self.wanted and (chunk := self._stream.read(2**16)):
                total, held = total + len(chunk), held + len(chunk)
                self._chunks.append(chunk)
                while held - len(self._chunks[0]) > self._keep:
                    held -= len(self._chunks.pop(0))
                if total > self._most:
                    how = self._too_much
                    break
        self._events.put(how)

    def kept(self) -> bytes:
        return b"".join(self._chunks)[-self._keep :]


def _write(stream: IO[bytes], data: bytes) -> None:
    # A process that ends without reading all of it is told by its exit code.
    with suppress(OSError), stream:
        view = memoryview(data)
        while view:
            view = view[stream.write(view) :]
