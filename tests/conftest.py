"""One torch thread in every test: two would make timings and the machine they share unsteady."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint

import pytest

from hwnas import plugins
from tests.typed import type_command

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# The lock of measurements would lie there and be shared by all tests; see profilers/lock.py.
os.environ.pop("XDG_RUNTIME_DIR", None)


@pytest.fixture
def typed(tmp_path, monkeypatch, capsys):
    """Type a command line in an empty folder with settings of its own: (standard output,
    standard error)."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))

    def run(*words: str, code: int = 0) -> tuple[str, str]:
        done = type_command(monkeypatch, capsys, *words)
        assert done.code == code, done.err
        return done.out, done.err

    return run


@pytest.fixture
def announced(monkeypatch):
    """Let a package announce one value for a table of hwnas (hwnas.plugins) until the test ends."""
    held = []
    load = EntryPoint.load

    def announce(table, value):
        point = EntryPoint(value.name, "somewhere:VALUE", table.group)
        monkeypatch.setattr(EntryPoint, "load", lambda self: value if self == point else load(self))
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: [point] if group == table.group else []
        )
        held.append((table, value.name))

    yield announce
    for table, name in held:
        table.pop(name, None)


ON_THE_PRETENDED_GPU = ("tests/gpu/", "tests/benchmarks/test_gpu.py")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Torch has to know the pretended GPU before any test differentiates; see
    tests/pretended/device.py."""
    if any(item.nodeid.startswith(ON_THE_PRETENDED_GPU) for item in session.items):
        from tests.pretended import missing, register

        if not missing():
            register()
