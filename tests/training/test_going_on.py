"""Trainings that go on after their end, end early, or mix their images: the same after any
interruption."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from hwnas.training.checkpoint import BEST, WEIGHTS, Progress, stored_training
from hwnas.training.legs import drop_path_of, last_end, leg_of, rate_of
from hwnas.training.loop import Training
from hwnas.training.recipe import RECIPES, Recipe, learning_rate
from hwnas.training.train import Trained, train
from hwnas.training.weights import load_weights
from profilers.errors import InputError
from tests.training.test_train import SMALL, Killed, digits, dying_after

TINY = replace(RECIPES["quick"], epochs=1, batch=32, calibrate=32, drop_path=0.2, evaluate_every=1)
PLAIN = Recipe(name="plain", epochs=20, batch=64, learning_rate=0.1, drop_path=0.3)


def trained(folder: Path, recipe: Recipe, *, killed_at: int | None = None) -> Trained:
    """Train to the end, though the process dies after so many steps of its first call."""
    if killed_at is not None:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Training, "step", dying_after(killed_at))
            train(SMALL, digits(64), recipe, 7, folder, checkpoint_s=0.0)
    return train(SMALL, digits(64), recipe, 7, folder)


def same(one: Path, other: Path, name: str = WEIGHTS) -> bool:
    a, b = load_file(one / name), load_file(other / name)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_a_training_goes_on_to_more_epochs_and_a_kill_changes_nothing(tmp_path: Path) -> None:
    """2 steps an epoch: the second and the third call die in the middle of theirs."""
    for name, kills in (("whole", (None, None)), ("killed", (1, 1))):
        folder = tmp_path / name
        first = trained(folder, TINY)
        result = trained(folder, replace(TINY, epochs=2), killed_at=kills[0])
        assert result.legs == (1,) and result.epochs == 2 and result.curve[:1] == first.curve
        result = trained(folder, replace(TINY, epochs=3), killed_at=kills[1])
        assert result.legs == (1, 2) and [one.number for one in result.curve] == [1, 2, 3]
        assert load_weights(folder / WEIGHTS).notes["legs"] == [1, 2]
    assert same(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.slow
def test_what_was_planned_before_is_made_before_what_was_added(tmp_path: Path) -> None:
    """Stopped in the first epoch of two, then three are asked for: two by the first schedule."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Training, "step", dying_after(1))
        train(SMALL, digits(64), replace(TINY, epochs=2), 7, tmp_path / "b", checkpoint_s=0.0)
    trained(tmp_path / "a", replace(TINY, epochs=2))
    for name in ("a", "b"):
        assert trained(tmp_path / name, replace(TINY, epochs=3)).legs == (2,)
    assert same(tmp_path / "a", tmp_path / "b")


