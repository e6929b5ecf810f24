"""One training as it goes: steps, epochs, tests, and what is kept of them."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hwnas.nets.network import drop_path
from hwnas.space.genotype import Architecture
from hwnas.space.layers import Stem
from hwnas.training.building import _layout, build
from hwnas.training.checkpoint import (
    BEST,
    WEIGHTS,
    Progress,
    TrainingEpoch,
    go_on,
    save_progress,
)
from hwnas.training.compiled import compiled
from hwnas.training.curves import write_curves
from hwnas.training.data import Augment, Batch, Dataset, batch_count, batches
from hwnas.training.dataset import generator
from hwnas.training.evaluate import accuracy, accuracy_of, logits
from hwnas.training.gradient import gradient
from hwnas.training.learning import follow, mixture, sgd
from hwnas.training.legs import drop_path_of, last_end, rate_of
from hwnas.training.recipe import Recipe, is_tested, late_tests
from hwnas.training.start import Start, begin
from hwnas.training.statistics import calibrate
from hwnas.training.weights import fill, load_weights, save_weights

# The word after the seed says what is drawn.
_IMAGES, _DROP, _CALIBRATION, HOLD_OUT, _MIX = range(1, 6)


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


class Training:
    """What changes while training: weights, momentum, average, and how far it is.

    One method per verb.
    """

    def __init__(
        self,
        architecture: Architecture,
        data: Dataset,
        recipe: Recipe,
        seed: int,
        stem: Stem,
        device: torch.device,
        start: Start | None = None,
    ) -> None:
        self.architecture, self.data, self.recipe = architecture, data, recipe
        self.seed, self.device = seed, device
        self.progress = Progress()
        self.folder: Path | None = None
        self.settings: dict[str, Any] = {}
        self.best: dict[str, Tensor] = {}
        self.tested: Tensor | None = None
        self.network = build(architecture, data, seed, stem, recipe.auxiliary_weight > 0).to(device)
        self.settled = build(architecture, data, seed, stem, False).to(device).eval()
        self.late_tests = start is not None and late_tests(recipe)
        if start is not None:
            begin(self.network, start)
        self.runner: nn.Module = compiled(self.network) if recipe.compile else self.network
        self.optimizer = sgd(self.network, recipe)
        weights = self.network.state_dict()
        self.average = (
            {name: value.clone() for name, value in weights.items()} if recipe.average else {}
        )
        # Loss x images, right, images.
        self.totals = torch.zeros(3, dtype=torch.float64, device=device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16")
        self.steps = batch_count(data, "train", self.batch, drop_last=True)

    @property
    def batch(self) -> int:
        """Images per step, at most all of them; what fills no batch is left out of an epoch."""
        return min(self.recipe.batch, len(self.data.split["train"]))

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a step changes, by name, as the live tensors."""
        named = {f"weights.{name}": value for name, value in self.network.state_dict().items()}
        named |= {
            f"momentum.{name}": self.optimizer.state[parameter]["momentum_buffer"]
            for name, parameter in self.network.named_parameters()
        }
        named |= {f"average.{name}": value for name, value in self.average.items()}
        return named | {"totals": self.totals}

    def resume(self, folder: Path, settings: dict[str, Any]) -> None:
        """Keep the state in ``folder`` from now on, and go on from what is there; where that was
        planned for fewer epochs, with a part of its own after them."""
        self.folder, self.settings = folder, settings
        go_on(folder, settings, self.progress, self.tensors())
        if self.progress.scaler:
            self.scaler.load_state_dict(self.progress.scaler)

    def save(self) -> None:
        """Store the state, where there is a folder for it."""
        if self.folder is not None:
            self.progress.scaler = self.scaler.state_dict()
            save_progress(self.folder, self.settings, self.progress, self.tensors())

    @property
    def ended(self) -> bool:
        """Whether all epochs are made, or no more are wanted."""
        return self.progress.stopped or self.progress.epoch >= self.recipe.epochs

    @property
    def result(self) -> TrainingEpoch:
        """The epoch whose weights count: the last one, or with patience the best one."""
        curve = self.progress.curve
        return curve[self.progress.best_epoch - 1 if self.recipe.patience else -1]

    def finish(self) -> None:
        """Bring the weights that count into ``settled``, and write them; again, in case the file
        was lost."""
        self.tested = None
        if not self.recipe.patience:
            self.settle()
        elif self.folder is None:
            self.settled.load_state_dict(self.best)
        else:
            fill(self.settled, load_weights(self.folder / BEST), str(self.folder / BEST))
        self.keep_weights()

    def run_epoch(self, checkpoint_s: float) -> None:
        """Make the remaining steps of this epoch, then test, and store what came of it."""
        progress, start = self.progress, time.monotonic()
        saved, before = start, progress.epoch_seconds
        source = batches(
            self.data,
            "train",
            self.batch,
            (self.seed, _IMAGES, progress.epoch),
            augment=self.augment(),
            start=progress.step,
            drop_last=True,
        )
        self.runner.train()
        for batch in source:
            self.step(batch)
            progress.step += 1
            if time.monotonic() - saved >= checkpoint_s:
                saved = time.monotonic()
                progress.epoch_seconds = before + saved - start
                self.save()
        self._finish_epoch(before, start)

    def step(self, batch: Batch) -> None:
        """One SGD step on one mini-batch."""
        progress, recipe = self.progress, self.recipe
        rate = rate_of(recipe, progress.legs, progress.epoch, progress.step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, right = self._gradient(batch)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip, foreach=True)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self._average()
        seen = torch.full_like(right, len(batch.y))
        self.totals += torch.stack([loss * len(batch.y), right, seen])

    def settle(self) -> None:
        """Bring the weights that count, with their own BatchNorm statistics, into ``settled``."""
        source = self.average or self.network.state_dict()
        wanted, self.tested = self.settled.state_dict(), None
        self.settled.load_state_dict({name: source[name] for name in wanted})
        if self.recipe.calibrate:
            size = min(self.batch, 256)
            count = max(1, min(self.recipe.calibrate, len(self.data.split["train"])) // size)
            images = batches(self.data, "train", size, (self.seed, _CALIBRATION), drop_last=True)
            limited = zip(range(count), images, strict=False)
            calibrate(self.settled, (_layout(batch.x) for _, batch in limited))

    def augment(self) -> Augment | None:
        """What happens to training images, where anything does."""
        if not self.recipe.augment:
            return None
        return replace(self.data.augment, cutout=self.recipe.cutout or self.data.augment.cutout)

    def _keep(self, images: int) -> Tensor | None:
        """Drop-path's factors for one step, drawn on the CPU so that every device drops the
        same."""
        progress = self.progress
        probability = drop_path_of(self.recipe, progress.legs, progress.epoch)
        if not probability:
            return None
        source = generator(self.seed, _DROP, progress.epoch, progress.step)
        return drop_path(probability, self.network.droppable, images, source).to(self.device)

    def _gradient(self, batch: Batch) -> tuple[Tensor, Tensor]:  # loss, images that are right
        recipe, progress, other = self.recipe, self.progress, None
        if recipe.mixup:
            draws = generator(self.seed, _MIX, progress.epoch, progress.step)
            batch, other = mixture(batch, recipe.mixup, draws)
        loss, right, progress.micro_batches = gradient(
            self.runner,
            self.network.task,
            batch,
            keep=self._keep(len(batch.x)),
            other=other,
            recipe=recipe,
            scaler=self.scaler,
            pieces=progress.micro_batches,
        )
        return loss, right

    def _average(self) -> None:
        """average <- d average + (1 - d) weights; d rises from 0.1, so that the start is
        forgotten."""
        done = self.progress.epoch * self.steps + self.progress.step
        decay = min(self.recipe.average, (1 + done) / (10 + done))
        follow(self.average, self.network.state_dict(), decay)

    def _finish_epoch(self, before: float, start: float) -> None:
        progress, recipe = self.progress, self.recipe
        loss, right, seen = (float(value) for value in self.totals)
        if not math.isfinite(loss):
            where = f"the loss of epoch {progress.epoch + 1} is {loss}"
            raise TrainingDiverged(f"{where}: train with a lower learning rate")
        has_test = is_tested(recipe, progress.epoch + 1, self.late_tests)
        held_out, tested = self.test() if has_test else (None, None)
        seconds = before + time.monotonic() - start
        rate = rate_of(recipe, progress.legs, progress.epoch, self.steps - 1, self.steps)
        point = TrainingEpoch(
            number=progress.epoch + 1,
            learning_rate=rate,
            train_loss=loss / seen,
            train_accuracy=right / seen,
            held_out_accuracy=held_out,
            test_accuracy=tested,
            seconds=seconds,
        )
        judged = held_out if recipe.hold_out else tested
        better = judged is not None and judged > progress.best_accuracy
        if better and judged is not None:
            progress.best_accuracy, progress.best_epoch = judged, point.number
        progress.curve.append(point)
        progress.seconds += seconds
        progress.epoch, progress.step, progress.epoch_seconds = progress.epoch + 1, 0, 0.0
        self.totals.zero_()
        if recipe.patience and judged is not None:
            since = max(progress.best_epoch, last_end(progress.legs, progress.epoch))
            progress.stopped = progress.epoch - since >= recipe.patience
        self._store(better)

    def test(self) -> tuple[float | None, float]:
        """Accuracy on the held-out part of the training images, if any, and on the test images."""
        self.settle()
        held_out = accuracy(self.settled, self.data, "policy") if self.recipe.hold_out else None
        return held_out, accuracy_of(self.outputs(), self.data, "test")

    def outputs(self) -> Tensor:
        """Logits (test images, classes) of what is ``settled``; looked at once."""
        if self.tested is None:
            self.tested = logits(self.settled, self.data, "test")
        return self.tested

    def _store(self, better: bool) -> None:
        """Weights before the state that counts them: whatever is repeated after a kill comes out
        the same."""
        if better and self.recipe.patience and self.folder is None:
            self.best = {name: value.clone() for name, value in self.settled.state_dict().items()}
        if better:
            self.keep_weights(BEST)
        if self.ended and self.recipe.patience:
            self.finish()
        elif self.ended:
            self.keep_weights()
        if self.folder is not None:
            write_curves(self.folder, self.progress.curve)
            self.save()

    def keep_weights(self, name: str = WEIGHTS) -> None:
        """Write what is ``settled`` to a file that an export reads, where there is a folder."""
        if self.folder is not None:
            save_weights(
                self.folder / name, self.architecture, self.settled, self.data, self._notes()
            )

    def _notes(self) -> dict[str, Any]:
        kept = self.result if self.ended else self.progress.curve[-1]
        notes = {**self.settings, "epoch": kept.number, "test_accuracy": kept.test_accuracy}
        return {**notes, "legs": self.progress.legs} if self.progress.legs else notes
