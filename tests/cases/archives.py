"""Cases of .npz files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.cases.case import Case
from tests.cases.images import TINY

COMMAND = ("search", "--config", "tiny.toml", "--data", "x.npz", "--out", "run")
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
SETS = {
    "x_train": PIXELS,
    "y_train": np.arange(40) % 2,
    "x_test": PIXELS[:8],
    "y_test": np.arange(8) % 2,
}


def stored(array: np.ndarray[Any, Any]) -> bytes:
    """An array as NumPy writes it."""
    content = io.BytesIO()
    np.lib.format.write_array(content, array)
    return content.getvalue()


def header(shape: str, descr: str = "|u1") -> bytes:
    """The header of an array that claims any shape, and nothing behind it."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


def archive(**members: bytes) -> Callable[[Path], None]:
    """Forty images of two classes, with some members of the archive replaced."""

    def make(here: Path) -> None:
        (here / "tiny.toml").write_text(TINY)
        usual = {name: stored(array) for name, array in SETS.items()}
        with zipfile.ZipFile(here / "x.npz", "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in {**usual, **members}.items():
                file.writestr(f"{name}.npy", content)

    return make


def labels(last: int, dtype: str = "i8") -> bytes:
    """Labels of two classes, the last of which is something else."""
    values = (np.arange(40) % 2).astype(dtype)
    values[-1] = last
    return stored(values)


def bomb(here: Path) -> None:
    """Zeros, a thousand times smaller when packed, of more than a search may take."""
    archive()(here)
    (here / "x.npz").unlink()
    with zipfile.ZipFile(here / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, array in SETS.items():
            if name != "x_train":
                file.writestr(f"{name}.npy", stored(array))
        with file.open("x_train.npy", "w", force_zip64=True) as member:
            member.write(header("(20000000, 8, 8)"))
            for _ in range(4):
                member.write(bytes(1 << 20))
    # The directory of the archive claims what the header does: 1.2 GiB.
    content = bytearray((here / "x.npz").read_bytes())
    with zipfile.ZipFile(here / "x.npz") as file:
        actual = file.getinfo("x_train.npy").file_size
    claimed = actual - (4 << 20) + 20_000_000 * 64
    at = content.rindex(actual.to_bytes(4, "little"))
    content[at : at + 4] = claimed.to_bytes(4, "little")
    (here / "x.npz").write_bytes(content)


CASES: tuple[Case, ...] = (
    Case(name="F04 a label of 2^62", make=archive(y_train=labels(2**62)), command=COMMAND, code=2,
         says=("error: x.npz: y_train: label 4611686018427387904; labels are class numbers",)),
    Case(name="a label of 10^9", make=archive(y_train=labels(10**9)), command=COMMAND, code=2,
         says=("error: x.npz: y_train: label 1000000000; labels are class numbers",)),
    Case(name="a label of 10^5", make=archive(y_train=labels(10**5)), command=COMMAND, code=2,
         says=("class '2' has 0",)),
    Case(name="F05 a label of 2^63 without a sign", make=archive(y_train=labels(2**63 + 5, "u8")), command=COMMAND,
         code=2, says=("error: x.npz: y_train: label 9223372036854775813",)),
    Case(name="F06 10^12 names of no characters", make=archive(classes=header("(1000000000000,)", "<U0")),
         command=COMMAND, code=2, says=("error: x.npz: classes is of type <U0, expected names",)),
    Case(name="F06 10^12 names", make=archive(classes=header("(1000000000000,)", "<U9")), command=COMMAND, code=2,
         says=("error: x.npz: classes holds 1,000,000,000,000 names",)),
    Case(name="F07 a shape of 4000 minus signs", make=archive(x_train=header(f"({'-' * 4000}1, 8, 8)")),
         command=COMMAND, code=2, says=("error: x.npz: x_train: its header",)),
    Case(name="F07 a negative shape", make=archive(x_train=header("(-40, 8, 8)")), command=COMMAND, code=2,
         says=("error: x.npz: x_train: its header claims the shape (-40, 8, 8)",)),
    Case(name="F07 a shape of 2^60", make=archive(x_train=header("(1152921504606846976, 8, 8)")), command=COMMAND,
         code=2, says=("error: x.npz: x_train claims the shape", "but holds 0")),
    Case(name="zeros that unpack to 1.2 GiB", make=bomb, command=COMMAND, code=2,
         says=("error: x.npz: ", "unpack to 1,220 MiB, more than 100 times as much")),
    Case(name="an .npz that doctor refuses", make=archive(y_train=labels(2**62)),
         command=("doctor", "--data", "x.npz"), code=2, says=("PROBLEM x.npz: y_train: label 4611686018427387904",)),
    Case(name="an .npz that is read", make=archive(), command=COMMAND,
         says=("48 images in 2 classes, 8 x 8 pixels, grey", "0: 10 to train, 10 to compare, 4 to test")),
)  # fmt: skip
