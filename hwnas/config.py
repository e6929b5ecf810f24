"""What a search is told: one frozen value, read from TOML and flags, written back as resolved.

The defaults are those of configs/quickstart.toml: a search that ends in minutes on small images and a CPU, chosen by
measurement (docs/log.md). The settings that the papers print stand in configs/tnd-*.toml and configs/ndarts-*.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hwnas.algorithms import ALGORITHMS
from hwnas.catalog import find_config, read_toml
from hwnas.costs.metrics import METRICS
from hwnas.space import SPACES
from hwnas.space.chain import known_space
from hwnas.space.family import Family
from hwnas.space.macro_toml import macro_of, table_of
from hwnas.space.size import CellSize, Task
from profilers.errors import InputError, nearest
from profilers.limits import MOST_BATCH, MOST_CELLS, MOST_CHANNELS, MOST_THREADS

Count = Annotated[int, Field(ge=1, le=1_000_000)]
"""Of images, samples, steps, epochs or networks: more than any search here ever took."""
Cells = Annotated[int, Field(ge=1, le=MOST_CELLS)]
Channels = Annotated[int, Field(ge=1, le=MOST_CHANNELS)]
Batch = Annotated[int, Field(ge=1, le=MOST_BATCH)]
Threads = Annotated[int, Field(ge=1, le=MOST_THREADS)]
Rate = Annotated[float, Field(gt=0, le=10)]
Share = Annotated[float, Field(ge=0, lt=1)]

EXPONENTS = (0.0, -0.005, -0.01, -0.025, -0.06, -0.15, -0.4, -0.8)
"""Eight penalty exponents: accuracy alone, then growing about as the slope of a front does.

Twice the cost has to bring 0.35 % more accuracy at -0.005, and 74 % more at -0.8.
"""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ObjectiveConfig(_Frozen):
    """One cost to keep low. ``target`` with its unit, for the network that is handed back; None: the power law."""

    metric: str
    target: str | None = Field(default=None, max_length=40)

    @field_validator("metric")
    @classmethod
    def _is_known(cls, metric: str) -> str:
        if metric not in METRICS:
            raise ValueError(f"unknown metric {metric!r}{nearest(metric, METRICS.names())}")
        return metric


class DataConfig(_Frozen):
    """Images: a name, a folder or an .npz file, and how they are read (hwnas.training.data.load).

    ``test``: the folder of the test images, one sub-folder per class, where ``source`` is a folder.
    ``download``: whoever called allows it. What a file says of it is passed over, since others write files.
    """

    source: str = Field(default="digits", max_length=4096)
    test: str | None = Field(default=None, max_length=4096)
    root: str | None = Field(default=None, max_length=4096)
    download: bool = False
    noise: float = Field(default=0.0, ge=0, le=1)
    image_size: int | None = Field(default=None, ge=4, le=1024)
    skip_broken: bool = False


class StageConfig(_Frozen):
    """One stage of progressive search: depth of its supernet, epochs, and dropout on skip_connect at its start."""

    cells: Cells
    epochs: Count
    frozen_epochs: int = Field(default=0, ge=0)
    skip_dropout: Share = 0.0

    @model_validator(mode="after")
    def _some_epoch_learns(self) -> StageConfig:
        if self.frozen_epochs >= self.epochs:
            raise ValueError(f"frozen_epochs ({self.frozen_epochs}) must be below epochs ({self.epochs})")
        return self


class WeightStep(_Frozen):
    """SGD of the shared weights [TND-NAS source]: cosine from ``lr`` to ``lr_end`` in every stage.

    ``head_rate`` times the rate trains the classifier: every path hands it other features, and at the rate that
    the operations need it oscillates (docs/log.md). The papers have no such factor: 1.

    ``paths``: drawn from the policies, as in TND-NAS, or ``uniform`` among what survives: then nothing is trained less
    because it looked bad while the weights were young (docs/evidence/nasbench201.md).
    """

    paths: Literal["policies", "uniform"] = "policies"
    lr: Rate = 0.15
    head_rate: float = Field(default=0.1, gt=0, le=1)
    lr_end: float = Field(default=0.0, ge=0, le=10)
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: float = Field(default=3e-4, ge=0, le=1)
    clip: float = Field(default=5.0, gt=0)
    # Not one: BatchNorm's variance of one image on a map of one pixel is undefined.
    batch_size: int = Field(default=32, ge=2, le=MOST_BATCH)


class AlphaStep(_Frozen):
    """REINFORCE on alpha: ``samples`` sub-networks, each on ``images`` validation images, every ``every`` steps.

    At least once an epoch, however few its steps are.

    ``augment``: those images as the training ones are; shared weights then rank better on CIFAR-10, on the 8 x 8 pixels
    of digits one search ended worse (docs/decisions/019).
    ``form``: the paper's, or ``directed``, which re-uses evaluations and looks where the front is thin
    (hwnas.search.algorithms.scalarised); that one has its own constants, from ``lr`` on nothing here is read.
    """

    form: Literal["paper", "directed"] = "paper"
    samples: Count = 10
    every: Count = 4
    images: Count = 32
    augment: bool = False
    lr: Rate = 0.05
    weight_decay: float = Field(default=1e-3, ge=0, le=1)
    clip: float = Field(default=5.0, gt=0)
    baseline_decay: Share = 0.95
    entropy: float = Field(default=0.0, ge=0, le=1)


class Evaluation(_Frozen):
    """The discrete network that is counted, and trained in the end: initial channels and searched cells."""

    channels: Channels = 8
    cells: Cells = 5
    stem: Literal["cifar", "imagenet"] = "cifar"


class Ndarts(_Frozen):
    """The accuracy-only mode (NDARTS, Algorithms 2023, 16(12), 536): hypergradient and weights.

    ``pooled``: what all stages' alphas say together is derived, not the last one's; with equal stages, restarts.
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


