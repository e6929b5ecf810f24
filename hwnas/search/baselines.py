"""What somebody would have used instead of a search: plain networks for the images of a run.

Where the search began with trained weights: the network of those weights, whole and with all blocks
narrowed to 2/3, 1/2 and 1/3, each with its part of the trained weights. Elsewhere, from random
weights: ResNet-8 and ResNet-20 (arXiv 1512.03385, section 4.2) for images under 48 pixels,
MobileNetV2 (arXiv 1801.04381) and its narrow form for larger ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwnas.costs.counts import count
from hwnas.nets.inherit import inherited
from hwnas.nets.supernet import build_supernet
from hwnas.runs.baselines import FOLDER
from hwnas.runs.directory import Run, inside
from hwnas.runs.models import Model
from hwnas.runs.summary import Cost, SearchSummary
from hwnas.search.fitting import SMALL_SIDE
from hwnas.search.seeds import HEAD
from hwnas.search.warm_start import checked_weights, fill
from hwnas.space.build import architecture_graph
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Architecture
from hwnas.space.known import KNOWN
from hwnas.space.narrow import SHARES, uniformly_narrow
from hwnas.space.space import SPACES
from hwnas.training.data import Dataset
from hwnas.training.start import Start, Starts

SMALL = {"RESNET8": "ResNet-8", "RESNET20": "ResNet-20"}
LARGE = {"MOBILENET_V2_0.35": "MobileNetV2 (0.35)", "MOBILENET_V2": "MobileNetV2"}
TITLES = {
    "EFFICIENTNET_LITE0_SAME": "EfficientNet-Lite0",
    "EFFICIENTNET_B0": "EfficientNet-B0",
    "MOBILENET_V2": "MobileNetV2",
    "MNASNET_B1": "MnasNet-B1",
}


@dataclass(frozen=True, kw_only=True)
class PlainNetwork:
    """A network to compare with: its name in files, and what people call it."""

    name: str
    title: str
    architecture: Architecture


def plain_networks(run: Run, summary: SearchSummary) -> list[PlainNetwork]:
    """The networks to compare a run with."""
    if run.config.weights_from is not None:
        return _narrowed(run)
    chosen = SMALL if max(summary.shape[1:]) < SMALL_SIDE else LARGE
    return [_known(name, title) for name, title in chosen.items()]


def models_of(run: Run, summary: SearchSummary) -> list[Model]:
    """The same as networks to train, in folders of their own, with what is counted of them."""
    return [_model(run, summary, plain) for plain in plain_networks(run, summary)]


def starts_of_baselines(run: Run, dataset: Dataset, seed: int, download: bool = False) -> Starts:
    """What each baseline begins with: its part of the trained weights, with a classifier fitted to
    all training images, as somebody would who does not search; None: random weights.

    Raises InputError where the weights are gone.
    """
    if run.config.weights_from is None:
        return Starts()
    of = run.config.evaluation_family(dataset.task)
    net = build_supernet(of, 0)
    weights = checked_weights(run.config)
    fill(net, weights, dataset, (seed, HEAD), "train", download)
    state = net.state_dict()

    def start(model: Model) -> Start:
        whole = net.graph_of(to_choices(model.architecture.genotype))
        part = architecture_graph(model.architecture, of.task, of.size.stem)
        return Start(tensors=inherited(state, whole, part), origin=f"weights {weights.name}")

    return Starts(of=start)


def _narrowed(run: Run) -> list[PlainNetwork]:
    space, at = SPACES[run.config.space], run.config.evaluation
    genotype = checked_weights(run.config).genotype
    known = next((name for name, one in KNOWN.items() if one == genotype), genotype.space)
    title = TITLES.get(known, known)
    name = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
    found: list[PlainNetwork] = []
    for share in SHARES:
        narrow = uniformly_narrow(space, share)
        if any(plain.architecture.genotype == narrow for plain in found):
            continue
        whole = share == 1
        found.append(
            PlainNetwork(
                name=name if whole else f"{name}-{share.numerator}of{share.denominator}",
                title=title if whole else f"{title} at {share} width",
                architecture=Architecture(narrow, channels=at.channels, cells=at.cells),
            )
        )
    return found


def _known(name: str, title: str) -> PlainNetwork:
    genotype = KNOWN[name]
    channels, cells = SPACES[genotype.space].published_size
    return PlainNetwork(
        name=name.lower().replace(".", "").replace("_", "-"),
        title=title,
        architecture=Architecture(genotype, channels=channels, cells=cells),
    )


def _model(run: Run, summary: SearchSummary, plain: PlainNetwork) -> Model:
    stem = run.config.evaluation.stem
    params, macs = count(plain.architecture, len(summary.classes), summary.shape, stem)
    return Model(
        name=plain.name,
        title=plain.title,
        architecture=plain.architecture,
        folder=inside(run, FOLDER, plain.name),
        costs={
            "params": Cost(value=params, unit="parameters", provenance="counted"),
            "macs": Cost(value=macs, unit="MAC", provenance="counted"),
            "flops": Cost(value=2 * macs, unit="FLOP", provenance="counted"),
        },
    )
