"""An elastic supernet begins with trained weights: their channels sorted by importance, and a new
classifier that was fitted to the features they give."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwnas.config import Config
from hwnas.nets.importance import channels_sorted
from hwnas.nets.inherit import into_supernet
from hwnas.nets.network import Network
from hwnas.nets.supernet import Supernet
from hwnas.nets.trained import TrainedWeights, trained_state, weights_named
from hwnas.nets.trained.grey import grey_state
from hwnas.search.seeds import HEAD
from hwnas.space import SPACES
from hwnas.space.genotype import Architecture
from hwnas.space.known import elastic_space
from hwnas.training.data import Dataset, Split, batches
from profilers.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RIDGE = 0.1
"""Of the squares of the classifier's weights, beside the mean cross-entropy; features have unit
deviation. Chosen on the training photos of five flowers (docs/log.md, 2026-11-28)."""
BATCH = 64


def start_from(net: Supernet, config: Config, dataset: Dataset) -> None:
    """Fill ``net`` with the weights that the config names. Raises InputError where they are not
    here or belong to another network."""
    fill(net, checked_weights(config), dataset, (config.seed, HEAD), download=config.data.download)


def check_start(config: Config) -> None:
    """Raise InputError where a search could not begin with the weights that it names, before
    anything is written; with ``data.download`` they are fetched."""
    if config.weights_from is not None:
        trained_state(checked_weights(config), config.data.download)


def checked_weights(config: Config) -> TrainedWeights:
    """The weights that the config names. Raises InputError where they fit another space."""
    assert config.weights_from is not None
    weights = weights_named(config.weights_from)
    space = elastic_space(weights.genotype)
    if space is None or space.name != config.space:
        fitting = "no space here" if space is None else space.name
        raise InputError(f"weights_from: {config.weights_from} fits {fitting}, not {config.space}")
    return weights


def fill(
    net: Supernet,
    weights: TrainedWeights,
    dataset: Dataset,
    words: tuple[int, ...],
    split: Split = "weights",
    download: bool = False,
) -> None:
    """Copy trained weights into a supernet of parts of their network, and fit its classifier to
    the images of ``split``, taken in an order that ``words`` seed."""
    assert net.largest is not None
    graph = net.graph_of(net.largest)
    trained = trained_state(weights, download)
    if dataset.image[0] == 1:
        trained = grey_state(trained, weights.preprocessing)
    state = into_supernet(channels_sorted(trained, graph), graph)
    wanted = net.state_dict()
    classifier = _classifier_names(net)
    for name, tensor in wanted.items():
        if name not in classifier:
            wanted[name] = state[name].to(tensor)
    net.load_state_dict(wanted)
    x, y = _features(dataset, split, words, trained, weights)
    _fit_classifier(net, x, y)


def _classifier_names(net: Supernet) -> set[str]:
    """Names of the weights of the last linear layer."""
    last = _last_linear(net)
    ids = {id(weight) for weight in last.parameters()}
    return {name for name, weight in net.named_parameters() if id(weight) in ids}


def _last_linear(net: nn.Module) -> nn.Linear:
    found = [module for module in net.modules() if isinstance(module, nn.Linear)]
    return found[-1]


def _fit_classifier(net: Supernet, x: Floats, y: Ints) -> None:
    """Logistic regression of labels (images,) on features (images, channels)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, deviation = x.mean(0), x.std(0) + 1e-6
    model = LogisticRegression(C=1 / (2 * RIDGE * len(y)), max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit((x - mean) / deviation, y)
    weight, bias = _all_classes(model.coef_, model.intercept_)
    weight = weight / deviation
    linear = _last_linear(net)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weight))
        assert linear.bias is not None
        linear.bias.copy_(torch.from_numpy(bias - weight @ mean))


@torch.no_grad()
def _features(
    dataset: Dataset,
    split: Split,
    words: tuple[int, ...],
    trained: Mapping[str, Tensor],
    weights: TrainedWeights,
) -> tuple[Floats, Ints]:
    """What the last linear layer of the trained network reads of images that are not augmented,
    (images, channels), and their labels, (images,).

    With BatchNorm's trained statistics: those of few classes of one's own would hide what tells
    them apart (on five flowers 77 % of the photos are told with the former, 70 % with the latter).
    """
    channels, cells = SPACES[weights.genotype.space].published_size
    architecture = Architecture(weights.genotype, channels=channels, cells=cells)
    network = Network(architecture, weights.classes, dataset.image).to(dataset.device).eval()
    network.load_state_dict(dict(trained))
    seen: list[Tensor] = []
    labels: list[Tensor] = []
    hook = _last_linear(network).register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].cpu())
    )
    for batch in batches(dataset, split, BATCH, words):
        network(batch.x.contiguous(memory_format=torch.channels_last))
        labels.append(batch.y.cpu())
    hook.remove()
    return torch.cat(seen).double().numpy(), torch.cat(labels).numpy()


def _all_classes(weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """A row for each class: of two classes, the fit has only that of the second."""
    if len(bias) > 1:
        return weight, bias
    return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