class Config(_Frozen):
    """A whole search, resolved. The same config and seed give the same trials and front on a CPU.

    ``finalists_by``: the mean accuracy seen for a genotype, or a regression over all trials of the last stage
    (hwnas.search.finalists.regression). ``finalists_synflow``: SynFlow has a say among those that this, or
    ndarts's alpha, finds likely (hwnas.search.finalists.shortlist). ``scoring_images``: finalists are scored on so
    many validation images; default all.
    ``backend``: what measures on an attached target (profilers.backends, or a plug-in's name); default by target.
    ``macro``: the table of a chain of blocks of your own, or the name of a TOML file with it; it is a space.
    ``cuda_graph``: latencies on a CUDA target are those of captured graphs, not of eager torch.
    """

    algorithm: str = Field(default="tndnas", max_length=80)
    space: str = "tnd"
    macro: dict[str, Any] | None = None
    target: str = "cpu"
    seed: int = Field(default=0, ge=0, lt=2**31)
    objectives: tuple[ObjectiveConfig, ...] = Field(default=(), max_length=4)
    exponents: tuple[float, ...] = Field(default=EXPONENTS, min_length=1, max_length=64)
    reward: Literal["power", "hard", "absolute"] | None = None
    weights: Literal["sampled", "mixture"] = "sampled"
    require: Literal["any", "table", "measured"] = "any"
    channels: Channels = 8
    stages: tuple[StageConfig, ...] = Field(
        default=(
            StageConfig(cells=3, epochs=32, frozen_epochs=16),
            StageConfig(cells=4, epochs=26, frozen_epochs=10),
            StageConfig(cells=5, epochs=40, frozen_epochs=12),
        ),
        min_length=1,
        max_length=16,
    )
    finalists_per_policy: Count = 8
    finalists_by: Literal["seen", "regression"] = "seen"
    finalists_synflow: bool = False
    scoring_images: Annotated[int, Field(ge=1, le=10**9)] | None = None
    threads: Threads = 1
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    cuda_graph: bool = False
    backend: str | None = Field(default=None, max_length=80)
    data: DataConfig = DataConfig()
    weight_step: WeightStep = WeightStep()
    alpha_step: AlphaStep = AlphaStep()
    evaluation: Evaluation = Evaluation()
    ndarts: Ndarts = Ndarts()

    def stage_family(self, stage: int, task: Task) -> Family:
        """The networks of one stage's supernet."""
        at = {"channels": self.channels, "cells": self.stages[stage].cells}
        size = CellSize(**at, stem=self.evaluation.stem)
        return Family(space=SPACES[self.space], size=size, task=task)

    def evaluation_family(self, task: Task) -> Family:
        """The networks that are handed back."""
        at = self.evaluation
        size = CellSize(channels=at.channels, cells=at.cells, stem=at.stem)
        return Family(space=SPACES[self.space], size=size, task=task)

    @model_validator(mode="before")
    @classmethod
    def _knows_its_macro(cls, data: Any) -> Any:
        """The space of a macro architecture is known by its name once a config with it is read."""
        if not isinstance(data, Mapping) or data.get("macro") is None:
            return data
        name = known_space(macro_of(data["macro"])).name
        if data.get("space", name) != name:
            raise ValueError(f"space: {data['space']!r}, but the macro is called {name!r}: leave space out")
        return {**data, "space": name}

    @field_validator("algorithm")
    @classmethod
    def _is_known(cls, algorithm: str) -> str:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"unknown algorithm {algorithm!r}{nearest(algorithm, ALGORITHMS.names())}")
        return algorithm

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        if self.space not in SPACES:
            raise ValueError(f"space: unknown space {self.space!r}{nearest(self.space, SPACES.names())}")
        if any(not -100 <= exponent <= 0 for exponent in self.exponents):
            raise ValueError("exponents: a penalty exponent must be within -100..0")
        targets = [objective for objective in self.objectives if objective.target is not None]
        if self.alpha_step.form == "directed" and (targets or self.reward):
            raise ValueError(
                "alpha_step.form: directed widens the whole front; a target or a reward needs form = 'paper'"
            )
        if (
            self.finalists_synflow
            and self.finalists_by != "regression"
            # The one property of an algorithm that a config depends on; its code is loaded for it.
            and ALGORITHMS[self.algorithm].finalists_from != "likely"
        ):
            raise ValueError("finalists_synflow: needs finalists_by = 'regression' or algorithm = 'ndarts'")
        names = [objective.metric for objective in self.objectives]
        if len(set(names)) != len(names):
            raise ValueError("objectives: each metric can be an objective once")
        space = SPACES[self.space]
        depths = [
            ("evaluation.cells", self.evaluation.cells),
            *(("stages.cells", s.cells) for s in self.stages),
        ]
        for key, cells in depths:
            if cells % space.cells_multiple:
                raise ValueError(
                    f"{key}: {self.space} needs a multiple of {space.cells_multiple}, not {cells}"
                )
            if space.depth not in (None, cells):
                raise ValueError(
                    f"{key}: a network of {self.space} has {space.depth} blocks, as its table says: leave {key} out"
                    f" instead of giving {cells}"
                )
        if space.size_rows and (self.algorithm == "ndarts" or self.weights == "mixture"):
            why = "ndarts" if self.algorithm == "ndarts" else "weights = 'mixture'"
            raise ValueError(
                f"space: {why} mixes all networks, and those of {self.space} have several sizes: choose a space of one"
                " size, such as fbnet, or name an objective for tndnas"
            )
        if space.depth is not None and self.evaluation.stem != "cifar":
            raise ValueError(f"evaluation.stem: a network of {self.space} has the stem of its table")
        return self


