"""Cases of run directories, configs and texts from files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hwnas.training.data import digest, load
from tests.cases.case import Case
from tests.runs.made import finished_run
from tests.search import tiny

ESCAPES = "\x1b]0;PWN\x07\x1b[31mX\u202e"
SHOWN = "\\x1b]0;PWN\\x07\\x1b[31mX\\u202e"
VICTIM = b"not a file of this run\n"
NEVER = ("Traceback", "\x1b", "\u202e", "\x07")

NSGA2 = """
algorithm = "nsga2"
space = "tnd"
exponents = [0.0, -0.1]
channels = 2
finalists_per_policy = 2
objectives = [{ metric = "params" }]
stages = [{ cells = 1, epochs = 2, frozen_epochs = 1 }, { cells = 2, epochs = 2, frozen_epochs = 1 }]
[evaluation]
channels = 2
cells = 2
[alpha_step]
samples = 2
every = 8
[weight_step]
batch_size = 128
"""


def _search_without_evaluations(folder: Path) -> None:
    """Epochs of one step, of which every eighth would be followed by evaluations."""
    (folder / "nsga2.toml").write_text(NSGA2)
    tiny.images(folder / "images.npz", count=32, classes=2)


def _ten_images(folder: Path) -> None:
    (folder / "nsga2.toml").write_text(NSGA2)
    rng = np.random.default_rng(0)
    for name in ("c0", "c1"):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(5):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{number:03}.png")


def _has_a_front(folder: Path) -> None:
    summary = json.loads((folder / "run" / "front.json").read_text())
    assert summary["front"] and summary["evaluations"] > 0


def _begun(folder: Path, *links: str) -> Path:
    """A search that has only begun, with links that lead to a file beside it."""
    (folder / "victim.txt").write_bytes(VICTIM)
    run = finished_run(folder / "run")
    run.front_path.unlink()
    said = json.loads((run.path / "environment.json").read_text())
    (run.path / "environment.json").write_text(
        json.dumps({**said, "data_digest": digest(load("digits"))})
    )
    for name in links:
        path = run.path / name
        path.symlink_to(folder.joinpath("victim.txt"))
    return run.path


def _linked(*names: str) -> Callable[[Path], object]:
    return lambda folder: _begun(folder, *names)


def _dangling(folder: Path) -> None:
    (_begun(folder) / "history.jsonl").symlink_to(folder / "new.txt")


def _victim_is_whole(folder: Path) -> None:
    assert (folder / "victim.txt").read_bytes() == VICTIM
    assert sorted(one.name for one in folder.iterdir()) == ["run", "victim.txt"]


def _device(folder: Path) -> None:
    text = json.dumps(ESCAPES)
    (folder / "theirs.toml").write_text(
        f'name = {text}\nkind = "cpu"\ndescription = {text}\naliases = [{text}]\n'
        f'[sources]\n{text} = {text}\n[match]\ncpu_model_regex = "."\n'
    )


def _front(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """A finished run whose front.json was changed."""

    def make(folder: Path) -> None:
        path = finished_run(folder / "run").front_path
        summary = json.loads(path.read_text())
        change(summary)
        path.write_text(json.dumps(summary))

    return make


def _cost(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda summary: summary["front"][0]["costs"]["params"].update(values)


def _units(summary: dict[str, Any]) -> None:
    for member in [*summary["front"], *summary["dominated"]]:
        member["costs"]["params"]["unit"] = "a\u2028b"


def _wants_a_download(folder: Path) -> None:
    run = finished_run(folder / "run").path
    text = (run / "config.toml").read_text()
    changed = text.replace(
        'source = "digits"', 'source = "cifar10"\nroot = "there"\ndownload = true'
    )
    (run / "config.toml").write_text(changed)


def _nothing_fetched(folder: Path) -> None:
    assert [one.name for one in folder.iterdir()] == ["run"]


def _config(folder: Path) -> None:
    (folder / "theirs.toml").write_text(
        'objectives = [{ metric = "params" }]\n[data]\nsource = "cifar10"\nroot = "there"\ndownload = true\n'
    )


def _config_alone(folder: Path) -> None:
    assert [one.name for one in folder.iterdir()] == ["theirs.toml"]


def _deep(folder: Path) -> None:
    finished_run(folder / "run").front_path.write_text("[" * 100_000)


CASES: tuple[Case, ...] = (
    Case(
        name="F01 nsga2 whose epochs are shorter than its evaluations are apart",
        command=(
            "search",
            "--config",
            "nsga2.toml",
            "--data",
            "images.npz",
            "--out",
            "run",
            "--quiet",
        ),
        make=_search_without_evaluations,
        check=_has_a_front,
    ),
    Case(
        name="F05b nsga2 on a folder of ten images",
        command=("search", "--config", "nsga2.toml", "--data", "photos", "--out", "run", "--quiet"),
        make=_ten_images,
        check=_has_a_front,
    ),
    *(
        Case(
            name=f"F02 {name} is a link out of the run directory",
            command=("resume", "run"),
            make=_linked(name),
            code=2,
            says=(
                f"run/{name}: a link, not a regular file; nothing is read or written through it",
            ),
            check=_victim_is_whole,
        )
        for name in ("trials.jsonl", "history.jsonl", ".lock", "checkpoint/state.safetensors")
    ),
    Case(
        name="F02 history.jsonl is a link to a file that is not there",
        command=("resume", "run"),
        make=_dangling,
        code=2,
        says=("run/history.jsonl: a link, not a regular file",),
        check=_victim_is_whole,
    ),
    Case(
        name="F09 terminal escapes in a device file",
        command=("devices", "show", "theirs.toml"),
        make=_device,
        code=2,
        says=(f"holds characters that are not to be seen: '{SHOWN}'",),
        never=NEVER,
    ),
    Case(
        name="F09 terminal escapes in the device of a profile",
        command=("profile", "DARTS_V2", "--target", "theirs.toml", "--backend", "counts"),
        make=_device,
        code=2,
        says=(f"holds characters that are not to be seen: '{SHOWN}'",),
        never=NEVER,
    ),
    Case(
        name="F15 terminal escapes in a front",
        command=("show", "run"),
        make=_front(lambda summary: summary.update(algorithm=ESCAPES, data=ESCAPES)),
        says=(f"Pareto front: {SHOWN} in the darts space, {SHOWN}",),
        never=NEVER,
    ),
    Case(
        name="F16 markup in a front",
        command=("show", "run"),
        make=_front(lambda summary: summary.update(data="[/bold]")),
        says=("in the darts space, [/bold]",),
    ),
    Case(
        name="F17 a cost that is no number",
        command=("report", "run"),
        make=_front(_cost(low=float("nan"), high=1.0)),
        code=2,
        says=("front.0.costs.params.low: Input should be a finite number",),
    ),
    Case(
        name="F17 a number that is none in what a newer version adds",
        command=("show", "run"),
        make=_front(lambda summary: summary.update(more={"x": [float("inf")]})),
        code=2,
        says=("front.json: not the summary of a search: more.x.0: not a finite number below 2^63",),
    ),
    Case(
        name="F17 a whole number of 400 digits",
        command=("show", "run"),
        make=_front(_cost(more=10**400)),
        code=2,
        says=("front.0.costs.params.more: not a finite number below 2^63",),
    ),
    Case(
        name="F17 brackets without end",
        command=("show", "run"),
        make=_deep,
        code=2,
        says=("front.json: not the summary of a search",),
    ),
    Case(
        name="F18 U+2028 in a unit, shown",
        command=("show", "run"),
        make=_front(_units),
        says=("params (a\\u2028b)",),
        never=("Traceback", "\u2028"),
    ),
    Case(
        name="F18 U+2028 in a unit, in figures",
        command=("report", "run", "--figures", "figures"),
        make=_front(_units),
        says=("open it in a browser",),
    ),
    *(
        Case(
            name=f"F19 {words[0]} of a run that wants a download",
            command=words,
            make=_wants_a_download,
            code=2,
            says=("data set 'cifar10': not found or damaged in there; --download fetches",),
            check=_nothing_fetched,
        )
        for words in (("train", "run"), ("export", "run", "--untrained"))
    ),
    Case(
        name="F19 a config that wants a download",
        command=("search", "--config", "theirs.toml"),
        make=_config,
        code=2,
        says=(
            "theirs.toml: data.download is passed over; only --download downloads",
            "not found or damaged",
        ),
        check=_config_alone,
    ),
)
