"""Training from scratch on small real images: what is learned, kept, and the same after any
interruption."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hwnas.errors import Stopped
from hwnas.nets.network import Network, drop_path
from hwnas.space.genotype import Architecture
from hwnas.space.published import PUBLISHED
from hwnas.training.building import build
from hwnas.training.checkpoint import BEST, STATE, WEIGHTS, TrainingEpoch
from hwnas.training.data import Batch, Dataset, batches, load
from hwnas.training.evaluate import accuracy, logits
from hwnas.training.loop import Training, TrainingDiverged
from hwnas.training.recipe import RECIPES
from hwnas.training.train import Trained, train
from hwnas.training.weights import fill, load_weights
from profilers.errors import InputError

SMALL = Architecture(PUBLISHED["DARTS_V2"], channels=4, cells=3)
BRIEF = replace(
    RECIPES["quick"],
    epochs=2,
    batch=16,
    auxiliary_weight=0.4,
    drop_path=0.3,
    average=0.9,
    calibrate=64,
)


def digits(images: int) -> Dataset:
    whole = load("digits", noise=0.1)
    kept = torch.arange(images)
    return replace(
        whole,
        train=whole.train[kept],
        train_labels=whole.train_labels[kept],
        test=whole.test[:128],
        test_labels=whole.test_labels[:128],
        split={"train": kept, "weights": kept[::2], "policy": kept[1::2]},
    )


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def dying_after(steps: int) -> Callable[[Training, Batch], None]:
    """A training's step that kills the process instead of making one more than ``steps``."""
    made, original = 0, Training.step

    def step(self: Training, batch: Batch) -> None:
        nonlocal made
        if made == steps:
            raise Killed
        made += 1
        original(self, batch)

    return step


def interrupted(out_dir: Path, at: list[int]) -> dict[str, torch.Tensor]:
    """Train to the end although the process dies after each of the steps ``at`` (steps of that
    call)."""
    for steps in at:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Training, "step", dying_after(steps))
            train(SMALL, digits(96), BRIEF, 7, out_dir, checkpoint_s=0.0)
    train(SMALL, digits(96), BRIEF, 7, out_dir)
    return load_file(out_dir / WEIGHTS)


def test_a_training_killed_at_any_step_ends_in_the_same_weights(tmp_path: Path) -> None:
    reference = interrupted(tmp_path / "whole", [])
    for at in ([1], [6], [8, 2]):
        resumed = interrupted(tmp_path / "-".join(map(str, at)), at)
        assert resumed.keys() == reference.keys()
        for name, tensor in reference.items():
            assert torch.equal(resumed[name], tensor), name


def test_what_a_kill_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    half = tmp_path / f".{STATE}.123.new"
    half.write_bytes(b"half")
    train(SMALL, digits(96), replace(BRIEF, epochs=1), 0, tmp_path)
    assert not half.exists() and (tmp_path / STATE).exists()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Path]:
    folder = tmp_path_factory.mktemp("learned")
    recipe = replace(
        RECIPES["quick"], epochs=3, batch=32, hold_out=0.2, evaluate_every=1, calibrate=256
    )
    return train(SMALL, digits(640), recipe, 0, folder), folder


def test_a_short_training_learns_and_says_what_it_did(learned: tuple[Trained, Path]) -> None:
    result, _ = learned
    assert result.test_accuracy > 0.3  # of 10 classes: 0.1 is chance
    assert [epoch.number for epoch in result.curve] == [1, 2, 3]
    assert result.curve[-1].train_loss < result.curve[0].train_loss
    assert result.curve[-1].test_accuracy == result.test_accuracy
    right = sum(row[label] for label, row in enumerate(result.confusion))
    assert right / sum(map(sum, result.confusion)) == pytest.approx(result.test_accuracy)
    assert result.seconds >= sum(epoch.seconds for epoch in result.curve) > 0
    assert not result.network.training


def test_the_best_epoch_is_chosen_by_images_held_out(learned: tuple[Trained, Path]) -> None:
    result, folder = learned
    seen = [epoch.held_out_accuracy for epoch in result.curve]
    assert None not in seen
    assert result.best_epoch == 1 + max(range(3), key=lambda number: seen[number] or 0.0)
    assert load_weights(folder / BEST).notes["epoch"] == result.best_epoch
    assert load_weights(folder / WEIGHTS).notes["epoch"] == 3


def test_the_kept_weights_are_the_network_that_was_tested(learned: tuple[Trained, Path]) -> None:
    result, folder = learned
    weights = load_weights(folder / WEIGHTS)
    assert (
        weights.architecture == SMALL and weights.image == (1, 8, 8) and len(weights.classes) == 10
    )
    again = Network(SMALL, 10, (1, 8, 8))
    fill(again, weights, "test")
    assert accuracy(again.eval(), digits(640)) == result.test_accuracy


