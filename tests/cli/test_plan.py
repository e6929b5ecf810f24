"""``hwnas plan`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from typer.testing import CliRunner

from hwnas.cli import app, plan
from hwnas.cli.values import seconds_of
from hwnas.config import with_epochs
from hwnas.search.advice import Advice
from profilers.errors import InputError
from tests.search import tiny


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5 h", 5400), ("1d", 86400)]
)
def test_a_budget_is_a_time_with_its_unit(text: str, seconds: float) -> None:
    assert seconds_of("--budget", text) == seconds


@pytest.mark.parametrize("text", ["2", "h", "-1h", "0s", "2 weeks", "1e9h"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="90s, 30m, 2h or 1d"):
        seconds_of("--budget", text)


def advice(search: bool = True, narrow: bool = False, **config: Any) -> Advice:
    """Of a search of seven epochs."""
    chosen = with_epochs(tiny.config(Path("x.npz"), **config), 7)
    forecast: Any = None
    return Advice(search=search, why=("why",), config=chosen, forecast=forecast, narrow=narrow)


def test_the_search_to_type_next_has_the_epochs_that_fit() -> None:
    words = ["tnd-cifar10", "--budget", "2h", "--objective", "params", "--epochs=3"]
    typed = plan._commands(words, "tnd-cifar10", advice(), 7200.0)
    assert typed == [
        ["search", "--config", "tnd-cifar10", "--objective", "params", "--epochs", "7"]
    ]
    assert plan._commands(["--budget=2h", "--data", "a b"], None, advice(), 7200.0) == [
        ["search", "--data", "a b", "--epochs", "7"]
    ]
    assert plan._commands(["--objective", "params"], None, advice(), None) == [
        ["search", "--objective", "params"]
    ]


def test_where_a_search_cannot_pay_narrow_networks_are_tuned_where_there_are_any() -> None:
    words = ["--data", "photos", "--budget", "1m"]
    search, train = plan._commands(words, None, advice(search=False, narrow=True), 60.0)
    assert search == ["search", "--data", "photos", "--algorithm", "narrow", "--out", "runs/narrow"]
    assert train == ["train", "runs/narrow", "--all", "--epochs", "8"]
    assert plan._commands(words, None, advice(search=False), 60.0) == []


def test_a_plan_is_printed_as_json_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tiny.images(tmp_path / "tiny.npz")
    file = tmp_path / "tiny.toml"
    file.write_text(tomli_w.dumps(tiny.config(data).model_dump(mode="json", exclude_none=True)))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["plan", str(file), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["evaluations"] == 36 and found["epochs"] == [2, 2]
    assert found["low"] < found["seconds"] < found["high"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.npz", "tiny.toml"]


def test_a_config_is_an_option_too_as_of_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = [
        CliRunner().invoke(app, ["plan", *words]).exception
        for words in (["--config", "nowhere.toml"], ["nowhere.toml"])
    ]
    assert str(found[0]) == str(found[1]) and "nowhere.toml" in str(found[0])
    both = CliRunner().invoke(app, ["plan", "a.toml", "--config", "b.toml"]).exception
    assert "names a search already" in str(both)
    words = ["--config", "a.toml", "--objective", "params"]
    for typed in (words, ["--config=a.toml", *words[2:]], ["a.toml", *words[2:]]):
        command = " ".join(plan._commands(typed, "a.toml", advice(), None)[0]).replace("=", " ")
        assert command == "search --config a.toml --objective params"
