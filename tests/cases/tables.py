"""Cases of latency tables and the CSV files they are fitted from."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hwnas.space import SPACES
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.text import format_text
from tests.cases.case import Case
from tests.runs.made import NAMES, finished_run, member

SPACE = SPACES["nasbench201"]
FAILED = ("OOM", "-1", "0.0", "inf")


def networks() -> list[tuple[str, float]]:
    """40 cells, each 2 ms and 0.2 ms for every operation's number."""
    rng = np.random.default_rng(0)
    drawn = [sample(SPACE, rng) for _ in range(40)]
    return [
        (format_text(to_genotype(SPACE, one)), round(2 + 0.2 * float(one.sum()), 3))
        for one in drawn
    ]


def table(
    *,
    delimiter: str = ",",
    header: Sequence[str] = ("arch", "latency"),
    number: Callable[[float], str] = str,
    text: Callable[[str], str] = str,
    odd: Sequence[str] = (),
    index: bool = False,
    ending: str = "\n",
) -> Callable[[Path], None]:
    """Write rows.csv; ``odd`` cells take the place of the first latencies, ``index`` adds
    pandas' first column."""

    def write(folder: Path) -> None:
        lines = [list(header)]
        for place, (arch, latency) in enumerate(networks()):
            lines.append([text(arch), odd[place] if place < len(odd) else number(latency)])
        if index:
            lines = [
                ["" if place == 0 else str(place - 1), *line] for place, line in enumerate(lines)
            ]
        content = "".join(delimiter.join(line) + ending for line in lines)
        (folder / "rows.csv").write_bytes(content.encode())
        (folder / "board.toml").write_text(
            'name = "my-board"\nkind = "edge_cpu"\ndescription = "a board"\n'
        )

    return write


