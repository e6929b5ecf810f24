"""Weights that others have trained: what they are, where they lie, and their tensors under our
names.

Nothing is fetched from the network unless it is asked for, and nothing is unpickled.
"""

from hwnas.nets.trained.grey import grey_preprocessing, grey_state
from hwnas.nets.trained.known import TRAINED
from hwnas.nets.trained.named import is_at_hand, trained_state, weights_named
from hwnas.nets.trained.value import Download, OwnFile, PackageFile, Preprocessing, TrainedWeights

__all__ = [
    "TRAINED",
    "Download",
    "OwnFile",
    "PackageFile",
    "Preprocessing",
    "TrainedWeights",
    "grey_preprocessing",
    "grey_state",
    "is_at_hand",
    "trained_state",
    "weights_named",
]
