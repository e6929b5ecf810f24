"""The parts of a config: objectives, data, stages, steps, evaluation, NDARTS's own numbers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from hwnas.costs.metrics import METRICS
from profilers.errors import nearest
from profilers.limits import MOST_BATCH, MOST_CELLS, MOST_CHANNELS, MOST_THREADS

Count = Annotated[int, Field(ge=1, le=1_000_000)]
"""Of images, samples, steps, epochs or networks: more than any search here ever took."""
Cells = Annotated[int, Field(ge=1, le=MOST_CELLS)]
Channels = Annotated[int, Field(ge=1, le=MOST_CHANNELS)]
Batch = Annotated[int, Field(ge=1, le=MOST_BATCH)]
Threads = Annotated[int, Field(ge=1, le=MOST_THREADS)]
Rate = Annotated[float, Field(gt=0, le=10)]
Share = Annotated[float, Field(ge=0, lt=1)]
Triple = tuple[float, float, float]


def _positive(values: Triple) -> Triple:
    if min(values) <= 0:
        raise ValueError("must be above 0")
    return values


EXPONENTS = (0.0, -0.005, -0.01, -0.025, -0.06, -0.15, -0.4, -0.8)
"""Eight penalty exponents: accuracy alone, then growing about as the slope of a front does.

Twice the cost has to bring 0.35 % more accuracy at -0.005, and 74 % more at -0.8.
"""


class Frozen(BaseModel):
    """A part of a config: no unknown keys, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ObjectiveConfig(Frozen):
    """One cost to keep low.

    ``target`` with its unit, for the network that is handed back; None: the power law.
    """

    metric: str
    target: str | None = Field(default=None, max_length=40)

    @field_validator("metric")
    @classmethod
    def _is_known(cls, metric: str) -> str:
        if metric not in METRICS:
            raise ValueError(f"unknown metric {metric!r}{nearest(metric, METRICS.names())}")
        return metric


class DataConfig(Frozen):
    """Images: a name, a folder or an .npz file, and how they are read (hwnas.training.data.load).

    ``test``: the folder of the test images, one sub-folder per class, where ``source`` is a folder.
    ``mean``, ``std``: of red, green and blue in 0..1, by which the images are normalised; default:
    their own.
    ``crop``: which part of the side of each picture's middle square is seen, of a folder: in
    training anywhere in it, else its middle.
    ``policy_share``: which part of the training images judges candidates; the search trains on the
    rest.
    ``download``: whoever called allows it. What a file says of it is passed over, since others
    write files.
    """

    source: str = Field(default="digits", max_length=4096)
    test: str | None = Field(default=None, max_length=4096)
    root: str | None = Field(default=None, max_length=4096)
    download: bool = False
    noise: float = Field(default=0.0, ge=0, le=1)
    image_size: int | None = Field(default=None, ge=4, le=1024)
    skip_broken: bool = False
    policy_share: float = Field(default=0.5, gt=0, le=0.5)
    crop: float = Field(default=1.0, ge=0.5, le=1)
    mean: Triple | None = None
    std: Annotated[Triple, AfterValidator(_positive)] | None = None


class SearchStage(Frozen):
    """One stage of progressive search: depth of its supernet, epochs, and dropout on
    skip_connect at its start.

    ``train``: what its weight steps train: drawn ``paths``; the ``largest`` network of a space
    whose options share weights; or ``nothing``: then an epoch is ``rounds`` rounds of evaluations
    on weights that stand still.
    ``finalist_epochs``: so many of the last epochs train the candidates of the front alone, and
    evaluate nothing (hwnas.search.candidates).
    """

    cells: Cells
    epochs: Count
    frozen_epochs: int = Field(default=0, ge=0)
    finalist_epochs: int = Field(default=0, ge=0)
    skip_dropout: Share = 0.0
    train: Literal["paths", "largest", "nothing"] = "paths"
    rounds: Count = 20

    @model_validator(mode="after")
    def _frozen_fits(self) -> SearchStage:
        if self.frozen_epochs > self.epochs:
            raise ValueError(
                f"frozen_epochs ({self.frozen_epochs}) must not be above epochs ({self.epochs})"
            )
        if self.finalist_epochs and self.train != "paths":
            raise ValueError("finalist_epochs: only in a stage that trains paths")
        if self.finalist_epochs and self.frozen_epochs + self.finalist_epochs >= self.epochs:
            raise ValueError(
                f"finalist_epochs ({self.finalist_epochs}) and frozen_epochs"
                f" ({self.frozen_epochs}) must be below epochs ({self.epochs}) together"
            )
        if self.train == "nothing" and self.frozen_epochs:
            raise ValueError("frozen_epochs: a stage that trains nothing evaluates from the start")
        return self

    @property
    def waits(self) -> int:
        """Epochs in which no network is evaluated: the frozen ones, or all that train the
        largest."""
        return self.epochs if self.train == "largest" else self.frozen_epochs

    @property
    def searching(self) -> int:
        """Epochs before those that train finalists alone."""
        return self.epochs - self.finalist_epochs

    def learns(self, epoch: int) -> bool:
        """Whether networks are evaluated in an epoch, from 0."""
        return self.waits <= epoch < self.searching

    def done(self, epochs: float) -> float:
        """The share in 0..1 of its schedule that the learning rate has behind it after so many
        epochs; finalists have a schedule of their own."""
        if epochs < self.searching:
            return epochs / self.searching
        return (epochs - self.searching) / max(1, self.finalist_epochs)