DIGITS_DEFAULTS: dict[str, Any] = {"alpha_step": {"every": 2, "images": 64}}
"""On maps of 8 x 8 pixels an evaluation costs its Python calls, whatever the images: take more of both."""

NASBENCH201_DEFAULTS: dict[str, Any] = {
    "channels": 8,
    "stages": [{"cells": 3, "epochs": 40, "frozen_epochs": 8}],
    "evaluation": {"channels": 16, "cells": 15},
}
"""NAS-Bench-201 has one stage and no shrinking; its networks are stacked in three groups."""


def resolve(
    overrides: Mapping[str, Any], file: str | None = None, say: Callable[[str], None] = lambda line: None
) -> Config:
    """Defaults, then the TOML file (a name of the catalog or a path), then flags; tables merge key by key.

    Without any cost objective and without an algorithm the accuracy-only mode, ndarts, is taken. A file can't allow a
    download; ``say`` hears of one that means to. Raises InputError with one line that names the key and the nearest
    valid one.
    """
    given: dict[str, Any] = {}
    where, beside = "config", Path()
    if file is not None:
        path = find_config(file)
        found, where, beside = read_toml(path), str(path), path.parent
        given = without_download(found)
        if found != given and not allows_download(overrides):
            say(f"{path}: {PASSED_OVER}")
    merged = _with_macro(_merge(given, overrides), beside if "macro" in given else Path())
    if file is None and merged.get("data", {}).get("source", "digits") == "digits":
        merged = _merge(DIGITS_DEFAULTS, merged)
    if merged.get("space") == "nasbench201":
        merged = _merge(NASBENCH201_DEFAULTS, merged)
    merged = _with_depth(merged)
    if "algorithm" not in merged and not merged.get("objectives"):
        merged["algorithm"] = "ndarts"
    return validate(merged, where)


