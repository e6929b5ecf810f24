"""What the command line does where its standard output or standard error can't be written."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from hwnas.cli import main
from hwnas.cli.outside import echo
from hwnas.cli.standard import ReaderGone, ended_in_order, standard_streams
from hwnas.errors import Stopped
from tests.runs.made import finished_run


@pytest.fixture
def without_reader():
    """A text stream into a pipe whose other end is closed."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = open(writing, "w")  # noqa: SIM115
    yield stream
    stream.close()


def test_a_full_disk_under_standard_output_is_one_line_and_code_3(tmp_path, monkeypatch, capsys):
    run = finished_run(tmp_path / "run").path
    for words in (
        ["show", str(run)],
        ["show", str(run), "--json"],
        ["--help"],
        ["devices", "list"],
    ):
        with monkeypatch.context() as patch, open("/dev/full", "w") as full:
            patch.setattr(sys, "stdout", full)
            patch.setattr(sys, "argv", ["hwnas", *words])
            with pytest.raises(SystemExit) as end:
                main()
        assert end.value.code == 3, words
        line = "stopped: standard output can't be written: the disk is full\n"
        assert capsys.readouterr().err == line


def test_a_reader_that_has_seen_enough_is_no_failure(monkeypatch, capsys, without_reader):
    monkeypatch.setattr(sys, "stdout", without_reader)
    monkeypatch.setattr(sys, "argv", ["hwnas", "devices", "list"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert capsys.readouterr().err == ""


def test_a_closed_standard_output_gets_nothing_and_is_no_failure(monkeypatch, capsys):
    for words in (["devices", "list"], ["devices", "show", "1080ti"], ["--version"]):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", None)
            patch.setattr(sys, "argv", ["hwnas", *words])
            with pytest.raises(SystemExit) as end:
                main()
        assert end.value.code == 0, words
    assert capsys.readouterr().err == ""


def test_no_place_for_temporary_files_and_no_memory_are_one_line(monkeypatch, capsys):
    refused = {
        "no temporary file can be written": FileNotFoundError(2, "No usable temporary directory"),
        "the memory is too small": OSError(12, "Cannot allocate memory"),
        "x.so: it is gone": FileNotFoundError(2, "No such file", "x.so"),
    }
    for line, error in [*refused.items(), ("the memory", ImportError("failed to map segment"))]:

        def fails(*words, error=error, **options):
            raise error

        monkeypatch.setattr("hwnas.cli.app", fails)
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 3
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"stopped: {line}")


def test_messages_that_nobody_can_read_do_not_end_the_work(monkeypatch, without_reader):
    with open("/dev/full", "w") as full:
        for stream in (without_reader, full, None):
            monkeypatch.setattr(sys, "stderr", stream)
            with standard_streams():
                echo("a note", err=True)
                sys.stderr.flush()
                echo("another", err=True)


def test_a_message_without_standard_error_does_not_stand_in_standard_output(monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", None)
        with standard_streams():
            echo("a note", err=True)
    assert capsys.readouterr().out == ""


def test_the_streams_are_left_as_they_were(monkeypatch, without_reader):
    before = sys.stdout, sys.stderr
    with pytest.raises(ZeroDivisionError), standard_streams():
        raise ZeroDivisionError
    assert (sys.stdout, sys.stderr) == before
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", without_reader)
        with pytest.raises(ReaderGone), standard_streams():
            echo("line")
            sys.stdout.flush()
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        with pytest.raises(Stopped, match="the disk is full"), standard_streams():
            echo("line")
            sys.stdout.flush()


@pytest.mark.parametrize(
    "width", ["0", "1", "19", "-5", "wide", "1001", "9" * 5000, "\u0663\u0660", ""]
)
def test_a_width_that_no_terminal_has_is_not_believed(width, monkeypatch):
    for name in ("COLUMNS", "TERMINAL_WIDTH"):
        monkeypatch.setenv(name, width)
    with standard_streams():
        assert "COLUMNS" not in os.environ and "TERMINAL_WIDTH" not in os.environ


def test_a_width_that_terminals_have_is_kept(monkeypatch):
    for width in ("20", "40", "1000"):
        monkeypatch.setenv("COLUMNS", width)
        with standard_streams():
            assert os.environ["COLUMNS"] == width


def test_a_signal_that_ends_the_process_lets_it_clean_up():
    cleaned = []
    with pytest.raises(SystemExit) as end, ended_in_order():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            cleaned.append(True)
    assert end.value.code == 128 + signal.SIGTERM and cleaned
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
