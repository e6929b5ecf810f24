"""What can be said of Ray without Ray: nodes that come and go, and an extra that is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hwnas.cli.optional import with_address
from hwnas.cluster.ray_cluster import changes, connected, lacking
from hwnas.cluster.task import Needs, Task
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
    left = [Task("m", len, "", Needs(0, 0, {"device:x": 1}))]
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
        assert said.startswith("node a: No module named 'hwnas' there; every node needs") and "\n" not in said
    assert lacking("node a", RuntimeError("something else")) is None


def test_without_ray_installed_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(InputError, match=r"^--ray: Ray is not installed; pip install 'hwnas\[ray\]'$"),
        connected("auto"),
    ):
        pass


def test_the_command_line_brings_in_no_ray() -> None:
    program = "import sys, hwnas.cli, hwnas.cluster.ray_cluster; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
