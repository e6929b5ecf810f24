"""Options that ``hwnas search`` and ``hwnas plan`` have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hwnas.cli.panels import DataOption, HardwareOption, Option, SearchOption

Target = Annotated[
    str | None,
    Option(help="Device to search for: a name, an alias or a .toml file (default: cpu)."),
]
Objective = Annotated[
    list[str] | None,
    Option(help="A cost to keep low: params, macs, flops, latency, memory. Repeatable."),
]
TargetValue = Annotated[
    list[str] | None,
    Option(help="What must be met, with its unit: 1.5M, or latency=2ms. Repeatable."),
]
Data = Annotated[
    str | None,
    DataOption(
        help="digits, cifar10, cifar100, fashion-mnist, imagenet, a folder, or a .npz file."
    ),
]
Test = Annotated[
    Path | None,
    DataOption(help="Folder of the test images, one sub-folder per class, for a folder of images."),
]
Space = Annotated[
    str | None,
    SearchOption(
        help=(
            "Of cells: darts, tnd or nasbench201; chains of blocks: mobile, mobile-small,"
            " fbnet, proxyless, a known network's or a .toml file of your own"
            " (docs/guide/chains.md)."
        )
    ),
]
WeightsFrom = Annotated[
    str | None,
    SearchOption(
        help=(
            "Trained weights to start from: a name such as efficientnet-lite0, a .safetensors"
            " or .pth file, or none (default for photos: those that are installed)."
        )
    ),
]
Algorithm = Annotated[
    str | None,
    SearchOption(
        help=(
            "tndnas, ndarts (accuracy only; the default without --objective), random, nsga2,"
            " surrogate (the default with trained weights), or narrow: no search, the trained"
            " network and equally narrow ones."
        )
    ),
]
Seed = Annotated[
    int | None, SearchOption(help="Same seed, same trials and front on a CPU. (default: 0)")
]
Epochs = Annotated[int | None, SearchOption(help="Epochs of each stage.")]
Exponents = Annotated[
    str | None,
    SearchOption(help="Penalty exponents, one policy each, such as 0,-0.1,-0.3 (0 or below)."),
]
Reward = Annotated[str | None, SearchOption(help="power, hard or absolute.")]
Weights = Annotated[
    str | None, SearchOption(help="sampled (one path a step) or mixture (all operations).")
]
Channels = Annotated[int | None, SearchOption(help="Initial channels of the networks handed back.")]
Cells = Annotated[int | None, SearchOption(help="Cells of the networks handed back.")]
DataRoot = Annotated[Path | None, DataOption(help="Folder of the public data sets.")]
Download = Annotated[bool, DataOption("--download", help="Fetch a missing public data set.")]
DataNoise = Annotated[
    float | None, DataOption(help="Gaussian noise on every image, 0..1: a harder task.")
]
ImageSize = Annotated[int | None, DataOption(help="Side in pixels that images are resized to.")]
SkipBroken = Annotated[
    bool,
    DataOption(
        "--skip-broken", help="Leave out image files that cannot be read, and say how many."
    ),
]
Require = Annotated[
    str | None,
    HardwareOption(
        help="Least that latency and memory must be: any (estimates too), table, or measured."
    ),
]
Table = Annotated[
    str | None,
    HardwareOption(
        help="Latency table to search by: a file or a name. [default: the target's own]"
    ),
]
Device = Annotated[
    str | None, HardwareOption(help="Where the search itself computes: auto, cpu or cuda.")
]
Backend = Annotated[
    str | None,
    HardwareOption(help="What measures on an attached target: openvino, ncnn, torch or a plug-in."),
]
Precision = Annotated[
    str | None,
    HardwareOption(help="Of measured latencies: fp32, fp16, bf16 or int8. [default: fp32]"),
]
TrainPrecision = Annotated[
    str | None,
    SearchOption(
        help=(
            "Of the search's own weight steps: float32 or bfloat16; networks are compared in"
            " float32. [default: float32]"
        )
    ),
]
CudaGraph = Annotated[
    bool,
    HardwareOption(
        "--cuda-graph", help="Latencies on a CUDA target: of captured graphs, not eager torch."
    ),
]
Threads = Annotated[
    int | None, HardwareOption(help="CPU threads of the search itself, of each process.")
]