def bomb(folder: Path) -> None:
    """A megabyte that unpacks to more than two hundred."""
    with gzip.open(folder / "rows.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"arch,latency\n")
        for _ in range(210):
            file.write((b'"",' + b" " * 99_996 + b"\n") * 10)


def has_40(folder: Path) -> None:
    """The table was fitted to all networks, at the latencies that they have."""
    data = json.loads((folder / "t.json").read_text())
    assert (data["provenance"]["rows"], data["provenance"]["blank"]) == (40, 0)


def is_named(folder: Path) -> None:
    assert json.loads((folder / "t.json").read_text())["device"] == "my-board"


def nothing_written(folder: Path) -> None:
    assert not (folder / "t.json").exists()


def fitted(
    name: str,
    make: Callable[[Path], None],
    *says: str,
    options: Sequence[str] = (),
    code: int = 0,
    check: Callable[[Path], None] = has_40,
    device: str = "b",
    csv: str = "rows.csv",
) -> Case:
    words = (
        "devices",
        "fit",
        "--csv",
        csv,
        "--device",
        device,
        "--space",
        "nasbench201",
        "--out",
        "t.json",
    )
    return Case(name=name, make=make, command=(*words, *options), code=code, says=says, check=check)


def with_a_target(limit: int) -> Callable[[Path], None]:
    """A finished run with a target that so many of its three members meet."""

    def write(folder: Path) -> None:
        run = finished_run(folder / "run")
        found = json.loads(run.front_path.read_text())
        costs = {one["key"]: one["costs"]["params"]["value"] for one in found["front"]}
        ordered = sorted(costs, key=lambda key: costs[key])
        reach = 1 if limit == 0 else costs[ordered[limit - 1]]
        met = [key for key in reversed(ordered) if costs[key] <= reach]
        for one in found["front"]:
            one["within_target"] = one["key"] in met
        found |= {"target": "cpu", "targets": {"params": reach}, "within_target": met}
        run.front_path.write_text(json.dumps(found))

    return write


def key(position: int) -> str:
    """The key of a member, by rising parameters."""
    ordered = sorted(
        (member(name, 0.0) for name in NAMES), key=lambda one: one["costs"]["params"]["value"]
    )
    return str(ordered[position]["key"])


VALUES = [latency for _, latency in networks()]
RANGE = (
    f"latencies from {min(VALUES):.4g} to {max(VALUES):.4g} ms, median {np.median(VALUES):.4g} ms"
)
COMMA: Callable[[float], str] = lambda value: str(value).replace(".", ",")  # noqa: E731
SECONDS: Callable[[float], str] = lambda value: f"{value / 1000:.6f}"  # noqa: E731
SPACED: Callable[[str], str] = lambda arch: arch.replace("+", " + ")  # noqa: E731

CASES: tuple[Case, ...] = (
    fitted("C28 semicolons and decimal commas", table(delimiter=";", number=COMMA), RANGE),
    fitted("C28 tabs", table(delimiter="\t"), RANGE),
    fitted("C28 tabs and decimal commas", table(delimiter="\t", number=COMMA), RANGE),
    fitted("C28 blanks around the plus signs", table(text=SPACED), RANGE),
    *(
        fitted(
            f"C28 a latency of {blank}",
            table(odd=[blank]),
            "39 networks read, 1 rows without a latency skipped",
            check=lambda folder: None,
        )
        for blank in ("N/A", "#N/A")
    ),
    *(
        fitted(
            f"C28 a failed row says {cell}",
            table(odd=[cell]),
            "rows.csv, line 2, column latency: ",
            "; --skip-failed leaves out rows without a measurement",
            code=2,
            check=nothing_written,
        )
        for cell in FAILED
    ),
    fitted(
        "C28 failed rows are left out on request",
        table(odd=FAILED),
        "36 networks read",
        "4 failed ones left out",
        options=("--skip-failed",),
        check=lambda folder: None,
    ),
    fitted(
        "C28 seconds without a unit",
        table(number=SECONDS),
        "say what they are in, with --unit ms, us or s",
        code=2,
        check=nothing_written,
    ),
    fitted("C28 seconds with their unit", table(number=SECONDS), RANGE, options=("--unit", "s")),
    fitted(
        "C28 seconds by the column's name",
        table(number=SECONDS, header=("arch", "time (s)")),
        RANGE,
    ),
    fitted(
        "C28 seconds of a device with peaks",
        table(number=SECONDS),
        "where the peaks of 1080ti say about",
        "say --unit s",
        device="1080ti",
        code=2,
        check=nothing_written,
    ),
    fitted(
        "C28 a wrong unit of a device with peaks",
        table(),
        "say --unit ms",
        options=("--unit", "s"),
        device="1080ti",
        code=2,
        check=nothing_written,
    ),
    fitted("two columns of any names", table(header=("cell", "on my phone")), RANGE),
    fitted(
        "P09 Windows, pandas and blanks", table(delimiter=", ", index=True, ending="\r\n"), RANGE
    ),
    fitted("P09 a trailing comma", table(ending=",\n"), RANGE),
    fitted(
        "csv.gz that unpacks without end",
        bomb,
        "rows.csv.gz: more than 200,000,000 bytes of text, unpacked",
        csv="rows.csv.gz",
        code=2,
        check=nothing_written,
    ),
    fitted(
        "the name of a device stands in its file",
        table(),
        "my-board",
        device="board.toml",
        check=is_named,
    ),
    fitted(
        "a device file that is not there",
        table(),
        "device file none.toml: not found",
        device="none.toml",
        code=2,
        check=nothing_written,
    ),
    Case(
        name="a target in the wrong unit is refused before images are read",
        command=(
            "search",
            "--objective",
            "params",
            "--target-value",
            "0.5ms",
            "--data",
            "absent.npz",
        ),
        code=2,
        says=("target-value: '0.5ms' is in 'ms', not in parameters",),
    ),
    Case(
        name="a target that one member meets: show names it as the knee",
        make=with_a_target(1),
        command=("show", "run"),
        says=(f"best within target: {key(0)}; the knee within: {key(0)}",),
    ),
    Case(
        name="a target that no member meets: show names the nearest",
        make=with_a_target(0),
        command=("show", "run"),
        says=(f"no member of the front is within the target; the nearest is {key(0)}",),
    ),
    Case(
        name="a target that one member meets: train takes it",
        make=with_a_target(1),
        command=("train", "run", "--epochs", "1"),
        says=(f"{key(0)} epoch 1/1", "within target"),
        never=("Traceback", "note: "),
    ),
    Case(
        name="a target that no member meets: export says so",
        make=with_a_target(0),
        command=("export", "run", "--untrained", "--formats", "weights", "--no-measure"),
        says=(
            f"no network of the front is within the target params 1: the nearest is taken, {key(0)}",
        ),
    ),
)
