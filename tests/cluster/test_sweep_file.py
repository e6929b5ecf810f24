"""Sweep files: every combination once, names that last, one line for what is wrong."""

from __future__ import annotations

import tempfile
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.cluster.sweep_file import Planned, check_same, read_sweep, state_of
from hwnas.config import resolve
from hwnas.runs.directory import create
from profilers.errors import InputError

LISTS: dict[str, st.SearchStrategy[list[Any]]] = {
    "seed": st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True),
    "space": st.lists(st.sampled_from(["darts", "tnd"]), min_size=1, unique=True),
    "target": st.lists(st.sampled_from(["cpu", "1080ti", "pixel-3"]), min_size=1, unique=True),
    "algorithm": st.lists(st.sampled_from(["tndnas", "random", "nsga2"]), min_size=1, unique=True),
    "weight_step.lr": st.lists(
        st.floats(0.001, 1).map(lambda x: round(x, 3)), min_size=1, max_size=2, unique=True
    ),
    "objectives": st.lists(st.sampled_from(["params", "macs"]), min_size=1, unique=True),
    "exponents": st.lists(
        st.lists(st.sampled_from([0.0, -0.1, -0.5]), min_size=1, max_size=2),
        min_size=1,
        max_size=2,
        unique_by=str,
    ),
}
sweeps = st.lists(st.sampled_from(sorted(LISTS)), min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: LISTS[name] for name in names})
)


def written(text: str | dict[str, Any], folder: Path) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text if isinstance(text, str) else tomli_w.dumps(text), encoding="utf-8")
    return path


def read(text: str | dict[str, Any]) -> list[Planned]:
    with tempfile.TemporaryDirectory() as folder:
        return read_sweep(written(text, Path(folder)))


def nested(lists: dict[str, list[Any]]) -> dict[str, Any]:
    """``{"weight_step.lr": ...}`` as TOML has it."""
    found: dict[str, Any] = {}
    for name, values in lists.items():
        *tables, key = name.split(".")
        below = found
        for table in tables:
            below = below.setdefault(table, {})
        below[key] = values
    return found


@settings(deadline=None)
@given(sweeps)
def test_every_combination_is_one_run_with_its_own_name_and_values(
    lists: dict[str, list[Any]],
) -> None:
    shared = {} if "objectives" in lists else {"objectives": [{"metric": "params"}]}
    runs = read({**shared, "sweep": nested(lists)})
    assert len(runs) == prod(map(len, lists.values())) == len({run.name for run in runs})
    wanted = list(product(*(range(len(values)) for values in lists.values())))
    assert len({str(run.values) for run in runs}) == len(wanted)
    for run in runs:
        assert set(run.values) == set(lists)
        settings: Any = run.config.model_dump(mode="json", exclude_none=True)
        for name, value in run.values.items():
            below = settings
            for part in name.split("."):
                below = below[part]
            assert below == value
        assert "/" not in run.name and len(run.name) <= 130


@settings(deadline=None)
@given(sweeps, st.data())
def test_a_list_that_grows_leaves_earlier_runs_their_names_and_settings(
    lists: dict[str, list[Any]], data: st.DataObject
) -> None:
    lists = {"seed": [1, 2], **lists}
    before = {run.name: run.config for run in read({"sweep": nested(lists)})}
    longer = {**lists, "seed": [*lists["seed"], 1000]}
    after = {run.name: run.config for run in read({"sweep": nested(longer)})}
    assert before.items() <= after.items() and len(after) > len(before)


