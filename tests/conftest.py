"""One torch thread in every test: two would make timings and the machine they share unsteady."""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# The lock of measurements would lie there and be shared by all tests; see profilers/lock.py.
os.environ.pop("XDG_RUNTIME_DIR", None)
