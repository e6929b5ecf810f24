"""How a network is trained from scratch: frozen recipes and the presets that the papers used."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from profilers.errors import InputError, nearest

Schedule = Literal["cosine", "linear"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to train. Times are in epochs, sides in pixels, probabilities and shares in 0..1.

    ``soft_labels``: the share of the loss that follows what a teacher says of each image, where
    there is one (arXiv 1503.02531); the labels have the rest.

    ``schedule`` goes from ``learning_rate`` to ``final_learning_rate`` in every step, after
    ``warmup_epochs`` of a linear rise. ``drop_path`` is reached linearly at the last epoch.
    ``auxiliary_weight`` multiplies the loss of an auxiliary head; 0 builds none. ``augment``
    applies what suits the data set, ``cutout`` comes on top. ``calibrate`` re-estimates the
    statistics of every BatchNorm on so many training images at the end (0 keeps the running ones):
    after few epochs running averages lag behind the weights. ``average`` is the decay of the
    exponential moving average of the weights that is tested and kept (0: none). ``hold_out`` keeps
    a share of the training images aside to choose the best epoch by; with 0 the best epoch is
    chosen by the test images, and only the last one's accuracy is an honest estimate. ``precision``
    other than float32 is mixed (float16 on CUDA only); ``compile`` runs torch.compile.

    ``mixup``: above 0, images of a batch are mixed in pairs, by a share from Beta(mixup, mixup)
    (arXiv 1710.09412). ``patience``: above 0, training ends where no epoch of the last so many was
    better than the best on the images held out, and the best epoch's weights are kept.
    """

    name: str
    epochs: int
    batch: int
    learning_rate: float
    schedule: Schedule = "cosine"
    final_learning_rate: float = 0.0
    warmup_epochs: float = 0.0
    momentum: float = 0.9
    weight_decay: float = 3e-4
    clip: float = 5.0
    label_smoothing: float = 0.0
    nesterov: bool = False
    soft_labels: float = 0.0
    mixup: float = 0.0
    auxiliary_weight: float = 0.0
    drop_path: float = 0.0
    augment: bool = True
    cutout: int = 0
    average: float = 0.0
    calibrate: int = 0
    hold_out: float = 0.0
    patience: int = 0
    evaluate_every: int = 1
    precision: Precision = "float32"
    compile: bool = False

    def __post_init__(self) -> None:
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(
                    f"recipe {self.name}: {name} must be within {low:g}..{high:g}, not {value}"
                )
        for name, choices in (("schedule", Schedule), ("precision", Precision)):
            given, legal = str(getattr(self, name)), get_args(choices)
            if given not in legal:
                raise InputError(
                    f"recipe {self.name}: unknown {name} {given!r}{nearest(given, legal)}"
                )

        if self.patience and not self.hold_out:
            raise InputError(
                f"recipe {self.name}: patience {self.patience} needs images to judge epochs by, and"
                " test images are not for that: say --hold-out too, such as 0.1"
            )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        # Recipes of before did not know these: a training that does without is one of theirs.
        for name, value in NEW_DEFAULTS.items():
            if values[name] == value:
                del values[name]
        return values


NEW_DEFAULTS: dict[str, float | bool] = {
    "nesterov": False,
    "soft_labels": 0.0,
    "mixup": 0.0,
    "patience": 0,
}
_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("epochs", 1, 100_000),
    ("batch", 2, 65_536),
    ("learning_rate", 0, 100),
    ("final_learning_rate", 0, 100),
    ("warmup_epochs", 0, 10_000),
    ("momentum", 0, 0.9999),
    ("weight_decay", 0, 1),
    ("clip", 1e-6, 1e6),
    ("label_smoothing", 0, 0.99),
    ("soft_labels", 0, 1),
    ("mixup", 0, 10),
    ("patience", 0, 100_000),
    ("auxiliary_weight", 0, 10),
    ("drop_path", 0, 0.99),
    ("cutout", 0, 4096),
    ("average", 0, 0.999999),
    ("calibrate", 0, 10_000_000),
    ("hold_out", 0, 0.5),
    ("evaluate_every", 1, 100_000),
)

RECIPES: dict[str, Recipe] = {
    # P-DARTS, arXiv 1904.12760, section 4.4.
    "cifar": Recipe(
        name="cifar",
        epochs=600,
        batch=128,
        learning_rate=0.025,
        auxiliary_weight=0.4,
        drop_path=0.3,
        cutout=16,
    ),
    # As above: 250 epochs at batch 1024; at batch 256 take a learning rate of 0.1.
    "imagenet": Recipe(
        name="imagenet",
        epochs=250,
        batch=1024,
        learning_rate=0.5,
        schedule="linear",
        warmup_epochs=5,
        weight_decay=3e-5,
        label_smoothing=0.1,
        auxiliary_weight=0.4,
    ),
    # For networks that begin with trained weights (docs/evidence/photos.md).
    "tune": Recipe(
        name="tune",
        epochs=1,
        batch=32,
        learning_rate=0.02,
        warmup_epochs=0.25,
        weight_decay=1e-4,
        label_smoothing=0.1,
        nesterov=True,
        calibrate=256,
    ),
    # For small images and short runs on a CPU: a high rate, and BatchNorm statistics that belong to
    # the last weights.
    "quick": Recipe(
        name="quick",
        epochs=10,
        batch=64,
        learning_rate=0.1,
        warmup_epochs=1,
        calibrate=2048,
        evaluate_every=5,
    ),
}


def recipe_named(name: str) -> Recipe:
    """The preset of that name. Raises InputError with the nearest choice."""
    if name not in RECIPES:
        raise InputError(f"no training recipe is called {name!r}{nearest(name, RECIPES)}")
    return RECIPES[name]


def learning_rate(recipe: Recipe, epoch: int, step: int, steps: int) -> float:
    """The rate of one step: a linear warm-up, then cosine or linear from first to last.

    With t in 0..1 the share of the epochs after the warm-up that is done, cosine is
    last + (first - last) (1 + cos(pi t)) / 2 (arXiv 1608.03983 without restarts).
    """
    done = epoch + step / steps
    if done < recipe.warmup_epochs:
        return recipe.learning_rate * (done + 1 / steps) / (recipe.warmup_epochs + 1 / steps)
    t = (done - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
    share = (1 + math.cos(math.pi * t)) / 2 if recipe.schedule == "cosine" else 1 - t
    return recipe.final_learning_rate + (recipe.learning_rate - recipe.final_learning_rate) * share


def late_tests(recipe: Recipe) -> bool:
    """Whether a training that goes on from trained weights is tested after its last two epochs
    alone, which say what one more bought: a test takes a tenth of an epoch, which is much of two or
    three of them."""
    return not recipe.hold_out and 2 <= recipe.epochs <= 3


def is_tested(recipe: Recipe, epoch: int, late: bool) -> bool:
    """Whether an epoch, from 1, ends with a test; the last one always does."""
    left = recipe.epochs - epoch
    return not left or (epoch % recipe.evaluate_every == 0 and not (late and left > 1))


def drop_path_probability(recipe: Recipe, epoch: int) -> float:
    """Rises linearly with the epoch, from 0 (P-DARTS)."""
    return recipe.drop_path * epoch / recipe.epochs
