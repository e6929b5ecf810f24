"""A config with some of its settings changed."""

from __future__ import annotations

from typing import Any

from hwnas.config.files import validate
from hwnas.config.search_config import Config
from hwnas.config.sections import SearchStage
from profilers.errors import InputError


def with_epochs(config: Config, epochs: int) -> Config:
    """The same search with ``epochs`` in every stage that trains paths, its shares of frozen epochs
    and of finalists kept.

    Raises InputError.
    """
    if epochs < 1:
        raise InputError(f"epochs: at least 1, not {epochs}")
    stages = [
        {
            **stage.model_dump(),
            "epochs": new,
            "frozen_epochs": stage.frozen_epochs * new // stage.epochs,
            "finalist_epochs": stage.finalist_epochs * new // stage.epochs,
        }
        for stage in config.stages
        for new in [_epochs_of(stage, config, epochs)]
    ]
    return validate({**config.model_dump(), "stages": stages}, "epochs")


def _epochs_of(stage: SearchStage, config: Config, epochs: int) -> int:
    """The epochs of a stage, where those that train paths get ``epochs``: the stage that trains the
    largest network keeps its share, and one that trains nothing keeps its own."""
    if stage.train == "paths":
        return epochs
    if stage.train == "nothing":
        return stage.epochs
    paths = [one.epochs for one in config.stages if one.train == "paths"]
    return epochs_of_largest(stage.epochs, max([*paths, 1]), epochs)


def epochs_of_largest(own: int, paths: int, epochs: int) -> int:
    """What keeps the share of a stage that trains the largest network, where ``paths`` epochs that
    train paths become ``epochs``."""
    return max(1, round(epochs * own / paths))


def with_data(config: Config, **changes: Any) -> Config:
    """The same search with other words about where its images are; None changes nothing."""
    said = {key: value for key, value in changes.items() if value is not None}
    return config.model_copy(update={"data": config.data.model_copy(update=said)})
