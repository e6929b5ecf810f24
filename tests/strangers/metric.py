"""A cost that no one here has thought of: how many convolutions a network runs, which is what a
slow bus pays for."""

from __future__ import annotations

from hwnas.costs.counts import additive
from hwnas.costs.metrics import Asked, CostMetric, Predicted
from hwnas.space.layers import Layer


def convolutions(layers: tuple[Layer, ...]) -> float:
    return float(sum(layer.kind in ("conv", "factorized_reduce") for layer in layers))


def predict(asked: Asked) -> Predicted:
    shape = asked.space.mask.shape
    parts = {key: additive(graph, shape, convolutions).of for key, graph in asked.graphs().items()}
    words = f"convolutions of the {asked.words}"
    return Predicted(
        of=lambda choices: asked.by_size(parts, choices), origin="counted", source=words
    )


METRIC = CostMetric(name="convolutions", unit="layers", predict=predict)
