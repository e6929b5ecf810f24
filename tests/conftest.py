"""One torch thread in every test: two would make timings and the machine they share unsteady."""

from __future__ import annotations

import os

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# The lock of measurements would lie there and be shared by all tests; see profilers/lock.py.
os.environ.pop("XDG_RUNTIME_DIR", None)

ON_THE_PRETENDED_GPU = ("tests/gpu/", "tests/benchmarks/test_gpu.py")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Torch has to know the pretended GPU before any test differentiates; see tests/pretended/device.py."""
    if any(item.nodeid.startswith(ON_THE_PRETENDED_GPU) for item in session.items):
        from tests.pretended import missing, register

        if not missing():
            register()
