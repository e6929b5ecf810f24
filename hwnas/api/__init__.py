"""hwnas from Python: the commands of the command line, with the words of their flags.

>>> from hwnas.api import search
>>> found = search("params", target="1080ti", out="runs/mine")  # doctest: +SKIP
>>> found["front"][0]["text"]  # doctest: +SKIP

Each function writes the files that its command writes, and returns the object that its ``--json``
prints. That shows itself as a table in Jupyter. Flags are keywords: ``--batch 32`` is ``batch=32``,
``--all`` is ``all=True``, a flag that may be given again takes a list. Progress and notes go to
standard error; ``quiet=True`` leaves progress out. Bad input raises InputError with the one line
that the command line prints.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hwnas.api import views
from hwnas.api.calls import called
from hwnas.api.shown import Result, Results, View
from hwnas.api.words import Command, signature
from hwnas.cli.export import export as _export
from hwnas.cli.plan import plan as _plan
from hwnas.cli.predict import predict as _predict
from hwnas.cli.profile import profile as _profile
from hwnas.cli.report import report as _report
from hwnas.cli.search import search as _search
from hwnas.cli.show import show as _show
from hwnas.cli.train import train as _train

if TYPE_CHECKING:
    from hwnas.search.progress import Watcher

__all__ = ["export", "load_run", "plan", "predict", "profile", "report", "search", "train"]

PathLike = str | Path
F = TypeVar("F", bound=Callable[..., Any])


def _with_flags_of(command: Command, *left_out: str) -> Callable[[F], F]:
    """Give a function the flags of a command in its signature: help() and completion show them."""

    def marked(function: F) -> F:
        own = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        names = {parameter.name for parameter in own}
        flags = [one for one in signature(command, left_out) if one.name not in names]
        function.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
        return function

    return marked


@_with_flags_of(_search, "processes")
def search(
    objective: str | Sequence[str] = (),
    *,
    settings: Mapping[str, Any] | None = None,
    watch: Watcher | None = None,
    **flags: Any,
) -> Result:
    """``hwnas search``: the front of a new run directory, and ``run``, where it is.

    ``objective``: none, one or several costs that are to be low. ``settings``: any keys of
    hwnas.config.Config; a keyword that is no flag is one too. ``watch`` hears of every epoch.
    """
    from hwnas.api.searching import searched

    found, run = searched(objective, flags, settings or {}, watch)
    return Result({**found, "run": run}, views.of_search(found, run))


@_with_flags_of(_plan, "config_option")
def plan(objective: str | Sequence[str] = (), **flags: Any) -> Result:
    """``hwnas plan``: what a search would take, and with ``budget`` what fits into it."""
    found = called(_plan, {"objective": objective or None, **flags})
    return Result(found, views.of_plan(found))


@_with_flags_of(_train)
def train(run: PathLike, *keys: str, **flags: Any) -> Results:
    """``hwnas train``: networks of a run, by key, or as ``best``, ``all``, ``within`` say."""
    records = called(_train, {"run": run, "keys": list(keys) or None, **flags})
    return Results(records, views.of_training(records, str(run)))


@_with_flags_of(_export)
def export(subject: PathLike, *keys: str, **flags: Any) -> Results:
    """``hwnas export``: files of trained networks of a run, or of a genotype."""
    records = called(_export, {"subject": subject, "keys": list(keys) or None, **flags})
    return Results(records, views.of_export(records))


@_with_flags_of(_profile)
def profile(subject: PathLike, **flags: Any) -> Results:
    """``hwnas profile``: what a network costs, an answer for each target."""
    found = called(_profile, {"subject": subject, **flags}, json="as_json")
    answers = found if isinstance(found, list) else [found]
    return Results(answers, views.of_profile(answers))


@_with_flags_of(_report)
def report(*runs: PathLike, **flags: Any) -> Result:
    """``hwnas report``: one HTML file about runs; ``path`` says where it is."""
    called(_report, {"runs": list(runs), **flags}, json="")
    path = str(flags.get("out") or Path(runs[0]) / "report.html")
    return Result({"path": path}, View(title=f"report: {path}: open it in a browser"))


@_with_flags_of(_predict)
def predict(subject: PathLike, *photos: PathLike, **flags: Any) -> Result:
    """``hwnas predict``: the likeliest classes of photos; ``failed`` names those that can't be
    read."""
    found = called(_predict, {"subject": subject, "photos": list(photos), **flags})
    return Result(found, views.of_predictions(found))


def load_run(run: PathLike) -> Result:
    """``hwnas show RUN --json``: the front of a finished run, with what its networks reached after
    training, and ``run``, where it is."""
    found = called(_show, {"run": run})
    return Result({**found, "run": str(run)}, views.of_search(found, str(run)))
