"""An elastic supernet begins with trained weights: their channels sorted by importance, and a new
classifier that was fitted to the features they give."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor, nn

from hwnas.config import Config
from hwnas.nets.importance import channels_sorted
from hwnas.nets.inherit import into_supernet
from hwnas.nets.supernet import Supernet
from hwnas.nets.trained import trained_state, weights_named
from hwnas.search.seeds import HEAD
from hwnas.space.known import elastic_space
from hwnas.training.data import Dataset, batches
from profilers.errors import InputError

RIDGE = 1e-3
"""Of the squares of the classifier's weights, beside the mean cross-entropy; features have unit
deviation. Chosen on a third of the training photos of five flowers (docs/evidence/photos.md)."""
BATCH = 64


def start_from(net: Supernet, config: Config, dataset: Dataset) -> None:
    """Fill ``net`` with the weights that the config names. Raises InputError where they belong to
    another network."""
    assert config.weights_from is not None and net.largest is not None
    weights = weights_named(config.weights_from)
    space = elastic_space(weights.genotype)
    if space is None or space.name != config.space:
        fitting = "no space here" if space is None else space.name
        raise InputError(f"weights_from: {config.weights_from} fits {fitting}, not {config.space}")
    graph = net.graph_of(net.largest)
    state = into_supernet(channels_sorted(trained_state(weights), graph), graph)
    wanted = net.state_dict()
    classifier = [name for name, _ in net.named_parameters() if name in _classifier_names(net)]
    for name, tensor in wanted.items():
        if name in classifier:
            continue
        wanted[name] = state[name].to(tensor)
    net.load_state_dict(wanted)
    _fit_classifier(net, config, dataset)


def _classifier_names(net: Supernet) -> set[str]:
    """Names of the weights of the last linear layer."""
    last = _last_linear(net)
    ids = {id(weight) for weight in last.parameters()}
    return {name for name, weight in net.named_parameters() if id(weight) in ids}


def _last_linear(net: Supernet) -> nn.Linear:
    found = [module for module in net.modules() if isinstance(module, nn.Linear)]
    return found[-1]


@torch.no_grad()
def _fit_classifier(net: Supernet, config: Config, dataset: Dataset) -> None:
    """Logistic regression on the features of the training images, which are not augmented."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    assert net.largest is not None
    linear = _last_linear(net)
    seen: list[Tensor] = []
    labels: list[Tensor] = []
    hook = linear.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].cpu()))
    net.eval()
    try:
        words = (config.seed, HEAD)
        for batch in batches(dataset, "weights", BATCH, words, drop_last=False):
            if len(batch.y) > 1:
                net.sampled(batch.x, net.largest)
                labels.append(batch.y.cpu())
    finally:
        hook.remove()
        net.train()
    x, y = torch.cat(seen).double().numpy(), torch.cat(labels).numpy()
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    model = LogisticRegression(C=1 / (2 * RIDGE * len(y)), max_iter=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit((x - mean) / deviation, y)
    weight, bias = _all_classes(model.coef_, model.intercept_)
    weight = weight / deviation
    linear.weight.copy_(torch.from_numpy(weight))
    assert linear.bias is not None
    linear.bias.copy_(torch.from_numpy(bias - weight @ mean))


def _all_classes(
    weight: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    bias: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
    """A row for each class: of two classes, the fit has only that of the second."""
    if len(bias) > 1:
        return weight, bias
    return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
