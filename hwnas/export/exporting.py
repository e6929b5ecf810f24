"""One network on its way to files: what every format writes from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property

from onnx import ModelProto
from torch import nn

from hwnas.export.images import CheckImages, channels_moved
from hwnas.export.interface import Interface, network_of, wrapped
from hwnas.export.usage import usage
from hwnas.export.verify import LARGEST_SHARE, largest_difference
from hwnas.training.weights import Weights


class NotTheSame(RuntimeError):
    """An exported file gives other results than the network that it was made from; it was not
    kept."""


@dataclass(frozen=True, kw_only=True)
class Exporting:
    """One network on its way to files.

    `network`: in evaluation mode, images (n, c, h, w) -> logits (n, classes); with `raw` it takes
    uint8 pixels.
    `model`: its ONNX file, which has been compared with the network. `images`: to calibrate with
    and to compare on. `interface`: what the files take and give.
    """

    weights: Weights
    network: nn.Module
    model: ModelProto
    images: CheckImages
    interface: Interface = field(default_factory=Interface)

    @property
    def raw(self) -> bool:
        """Whether the files take uint8 pixels."""
        return self.interface.raw

    @cached_property
    def usage(self) -> str:
        """How the files are used, as JSON; see hwnas.export.usage."""
        return json.dumps(usage(self.weights, self.interface))

    @cached_property
    def channels_first(self) -> Exporting:
        """The same for files whose layout is their own, such as TFLite's: images are (n, channels,
        height, width) here."""
        if not self.interface.channels_last:
            return self
        interface = replace(self.interface, channels_last=False)
        network = wrapped(network_of(self.weights), self.weights, interface)
        images = channels_moved(self.images, to_last=False)
        return replace(self, network=network, images=images, interface=interface)

    @cached_property
    def onnx(self) -> bytes:
        """The ONNX file's content."""
        content: bytes = self.model.SerializeToString()
        return content

    def refuse_unless_same(self, other: nn.Module, file: str) -> None:
        """Raise NotTheSame where `other` gives other logits than the network."""
        difference = largest_difference(self.network, other, self.images.test)
        if not difference <= LARGEST_SHARE:
            raise NotTheSame(f"{file}: logits differ by {difference:.2g} of the largest one")
