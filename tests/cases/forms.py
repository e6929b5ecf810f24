"""Cases of genotypes in other projects' forms, of labels, and of odd surroundings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hwnas.space.published import PUBLISHED
from hwnas.space.text import format_text
from tests.cases.archives import COMMAND, SETS, archive, stored
from tests.cases.case import Case
from tests.runs.made import finished_run

TEXT = format_text(PUBLISHED["DARTS_V2"])
PARAMS = "3,349,342"
"""Of DARTS_V2 at 36 channels and 20 cells, as torch counts them too (tests/profilers)."""
COUNTED = ("profile", "cell.txt", "--backend", "counts")


def text(content: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "cell.txt").write_text(content)

    return make


def _numpy(content: str) -> str:
    for number in range(5):
        content = content.replace(f"', {number})", f"', np.int64({number}))")
    return content


def _read(name: str, content: str) -> Case:
    return Case(name=name, make=text(content), command=COUNTED, says=(PARAMS,))


def _refused(name: str, content: str, says: str) -> Case:
    return Case(name=name, make=text(content), command=COUNTED, code=2, says=(says,))


def _fifos(folder: Path) -> None:
    for name in ("x.toml", "x.onnx", "x.npz", "x.txt"):
        os.mkfifo(folder / name)


def _fifo(name: str, *words: str) -> Case:
    says = ("a FIFO, not a regular file",)
    return Case(name=name, make=_fifos, command=words, code=2, says=says)


def _moved(folder: Path) -> None:
    run = finished_run(folder / "run").path
    path = run / "config.toml"
    path.write_text(path.read_text().replace('source = "digits"', 'source = "pictures"'))


def _without_environment(content: bytes | None) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        path = finished_run(folder / "run").path / "environment.json"
        path.unlink()
        if content is not None:
            path.write_bytes(content)

    return make


def _damaged(name: str, content: bytes | None, says: str) -> Case:
    words = ("export", "run", "--untrained", "--formats", "python", "--quiet")
    return Case(
        name=name,
        make=_without_environment(content),
        command=words,
        says=(f"environment.json is {says}: whether these are the images",),
        never=("Traceback", "earlier version"),
    )


def _labels(name: str, labels: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Case:
    return Case(
        name=name,
        make=archive(y_train=stored(labels)),
        command=COMMAND,
        says=("48 images in 2 classes",),
    )


LABELS = SETS["y_train"]

CASES: tuple[Case, ...] = (
    _read("C15 NumPy's integers", _numpy(TEXT)),
    _read("C15 a concatenation of NumPy's integers", TEXT.replace("(2, 6)", "(np.int64(2), 6)")),
    _read("C16 a tuple as concatenation", TEXT.replace("range(2, 6)", "(2, 3, 4, 5)")),
    _read("C16 fields that hold nothing", TEXT[:-1] + ", connectN=None, connects=None)"),
    _refused("C16 a field that holds something", TEXT[:-1] + ", connectN=2)", "field 'connectN'"),
    _refused("C16 another concatenation", TEXT.replace("(2, 6)", "(3, 6)"), "is [3, 4, 5]: a cell"),
    Case(
        name="C18 an edge of none in pairs",
        make=text(TEXT.replace("('sep_conv_3x3', 0)", "('none', 0)", 1)),
        command=COUNTED,
        says=("counted (counts)",),
        never=("Traceback", PARAMS),
    ),
    _refused("C18 a misspelt operation", TEXT.replace("'skip_connect'", "'noise'"),
             "unknown operation 'noise' (choices: max_pool_3x3"),
    _read("C20 a log", f"2024-02-03 09:10:11,456 genotype = {TEXT}\n2024-02-03 train 000 2.1\n"),
    _read("C20 two genotypes", f"A = {format_text(PUBLISHED['PDARTS'])}\nDARTS_V2 = {TEXT}\n"),
    _read("C20 text in quotes", f'"{TEXT}"\n'),
    _refused("C21 operations by number", "(4, 0, 3, 1, 4, 3)", "write naslib: or nas-bench-201:"),
    Case(name="C21 operations by number, and whose", make=text("NASLib: (4, 0, 3, 1, 4, 3)"),
         command=COUNTED, says=("counted (counts)",)),
    _labels("C08 one-hot labels", np.eye(2)[LABELS]),
    _fifo("a FIFO as a config", "search", "--config", "x.toml"),
    _fifo("a FIFO as a target", "profile", "DARTS_V2", "--target", "./x.toml"),
    _fifo("a FIFO as a network", "profile", "x.onnx"),
    _fifo("a FIFO as images", "search", "--data", "x.npz"),
    _fifo("a FIFO as a genotype", "profile", "x.txt"),
    Case(name="C26 the images of a run have gone", make=_moved,
         command=("train", "run", "--epochs", "1"), code=2,
         says=("run: the images of its search are not at pictures: say where they are now, with --data",)),
    Case(name="C26 other images than those of the run", make=_moved,
         command=("train", "run", "--epochs", "1", "--data", "cifar10", "--data-root", "."), code=2,
         says=("not found or damaged",)),
    Case(name="C26 the images of a run are elsewhere", make=_moved,
         command=("export", "run", "--untrained", "--formats", "python", "--quiet", "--data", "digits")),
    _damaged("environment.json is damaged", b"{", "damaged"),
    _damaged("environment.json is missing", None, "missing"),
)  # fmt: skip