def _with_macro(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A search with the table of its macro in place of the name of the file, which stands in ``folder``, and its space.

    So the run directory holds all that its genotypes need to be read.
    """
    macro = data.get("macro")
    if macro is None:
        return dict(data)
    file = folder / macro if isinstance(macro, str) else None
    space = known_space(macro_of(macro) if file is None else macro_of(read_toml(file), str(file)))
    return {"space": space.name, **data, "macro": table_of(space.macro)}


def _with_depth(data: Mapping[str, Any]) -> dict[str, Any]:
    """A search with the width and depth of its space's table, where the space has one and nothing else is said."""
    name = data.get("space")
    depth = SPACES[name].depth if isinstance(name, str) and name in SPACES else None
    if depth is None:
        return dict(data)
    stages = data.get("stages", [stage.model_dump(exclude={"cells"}) for stage in Config().stages])
    if isinstance(stages, list | tuple):
        stages = [{"cells": depth, **stage} if isinstance(stage, Mapping) else stage for stage in stages]
    channels = SPACES[str(name)].published_size[0]
    usual = {"channels": channels, "evaluation": {"channels": data.get("channels", channels), "cells": depth}}
    return _merge(usual, {**data, "stages": stages})


def with_epochs(config: Config, epochs: int) -> Config:
    """The same search with ``epochs`` in every stage, its share of frozen epochs kept. Raises InputError."""
    if epochs < 1:
        raise InputError(f"epochs: at least 1, not {epochs}")
    stages = [
        {
            **stage.model_dump(),
            "epochs": epochs,
            "frozen_epochs": stage.frozen_epochs * epochs // stage.epochs,
        }
        for stage in config.stages
    ]
    return validate({**config.model_dump(), "stages": stages}, "epochs")


def validate(data: Mapping[str, Any], where: str) -> Config:
    """A Config from plain data, or InputError in one line that begins with ``where``."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{where}: {_one_line(error)}") from None


def load(path: Path, root: Path | None = None) -> Config:
    """The resolved config of the run directory ``root``."""
    return validate(without_download(read_toml(path, root)), str(path))


PASSED_OVER = "data.download is passed over; only --download downloads"


def without_download(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says, but for ``data.download = true``; what is no yes or no is left to be refused."""
    if not allows_download(data):
        return dict(data)
    return {**data, "data": {key: value for key, value in data["data"].items() if key != "download"}}


def allows_download(data: Mapping[str, Any]) -> bool:
    """Whether ``data.download`` is said, in a way that a config takes for yes."""
    below = data.get("data")
    return isinstance(below, Mapping) and _yes(below.get("download", False))


def _yes(value: Any) -> bool:
    """Whether pydantic takes the value for True: "yes", 1 and so on."""
    try:
        return DataConfig.model_validate({"download": value}).download
    except ValidationError:
        return False


def with_data(config: Config, **changes: Any) -> Config:
    """The same search with other words about where its images are; None changes nothing."""
    said = {key: value for key, value in changes.items() if value is not None}
    return config.model_copy(update={"data": config.data.model_copy(update=said)})


def dump(config: Config) -> bytes:
    """The config as TOML; keys without a value are left out, and reading it back gives an equal config.

    Only ``data.download`` is left out too: it holds for the call that it was said to.
    """
    said = config.model_dump(mode="json", exclude_none=True, exclude={"data": {"download"}})
    return tomli_w.dumps(said).encode()


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = (
            _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
        )
    return merged


def _one_line(error: ValidationError) -> str:
    # A misspelt key comes first: what is then missing follows from it.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {path!r}{nearest(str(first['loc'][-1]), _known_keys(first['loc'][:-1]))}"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{path}: {message}" if path else message


def _known_keys(path: tuple[int | str, ...]) -> list[str]:
    """The keys that the table at ``path`` may have."""
    model: type[BaseModel] = Config
    tables: dict[str, type[BaseModel]] = {
        "data": DataConfig,
        "weight_step": WeightStep,
        "alpha_step": AlphaStep,
        "evaluation": Evaluation,
        "ndarts": Ndarts,
        "stages": StageConfig,
        "objectives": ObjectiveConfig,
    }
    for part in path:
        model = tables.get(str(part), model)
    return list(model.model_fields)
