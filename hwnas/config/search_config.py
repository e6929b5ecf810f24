"""A whole search as one frozen value, whose parts fit together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from hwnas.algorithms import ALGORITHMS
from hwnas.config.sections import (
    EXPONENTS,
    AlphaStep,
    Channels,
    Count,
    DataConfig,
    Evaluation,
    Frozen,
    Ndarts,
    ObjectiveConfig,
    SearchStage,
    Threads,
    WeightStep,
)
from hwnas.space import SPACES
from hwnas.space.chain import known_space
from hwnas.space.family import Family
from hwnas.space.macro_toml import macro_of
from hwnas.space.size import CellSize, Task
from hwnas.space.space import Space
from profilers.errors import nearest


class Config(Frozen):
    """A whole search, resolved. The same config and seed give the same trials and front on a CPU.

    ``finalists_by``: the mean accuracy seen for a genotype, or a regression over all trials of the
    last stage (hwnas.search.algorithms.regression), whose candidates lie round the best of all, or
    with ``bins`` round the best of every bin of costs; or ``cover``: the best of every bin of
    costs, chosen by one part of the validation images and printed from the other
    (hwnas.search.finalists.cover). ``finalists_synflow``: SynFlow has a say
    among those that this, or ndarts's alpha, finds likely (hwnas.search.finalists.shortlist).
    ``scoring_images``: finalists are scored on so many validation images; default all.
    ``backend``: what measures on an attached target (profilers.backends, or a plug-in's name);
    default by target. ``precision``: that of measured latencies; int8 is of files quantised with
    random images.
    ``macro``: the table of a chain of blocks of your own, or the name of a TOML file with it; it is
    a space.
    ``weights_from``: trained weights that an elastic space's supernet begins with
    (hwnas.nets.trained), by name or a file.
    ``cuda_graph``: latencies on a CUDA target are those of captured graphs, not of eager torch.
    """

    algorithm: str = Field(default="tndnas", max_length=80)
    space: str = "tnd"
    macro: dict[str, Any] | None = None
    weights_from: str | None = Field(default=None, max_length=4096)
    target: str = "cpu"
    seed: int = Field(default=0, ge=0, lt=2**31)
    objectives: tuple[ObjectiveConfig, ...] = Field(default=(), max_length=4)
    exponents: tuple[float, ...] = Field(default=EXPONENTS, min_length=1, max_length=64)
    reward: Literal["power", "hard", "absolute"] | None = None
    weights: Literal["sampled", "mixture"] = "sampled"
    require: Literal["any", "table", "measured"] = "any"
    channels: Channels = 8
    stages: tuple[SearchStage, ...] = Field(
        default=(
            SearchStage(cells=3, epochs=32, frozen_epochs=16),
            SearchStage(cells=4, epochs=26, frozen_epochs=10),
            SearchStage(cells=5, epochs=40, frozen_epochs=12),
        ),
        min_length=1,
        max_length=16,
    )
    finalists_per_policy: Count = 8
    finalists_by: Literal["seen", "regression", "bins", "cover"] = "seen"
    finalists_synflow: bool = False
    scoring_images: Annotated[int, Field(ge=1, le=10**9)] | None = None
    threads: Threads = 1
    checkpoint_minutes: float = Field(default=5.0, gt=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    cuda_graph: bool = False
    backend: str | None = Field(default=None, max_length=80)
    precision: Literal["fp32", "fp16", "bf16", "int8"] = "fp32"
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
            raise ValueError(
                f"space: {data['space']!r}, but the macro is called {name!r}: leave space out"
            )
        return {**data, "space": name}

    @field_validator("algorithm")
    @classmethod
    def _is_known(cls, algorithm: str) -> str:
        if algorithm not in ALGORITHMS:
            raise ValueError(
                f"unknown algorithm {algorithm!r}{nearest(algorithm, ALGORITHMS.names())}"
            )
        return algorithm

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        if self.space not in SPACES:
            raise ValueError(
                f"space: unknown space {self.space!r}{nearest(self.space, SPACES.names())}"
            )
        if any(not -100 <= exponent <= 0 for exponent in self.exponents):
            raise ValueError("exponents: a penalty exponent must be within -100..0")
        targets = [objective for objective in self.objectives if objective.target is not None]
        if self.alpha_step.form == "directed" and (targets or self.reward):
            raise ValueError(
                "alpha_step.form: directed widens the whole front; a target or a reward needs form"
                " = 'paper'"
            )
        if (
            self.finalists_synflow
            and self.finalists_by in ("seen", "cover")
            # The one property of an algorithm that a config depends on; its code is loaded for it.
            and ALGORITHMS[self.algorithm].finalists_from != "likely"
        ):
            raise ValueError(
                "finalists_synflow: needs finalists_by = 'regression' or algorithm = 'ndarts'"
            )
        names = [objective.metric for objective in self.objectives]
        if len(set(names)) != len(names):
            raise ValueError("objectives: each metric can be an objective once")
        space = SPACES[self.space]
        self._trains_what_there_is(space)
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
                    f"{key}: a network of {self.space} has {space.depth} blocks, as its table says:"
                    f" leave {key} out instead of giving {cells}"
                )
        mixes = space.size_rows and ALGORITHMS[self.algorithm].training is not None
        if mixes or (space.size_rows and self.weights == "mixture"):
            why = self.algorithm if mixes else "weights = 'mixture'"
            raise ValueError(
                f"space: {why} mixes all networks, and those of {self.space} have several sizes:"
                " choose a space of one size, such as fbnet, or name an objective for tndnas"
            )
        if space.depth is not None and self.evaluation.stem != "cifar":
            raise ValueError(
                f"evaluation.stem: a network of {self.space} has the stem of its table"
            )
        return self

    def _trains_what_there_is(self, space: Space) -> None:
        """Raise ValueError for stages that do not suit the space."""
        apart = any(stage.finalist_epochs for stage in self.stages)
        if apart and (self.finalists_by != "cover" or not self.objectives):
            raise ValueError(
                "stages.finalist_epochs: needs finalists_by = 'cover' and an objective"
            )
        if any(stage.finalist_epochs for stage in self.stages[:-1]):
            raise ValueError("stages.finalist_epochs: only in the last stage")
        if self.stages[-1].waits >= self.stages[-1].epochs:
            raise ValueError(
                "stages: frozen_epochs must be below epochs in the last stage: somewhere networks"
                " have to be evaluated"
            )
        if not space.shares_weights and any(stage.train != "paths" for stage in self.stages):
            raise ValueError(
                f"stages.train: the options of {self.space} share no weights, so each stage trains"
                " paths"
            )
        if not space.shares_weights and self.weights_from is not None:
            raise ValueError(
                f"weights_from: the options of {self.space} share no weights; an elastic space,"
                " such as efficientnet-lite0-elastic, starts from trained ones"
            )