def test_the_rate_begins_again_and_falls_again_in_each_part() -> None:
    rates = [rate_of(PLAIN, [10], step // 4, step % 4, 4) for step in range(80)]
    assert rates[:40] == rates[40:]
    assert rates[:40] == [
        learning_rate(replace(PLAIN, epochs=10), step // 4, step % 4, 4) for step in range(40)
    ]
    assert all(before >= after for before, after in pairwise(rates[:40]))
    assert rate_of(PLAIN, [], 3, 1, 4) == learning_rate(PLAIN, 3, 1, 4)
    assert [drop_path_of(PLAIN, [10], epoch) for epoch in (0, 5, 10, 15)] == pytest.approx(
        [0.0, 0.15, 0.0, 0.15]
    )


@given(st.sets(st.integers(1, 29), max_size=4), st.integers(0, 29))
def test_parts_lie_end_to_end_and_every_epoch_is_in_one(ends: set[int], epoch: int) -> None:
    borders = [0, *sorted(ends), 30]
    (part,) = [(a, b) for a, b in pairwise(borders) if a <= epoch < b]
    assert leg_of(sorted(ends), 30, epoch) == part
    assert last_end(sorted(ends), epoch + 1) == part[0]


def test_a_short_part_falls_to_the_last_rate_too() -> None:
    """Of a part that was added a quarter at most is warm-up; the first part is as it always was."""
    quick = replace(RECIPES["quick"], epochs=2)
    rates = [rate_of(quick, [1], 1, step, 40) for step in range(40)]
    assert max(rates) == rates[10] == pytest.approx(quick.learning_rate)
    assert rates[-1] < 0.01 * quick.learning_rate
    first = [rate_of(quick, [1], 0, step, 40) for step in range(40)]
    assert first == [learning_rate(replace(quick, epochs=1), 0, step, 40) for step in range(40)]


PATIENT = replace(TINY, epochs=9, hold_out=0.25, patience=2)


def judged_by(curve: list[float], patch: pytest.MonkeyPatch) -> None:
    """Trainings whose epochs reach these accuracies on the images held out."""

    def test(self: Training) -> tuple[float, float]:
        self.settle()
        return curve[self.progress.epoch], self.progress.epoch / 100

    patch.setattr(Training, "test", test)


def test_patience_ends_a_training_with_the_weights_of_its_best_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_by([0.1, 0.3, 0.2, 0.3, 0.4, 0.5, 0.2, 0.2, 0.2], monkeypatch)
    for name, at in (("whole", None), ("killed", 3)):  # a step an epoch: dies in the fourth
        result = trained(tmp_path / name, PATIENT, killed_at=at)
        assert (result.epochs, result.best_epoch, result.test_accuracy) == (4, 2, 0.01)
        assert load_weights(tmp_path / name / WEIGHTS).notes["epoch"] == 2
        assert same(tmp_path / name, tmp_path / name, BEST)
        best = load_file(tmp_path / name / BEST)
        for key, tensor in result.network.state_dict().items():
            assert torch.equal(tensor, best[key])
    assert same(tmp_path / "whole", tmp_path / "killed")
    alone = train(SMALL, digits(64), PATIENT, 7)  # without a folder
    assert all(torch.equal(tensor, best[key]) for key, tensor in alone.network.state_dict().items())


def test_what_ended_early_stays_ended_and_goes_on_when_more_epochs_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged_by([0.1, 0.3, 0.2, 0.2, 0.1, 0.5, 0.6, 0.6, 0.6, 0.6], monkeypatch)
    assert trained(tmp_path, PATIENT).epochs == 4
    stored = stored_training(tmp_path)
    assert stored is not None and stored.ended and (stored.epochs, stored.done) == (9, 4)
    assert trained(tmp_path, PATIENT).epochs == 4
    again = trained(tmp_path, replace(PATIENT, epochs=10))
    # Epoch 5 is no better, 6 and 7 are: patience counts from the beginning of the new part.
    assert (again.legs, again.epochs, again.best_epoch) == ((4,), 9, 7)


def test_patience_without_images_held_out_is_refused() -> None:
    with pytest.raises(InputError, match="say --hold-out too"):
        replace(PLAIN, patience=3)


def test_recipes_of_before_are_written_as_they_were() -> None:
    for recipe in RECIPES.values():
        assert {"mixup", "patience"}.isdisjoint(recipe.to_dict())
    patient = replace(PLAIN, hold_out=0.1, patience=3, mixup=0.2).to_dict()
    assert patient["patience"] == 3 and patient["mixup"] == 0.2


def test_a_state_of_before_has_no_parts() -> None:
    assert Progress().legs == [] and not Progress().stopped


def test_mixed_images_train_the_same_weights_after_a_kill(tmp_path: Path) -> None:
    mixing = replace(TINY, mixup=0.4, label_smoothing=0.1)
    for name, at in (("whole", None), ("killed", 1)):
        trained(tmp_path / name, mixing, killed_at=at)
    trained(tmp_path / "plain", replace(mixing, mixup=0.0))
    assert same(tmp_path / "whole", tmp_path / "killed")
    assert not same(tmp_path / "whole", tmp_path / "plain")
