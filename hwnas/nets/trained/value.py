"""Trained weights as a value: their network, where they come from, and how images must be
prepared for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hwnas.space.genotype import Genotype
from hwnas.space.macro import Macro
from hwnas.space.space import SPACES

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """Mean and standard deviation of each channel, red, green, blue, of pixels in 0..1.

    The weights were trained on (pixel - mean) / std. ``crop``: the share of the side of a picture's
    middle square that they were tested on.
    """

    mean: Triple
    std: Triple
    crop: float = 0.875


IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
TENSORFLOW = Preprocessing(mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
"""Of TensorFlow's EfficientNet-Lite."""
HALF = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@dataclass(frozen=True, kw_only=True, slots=True)
class PackageFile:
    """A file inside a package of the Python package index.

    ``package``: as pip calls it; ``extra``: the extra of hwnas that installs it; ``file``: the
    file's name in it; ``sha256``: of its bytes.
    """

    package: str
    extra: str
    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """A file at an address.

    ``sha256``: the first digits of its bytes' SHA-256, as many as its publisher names.
    """

    url: str
    sha256: str

    @property
    def file(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnFile:
    """A file of the user's own."""

    path: Path


Source = PackageFile | Download | OwnFile


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedWeights:
    """Weights of one known network, classifier included.

    ``genotype``: of hwnas.space.known. ``licence``: the weights', as their publisher says it.
    ``classes``: how many they tell apart. ``side``: pixels of the images that they were trained on.
    ``note``: what had to be assumed about a file of the user's own; empty where nothing was.
    """

    name: str
    genotype: Genotype
    source: Source
    licence: str
    preprocessing: Preprocessing
    classes: int = 1000
    side: int = 224
    note: str = ""

    @property
    def macro(self) -> Macro:
        """The table of the network's chain."""
        macro = SPACES[self.genotype.space].macro
        assert isinstance(macro, Macro)
        return macro