def test_a_finished_training_is_not_made_again(learned: tuple[Trained, Path]) -> None:
    result, folder = learned
    recipe = replace(
        RECIPES["quick"], epochs=3, batch=32, hold_out=0.2, evaluate_every=1, calibrate=256
    )
    heard: list[TrainingEpoch] = []
    again = train(SMALL, digits(640), recipe, 0, folder, report=heard.append)
    assert not heard and again.curve == result.curve and again.seconds == result.seconds
    assert again.confusion == result.confusion
    for name, tensor in again.network.state_dict().items():
        assert torch.equal(tensor, result.network.state_dict()[name]), name


def test_a_finished_training_gives_lost_weights_back(learned: tuple[Trained, Path]) -> None:
    _, folder = learned
    before = (folder / WEIGHTS).read_bytes()
    recipe = replace(
        RECIPES["quick"], epochs=3, batch=32, hold_out=0.2, evaluate_every=1, calibrate=256
    )
    (folder / WEIGHTS).write_bytes(b"")
    train(SMALL, digits(640), recipe, 0, folder)
    assert (folder / WEIGHTS).read_bytes() == before


def test_curves_can_be_read_by_tensorboard(learned: tuple[Trained, Path]) -> None:
    result, folder = learned
    reader = EventAccumulator(str(folder))
    reader.Reload()
    assert set(reader.Tags()["scalars"]) >= {
        "loss/train",
        "accuracy/test",
        "accuracy/held_out",
        "learning_rate",
    }
    points = reader.Scalars("loss/train")
    assert [point.step for point in points] == [1, 2, 3]
    assert [point.value for point in points] == pytest.approx(
        [epoch.train_loss for epoch in result.curve]
    )


def test_other_settings_do_not_go_on_from_the_same_folder(learned: tuple[Trained, Path]) -> None:
    _, folder = learned
    recipe = replace(
        RECIPES["quick"], epochs=3, batch=32, hold_out=0.2, evaluate_every=1, calibrate=256
    )
    for changes, message in (
        ({"epochs": 2}, "a training with epochs 3, not 2"),
        ({"batch": 16}, "a training with batch 32, not 16"),
        ({"mixup": 0.2}, "a training with mixup none, not 0.2"),
        ({"epochs": 4, "batch": 16}, "a training with batch 32, not 16"),
    ):
        with pytest.raises(InputError, match=message):
            train(SMALL, digits(640), replace(recipe, **changes), 0, folder)
    with pytest.raises(InputError, match="a training with data_digest"):
        train(SMALL, digits(320), recipe, 0, folder)


