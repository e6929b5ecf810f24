"""The runtimes, those that are not installed marked to be skipped."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from profilers.runtimes import RUNTIMES

INSTALLED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            any(find_spec(one) is None for one in (*runtime.runs, *runtime.prepares)),
            reason=f"{runtime.install} was not done",
        ),
    )
    for name, runtime in RUNTIMES.items()
]
