"""A search that diverges goes back and slows down; one that can't write says so and loses
nothing."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hwnas.errors import Stopped
from hwnas.nets.supernet import Supernet, build_supernet
from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.search.checkpoint import MAX_ROLLBACKS
from hwnas.search.distributed import shared_weights
from hwnas.search.memory import check_step
from hwnas.search.plan import plan
from hwnas.search.progress import SearchProgress
from hwnas.search.search import resume, search, summary, whereabouts
from hwnas.space import SPACES
from hwnas.space.family import family
from hwnas.training.data import Batch
from profilers.errors import InputError
from tests.search import tiny


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tiny.images(tmp_path / "images.npz")


def broken_at(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[int], bool], loss: float = math.nan
) -> list[float]:
    """Weight steps whose number ``broken`` holds for poison the weights; returns the rates of
    all steps."""
    rates: list[float] = []
    true_step = shared_weights.weight_step

    def step(shared: Any, batch: Any, path: Any, lr: float, parts: int = 1) -> float:
        rates.append(lr)
        if not broken(len(rates) - 1):
            return true_step(shared, batch, path, lr)
        for weight in shared.net.parameters():
            weight.data.fill_(math.nan)
        return loss

    monkeypatch.setattr(shared_weights, "weight_step", step)
    return rates


@pytest.mark.parametrize(
    "loss", [math.nan, 1e9, 1.0], ids=["no number", "exploded", "only the weights"]
)
def test_a_diverged_search_goes_back_and_on_at_half_the_rate(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    rates = broken_at(monkeypatch, lambda number: number == 5, loss)
    config = tiny.config(data)
    run = search(config, tmp_path / "run")
    notes = [note for note in summary(run)["health"] if note["kind"] == "loss"]
    assert len(notes) == 1 and "0.5 of the rate" in notes[0]["text"]
    assert rates[0] == config.weight_step.lr
    # The epoch (3 steps) begins again with the rate that it had, halved.
    again = 6 if loss != 1.0 else rates.index(rates[3] / 2)
    assert rates[again] == rates[3] / 2
    arrays = load_checkpoint(run)
    assert arrays is not None
    assert all(
        np.isfinite(array).all() for name, array in arrays[0].items() if name.startswith("weight")
    )


def test_a_search_that_diverges_again_and_again_is_given_up(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = broken_at(monkeypatch, lambda number: number >= 3)
    with pytest.raises(Stopped, match=r"diverged 4 times.*lower weight_step\.lr"):
        search(tiny.config(data), tmp_path / "run")
    assert len(rates) == 3 + MAX_ROLLBACKS + 1
    found = load_checkpoint(runs.open_run(tmp_path / "run"))
    assert found is not None and found[1]["position"]["rate"] == 0.125


def test_a_rollback_survives_a_stop(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_at(monkeypatch, lambda number: number == 5)
    seen = 0

    def stop(progress: SearchProgress) -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tiny.config(data), tmp_path / "run", stop)
    found = summary(resume(tmp_path / "run"))
    assert [note["kind"] for note in found["health"]].count("loss") == 1


def small_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """A device on which a path of more than ``most`` images does not fit; returns the sizes that
    were tried."""
    tried: list[int] = []
    true_sampled = Supernet.sampled

    def sampled(net: Supernet, x: torch.Tensor, choices: Any) -> torch.Tensor:
        if torch.is_grad_enabled():
            tried.append(len(x))
            if len(x) > most:
                raise torch.OutOfMemoryError("out of memory")
        return true_sampled(net, x, choices)

    monkeypatch.setattr(Supernet, "sampled", sampled)
    return tried


def test_a_batch_that_does_not_fit_is_trained_in_pieces(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = small_memory(monkeypatch, 5)
    run = search(tiny.config(data), tmp_path / "run")
    assert tried[:6] == [16, 8, 4, 4, 4, 4]
    assert max(tried[2:]) == 4
    found = load_checkpoint(run)
    assert found is not None and found[1]["position"]["parts"] == 4


def test_a_device_that_holds_not_even_two_images_is_told(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_memory(monkeypatch, 1)
    with pytest.raises(Stopped, match="too small for 2 images at once"):
        search(tiny.config(data), tmp_path / "run")


def test_scores_that_do_not_fit_are_made_in_pieces_for_all_networks_alike(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = build_supernet(
        family(SPACES["darts"], channels=2, cells=3, classes=3, image=(1, 8, 8)), seed=0
    )
    paths = [np.full(28, 4), np.full(28, 5)]
    batch = Batch(torch.randn(8, 1, 8, 8), torch.arange(8) % 3)
    halves = [Batch(batch.x[i : i + 4], batch.y[i : i + 4]) for i in (0, 4)]
    wanted = shared_weights.accuracies(net, paths, halves)
    both = shared_weights.likelihoods(net, paths, halves)
    true_sampled, sizes = Supernet.sampled, list[int]()

    def sampled(net: Supernet, x: torch.Tensor, choices: Any) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > 5 and choices[0] == 5:  # the second network alone is too large
            raise torch.OutOfMemoryError("out of memory")
        return true_sampled(net, x, choices)

    monkeypatch.setattr(Supernet, "sampled", sampled)
    assert shared_weights.accuracies(net, paths, [batch]) == pytest.approx(wanted)
    assert sizes == [8, 8, 4, 4, 4, 4]
    assert shared_weights.likelihoods(net, paths, [batch]) == pytest.approx(both)


def test_pieces_give_the_gradient_of_their_mean(data: Path) -> None:
    config = tiny.config(data)
    net = build_supernet(
        family(SPACES["darts"], channels=2, cells=3, classes=3, image=(1, 8, 8)), seed=0
    )
    shared = shared_weights.optimise(net, config.weight_step)
    x, y = torch.randn(8, 1, 8, 8), torch.arange(8) % 3
    path = np.full(28, 4)
    loss = shared_weights.weight_step(shared, Batch(x, y), path, 0.0, parts=2)
    taken = [weight.grad for weight in net.parameters() if weight.grad is not None]
    halves = [F.cross_entropy(net.sampled(x[i : i + 4], path), y[i : i + 4]) for i in (0, 4)]
    touched = [weight for weight in net.parameters() if weight.grad is not None]
    expected = torch.autograd.grad(sum(halves) / 2, touched)
    norm = torch.stack([one.norm() for one in expected]).norm()
    scale = min(1.0, config.weight_step.clip / float(norm))
    for one, other in zip(taken, expected, strict=True):
        torch.testing.assert_close(one, scale * other, rtol=1e-3, atol=1e-6)
    assert loss == pytest.approx(float(sum(halves).detach()) / 2, rel=1e-5)


def test_a_step_that_will_not_fit_is_refused_before_it_is_tried(data: Path) -> None:
    planned = plan(tiny.config(data))
    check_step(planned.config, planned.dataset, 1e6)
    with pytest.raises(
        InputError, match=r"a step on 16 images takes about .* MiB free; at most \d+ fit"
    ):
        check_step(planned.config, planned.dataset, 1.5)
    with pytest.raises(InputError, match="fewer channels or cells are needed"):
        check_step(planned.config, planned.dataset, 0.01)


# What the file system refuses, for real: in a process of its own, which ends with code 3 and one
# line.
CHILD = """
import contextlib, io, os, resource, signal, sys, tempfile
from pathlib import Path
project, file_limit, memory_mib, user = sys.argv[1], *map(int, sys.argv[2:5])
words = sys.argv[5:]
sys.path.insert(0, project)
import torch
from hwnas.cli import main
from hwnas.runs.directory import configs
from tests.search import tiny
torch.set_num_threads(1)
if memory_mib or user:  # all modules are loaded before anything is taken away
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        config = Path(folder) / "tiny.toml"
        config.write_bytes(configs.dump(tiny.config(tiny.images(Path(folder) / "images.npz"))))
        run = str(Path(folder) / "run")
        for warm in (["search", "--config", str(config), "--out", run, "--quiet"], ["resume", run, "--quiet"]):
            sys.argv = ["hwnas", *warm]
            with contextlib.suppress(SystemExit):
                main()
