"""The four commands choose alike, and what they say to type next can be typed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.cli.next_steps import next_steps
from hwnas.runs.summary import read_front
from tests.runs.made import finished_run, trained_record

COMMANDS = ("show", "train", "export", "profile")
WORDS = {"export": ("--untrained",)}


@pytest.mark.parametrize("command", COMMANDS)
def test_where_nothing_is_within_all_commands_end_with_code_3_and_the_same_line(
    command: str, typed, tmp_path: Path
) -> None:
    run = finished_run(tmp_path / "run")
    words = (command, "run", *WORDS.get(command, ()))
    out, err = typed(*words, "--within", "latency=1ms", "--within", "params=1G", code=3)
    key = read_front(run).front[2].key  # as far over as the others, and more accurate
    assert out == "" and err == (
        "stopped: run: no network of the front is within latency 1 ms and params 1G;"
        f" {key} misses by least, with latency 1.5 ms (0.5 ms over, 50 %)\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--all", "--best"), "say either --all, --best, --knee, --prefer or keys"),
        (("--knee", "--prefer", "accuracy"), "say either --all, --best, --knee, --prefer or keys"),
        (("key", "--within", "params=1k"), "--within chooses a network, and so do keys"),
        (("--within", "params=1ms"), "not in parameters"),
        (("--prefer", "speed"), "no cost of this run is called 'speed'"),
        (("nonsense",), "no network has the key 'nonsense'"),
    ],
)
def test_words_that_contradict_each_other_are_refused_alike(
    command: str, words: tuple[str, ...], message: str, typed, tmp_path: Path
) -> None:
    finished_run(tmp_path / "run")
    _, err = typed(command, "run", *words, *WORDS.get(command, ()), code=2)
    assert message in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["export", "profile"])
def test_a_genotype_has_no_networks_to_choose_from(command: str, typed) -> None:
    words = (command, "DARTS_V2", *WORDS.get(command, ()))
    assert "is no run directory" in typed(*words, "--best", code=2)[1]
    assert "it has no network 'key'" in typed(*words, "key", code=2)[1]


def test_show_marks_the_knee_and_shows_what_is_chosen(typed, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "a 'run'")
    small, middle, large = (member.key for member in read_front(run).front)
    place = str(run.path)
    out, _ = typed("show", place)
    assert any("knee" in line and middle in line for line in out.splitlines())
    assert json.loads(typed("show", place, "--json")[0])["knee"] == middle
    out, _ = typed("show", place, "--prefer", "accuracy")
    assert large in out and small not in out
    for words in (("--all",), ()):  # limits alone show all that meet them
        found = json.loads(typed("show", place, *words, "--within", "params=1G", "--json")[0])
        assert [one["key"] for one in found["chosen"]] == [small, middle, large]
    out, _ = typed("show", place, "--within", "params=1G")
    next_lines = [shlex.split(line) for line in out.split("next:\n")[1].splitlines()]
    assert ["hwnas", "export", place, "--within", "params=1G"] in next_lines
    trained_record(run, 0, 0.99)
    out, _ = typed("show", place)
    assert any("knee" in line and small in line for line in out.splitlines())
    assert "note: 2 networks of the front are not trained, and so not compared" in out
    out, _ = typed("show", place, "--best")
    assert small in out and "2 networks of the front are not trained" in out
    commands = [shlex.split(line) for line in out.split("next:\n")[1].splitlines()]
    assert commands[0] == ["hwnas", "export", place, small]


paths = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=12
).filter(lambda name: name not in (".", ".."))


@settings(max_examples=50, deadline=None)
@given(paths)
def test_a_shell_reads_the_next_command_as_it_was_meant(name: str) -> None:
    head, line = next_steps([("report", Path(name))])
    assert head == "next:" and line.startswith("  hwnas report ")
    _, _, word = shlex.split(line)
    assert Path(word) == Path(name) and not word.startswith("-")
