"""Operators of the pretended GPU: the CPU's, with what CUDA refuses, waits for and leaves out."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

import torch
from torch.utils import _pytree as pytree

from tests.pretended.counts import noted

NAME = "pretended"
PlainGenerator = torch.Generator
# Those of the device, by address: torch hands an operator another Python object for the same
# generator.
generators: WeakValueDictionary[int, torch.Generator] = WeakValueDictionary()


class OnDevice(torch.Tensor):
    """A tensor on the pretended GPU, around one on the CPU."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> OnDevice:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            layout=raw.layout,
            device=torch.device(NAME, 0),
        )
        made.raw = raw
        return made

    def __repr__(self, **_: Any) -> str:
        return f"{self.raw!r} on {NAME}"

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory"
            " first."
        )

    __array__ = numpy

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """One operator with at least one tensor of ours, or a place that is ours."""
    if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"):
        parts = func.decompose(*args, **kwargs)  # in inference mode torch hands them on whole
        if parts is not NotImplemented:
            return parts
    name = func._schema.name.removeprefix("aten::")
    if name in ("_to_copy", "copy_"):
        return _copied(name, func, args, kwargs)
    if torch.Tag.inplace_view in func.tags:
        raise NotImplementedError(f"the pretended GPU changes no shape in place: {func.name()}")
    _refuse(name, args, kwargs)
    _count(name, func, args)
    to = {**kwargs, "device": torch.device("cpu")} if "device" in kwargs else kwargs
    raw_args, raw_kwargs = pytree.tree_map(_raw, (args, to))
    out = func(*raw_args, **raw_kwargs)
    if name == "native_batch_norm_backward" and raw_args[2] is None:
        out = (out[0], *(None if one is None else one.new_empty(0) for one in out[1:]))
    return _handed_back(func, args, kwargs, out)


def _copied(name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Copies from device to device, which all operators but these refuse."""
    if name == "copy_":
        to, source = args[0], args[1]
        if isinstance(source, torch.Tensor) and isinstance(to, OnDevice) != isinstance(
            source, OnDevice
        ):
            noted("copies" if isinstance(to, OnDevice) else "synchronisations", name)
        noted("kernels", name)
        func(_raw(to), _raw(source), *args[2:], **kwargs)
        return to
    asked = kwargs.get("device")
    here = isinstance(args[0], OnDevice)
    ours = here if asked is None else torch.device(asked).type == NAME
    if ours != here:
        noted("copies" if ours else "synchronisations", name)
    noted("kernels", name)
    rest = {
        key: value
        for key, value in kwargs.items()
        if key not in ("device", "pin_memory", "non_blocking")
    }
    out = func(_raw(args[0]), **rest)
    return OnDevice(out) if ours else out


def _refuse(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """What CUDA refuses, in its words."""
    leaves = pytree.tree_leaves((args, kwargs))
    for one in leaves:
        if isinstance(one, PlainGenerator) and one._cdata not in generators:
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
    host = [one for one in leaves if _is_host(one)]
    if not host or not any(isinstance(one, OnDevice) for one in leaves):
        return
    if name in ("index", "index_put_", "_index_put_impl_"):
        if not isinstance(args[0], OnDevice):
            raise RuntimeError(
                "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
            )
        if all(not _is_host(one) for one in args[2:]):
            noted("copies", f"{name} by indices of the host")
            return
    raise RuntimeError(
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
    )


def _is_host(one: Any) -> bool:
    """A tensor of the CPU that is no bare number: those CUDA takes."""
    return isinstance(one, torch.Tensor) and not isinstance(one, OnDevice) and one.dim() > 0


_NO_KERNEL = {
    "detach",
    "alias",
    "empty",
    "empty_like",
    "new_empty",
    "empty_strided",
    "new_empty_strided",
}
_NO_KERNEL |= {"lift_fresh", "_unsafe_view", "_reshape_alias"}
_WAITS = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "equal",
    "unique_dim",
    "_unique2",
    "bincount",
}


def _count(name: str, func: Any, args: tuple[Any, ...]) -> None:
    if not (func.is_view or name in _NO_KERNEL):
        noted("kernels", name)
    masks = name.startswith("index") and any(
        isinstance(one, OnDevice) and one.dtype == torch.bool
        for one in pytree.tree_leaves(args[1:2])
    )
    if name in _WAITS or masks:
        noted("synchronisations", name)


def _raw(value: Any) -> Any:
    return value.raw if isinstance(value, OnDevice) else value


def _handed_back(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
    """The results on the device; where an operator wrote into an argument, that argument."""
    written: dict[str, Any] = {}
    for number, one in enumerate(func._schema.arguments):
        if one.alias_info is not None and one.alias_info.is_write:
            given = args[number] if number < len(args) else kwargs.get(one.name)
            written |= dict.fromkeys(one.alias_info.before_set, given)
    results = out if isinstance(out, tuple) else (out,)
    made = []
    for result, told in zip(results, func._schema.returns, strict=False):
        same = told.alias_info is not None and told.alias_info.is_write
        if same:
            made.append(written[next(iter(told.alias_info.before_set))])
        else:
            made.append(pytree.tree_map(_wrapped, result))
    return tuple(made) if isinstance(out, tuple) else made[0] if made else out


def _wrapped(value: Any) -> Any:
    return (
        OnDevice(value)
        if isinstance(value, torch.Tensor) and not isinstance(value, OnDevice)
        else value
    )