if file_limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
if memory_mib:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + memory_mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
if user:
    os.setgid(user)
    os.setuid(user)
sys.argv = ["hwnas", *words]
main()
"""
NOBODY = 65534


def child(*words: str, file_limit: int = 0, memory_mib: int = 0, user: int = 0) -> list[str]:
    project = Path(__file__).parents[2]
    return [
        sys.executable,
        "-c",
        CHILD,
        str(project),
        str(file_limit),
        str(memory_mib),
        str(user),
        *words,
    ]


def hwnas(*words: str, **limits: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(child(*words, **limits), capture_output=True, text=True, timeout=300)


def said(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The last line of a command that ended with ``code`` and without a traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def write_config(path: Path, data: Path) -> Path:
    path.write_bytes(runs.configs.dump(tiny.config(data)))
    return path


@pytest.mark.slow  # two whole processes
def test_a_full_disk_stops_the_search_with_one_line_and_resume_ends_it(
    data: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "tiny.toml", data)
    whole = search(tiny.config(data), tmp_path / "whole")
    size = whole.checkpoint_path.stat().st_size
    last = said(
        hwnas(
            "search", "--config", str(config), "--out", str(tmp_path / "run"), file_limit=size // 2
        ),
        3,
    )
    assert last.startswith("stopped: run directory") and f"hwnas resume {tmp_path / 'run'}" in last
    assert not list((tmp_path / "run" / "checkpoint").glob("*.new"))
    ended = hwnas("resume", str(tmp_path / "run"), "--json", "--quiet")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["front"] == summary(whole)["front"]


def test_a_run_directory_that_vanishes_is_told_and_not_made_anew(
    data: Path, tmp_path: Path
) -> None:
    def remove(progress: SearchProgress) -> None:
        shutil.rmtree(tmp_path / "run")

    with pytest.raises(Stopped, match="it is gone"):
        search(tiny.config(data), tmp_path / "run", remove)
    assert not (tmp_path / "run").exists()


def test_a_refusal_names_its_reason(tmp_path: Path) -> None:
    from hwnas.errors import translate_os_errors

    for number, words in (
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "error"),
    ):
        with pytest.raises(Stopped, match=words), translate_os_errors(tmp_path, "hwnas resume x"):
            raise OSError(number, "an error")


def stopped_run(data: Path, path: Path) -> Path:
    """A search that was stopped after its first epoch."""

    def stop(progress: SearchProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(
            tiny.config(data), path, stop
        )  # the second epoch's end is the first that is checkpointed
    return path


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_run_is_not_written_and_the_line_says_why(data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # one that others may enter
        os.chmod(folder, 0o755)
        if not all(above.stat().st_mode & 0o001 for above in Path(folder).resolve().parents):
            pytest.skip("another user may not enter the folder of temporary files")
        copied = shutil.copy(data, folder)
        os.chmod(copied, 0o644)
        run = stopped_run(Path(copied), Path(folder) / "run")
        for path in (run, *run.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        last = said(hwnas("resume", str(run), "--quiet", user=NOBODY), 3)
        assert "may not be written by this user" in last
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_run_in_a_folder_that_may_not_be_entered_is_one_line(data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # for its owner alone
        run = stopped_run(data, Path(folder) / "run")
        for words in (["resume", str(run), "--quiet"], ["show", str(run)], ["report", str(run)]):
            done = hwnas(*words, user=NOBODY)
            assert done.returncode == 2, done.stderr
            assert done.stderr.strip().splitlines() == [
                f"error: {run / 'config.toml'}: cannot be read (Permission denied)"
            ]


@pytest.mark.slow
def test_a_process_that_hangs_keeps_its_run_until_it_is_killed(data: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "tiny.toml", data)
    command = child(
        "search",
        "--config",
        str(config),
        "--epochs",
        "200",
        "--out",
        str(tmp_path / "run"),
        "--quiet",
    )
    hanging = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            if (tmp_path / "run" / "checkpoint" / "state.safetensors").exists():
                break
            time.sleep(0.1)
        hanging.send_signal(signal.SIGSTOP)
        assert "in use by another process" in said(
            hwnas("resume", str(tmp_path / "run"), "--quiet"), 2
        )
    finally:
        hanging.kill()
        hanging.wait()
    with runs.lock(runs.open_run(tmp_path / "run")):
        assert load_checkpoint(runs.open_run(tmp_path / "run")) is not None


@pytest.mark.slow
def test_a_batch_that_exceeds_the_memory_there_is_goes_on_in_pieces(tmp_path: Path) -> None:
    data = tiny.images(tmp_path / "large.npz", count=32, side=96)
    small = {
        "stages": [{"cells": 3, "epochs": 2}],
        "channels": 8,
        "alpha_step": {"samples": 2, "images": 2},
    }
    (tmp_path / "large.toml").write_bytes(runs.configs.dump(tiny.config(data, **small)))
    words = (
        "search",
        "--config",
        str(tmp_path / "large.toml"),
        "--out",
        str(tmp_path / "run"),
        "--quiet",
    )
    done = hwnas(*words, memory_mib=400)
    found = load_checkpoint(runs.open_run(tmp_path / "run"))
    assert found is not None and found[1]["position"]["parts"] > 1, done.stderr
    assert done.returncode in (0, 3) and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_the_middle_of_an_epoch_loses_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    whole = search(tiny.config(data), tmp_path / "whole")
    steps = 0
    true_step = shared_weights.weight_step

    def step(*args: Any) -> float:
        nonlocal steps
        steps += 1
        if steps == 8:  # the second step of the third epoch
            os.kill(os.getpid(), number)
        return true_step(*args)

    monkeypatch.setattr(shared_weights, "weight_step", step)
    # As in the foreground of a terminal: a shell lets its background jobs ignore Ctrl-C.
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    found_so = signal.signal(number, usual)
    try:
        with pytest.raises(KeyboardInterrupt):
            search(tiny.config(data), tmp_path / "run")
        assert signal.getsignal(number) == usual
    finally:
        signal.signal(number, found_so)
    found = load_checkpoint(runs.open_run(tmp_path / "run"))
    assert found is not None and (found[1]["position"]["stage"], found[1]["position"]["step"]) == (
        1,
        2,
    )
    assert "going on from stage 2, epoch 1, step 3" in whereabouts(runs.open_run(tmp_path / "run"))
    run = resume(tmp_path / "run")
    assert steps == 12  # none was made twice
    for name in ("trials.jsonl", "history.jsonl"):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert summary(run)["front"] == summary(whole)["front"]