class WeightStep(Frozen):
    """SGD of the shared weights [TND-NAS source]: cosine from ``lr`` to ``lr_end`` in every stage.

    ``head_rate`` times the rate trains the classifier: every path hands it other features, and at
    the rate that the operations need it oscillates (docs/log.md). The papers have no such factor:
    1.

    ``paths``: drawn from the policies, as in TND-NAS, or ``uniform`` among what survives: then
    nothing is trained less because it looked bad while the weights were young
    (docs/evidence/nasbench201.md); or ``spread`` over the whole range of costs
    (hwnas.space.spread).

    ``precision``: bfloat16 is torch's autocast, in which convolutions compute in 16 bits; weights,
    statistics and losses stay in 32, and so does all that compares networks (hwnas.nets.precision).
    """

    paths: Literal["policies", "uniform", "spread"] = "policies"
    lr: Rate = 0.15
    head_rate: float = Field(default=0.1, gt=0, le=1)
    label_smoothing: Share = 0.0
    lr_end: float = Field(default=0.0, ge=0, le=10)
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: float = Field(default=3e-4, ge=0, le=1)
    clip: float = Field(default=5.0, gt=0)
    # Not one: BatchNorm's variance of one image on a map of one pixel is undefined.
    batch_size: int = Field(default=32, ge=2, le=MOST_BATCH)
    precision: Literal["float32", "bfloat16"] = "float32"


class AlphaStep(Frozen):
    """REINFORCE on alpha: ``samples`` sub-networks, each on ``images`` validation images, every
    ``every`` steps.

    At least once an epoch, however few its steps are.

    ``augment``: those images as the training ones are; shared weights then rank better on CIFAR-10,
    on the 8 x 8 pixels of digits one search ended worse (docs/decisions/019).
    ``score``: what candidates are compared by, the share of images that they get right, or the
    ``likelihood``, exp of minus the mean cross-entropy, which moves with every image.
    ``form``: the paper's, or ``directed``, which re-uses evaluations and looks where the front is
    thin (hwnas.search.algorithms.scalarised); that one has its own constants, from ``lr`` on
    nothing here is read.
    """

    form: Literal["paper", "directed"] = "paper"
    samples: Count = 10
    every: Count = 4
    images: Count = 32
    augment: bool = False
    score: Literal["accuracy", "likelihood"] = "accuracy"
    lr: Rate = 0.05
    weight_decay: float = Field(default=1e-3, ge=0, le=1)
    clip: float = Field(default=5.0, gt=0)
    baseline_decay: Share = 0.95
    entropy: float = Field(default=0.0, ge=0, le=1)


class Evaluation(Frozen):
    """The discrete network that is counted, and trained in the end: initial channels and
    searched cells."""

    channels: Channels = 8
    cells: Cells = 5
    stem: Literal["cifar", "imagenet"] = "cifar"


class Ndarts(Frozen):
    """The accuracy-only mode (NDARTS, Algorithms 2023, 16(12), 536): hypergradient and weights.

    ``pooled``: what all stages' alphas say together is derived, not the last one's; with equal
    stages, restarts.
    """

    terms: int = Field(default=2, ge=0, le=64)
    gamma: float | Literal["lr", "power"] = "lr"
    weight_steps: Count = 4
    alpha_lr: Rate = 3e-4
    alpha_weight_decay: float = Field(default=1e-3, ge=0, le=1)
    hypergradient: Literal["neumann", "first_order", "second_order"] = "neumann"
    weights: Literal["sgd", "es", "sgd+es"] = "sgd"
    samples_per_epoch: Count | None = None
    sigma: float = Field(default=0.01, gt=0)
    population: Count = 10
    es_lr: Rate = 1e-2
    pooled: bool = False
