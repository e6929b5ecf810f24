"""Text from outside reaches the screen with escapes and never as markup, whichever command
prints it."""

from __future__ import annotations

import ast
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hwnas import doctor
from hwnas.cli import main
from hwnas.cli.outside import console, echo, echo_json, print_table, shown, table
from hwnas.cli.progress import describe
from hwnas.runs.schema import to_json
from hwnas.runs.summary import read_front
from hwnas.search.progress import SearchProgress
from profilers.errors import InputError, visible
from tests.runs.made import finished_run

CONTROLS = [*map(chr, range(0x20)), "\x7f", *map(chr, range(0x80, 0xA0))]
TURNING = [
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
    "\u200e",
    "\u200f",
    "\u061c",
]
ENDS = ["\u2028", "\u2029", "\x85", "\ud800"]
HOSTILE = (
    "\x1b]0;PWN\x07\x1b[31mred\x9b31m",
    "a\u202eb\u2066c\u200f",
    "[/bold]",
    "[bold]x[/italic]",
    "[link=http://example.org]x",
    "[\\",
    ":warning:",
    "line\nnext: do this\r\x85\u2028",
    "\x00\x7f\x9d",
    "",
)
SOURCES = Path(__file__).parents[2] / "hwnas"


def harmless(printed: str) -> None:
    """No character of those above, but for the ends of the lines that hwnas itself prints."""
    found = {one for one in printed if one in {*CONTROLS, *TURNING, *ENDS} - {"\n"}}
    assert not found, (found, printed)


def test_whatever_a_terminal_obeys_or_reads_backwards_is_escaped() -> None:
    for character in [*CONTROLS, *TURNING, *ENDS]:
        said = visible(f"a{character}b")
        harmless(said)
        assert "\n" not in said and said.startswith("a\\") and said.endswith("b")
    assert visible("Größe 漢字 ± → é \\x1b") == "Größe 漢字 ± → é \\x1b"


