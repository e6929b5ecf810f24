"""A network as a torch.export program (.pt2), which loads where hwnas is not installed."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def program(network: nn.Module, example: Tensor, notes: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a .pt2 with the batch size left open. ``notes``: texts kept in it by name.

    ``network``: in evaluation mode, on the CPU.

    ``example``: a batch of at least two images; a single one would fix the batch size at 1.
    """
    # torch.export.save takes a channels-last weight for a part of a larger tensor, and warns.
    plain: Any = copy.deepcopy(network)
    plain = plain.to(memory_format=torch.contiguous_format)
    batch = torch.export.Dim("batch", min=1, max=2**16)
    exported = torch.export.export(plain, (example[:2],), dynamic_shapes=({0: batch},))
    content = io.BytesIO()
    torch.export.save(exported, content, extra_files=dict(notes or {}))
    return content.getvalue()


def run_program(content: bytes) -> nn.Module:
    """The module inside a .pt2."""
    return torch.export.load(io.BytesIO(content)).module()