def test_what_was_trained_with_a_setting_that_is_not_wanted_now_is_another_training(
    tmp_path: Path,
) -> None:
    """The recipe of before does not say what it does without."""
    recipe = replace(BRIEF, epochs=1)
    train(SMALL, digits(96), replace(recipe, mixup=0.2), 0, tmp_path)
    with pytest.raises(InputError, match=r"a training with mixup 0\.2, not none"):
        train(SMALL, digits(96), recipe, 0, tmp_path)


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    train(SMALL, digits(96), replace(BRIEF, epochs=1), 0, tmp_path)
    state = tmp_path / STATE
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    for damaged in (bytes(content), content[: len(content) // 2], b"", b"nonsense"):
        state.write_bytes(damaged)
        with pytest.raises(InputError, match="not a readable training state"):
            train(SMALL, digits(96), replace(BRIEF, epochs=1), 0, tmp_path)


def test_the_same_seed_trains_the_same_network_and_another_seed_another() -> None:
    runs = [train(SMALL, digits(96), BRIEF, seed).network.state_dict() for seed in (3, 3, 4)]
    name = "head.classifier.1.weight"
    assert torch.equal(runs[0][name], runs[1][name])
    assert not torch.equal(runs[0][name], runs[2][name])


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    train(SMALL, digits(96), replace(BRIEF, epochs=1), 0)
    assert torch.equal(before, torch.get_rng_state())


def test_the_average_of_the_weights_follows_its_definition() -> None:
    recipe = replace(BRIEF, average=0.9, calibrate=0)
    training = Training(
        SMALL, digits(96), recipe=recipe, seed=0, stem="cifar", device=torch.device("cpu")
    )
    name = "head.classifier.1.weight"
    expected = training.network.state_dict()[name].clone()
    for number, batch in enumerate(batches(digits(96), "train", 16, (0,))):
        training.runner.train()
        training.step(batch)
        training.progress.step += 1
        decay = min(0.9, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * training.network.state_dict()[name]
    assert torch.allclose(training.average[name], expected, atol=1e-6)
    training.settle()
    assert torch.equal(training.settled.state_dict()[name], training.average[name])


def test_a_loss_that_is_no_number_stops_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Training._gradient

    def exploded(self: Training, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        loss, answers = original(self, batch)
        return loss * float("inf"), answers

    monkeypatch.setattr(Training, "_gradient", exploded)
    with pytest.raises(TrainingDiverged, match="lower learning rate"):
        train(SMALL, digits(96), BRIEF, 0)


def small_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """A device on which more than ``most`` images do not fit; returns the sizes that were tried
    in training."""
    tried: list[int] = []
    true_forward = Network.forward

    def forward(
        net: Network, x: torch.Tensor, keep: torch.Tensor | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        if torch.is_grad_enabled():
            tried.append(len(x))
        if len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return true_forward(net, x, keep)

    monkeypatch.setattr(Network, "forward", forward)
    return tried


def test_a_batch_that_does_not_fit_is_trained_in_pieces_and_stays_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = small_memory(monkeypatch, 5)
    recipe = replace(BRIEF, epochs=1, batch=16, calibrate=0, drop_path=0.2, mixup=0.2)
    result = train(SMALL, digits(96), recipe, 0, tmp_path)
    assert tried[:6] == [16, 8, 4, 4, 4, 4] and max(tried[2:]) == 4
    assert 0.0 <= result.test_accuracy <= 1.0
    del tried[:]
    train(SMALL, digits(96), replace(recipe, epochs=2), 0, tmp_path)
    assert max(tried) == 4


def test_pieces_give_the_gradient_of_the_mean_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(BRIEF, mixup=0.2, label_smoothing=0.1)
    whole, halved = (
        Training(SMALL, digits(96), recipe=recipe, seed=0, stem="cifar", device=torch.device("cpu"))
        for _ in range(2)
    )
    for training in (whole, halved):
        training.network.eval()  # normalised by fixed statistics: pieces then change nothing
    batch = next(iter(batches(digits(96), "train", 14, (0,))))
    loss, right = whole._gradient(batch)
    halved.progress.micro_batches = 4
    also, counted = halved._gradient(batch)
    torch.testing.assert_close(loss, also)
    assert int(right) == int(counted)
    for one, other in zip(whole.network.parameters(), halved.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_a_memory_that_holds_not_even_two_images_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_memory(monkeypatch, 1)
    with pytest.raises(Stopped, match="even a few images at a time") as caught:
        train(SMALL, digits(96), BRIEF, 0)
    assert "\n" not in str(caught.value)


def test_logits_are_the_same_however_few_images_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = digits(96)
    network = build(SMALL, data, 0, "cifar", False)
    wanted = logits(network, data, "test")
    small_memory(monkeypatch, 3)
    torch.testing.assert_close(logits(network, data, "test"), wanted)


def test_what_the_device_cannot_do_is_refused() -> None:
    with pytest.raises(InputError, match="precision float16 needs a CUDA device"):
        train(SMALL, digits(96), replace(BRIEF, precision="float16"), 0)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no CUDA device"):
            train(SMALL, digits(96), BRIEF, 0, device="cuda")
    with pytest.raises(InputError, match="cutout 16 hides whole images"):
        train(SMALL, digits(96), replace(BRIEF, cutout=16), 0)


def test_an_unwritable_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        train(SMALL, digits(96), BRIEF, 0, tmp_path / "file")


def test_mixed_precision_trains_float32_weights_to_about_the_same_loss() -> None:
    plain, mixed = (
        train(SMALL, digits(96), replace(BRIEF, precision=precision), 0)
        for precision in ("float32", "bfloat16")
    )
    assert all(parameter.dtype == torch.float32 for parameter in mixed.network.parameters())
    assert mixed.curve[0].train_loss != plain.curve[0].train_loss
    assert mixed.curve[0].train_loss == pytest.approx(plain.curve[0].train_loss, rel=0.05)


@pytest.mark.slow
def test_a_network_compiles_to_one_graph_whatever_is_dropped() -> None:
    network = Network(SMALL, 10, (3, 8, 8), auxiliary=True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    compiled = torch.compile(network.train(), backend="aot_eager", fullgraph=True)
    torch._dynamo.utils.counters.clear()
    for step in range(3):
        keep = drop_path(
            0.1 * (step + 1), network.droppable, 8, torch.Generator().manual_seed(step)
        )
        logits, extra = compiled(torch.randn(8, 3, 8, 8), keep)
        (logits.sum() + extra.sum()).backward()
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


KILLED = """
import sys
from dataclasses import replace
import torch
torch.set_num_threads(1)
sys.path.insert(0, {root!r})
from tests.training.test_train import BRIEF, SMALL, digits
from hwnas.training.train import train
from pathlib import Path
print("ready", flush=True)
train(SMALL, digits(320), replace(BRIEF, epochs=6), 7, Path({out!r}), checkpoint_s=0.0)
print("ended", flush=True)
"""


@pytest.mark.slow
def test_a_process_killed_at_random_moments_ends_in_the_same_weights(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    train(SMALL, digits(320), replace(BRIEF, epochs=6), 7, tmp_path / "whole")
    moments, kills = random.Random(0), 0
    for _ in range(40):
        script = KILLED.format(root=root, out=str(tmp_path / "killed"))
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        try:
            process.wait(moments.uniform(0.5, 4.0) if kills < 5 else None)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        if process.returncode == 0:
            break
    assert kills >= 2
    reference, resumed = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "killed"))
    assert reference.keys() == resumed.keys()
    for name, tensor in reference.items():
        assert torch.equal(resumed[name], tensor), name
    assert not list((tmp_path / "killed").glob(".*.new"))
