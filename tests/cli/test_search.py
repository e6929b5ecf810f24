"""The command line as a person meets it: one line for bad input, only JSON where JSON was asked
for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from hwnas.nets.fast import allocator
from tests.search import tiny
from tests.typed import Done, type_command

QUICK = """
channels = 2
exponents = [0.0, -0.5]
stages = [{ cells = 3, epochs = 1 }]
finalists_per_policy = 1
[evaluation]
channels = 4
cells = 3
[weight_step]
batch_size = 16
[alpha_step]
samples = 2
every = 2
images = 16
"""


Command = Callable[..., Done]


@pytest.fixture
def hwnas(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command line in ``place``, in this process: importing torch once is enough."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Done:
        return type_command(monkeypatch, capsys, *words)

    return run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    tiny.images(folder / "tiny.npz")
    (folder / "quick.toml").write_text(QUICK)
    return folder


def test_the_users_own_sentence_with_small_settings(
    hwnas: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[None] = []
    monkeypatch.setattr(allocator, "keep_freed_memory", lambda: kept.append(None))
    sentence = ["search", "--target", "1080ti", "--objective", "params"]
    done = hwnas(
        *sentence, "--config", "quick.toml", "--data", "tiny.npz", "--out", "run", "--json"
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["target"] == "1080ti" and found["front"]
    assert "this space reaches" in done.err and "run directory: run" in done.err
    shown = hwnas("show", "run", "--json")
    assert json.loads(shown.out) == found
    table = hwnas("show", "run")
    assert found["front"][0]["key"] in table.out
    assert "shared weights (validation)" in table.out and "counted" in table.out
    again = hwnas("resume", "run", "--json", "--quiet")
    assert json.loads(again.out) == found and again.err == ""
    assert len(kept) == 2  # by the search, and by what goes on with it


@pytest.mark.slow
def test_show_names_what_synflow_helped_to_choose(hwnas: Command, place: Path) -> None:
    (place / "flowing.toml").write_text(
        'finalists_by = "regression"\nfinalists_synflow = true\n'
        + QUICK.replace("finalists_per_policy = 1", "finalists_per_policy = 6")
    )
    done = hwnas(
        "search",
        "--config",
        "flowing.toml",
        "--data",
        "tiny.npz",
        "--objective",
        "params",
        "--out",
        "flow",
        "--json",
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)
    off = [
        key for key in found["believed"] if key not in {member["key"] for member in found["front"]}
    ]
    shown = hwnas("show", "flow").out
    assert off, "shared weights of one epoch agree with it by chance: take more finalists"
    assert "SynFlow together" in shown and all(key in shown for key in off)
    assert "SynFlow of" in done.err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--target 1080tj --objective params", "unknown device '1080tj'; did you mean '1080ti'?"),
        ("--objective parms", "objective: unknown metric 'parms'; did you mean 'params'?"),
        (
            "--objective params --data digit",
            "unknown data set 'digit', and no folder or .npz file of that name",
        ),
        ("--objective params --data none.npz", "data file none.npz: not found"),
        ("--objective params --space dart", "space: unknown space 'dart'; did you mean 'darts'?"),
        ("--objective params --target-value 3", "can't be met, this space reaches"),
        (
            "--objective params --target-value 2ms",
            "target-value: '2ms' is in 'ms', not in parameters",
        ),
        ("--target-value 1M", "target-value: needs an --objective"),
        (
            "--objective params --objective macs --target-value 1M",
            "say of which objective, such as params=1M",
        ),
        ("--objective latency --target 1080ti --target-value 2", "'2' has no unit, write 2ms"),
        ("--objective memory --target-value memory=2ms", "'2ms' is in 'ms', not in MiB"),
        ("--objective latency --target 1080ti --require measured", "1080ti is not attached here"),
        ("--objective latency --target 1080ti --require guess", "require: Input should be"),
        ("--objective params --exponents 0,x", "exponents: expected numbers"),
        ("--objective params --exponents 0.5", "a penalty exponent must be within -100..0"),
        ("--objective params --epochs 0", "epochs: at least 1, not 0"),
        ("--objective params --config nothing", "unknown config 'nothing'"),
        ("--objective params --seed -1", "seed: Input should be greater than or equal to 0"),
        ("--objective params --data cifar10 --data-root .", "--download"),
    ],
)
def test_bad_input_ends_with_code_2_and_one_line(
    hwnas: Command, place: Path, words: str, line: str
) -> None:
    done = hwnas("search", *words.split(), "--out", "never")
    assert done.code == 2
    assert line in done.err and done.err.count("\n") == 1
    assert done.out == "" and not (place / "never").exists()


def test_an_existing_run_directory_is_not_touched(hwnas: Command, place: Path) -> None:
    (place / "mine").mkdir()
    done = hwnas("search", "--objective", "params", "--out", "mine")
    assert done.code == 2 and "already exists" in done.err
    assert list((place / "mine").iterdir()) == []


@pytest.mark.parametrize("command", ["show", "resume"])
def test_a_folder_that_is_no_run_is_refused(hwnas: Command, command: str) -> None:
    done = hwnas(command, ".")
    assert done.code == 2 and "not a run directory" in done.err


@pytest.mark.slow
def test_a_folder_of_test_images_is_named_for_the_search_and_kept_for_what_follows(
    hwnas: Command, place: Path
) -> None:
    for folder, count in (("photos", 6), ("others", 2)):
        for label in ("light", "dark"):
            for number in range(count):
                shade = 20 * number + (5 if label == "dark" else 130) + len(folder)
                (place / folder / label).mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 8), shade).save(place / folder / label / f"{number}.png")
    done = hwnas(
        "search",
        "--data",
        "photos",
        "--test",
        "others",
        "--config",
        "quick.toml",
        "--out",
        "tested",
        "-q",
    )
    assert done.code == 0, done.err
    said = json.loads((place / "tested" / "test_images.json").read_text())
    assert said["count"] == 4 and said["images"]["dark"] == [
        "../others/dark/0.png",
        "../others/dark/1.png",
    ]
    (place / "others" / "dark" / "1.png").unlink()
    done = hwnas("train", "tested", "--quiet")
    assert done.code == 2 and "training images are the same; 3 test images, then 4" in done.err
    done = hwnas("search", "--data", "digits", "--test", "others")
    assert done.code == 2 and "only a folder of images takes one" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--algorithm halvin", "error: --algorithm: unknown algorithm 'halvin'"),
        ("--space tnf", "error: --space: unknown space 'tnf'"),
        ("--cells 0", "error: --cells: "),
        ("--seed -1", "error: --seed: "),
        ("--data-noise 7", "error: --data-noise: "),
        ("--exponents 1", "error: --exponents: "),
        ("--reward soft", "error: --reward: "),
        ("", "error: tiny.toml: threads: "),
    ],
)
def test_what_is_wrong_is_said_of_where_it_was_said(typed, tmp_path, words, said) -> None:
    wrong = "threads = 0\n" if not words else ""
    (tmp_path / "tiny.toml").write_text(f'{wrong}algorithm = "random"\nspace = "tnd"\n')
    found = typed("search", "--config", "tiny.toml", "--out", "run", *words.split(), code=2)[1]
    assert found.startswith(said), found
