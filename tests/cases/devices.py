"""Cases of device files, remote commands and what a current folder holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cases.case import Case

SMALL = (
    "profile",
    "DARTS_V2",
    "--channels",
    "4",
    "--cells",
    "3",
    "--image",
    "16",
    "--budget",
    "0.02",
)
TINY = (
    'space = "darts"\nchannels = 4\nobjectives = [{ metric = "params" }]\n'
    "stages = [{ cells = 3, epochs = 1 }]\nevaluation = { channels = 4, cells = 3 }\n"
)
HOSTILE = r"\u001b]0;x\u0007\u001b[31mX\u202e"
ANSWER = '{"facts": {}, "answers": [{"model": 0, "own": null, "wall": [0.1], "reference": []}]}'


def device(
    name: str = "r1", description: str = "d", more: str = "", pattern: str = "."
) -> Callable[[Path], None]:
    """A device file, `d.toml`."""

    def make(folder: Path) -> None:
        (folder / "d.toml").write_text(
            f'name = "{name}"\nkind = "cpu"\ndescription = "{description}"\n{more}\n'
            f"[match]\ncpu_model_regex = '{pattern}'\n",
            encoding="utf-8",
        )

    return make


def config(text: str) -> Callable[[Path], None]:
    """A search's config, `c.toml`."""

    def make(folder: Path) -> None:
        (folder / "c.toml").write_text(text)

    return make


def traps(folder: Path) -> None:
    """Modules under the names that a child imports; each leaves a mark."""
    for name in ("json", "numpy", "onnxruntime", "torch", "typing", "tempfile"):
        (folder / f"{name}.py").write_text("open('mark', 'a').write(__name__)\n")
    (folder / "profilers").mkdir()
    (folder / "profilers" / "__init__.py").write_text("open('mark', 'a').write(__name__)\n")


def answering(answer: str) -> Callable[[Path], None]:
    """A command, `./there`, that answers so, whatever it is asked."""

    def make(folder: Path) -> None:
        (folder / "there").write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
        (folder / "there").chmod(0o700)

    return make


def unmarked(folder: Path) -> None:
    assert not (folder / "mark").exists()


def nothing_outside(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["d.toml"]
    assert not (folder.parent / "outside").exists()


def row(
    name: str, command: tuple[str, ...], says: str, make: Callable[[Path], None] | None = None
) -> Case:
    """What is refused in one line."""
    return Case(
        name=name, command=command, code=2, says=(says,), **({"make": make} if make else {})
    )


SHOW = ("devices", "show", "d.toml")
PI = ("--target", "raspberry-pi-4")

CASES: tuple[Case, ...] = (
    Case(name="F03", command=SMALL, make=traps, says=("measured (onnxruntime)",), check=unmarked),
    row("F08", SHOW, "'cpu_model_regex' is too complex", device(pattern=".?" * 60 + "!!")),
    row(
        "F08 alternatives",
        SHOW,
        "'cpu_model_regex' is too complex",
        device(pattern="(a|a)" * 30 + "!"),
    ),
    row("F08 nested", SHOW, "'cpu_model_regex' is too complex", device(pattern="(?:a+)+!")),
    row("F09 name", SHOW, "'name' holds characters", device(name=HOSTILE)),
    row("F09 description", SHOW, "'description' holds characters", device(description=HOSTILE)),
    row("F09 alias", SHOW, "'aliases' holds characters", device(more=f'aliases = ["{HOSTILE}"]')),
    row(
        "F09 source",
        SHOW,
        "holds characters",
        device(more=f'sources = {{ memory_mib = "{HOSTILE}" }}'),
    ),
    Case(
        name="F20",
        command=("devices", "calibrate", "--target", "d.toml", "--channels", "4", "--image", "8"),
        make=device(name="../../outside/evil"),
        code=2,
        says=("d.toml: 'name' must be 1 to 80 letters, digits, '-', '_' or '.'",),
        check=nothing_outside,
    ),
    row("F20 dots", SHOW, "'name' must be", device(name="..")),
    row("F20 hidden", SHOW, "'name' must be", device(name=".bashrc")),
    row("F20 reserved", SHOW, "'name' must be", device(name="NUL.x")),
    row(
        "threads of profile",
        (*SMALL, "--threads", "1000000"),
        "--threads must be within 1..1,024, not 1000000",
    ),
    row(
        "threads of a search",
        ("search", "--config", "c.toml", "--out", "r"),
        "c.toml: threads: Input should be less than or equal to 1024",
        config("threads = 1000000\n" + TINY),
    ),
    row("batch of profile", (*SMALL, "--batch", "10000000"), "--batch must be within 1..65,536"),
    row(
        "seconds of profile",
        (*SMALL, "--limit", "inf"),
        "--limit must be within 0.01..604,800, not inf",
    ),
    row("no seconds of profile", (*SMALL, "--limit", "nan"), "--limit must be within"),
    row(
        "images of profile",
        ("profile", "DARTS_V2", "--image", "4096x4096x4096"),
        "--image: an input of 68,719,476,736 numbers, of at most 1,073,741,824",
    ),
    row("a digit that is none", ("profile", "DARTS_V2", "--image", "²"), "--image: expected SIDE"),
    row(
        "a network of terabytes",
        ("profile", "DARTS_V2", "--channels", "4096", "--cells", "300"),
        "MiB, of at most 2,000 in an ONNX file",
    ),
    row(
        "processes of a search",
        ("search", "--config", "c.toml", "--out", "r", "--processes", "100000"),
        "--processes must be within 1..256, not 100000",
        config(TINY),
    ),
    row(
        "epochs of a plan",
        ("plan", "c.toml", "--epochs", "1000000000", "-q"),
        "epochs: Input should be less than or equal to 1000000",
        config(TINY),
    ),
    row(
        "numbers without end in a config",
        ("search", "--config", "c.toml", "--out", "r"),
        "weight_step.clip: Input should be a finite number",
        config(TINY + "[weight_step]\nclip = inf\n"),
    ),
    row(
        "torch for another machine",
        (*SMALL, *PI, "--run-with", "false", "--backend", "torch"),
        "back end 'torch' measures on this machine only, not through --ssh or --run-with",
    ),
    row(
        "a GPU of another machine",
        (*SMALL, "--target", "1080ti", "--run-with", "false", "--require", "measured"),
        "false: no measurement came back: exit code 1",
    ),
    row(
        "an answer that is none",
        (*SMALL, *PI, "--run-with", "./there"),
        "./there: answers[0].own: expected a list of at most 10,000,000 numbers, not null",
        answering(ANSWER),
    ),
    row(
        "an answer without end",
        (*SMALL, *PI, "--run-with", "sh -c 'exec yes'"),
        "too much output: more than 17 MiB",
    ),
    row(
        "errors without end",
        (*SMALL, *PI, "--run-with", "sh -c 'exec yes >&2'"),
        "too much error output: more than 16 MiB",
    ),
)
