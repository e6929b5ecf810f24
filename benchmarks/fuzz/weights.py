"""Files of trained weights: ours, and those of code in the manner of DARTS."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.fuzz.parser import Parser, from_file
from hwnas.nets.network import Network
from hwnas.space.build import architecture_graph
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.space.size import Task
from hwnas.training.darts_names import prefixes
from hwnas.training.darts_weights import darts_weights
from hwnas.training.weights import Weights, load_weights, weights_bytes

AT = Architecture(PUBLISHED["DARTS_V2"], channels=2, cells=1)
TASK = Task(classes=2, image=(1, 8, 8))


def weight_parsers(folder: Path) -> list[Parser]:
    """What is read of weights."""
    tensors = Network(AT, TASK.classes, TASK.image).state_dict()
    own = Weights(
        tensors=tensors,
        architecture=AT,
        classes=("a", "b"),
        image=TASK.image,
        stem="cifar",
        mean=(0.5,),
        std=(0.25,),
        notes={},
    )
    content = io.BytesIO()
    torch.save({"epoch": 1, "state_dict": _their_names(tensors)}, content)
    genotype, theirs = AT.genotype, folder / "input.pt"
    return [
        Parser(
            name="weights",
            seeds=[weights_bytes(own)],
            read=from_file(folder / "input.safetensors", load_weights),
        ),
        Parser(
            name="weights of others",
            seeds=[content.getvalue()],
            read=from_file(theirs, lambda path: darts_weights(path, genotype)),
        ),
    ]


def _their_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    graph = architecture_graph(AT, TASK, unread=True)
    places = dict(prefixes(graph, AT, {}))
    parts = {name: name.rpartition(".") for name in tensors}
    return {f"{places[parts[name][0]]}.{parts[name][2]}": one for name, one in tensors.items()}
