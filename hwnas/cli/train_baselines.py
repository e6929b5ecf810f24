"""``hwnas train --baselines``: what somebody would have used instead of a search, trained and
measured like the members of the run, and whether the search paid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwnas.cli.next_steps import say_next
from hwnas.cli.outside import echo
from hwnas.cli.train_notes import announced, epochs_of, known_device, left_out, told, warned
from profilers.errors import InputError

if TYPE_CHECKING:
    from hwnas.runs.baselines import MeasuredTogether
    from hwnas.runs.directory import Run
    from hwnas.runs.models import Model
    from hwnas.runs.summary import SearchSummary
    from hwnas.runs.training_record import TrainingRecord
    from hwnas.training.checkpoint import TrainingEpoch
    from hwnas.training.dataset import Dataset
    from hwnas.training.recipe import Recipe
    from hwnas.training.start import Starts

TUNED_EPOCHS = 3
"""Of a stock network with trained weights: what its tuning took in the evidence on photos. A member
of the front was trained in the search already; a baseline was not."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class HowToTrain:
    """What was typed: the recipe of baselines (None: the one that fits), that of members, their
    epochs (None: planned), and where to train."""

    recipe: Recipe | None
    member_recipe: Recipe
    epochs: int | None
    seed: int
    inherit: bool
    device: str
    threads: int
    fresh: bool
    data_root: Path | None
    download: bool
    quiet: bool


def refuse_for_baselines(typed: Mapping[str, object]) -> None:
    """Raise InputError for options that baselines have no use for."""
    for name, value in typed.items():
        if value is not None:
            raise InputError(f"train: {name} is not for --baselines, which have sizes of their own")


def train_baselines(run: Run, how: HowToTrain) -> list[TrainingRecord]:
    """Train what is missing: the baselines of a run, and the members that they are compared with.

    Returns the records of all baselines.
    """
    import torch

    from hwnas.cli.progress import notes
    from hwnas.nets.fast.allocator import keep_freed_memory
    from hwnas.runs.baselines import read_baselines
    from hwnas.runs.directory import lock
    from hwnas.runs.models import models_at
    from hwnas.runs.summary import read_front
    from hwnas.runs.training_record import read_records
    from hwnas.runs.verdict import chosen_for
    from hwnas.search.baseline_costs import with_predictions
    from hwnas.search.baselines import models_of, starts_of_baselines
    from hwnas.training.inherited import starts
    from hwnas.training.run_images import images_of
    from profilers.cuda import compute_place

    say = notes(how.quiet)
    torch.set_num_threads(how.threads)
    keep_freed_memory()
    place, said = compute_place(known_device(how.device))
    if said:
        say(said)
    summary = read_front(run)
    dataset = images_of(run, how.data_root, how.download, warned)
    own = {record.name: record for record in read_records(run)}
    recipe, epochs = _fitting(run, how, list(own.values()))
    with told(run), lock(run):
        models = with_predictions(run, summary, models_of(run, summary))
        together = _measured(run, summary, models, how.fresh, say)
        models = [_with_latency(model, together) for model in models]
        done = {record.name for record in read_baselines(run) if record.right is not None}
        is_new = how.fresh or how.recipe is not None
        missing = [model for model in models if is_new or model.name not in done]
        if missing:
            say(_begins(run))
            start = starts_of_baselines(run, dataset, how.seed, how.download)
            _train(run, missing, dataset, recipe, epochs, how=how, place=place, start=start)
        chosen = [
            chosen_for(summary, one.costs, one.name, one.key, together.costs) for one in models
        ]
        keys = {pair[0].key: pair[0] for pair in chosen if pair is not None}
        members = [member for key, member in keys.items() if key not in own]
        untrained = models_at(run, members)
        if untrained:
            say(f"not trained yet, but to compare with: {', '.join(one.name for one in untrained)}")
            start = starts(run, dataset.task, how.inherit)
            before = _recipe_of(list(own.values()))
            epochs = how.epochs if before is None else before.epochs
            recipe = before or how.member_recipe
            _train(run, untrained, dataset, recipe, epochs, how=how, place=place, start=start)
    return read_baselines(run)


