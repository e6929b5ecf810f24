"""The pretended device: its registration with torch, its generators, and the functions of torch
that pass it by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.optim import optimizer
from torch.utils import _foreach_utils

from tests.pretended.operators import NAME, OnDevice, run
from tests.pretended.operators import PlainGenerator as _PlainGenerator
from tests.pretended.operators import generators as _generators

Made = Callable[..., Any]
_state: dict[str, Any] = {}


def missing() -> str:
    """Why there is no pretended GPU here, or "" where there is one."""
    try:
        from torch.utils.backend_registration import (  # noqa: F401
            _setup_privateuseone_for_python_backend,
        )
    except ImportError:
        return f"torch {torch.__version__} has no Python back end for PrivateUse1"
    return ""


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """The device, for the length of a block. Raises RuntimeError where it can't be had."""
    if missing():
        raise RuntimeError(missing())
    register()
    before = torch.tensor, torch.as_tensor, torch.Generator
    kinds = [_foreach_utils._foreach_supported_types, optimizer._foreach_supported_types]
    torch.tensor, torch.as_tensor = _moved(torch.tensor), _moved(torch.as_tensor)
    torch.Generator = _Generator  # type: ignore[misc]
    for one in (
        kinds
    ):  # torch takes multi-tensor kernels for plain tensors on CUDA: the counts are to show that
        one.append(OnDevice)
    try:
        yield torch.device(NAME, 0)
    finally:
        torch.tensor, torch.as_tensor, torch.Generator = before  # type: ignore[misc]
        for one in kinds:
            one.remove(OnDevice)


def register() -> None:
    """Tell torch of the device; once, for the rest of the process, and before its first backward
    pass.

    Torch's engine of derivatives counts devices when it starts, and never again.
    """
    if not _state:
        from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

        _setup_privateuseone_for_python_backend(rename=NAME, backend_module=_Module())
        # Without a tensor that is ours only the device's name tells: torch.zeros(...,
        # device="pretended").
        _state["library"] = torch.library.Library("_", "IMPL")
        _state["library"].fallback(_made, "PrivateUse1")
        # Autocast, as CUDA has it: convolutions and products in the lower precision.
        _state["library"].fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
        _state["lowered"] = torch.library.Library("aten", "IMPL", "AutocastPrivateUse1")
        for name in ("conv2d", "linear"):
            _state["lowered"].impl(name, _lowered(getattr(torch.ops.aten, name)))


def _lowered(func: Any) -> Made:
    def cast(*args: Any, **kwargs: Any) -> Any:
        kind = torch.get_autocast_dtype(NAME)
        low = [
            one.to(kind) if isinstance(one, torch.Tensor) and one.is_floating_point() else one
            for one in args
        ]
        with torch.autocast(NAME, enabled=False):
            return func(*low, **kwargs)

    return cast


def _made(func: Any, *args: Any, **kwargs: Any) -> Any:
    return run(func, args, kwargs)


def _moved(make: Made) -> Made:
    """torch.tensor and torch.as_tensor build on the CPU and then copy below the reach of a
    Python back end."""

    def made(*args: Any, **kwargs: Any) -> Any:
        place = kwargs.get("device")
        if place is None or torch.device(place).type != NAME:
            return make(*args, **kwargs)
        kwargs = {key: value for key, value in kwargs.items() if key != "device"}
        if args and isinstance(args[0], OnDevice):
            return args[0].to(**kwargs) if kwargs else args[0]
        return make(*args, **kwargs).to(place)

    return made


class _GeneratorType(type(_PlainGenerator)):  # type: ignore[misc]
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _PlainGenerator)


class _Generator(_PlainGenerator, metaclass=_GeneratorType):
    """torch.Generator, which on our device is one of the CPU that says otherwise."""

    def __new__(cls, device: Any = "cpu") -> Any:
        if torch.device(device).type != NAME:
            return _PlainGenerator(device)
        made = super().__new__(cls, "cpu")
        _generators[made._cdata] = made
        return made

    def __init__(self, device: Any = "cpu") -> None:
        """Nothing: __new__ has made it."""

    @property
    def device(self) -> torch.device:
        return torch.device(NAME, 0)


class _Module:
    """What torch asks a device's module for."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """Nothing draws from it."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]
