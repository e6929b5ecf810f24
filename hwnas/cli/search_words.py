"""What is typed for a search, as a config takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.config import Config


def named_table(word: str | None, resolved: Config) -> Path | None:
    """The file of the table that is named.

    Raises InputError for an unknown one, or where no latency is asked for.
    """
    from hwnas.costs.tables import find_table
    from profilers.table import load

    if word is None:
        return None
    asked = {one.metric for one in resolved.objectives}
    if not asked & {"latency", "energy"}:
        raise InputError("--table: only with --objective latency; nothing else is asked of a table")
    path = find_table(word)
    if (about := load(path).metric) not in asked:
        raise InputError(f"--table: {path} is about {about}; it goes with --objective {about}")
    return path


FLAGS = {
    "data.source": "--data",
    "data.noise": "--data-noise",
    "data.root": "--data-root",
    "objectives": "--objective",
    "backend": "--backend",
}


def flag_of(key: str) -> str:
    """The flag that says a key of a config, such as "evaluation.cells"."""
    first, _, last = key.partition(".")
    name = last if first in ("data", "evaluation") and last else first
    return FLAGS.get(key) or FLAGS.get(first) or f"--{name.replace('_', '-')}"


def given(**values: Any) -> dict[str, Any]:
    """Only what was said: flags that were left out must not hide the config file."""
    return {key: value for key, value in values.items() if value is not None and value != {}}


AS_THEY_ARE = (
    "target",
    "space",
    "weights_from",
    "algorithm",
    "seed",
    "reward",
    "weights",
    "require",
    "device",
    "backend",
    "precision",
    "threads",
)
"""Flags that a config calls as they are called."""


def config_flags(words: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of ``hwnas search`` by name, as keys of a config; what was left out is not there.

    Raises InputError for a value that is none of its flag's.
    """
    from hwnas.training.named import check_named

    said = words.get
    source = said("data")
    if source is not None:
        check_named(source)  # before torch is loaded, which takes seconds
    test, root = said("test"), said("data_root")
    return given(
        **{name: said(name) for name in AS_THEY_ARE},
        cuda_graph=said("cuda_graph") or None,
        exponents=exponents_of(said("exponents")),
        objectives=objectives(said("objective"), said("target_value")),
        data=given(
            source=source,
            test=str(test) if test else None,
            root=str(root) if root else None,
            download=said("download") or None,
            noise=said("data_noise"),
            image_size=said("image_size"),
            skip_broken=said("skip_broken") or None,
        ),
        evaluation=given(channels=said("channels"), cells=said("cells")),
    )


def exponents_of(text: str | None) -> tuple[float, ...] | None:
    """``0,-0.1`` -> (0.0, -0.1). Raises InputError for what is no list of numbers."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"exponents: expected numbers such as 0,-0.1,-0.3, not {text[:60]!r}"
        ) from None


def objectives(metrics: list[str] | None, targets: list[str] | None) -> list[dict[str, str]] | None:
    """The objectives in the order given, each with its target; ``latency=2ms`` names its metric."""
    from hwnas.costs.metrics import METRICS
    from profilers.errors import nearest

    if not metrics:
        if targets:
            raise InputError(
                "target-value: needs an --objective; those of a --config file have their targets"
                " there ([[objectives]] target)"
            )
        return None
    for metric in metrics:
        if metric not in METRICS:
            raise InputError(
                f"objective: unknown metric {metric!r}{nearest(metric, METRICS.names())}"
            )
    from hwnas.costs.amounts import parse_quantity

    found: dict[str, dict[str, str]] = {metric: {"metric": metric} for metric in metrics}
    for text in targets or []:
        metric, sign, value = text.partition("=")
        if not sign:
            if len(found) > 1:
                raise InputError(
                    f"target-value: say of which objective, such as {metrics[0]}={text}"
                )
            metric, value = metrics[0], text
        if metric not in found:
            raise InputError(
                f"target-value: {metric!r} is no objective of this search{nearest(metric, found)}"
            )
        parse_quantity(value, METRICS[metric].unit)
        found[metric]["target"] = value
    return list(found.values())
