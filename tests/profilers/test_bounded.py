"""A process has so much time and may write so much, whatever it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from profilers import bounded
from profilers.bounded import MIB, run_bounded


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_a_process_reads_and_writes_is_what_subprocess_gives():
    code = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data); sys.exit('last words')"
    data = os.urandom(3 * MIB)
    done = run_bounded(python(code), data, 20, 4 * MIB)
    same = subprocess.run(python(code), input=data, capture_output=True, check=False)
    assert (done.returncode, done.output, done.errors) == (
        same.returncode,
        same.stdout,
        same.stderr,
    )
    assert done.how == "ended"


def test_output_without_end_is_cut_and_its_writer_ended(monkeypatch):
    monkeypatch.setattr(bounded, "MOST_ERRORS", MIB)
    done = run_bounded(["sh", "-c", "exec yes"], b"", 20, MIB)
    assert done.how == "too much output" and len(done.output) == MIB
    done = run_bounded(["sh", "-c", "exec yes >&2"], b"", 20, MIB)
    assert done.how == "too much error output" and len(done.errors) <= 2**16
    assert done.returncode < 0  # it was ended


def test_a_silent_process_is_ended_and_what_it_said_before_is_kept():
    for own_session in (False, True):
        done = run_bounded(
            ["sh", "-c", "echo said; exec sleep 60"], b"", 0.2, MIB, own_session=own_session
        )
        assert (done.how, done.output) == ("timeout", b"said\n")


def test_a_child_that_keeps_the_pipe_is_not_waited_for():
    # subprocess.run(timeout=...) would return only when the child has ended.
    done = run_bounded(["sh", "-c", "sleep 60 & echo $!; wait"], b"", 0.2, MIB)
    child = int(done.output)
    os.kill(child, 0)  # it lives
    os.kill(child, signal.SIGKILL)
    assert done.how == "timeout"


def test_a_process_that_reads_nothing_is_no_error():
    done = run_bounded(["true"], b"x" * MIB, 20, MIB)
    assert (done.how, done.returncode) == ("ended", 0)