def say_verdict(run: Run) -> None:
    """The verdict, each comparison in a line, and what to type next."""
    from hwnas.runs.summary import read_front
    from hwnas.runs.verdict import line_of, verdict_of

    verdict = verdict_of(run, read_front(run))
    echo(verdict.line, kind="result")
    for other in verdict.comparisons[1:]:
        echo(f"  {line_of(other)}")
    say_next(("show", run.path), ("report", run.path))


def _begins(run: Run) -> str:
    if run.config.weights_from is None:
        return "baselines begin with random weights"
    return f"baselines begin with the weights of {run.config.weights_from}"


def _fitting(run: Run, how: HowToTrain, own: Sequence[TrainingRecord]) -> tuple[Recipe, int | None]:
    """The recipe of baselines, and its epochs where they are not to be planned: what was typed,
    else that of the members; where these went on from shared weights, for as many epochs as a
    stock network needs."""
    if how.recipe is not None:
        return how.recipe, how.epochs
    before = _recipe_of(own)
    recipe = before or how.member_recipe
    if run.config.weights_from is not None:
        recipe = replace(recipe, epochs=max(recipe.epochs, TUNED_EPOCHS))
    return recipe, None if before is None else recipe.epochs


def _recipe_of(records: Sequence[TrainingRecord]) -> Recipe | None:
    """The longest recipe of the trained members; None where there is none that can be read."""
    from dataclasses import fields

    from hwnas.training.recipe import Recipe

    found: list[Recipe] = []
    known = {field.name for field in fields(Recipe)}
    for record in records:
        values: dict[str, Any] = {
            name: value for name, value in (record.recipe or {}).items() if name in known
        }
        try:
            found.append(Recipe(**values))
        except (TypeError, InputError):
            continue
    return max(found, key=lambda recipe: recipe.epochs, default=None)


def _measured(
    run: Run, summary: SearchSummary, models: Sequence[Model], fresh: bool, say: Say
) -> MeasuredTogether:
    """Latencies of all in one sitting: those that are kept, where they are of these networks."""
    from hwnas.runs.baselines import read_together, write_together
    from hwnas.search.baseline_costs import measured_together

    kept = read_together(run)
    names = {model.name for model in models} | {member.key for member in summary.front}
    if not fresh and names <= set(kept.costs):
        return kept
    found = measured_together(run, summary, models, say)
    write_together(run, found)
    return found


def _with_latency(model: Model, together: MeasuredTogether) -> Model:
    return replace(model, costs={**model.costs, **together.costs.get(model.name, {})})


def _epoch_line(model: Model, epoch: TrainingEpoch, epochs: int) -> str:
    if not epoch.number:
        return f"{model.name} begins at test accuracy {epoch.test_accuracy:.4f}"
    return (
        f"{model.name} epoch {epoch.number}/{epochs}: loss {epoch.train_loss:.3f}"
        f" ({epoch.seconds:.1f} s)"
    )


def _train(
    run: Run,
    models: list[Model],
    dataset: Dataset,
    recipe: Recipe,
    epochs: int | None,
    *,
    how: HowToTrain,
    place: str,
    start: Starts,
) -> None:
    from hwnas.cli.progress import notes
    from hwnas.training.finalists import train_models
    from hwnas.training.planning import plan_epochs

    say = notes(how.quiet)
    plan = plan_epochs(
        run,
        models,
        dataset,
        recipe,
        how.seed,
        typed=epochs,
        fresh=how.fresh,
        device=place,
        start=start.of,
    )
    for line in plan.lines:
        say(line)
    say(announced(models, dataset, recipe, place, plan))
    train_models(
        run,
        models,
        dataset,
        recipe,
        how.seed,
        device=place,
        fresh=how.fresh,
        plan=plan,
        start=start,
        report=lambda model, epoch: say(_epoch_line(model, epoch, plan.epochs[model.name])),
        done=lambda model, result: say(
            f"{model.title or model.name}: test accuracy {result.test_accuracy:.4f} after"
            f" {epochs_of(result)}"
        ),
        failed=left_out,
    )
