"""Part "doctor": what the machine is, what is installed, and whether every kind of kernel that
is needed runs."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version

import torch

from benchmarks.gpu.book import Book, Record, Skip, needs, work
from benchmarks.gpu.place import Place
from profilers.device import attached, load, match
from profilers.host import host

PACKAGES = (
    "torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "safetensors",
    "torchvision",
    "pydantic",
)
PACKAGES += ("typer", "pymoo", "pytest", "tensorrt", "triton")
SMI = "name,driver_version,pstate,clocks.sm,clocks.mem,clocks.max.sm,temperature.gpu,power.draw,power.limit"
SMI += ",memory.used,memory.total,utilization.gpu,mig.mode.current,compute_mode"


def run(book: Book, place: Place) -> None:
    """Facts first, then kernels by data type."""
    work(book, "machine", lambda: _machine(place))
    work(book, "packages", _packages)
    work(book, "target", lambda: _target(place))
    work(book, "card", _card)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for layout in (torch.contiguous_format, torch.channels_last):
            name = f"convolution {str(dtype)[6:]} {str(layout)[6:]}"
            work(book, name, lambda d=dtype, f=layout: _convolution(place, d, f))  # type: ignore[misc]
    work(book, "BatchNorm's backward without a scale", lambda: _batch_norm(place))
    work(book, "generator on the device", lambda: _generator(place))
    work(book, "hwnas doctor", _hwnas_doctor)


def _machine(place: Place) -> Record:
    found: Record = {
        "host": host().fingerprint,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),
        "threads": torch.get_num_threads(),
    }
    if place.kind == "cuda":
        facts = torch.cuda.get_device_properties(0)
        names = ("major", "minor", "total_memory", "multi_processor_count", "L2_cache_size")
        found |= {name: getattr(facts, name, None) for name in names}
        found |= {
            "cards": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
            "kernels_for": torch.cuda.get_arch_list(),
            "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
            "tf32_cudnn": torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
        }
    return found


def _packages() -> Record:
    found: Record = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    try:
        import onnxruntime

        found["providers"] = onnxruntime.get_available_providers()
    except Exception as error:
        found["providers"] = f"{type(error).__name__}"
    return found


def _target(place: Place) -> Record:
    from hwnas.catalog import devices

    here = attached()
    matching = [
        entry.name for entry in devices() if match(load(entry.path), here) not in (None, "cpu")
    ]
    return {"cards": list(here.cuda), "targets": matching}


def _card() -> Record:
    if not shutil.which("nvidia-smi"):
        raise Skip("no nvidia-smi here")
    query = [f"--query-gpu={SMI}", "--format=csv,noheader"]
    line = subprocess.run(
        ["nvidia-smi", *query], capture_output=True, text=True, timeout=30
    ).stdout.strip()
    apps = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader"]
    others = subprocess.run(
        ["nvidia-smi", *apps], capture_output=True, text=True, timeout=30
    ).stdout
    return {
        "fields": SMI,
        "cards": line.splitlines(),
        "processes": len([row for row in others.splitlines() if row.strip()]),
    }


def _convolution(place: Place, dtype: torch.dtype, layout: torch.memory_format) -> Record:
    """The largest relative error of a convolution against float64 on the CPU."""
    torch.manual_seed(0)
    x, weight = torch.randn(4, 16, 12, 12), torch.randn(8, 16, 3, 3)
    exact = torch.conv2d(x.double(), weight.double())
    on = x.to(dtype).contiguous(memory_format=layout).to(place.device)
    found = torch.conv2d(on, weight.to(dtype).to(place.device)).cpu().double()
    return {"relative_error": float((found - exact).abs().max() / exact.abs().max())}


def _batch_norm(place: Place) -> Record:
    """Elements of the sums that the kernel hands back: 0 where a search by NDARTS would have
    died."""
    found = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(4, 8, 6, 6).contiguous(memory_format=layout).to(place.device)
        _, mean, r = torch.native_batch_norm(x, None, None, None, None, True, 0.0, 1e-5)
        sums = torch.ops.aten.native_batch_norm_backward(
            x, x, None, None, None, mean, r, True, 1e-5, [True, True, True]
        )
        found[str(layout)[6:]] = [0 if one is None else one.numel() for one in sums[1:]]
    return found


def _generator(place: Place) -> Record:
    draws = []
    for _ in range(2):
        source = torch.Generator(device=place.device).manual_seed(3)
        draws.append(torch.empty(8, device=place.device).bernoulli_(0.5, generator=source).cpu())
    return {"repeats": bool((draws[0] == draws[1]).all())}


def _hwnas_doctor() -> Record:
    needs("pydantic", "typer")
    from hwnas.doctor import examine

    return {"findings": [f"{one.area} {one.level}: {one.text}" for one in examine()]}
