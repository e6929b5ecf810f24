"""A pretended GPU: values are worked out on the CPU, and what CUDA refuses is refused in CUDA's
words.

A tensor on it wraps one on the CPU and says that it lies on the device ``pretended``. It refuses
operations on tensors of both devices, generators of the CPU, and ``.numpy()``. The derivatives of
BatchNorm's scale and shift have 0 elements where there is no scale, as those of CUDA's kernels for
channels_last maps have. It counts kernels, synchronisations and copies; it knows nothing of time.

It rests on torch's Python back end for the device type PrivateUse1, which is young: ``missing()``
says why it can't be had. Nothing here needs pytest, so that benchmarks/gpu can rehearse on a
machine without one.
"""

from tests.pretended.counts import Counts, counted
from tests.pretended.device import missing, pretended_gpu, register
from tests.pretended.operators import OnDevice

__all__ = ["Counts", "OnDevice", "counted", "missing", "pretended_gpu", "register"]
