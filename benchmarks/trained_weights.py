"""Which padding, epsilon and preprocessing the weights of EfficientNet-Lite0 were trained with.

    python -m benchmarks.trained_weights [--photos ../shared/data/flowers/train] [--side 96]

The package does not say. Two measures, on photos that no search is judged by: how many of 500
daisies (class 985 of ImageNet) the untouched network recognises, and how many of 934 photos a
linear head on its frozen features gets right after 2,000 others. About five CPU minutes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from hwnas.nets.network import Network
from hwnas.nets.trained import Preprocessing, trained_state, weights_named
from hwnas.nets.trained.value import IMAGENET, TENSORFLOW
from hwnas.space import SPACES
from hwnas.space.genotype import Architecture
from hwnas.space.known import KNOWN

DAISY = 985
DAISIES, FITTED = 500, 2_000
REGULARISATION = 0.003
"""scikit-learn's C, for features of unit variance; chosen beforehand."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    name: str
    preprocessing: Preprocessing
    network: str
    epsilon: float


GUESSES = tuple(
    Guess(
        name=f"{said}, {padding}, {epsilon:g}",
        preprocessing=how,
        network=network,
        epsilon=epsilon,
    )
    for said, how in (("TensorFlow's", TENSORFLOW), ("ImageNet's", IMAGENET))
    for padding, network in (("same", "EFFICIENTNET_LITE0_SAME"), ("centred", "EFFICIENTNET_LITE0"))
    for epsilon in (1e-3, 1e-5)
)


def photo(path: Path, side: int) -> npt.NDArray[np.uint8]:
    """The middle square, (side, side, 3)."""
    with Image.open(path) as image:
        width, height = image.size
        edge = min(width, height)
        left, top = (width - edge) // 2, (height - edge) // 2
        square = image.convert("RGB").crop((left, top, left + edge, top + edge))
        return np.asarray(square.resize((side, side), Image.Resampling.BICUBIC))


def pixels(paths: list[Path], side: int) -> Tensor:
    return torch.from_numpy(np.stack([photo(path, side) for path in paths])).permute(0, 3, 1, 2)


def network(guess: Guess, side: int) -> Network:
    genotype = KNOWN[guess.network]
    channels, cells = SPACES[genotype.space].published_size
    net = Network(Architecture(genotype, channels=channels, cells=cells), 1000, (3, side, side))
    net.load_state_dict(trained_state(weights_named("efficientnet-lite0")))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = guess.epsilon
    return net.eval()


def outputs(guess: Guess, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features (n, 1280) before the classifier, and logits (n, 1000)."""
    net = network(guess, images.shape[-1])
    features: list[Tensor] = []
    classifier = net.get_submodule("head.classifier.1")
    classifier.register_forward_pre_hook(lambda _, given: features.append(given[0]))
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in (guess.preprocessing.mean, guess.preprocessing.std)
    )
    logits: list[Tensor] = []
    with torch.inference_mode():
        for batch in images.split(50):
            y = net(((batch.float() / 255 - mean) / std).to(memory_format=torch.channels_last))
            assert isinstance(y, Tensor)
            logits.append(y)
    return torch.cat(features), torch.cat(logits)


def linear_head(features: Tensor, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the photos after the first FITTED a linear head gets right."""
    x = features.numpy()
    x = (x - x[:FITTED].mean(0)) / (x[:FITTED].std(0) + 1e-6)
    head = LogisticRegression(C=REGULARISATION, max_iter=300).fit(x[:FITTED], labels[:FITTED])
    return np.asarray(head.predict(x[FITTED:]) == labels[FITTED:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, default=Path("../shared/data/flowers/train"))
    parser.add_argument("--side", type=int, default=96)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folders = sorted(path for path in options.photos.iterdir() if path.is_dir())
    labelled = [
        (path, number) for number, one in enumerate(folders) for path in sorted(one.glob("*.jpg"))
    ]
    order = np.random.default_rng(0).permutation(len(labelled))
    labels = np.array([labelled[index][1] for index in order])
    images = pixels([labelled[index][0] for index in order], options.side)
    daisies = pixels(sorted((options.photos / "daisy").glob("*.jpg"))[:DAISIES], options.side)
    first: npt.NDArray[np.float64] | None = None
    for guess in GUESSES:
        recognised = outputs(guess, daisies)[1].argmax(1) == DAISY
        hits = linear_head(outputs(guess, images)[0], labels).astype(float)
        first = hits if first is None else first
        off = hits - first
        print(
            f"{guess.name}: daisies {100 * recognised.float().mean():.1f} %, linear head"
            f" {100 * hits.mean():.1f} % ({100 * off.mean():+.1f}"
            f" +- {100 * off.std() / len(off) ** 0.5:.1f} from the first)",
            flush=True,
        )


if __name__ == "__main__":
    main()
