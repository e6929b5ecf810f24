"""What can be said of Ray without Ray: nodes that come and go, and an extra that is not
installed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hwnas import __version__
from hwnas.cli.optional import with_address
from hwnas.cluster.job import Job, Needs
from hwnas.cluster.lacking import changes, lacking
from hwnas.cluster.ray_cluster import _see, check_reachable, connected, of_this_host
from profilers.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["RUN", "--ray"], ["RUN", "--ray", "auto"]),
        (["--ray", "RUN"], ["--ray", "auto", "RUN"]),
        (["--ray", "runs/a"], ["--ray", "auto", "runs/a"]),
        (["--ray", "--all", "RUN"], ["--ray", "auto", "--all", "RUN"]),
        (["--ray", "10.0.0.1:6379", "RUN"], ["--ray", "10.0.0.1:6379", "RUN"]),
        (["--ray", "head.local:6379"], ["--ray", "head.local:6379"]),
        (["--ray", "[::1]:6379"], ["--ray", "[::1]:6379"]),
        (["--ray", "ray://head:10001"], ["--ray", "ray://head:10001"]),
        (["--ray", "local"], ["--ray", "local"]),
        (["--ray=head:6379", "RUN"], ["--ray=head:6379", "RUN"]),
        (["RUN"], ["RUN"]),
    ],
)
def test_the_address_can_be_left_out(words: list[str], meant: list[str]) -> None:
    assert with_address(words) == meant


def test_nodes_that_come_and_go_are_said_in_a_line_each() -> None:
    before = {"a": {"CPU": 1.0, "device:x": 1.0}, "b": {"CPU": 1.0}}
    now = {"b": {"CPU": 1.0}, "c": {"CPU": 1.0}}
    left = [
        Job(
            name="m",
            function=len,
            argument="",
            needs=Needs(cpus=0, gpus=0, resources={"device:x": 1}),
        )
    ]
    lines = changes(before, now, left)
    assert [line.split(";")[0] for line in lines] == [
        "node a is gone",
        "node c has joined",
        "no node offers device:x any more",
    ]
    assert changes(before, before, left) == []
    assert len(changes(before, now, [])) == 2  # nobody waits for that device


def test_a_node_without_hwnas_is_said_in_one_line() -> None:
    page = "The remote function failed to import on the worker.\n\n ...\nModuleNotFoundError: No module named 'hwnas'\n"
    for error in (RuntimeError(page), ModuleNotFoundError("No module named 'hwnas'")):
        said = str(lacking("node a", error))
        assert (
            said.startswith("node a: No module named 'hwnas' there; every node needs")
            and "\n" not in said
        )
    assert lacking("node a", RuntimeError("something else")) is None


def test_without_ray_installed_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(
            InputError, match=r"^--ray: Ray is not installed; pip install 'hwnas\[ray\]'$"
        ),
        connected("auto"),
    ):
        pass


def test_the_command_line_brings_in_no_ray() -> None:
    program = "import sys, hwnas.cli, hwnas.cluster.ray_cluster; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ray://head:10001", "expected HOST:PORT as ray start prints it, not 'ray://head:10001'"),
        ("6379", "expected HOST:PORT"),
        ("head:", "expected HOST:PORT"),
        ("127.0.0.1:99999", "nobody answers at 127.0.0.1:99999"),
    ],
)
def test_an_address_that_is_none_is_said_at_once(address: str, said: str) -> None:
    with pytest.raises(InputError, match=f"--ray: {said}"):
        check_reachable(address)


def test_a_port_where_nobody_listens_is_said_at_once_and_words_of_ray_need_no_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_reachable(address)
    with pytest.raises(InputError, match=f"nobody answers at {address}"):
        check_reachable(address)
    for word in ("auto", "local"):
        check_reachable(word)


def test_a_ray_that_has_died_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("TMPDIR", raising=False)
    assert of_this_host() == "local"  # none was started
    (tmp_path / "ray").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "ray" / "ray_current_cluster").write_text(
            f"127.0.0.1:{server.getsockname()[1]}\n"
        )
        assert of_this_host() == "auto"
    assert of_this_host() == "local"
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert of_this_host() == "head:6379"


@pytest.mark.parametrize("laid", ["fifo", "link", "another user's", "endless"])
def test_what_others_lay_in_the_shared_temporary_folder_leads_to_no_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, laid: str
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    noted = tmp_path / "ray" / "ray_current_cluster"
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}\n"
        if laid == "fifo":
            os.mkfifo(noted)  # reading it would wait for ever
        elif laid == "link":
            (tmp_path / "own").write_text(address)
            noted.symlink_to(tmp_path / "own")
        elif laid == "endless":
            noted.write_text("1" * 10_000_000)
        else:
            noted.write_text(address)
            monkeypatch.setattr(os, "geteuid", lambda: 12_345)
            monkeypatch.setattr(
                os, "fstat", lambda handle: os.stat_result((0o100644, 0, 0, 1, 54_321, *[0] * 5))
            )
        assert of_this_host() == "local"


def test_a_node_that_does_not_share_the_folder_sees_nothing_in_it(tmp_path: Path) -> None:
    (tmp_path / "probe").write_text("word")
    assert _see(tmp_path / "probe") == (__version__, "word")
    assert _see(tmp_path / "elsewhere" / "probe") == (__version__, "")
