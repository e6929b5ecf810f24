"""What ``hwnas export`` prints when it has ended: a line per ONNX and TFLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwnas.cli.outside import echo, print_table, table


def print_exported(records: list[dict[str, Any]], middle: str | None = None) -> None:
    """A line per ONNX file: what it reaches, costs and takes, with intervals; ``middle``: the
    network to mark as the knee."""
    from rich import box

    tested = any(record["accuracy"] is not None for record in records)
    on_random = any(record["checked_on"] == "random images" for record in records)
    untested = "not tested, random images" if on_random else "not tested, untrained"
    origin = "trained (test)" if tested else untested
    measured = any(record["latency"] for record in records)
    host = ", latency: measured on this host" if measured else ""
    title = f"Exported networks; accuracy: {origin}{host}"
    # Narrow, so that names with width and depth fit a terminal of 80 columns beside eight figures.
    grid = table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    # Where there is no room a name is broken, and no figure is cut.
    grid.add_column("network", overflow="fold", min_width=10)
    grid.add_column("file", no_wrap=True)
    named = next((",\n".join(record["size"]) for record in records if record["size"]), "")
    for column in (
        *((f"size\n{named}",) if named else ()),
        "accuracy",
        "params",
        "MACs",
        "KiB",
        *(("ms", "95 % of ms") if measured else ()),
    ):
        grid.add_column(column, justify="right", no_wrap=True)
    for record in records:
        rows: list[list[str]] = []
        accuracies = {"onnx": record["accuracy"], "int8": record["int8_accuracy"]}
        for name, accuracy in {**accuracies, **record.get("tflite_accuracy", {})}.items():
            if name in record["bytes"]:
                row = _row(record, name, accuracy, not rows)
                row[2:2] = [""] if named else []
                rows.append(row[: len(grid.columns)])
        # In the second line, where they do not widen the table: a published name and the mark of
        # the knee, under the key, and the width, under the side.
        size = list(record["size"].values())
        marks = [record["known_as"], "knee" if record["name"] == middle else ""]
        below = ", ".join(mark for mark in marks if mark)
        if rows and len(rows) < max(len(size), 2 if below else 1):
            rows.append([""] * len(grid.columns))
        if rows and below:
            rows[1][0] = below
        for row, value in zip(rows, size, strict=False):
            row[2] = value
        for row in rows:
            grid.add_row(*row)
    print_table(grid)
    for record in records:
        folder = Path(next(iter(record["files"].values()))).parent
        known = f" ({record['known_as']})" if record["known_as"] else ""
        images = record["checked_on"].removeprefix("test ")
        echo(
            f"{record['name']}{known}: {folder}"
            f" (verified on {record['parity']['test_images']} {images}; model-card.md there says"
            " how to use the files)"
        )
        if record["averaged_down"]:
            echo(f"note: {record['name']}: {record['averaged_down']}")
        for warning in record["warnings"]:
            echo(f"warning: {record['name']}: {warning}")


FILES = {"onnx": "fp32", "tflite-int8": "tflite int8"}
"""What the table calls a format's file."""


def _row(record: dict[str, Any], name: str, accuracy: float | None, first: bool) -> list[str]:
    """A file's line; `first` of its network, which says what the network is."""
    found = record["latency"].get(name)
    if not found:
        measured = ["", ""]
    elif found["value"] is None:
        measured = ["failed", str(found["failure"]["reason"])]
    else:
        measured = [f"{found['value']:.3g}", f"{found['low']:.3g}..{found['high']:.3g}"]
    return [
        record["name"] if first else "",
        FILES.get(name, name),
        "" if accuracy is None else f"{accuracy:.4f}",
        _amount(record["params"]) if first else "",
        _amount(record["macs"]) if first else "",
        f"{record['bytes'][name] / 1024:,.0f}",
        *measured,
    ]


def _amount(value: int) -> str:
    """Three digits and a unit: 79.5 K, 1.45 G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return str(value)
