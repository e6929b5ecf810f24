"""torch.compile, kept from the current folder and from the shared temporary folder.

Its compiler tries once what the CPU can do, in a `python -c` that looks for modules in the current
folder; and it loads the code that it has made from `/tmp/torchinductor_USER`, which another user
may have laid there first.
"""

from __future__ import annotations

import os
import tempfile
from typing import cast

import torch
from torch import nn

from profilers.children import working_in
from profilers.reference import default_store


def compiled(network: nn.Module) -> nn.Module:
    """The network as torch.compile gives it, sharing its weights; compiled when it is first run."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(default_store().parent / "inductor"))
    with tempfile.TemporaryDirectory(prefix="hwnas-") as empty, working_in(empty):
        # The answer of the attempt is kept for the process: made here, in a folder without modules.
        torch.compile(nn.Hardswish())(torch.linspace(-1, 1, 64))
    return cast(nn.Module, torch.compile(network))