def test_errors_are_escaped_alike() -> None:
    for text in HOSTILE:
        assert str(InputError(text)) == visible(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_lines_tables_and_json_show_text_as_it_is(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    echo(text)
    echo(text, err=True)
    grid = table(title=f"t {text}")
    grid.add_column(f"head {text}")
    grid.add_row(f"cell {text}")
    console().print(grid)
    echo_json({text: [text]})
    out, err = capsys.readouterr()
    assert err == visible(text) + "\n"
    harmless(out + err)
    assert json.loads(out.splitlines()[-1]) == {text: [text]}
    if text.startswith(("[", ":")):
        assert f"cell {text}" in out and f"head {text}" in out and f"t {text}" in out


def test_what_a_screen_can_not_draw_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", ascii_only)
    echo("± 漢")
    assert ascii_only.buffer.getvalue() == b"\\xb1 \\u6f22\n"  # type: ignore[attr-defined]


def test_nothing_else_in_the_package_prints() -> None:
    """A second way to print would be one that escapes nothing."""
    for path in sorted(SOURCES.rglob("*.py")):
        if path.name == "outside.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in ("rich.console", "rich.table"):
                names = {one.name for one in node.names}
                assert not names & {"Console"}, (
                    f"{path}:{node.lineno}: take hwnas.cli.outside.console"
                )
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            forbidden = (
                "print",
                "typer.echo",
                "typer.secho",
                "click.echo",
                "rich.print",
                "Console",
            )
            assert name not in forbidden, (
                f"{path}:{node.lineno}: {name} in place of hwnas.cli.outside.echo"
            )
            assert not name.startswith(("sys.stdout.write", "sys.stderr.write")), (
                f"{path}:{node.lineno}"
            )


def texts(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every text in JSON."""
    if isinstance(value, str):
        yield where
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, one in parts:
        yield from texts(one, (*where, name))


def put(value: Any, where: tuple[Any, ...], text: str) -> None:
    for name in where[:-1]:
        value = value[name]
    value[where[-1]] = text


def full(path: Path) -> Path:
    """A finished run with every text that a summary can hold."""
    run = finished_run(path)
    summary = to_json(read_front(run))
    receipt = {"host": "h", "backend": "b", "statistic": "median"}
    member = summary["front"][0]
    member["costs"]["latency"] |= {
        "low": 1.0,
        "high": 2.0,
        "predicted": {"value": 1.0, "origin": "table"},
    }
    summary |= {
        "target": "cpu",
        "believed": [summary["dominated"][0]["key"]],
        "within_target": [member["key"]],
        "targets": {"params": 1e9},
        "health": [{"stage": 0, "kind": "loss", "text": "t", "advice": "a"}],
        "measured": {
            "latency": {
                "networks": 1,
                "failed": 1,
                "reasons": ["r"],
                "noisy": 1,
                "receipt": receipt,
            }
        },
    }
    run.front_path.write_text(json.dumps(summary))
    return run.path


@pytest.fixture
def called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("COLUMNS", "300")
    for check in ("_installation", "_hardware", "_back_ends"):
        monkeypatch.setattr(doctor, check, lambda: iter(()))

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["hwnas", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = "".join(capsys.readouterr())
        harmless(printed)
        assert "Traceback" not in printed
        code = ended.value.code or 0
        return code if isinstance(code, int) else 1, printed

    return call


FREE = (
    "origin",
    "unit",
    "text",
    "advice",
    "kind",
    "data",
    "algorithm",
    "space",
    "target",
    "host",
    "backend",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_every_field_of_a_front_is_shown_with_escapes(
    tmp_path: Path, called: Callable[..., tuple[int, str]], text: str
) -> None:
    run = full(tmp_path / "run")
    summary = json.loads((run / "front.json").read_text())
    places = [where for where in texts(summary) if where[-1] in FREE or "reasons" in where]
    places = [where for where in places if "genotype" not in where]
    assert len(places) > 30
    for where in places:
        put(summary, where, text)
    (run / "front.json").write_text(json.dumps(summary))
    code, printed = called("show", str(run))
    assert code == 0 and printed.count(visible(text)) > 10
    code, printed = called("show", str(run), "--json")
    assert code == 0 and json.loads(printed)["data"] == text
    assert called("doctor", str(run))[0] == 0


@pytest.mark.slow  # a command for each of some fifty fields
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_any_one_field_is_shown_with_escapes_or_refused(
    tmp_path: Path, called: Callable[..., tuple[int, str]], text: str
) -> None:
    run = full(tmp_path / "run")
    whole = json.loads((run / "front.json").read_text())
    for where in texts(whole):
        changed = json.loads(json.dumps(whole))
        put(changed, where, text)
        (run / "front.json").write_text(json.dumps(changed))
        for words in (("show", str(run)), ("doctor", str(run)), ("train", str(run), "no-such-key")):
            assert called(*words)[0] in (0, 1, 2)


DEVICE = """
name = "theirs"
kind = "cpu"
description = {text}
aliases = [{text}]
[sources]
memory_mib = {text}
[match]
cpu_model_regex = "."
"""


@pytest.mark.parametrize("text", HOSTILE[::4])
def test_a_device_file_reaches_the_screen_as_it_is_or_is_refused_with_escapes(
    tmp_path: Path, called: Callable[..., tuple[int, str]], text: str
) -> None:
    file = tmp_path / "device.toml"
    safe = text.replace("\ud800", "")
    file.write_text(DEVICE.replace("{text}", json.dumps(safe).replace("\x7f", "\\u007f")))
    for words in (
        ("devices", "show", str(file)),
        ("profile", "DARTS_V2", "--target", str(file), "--backend", "counts"),
    ):
        code, printed = called(*words)
        assert code == (0 if visible(safe) == safe else 2)
        if code == 2:
            assert "holds characters that are not to be seen" in printed
        elif words[0] == "devices":
            assert safe in printed
    called("devices", "show", str(file), "--json")


def test_the_name_of_a_folder_is_shown_with_escapes(
    tmp_path: Path, called: Callable[..., tuple[int, str]]
) -> None:
    run = full(tmp_path / "a\x1b[31m\u202eb[/bold]\nc")
    for words in (("show", str(run)), ("train", str(run), "no-such-key")):
        code, printed = called(*words)
        assert code in (0, 2) and "a\\x1b[31m\\u202eb[/bold]\\nc" in printed


def test_values_are_escaped_at_every_depth() -> None:
    assert shown({"a\x1b": ["\u202e", 1, {"b": ("\n",)}]}) == {
        "a\\x1b": ["\\u202e", 1, {"b": ["\\n"]}]
    }


@pytest.mark.parametrize("width", [20, 33, 40, 60, 80, 100, 120])
def test_a_figure_is_never_shortened_whatever_the_width(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    grid = table(title="a title of several words")
    grid.add_column("key", no_wrap=True)
    figures = ["2,985,086", "850,689,792", "425,344,896", "36.24", "12.87"]
    for name in ("params (parameters)\ncounted", "flops", "macs", "latency", "memory"):
        grid.add_column(name, justify="right")
    grid.add_column("")
    words = ["dominated,", "within", "target"]
    grid.add_row("f0ee2a9deb", *figures, " ".join(words))
    print_table(grid)
    printed = capsys.readouterr().out
    for part in ("f0ee2a9deb", *figures, *words, "params"):
        assert part in printed
    assert "\u2026" not in printed
    is_list = "  flops: 850,689,792\n" in printed
    assert is_list or width > 60
    assert not is_list or width < 100
    if not is_list:
        assert max(map(len, printed.splitlines())) <= width


def test_a_word_longer_than_a_terminal_is_broken_not_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    grid = table()
    grid.add_column("file")
    grid.add_column("count", justify="right")
    grid.add_row("p" * 100, "1,234,567")
    print_table(grid)
    printed = capsys.readouterr().out
    assert printed.count("p") == 100 and "1,234,567" in printed


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


KINDS = ("note: look here", "warning: beware", "error: no", "next: hwnas show r", "a step: done")


def test_kinds_of_lines_are_told_apart_where_there_are_colours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    for line in KINDS:
        echo(line)
    *marked, plain = shown.getvalue().splitlines()
    assert plain == KINDS[-1] and all(line.startswith("\x1b[1") for line in marked)
    # A command is copied as it is: only the word before it has a colour.
    assert marked[-1].endswith("\x1b[0m hwnas show r")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("", "")])
def test_nobody_gets_colours_who_does_not_want_them(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name:
        monkeypatch.setenv(name, value)
    shown = Terminal() if name else io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    for line in KINDS:
        echo(line, kind="" if ":" in line else "step")
    assert shown.getvalue().splitlines() == list(KINDS)


def test_private_words_are_for_those_who_ask() -> None:
    progress = SearchProgress(
        stage=0,
        stages=3,
        epoch=1,
        epochs=2,
        share_done=0.2,
        seconds=4.0,
        loss=0.5,
        accuracy=0.8,
        entropies=(52.0, 50.0),
        evaluations=1760,
        notes=(),
    )
    assert "nats" not in " ".join(describe(progress))
    assert "52 50 nats" in " ".join(describe(progress, verbose=True))