def test_what_all_share_is_a_config_named_search_or_flag_like_epochs(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("channels = 4\nobjectives = [{metric = 'params'}]\n")
    runs = read(f"config = '{file}'\nepochs = 2\nfinalists_per_policy = 3\n[sweep]\nseed = [5]\n")
    config = runs[0].config
    assert (config.channels, config.finalists_per_policy, config.seed) == (4, 3, 5)
    assert {stage.epochs for stage in config.stages} == {2}
    plain = read("objectives = [{metric = 'params'}]\n[sweep]\nseed = [5]\n")[0].config
    assert plain == resolve(
        {"objectives": [{"metric": "params"}], "seed": 5}
    )  # what the same flags give


def test_objectives_can_be_said_in_words() -> None:
    runs = read("[sweep]\nobjectives = ['params', ['params', 'macs'], []]\n")
    assert [run.name for run in runs] == [
        "objectives=params",
        "objectives=params+macs",
        "objectives=none",
    ]
    assert [[one.metric for one in run.config.objectives] for run in runs] == [
        ["params"],
        ["params", "macs"],
        [],
    ]
    assert runs[2].config.algorithm == "ndarts"  # as without --objective


def test_paths_are_the_same_in_any_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    runs = read(
        "[sweep]\ndata.source = ['photos', 'set.npz', 'digits']\ntarget = ['mine.toml', 'cpu']\n"
    )
    assert [run.config.data.source for run in runs[::2]] == [
        str(tmp_path / "photos"),
        str(tmp_path / "set.npz"),
        "digits",
    ]
    assert [run.config.target for run in runs[:2]] == [str(tmp_path / "mine.toml"), "cpu"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = 1", r"a table \[sweep\] with lists is needed"),
        ("sweep = [1]", r"a table \[sweep\] with lists is needed"),
        ("[sweep]\nseeds = [1]", "unknown key 'seeds'; did you mean 'seed'"),
        ("chanels = 3\n[sweep]\nseed = [1]", "unknown key 'chanels'; did you mean 'channels'"),
        ("[sweep]\nweight_step.lrr = [1]", "unknown key 'weight_step.lrr'; did you mean 'lr'"),
        ("[sweep]\nseed = 3", r"sweep.seed: expected a list such as \[0, 1, 2\], not 3"),
        ("[sweep]\nseed = []", "sweep.seed: expected a list"),
        ("[sweep]\nseed = [1, 1]", "asks for the run seed=1 twice"),
        ("[sweep]\nseed = ['a']", "run seed=a: config: seed: Input should be a valid integer"),
        ("[sweep]\nspace = ['dart']", "unknown space 'dart'; did you mean 'darts'"),
        ("[sweep]\nspace.x = [1]", "run space.x=1: .*space"),
        ("seed = 1\n[sweep]\nseed.x = [1]", "seed is no table"),
        (
            "config = 3\n[sweep]\nseed = [1]",
            "config: expected the name of a search or a file, not 3",
        ),
        ("config = 'quikstart'\n[sweep]\nseed = [1]", "did you mean 'quickstart'"),
        ("epochs = 'x'\n[sweep]\nseed = [1]", "epochs: expected a whole number"),
        ("epochs = 0\n[sweep]\nseed = [1]", "epochs: at least 1"),
        ("epochs = 1\n[sweep]\nepochs = [1]", "epochs stands both"),
        (
            f"[sweep]\nseed = {list(range(40))}\nchannels = {list(range(1, 41))}",
            "asks for 1,600 runs",
        ),
        ("[sweep", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_the_file(text: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"sweep\.toml: .*{said}") as error:
        read(text)
    assert "\n" not in str(error.value)


def test_a_run_is_missing_then_started_then_finished(tmp_path: Path) -> None:
    path, config = tmp_path / "a", read("[sweep]\nseed = [1]\n")[0].config
    assert state_of(path) == "missing"
    create(path, config, [], "0" * 16)
    assert state_of(path) == "started"
    (path / "front.json").write_text("{}")
    assert state_of(path) == "finished"


def test_a_run_that_was_begun_with_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    first, second = (
        read(f"channels = {channels}\n[sweep]\nseed = [1]\n")[0] for channels in (4, 8)
    )
    create(tmp_path / "a", first.config, [], "0" * 16)
    check_same(first, tmp_path / "a")
    with pytest.raises(InputError, match="begun with channels 4, not 8"):
        check_same(second, tmp_path / "a")
