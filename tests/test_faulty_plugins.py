"""Whatever another package's value does wrong, one line names it, its table and what it must give:
exit code 2 before a search, 3 during one, and what was finished goes on afterwards.
"""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from hwnas import plugins
from hwnas.algorithms import ALGORITHMS
from hwnas.config import dump
from hwnas.costs.metrics import METRICS, CostMetric, Predicted, predicted
from hwnas.export.formats import FORMATS, OTHERS
from hwnas.search.algorithms.asked import ask
from hwnas.space import SPACES, Space
from hwnas.space.chain import chain_space, known_space
from hwnas.space.encoding import derive
from hwnas.space.family import family
from hwnas.space.layers import PRIMITIVES, Layer
from hwnas.space.macro import Head, Macro, Stage, Stem
from hwnas.space.space import Decision, dense_slots, strongest
from profilers import backends
from profilers.answered import checked
from profilers.count_backends import count_receipt
from profilers.device import Device
from profilers.errors import FaultyPlugin, InputError
from profilers.measurement import MACS, counted
from tests.search import tiny
from tests.strangers.algorithm import ALGORITHM, Ageing
from tests.strangers.format import FORMAT
from tests.strangers.space import SPACE


def failing(*args, **more):
    raise KeyError("lost")


def giving(value):
    return lambda *args, **more: value


def one_line(error) -> str:
    said = str(error.value)
    assert "\n" not in said and "Traceback" not in said
    return said


# Spaces and operations


def cells(*ops: str, **more) -> Space:
    settings = {"survivors": {"normal": (len(ops),)}, "rule": strongest} | more
    return Space(
        name="faulty", inputs=2, nodes=2, slots=dense_slots("normal", 2, 2, ops), **settings
    )


def graphs(space: Space):
    return family(space, channels=4, cells=3, classes=3, image=(1, 8, 8)).graphs


def test_an_unknown_operation_is_named_with_the_nearest() -> None:
    with pytest.raises(FaultyPlugin) as error:
        graphs(cells("none", "conv_5x6"))
    assert "space 'faulty'" in one_line(error) and "did you mean 'conv_" in one_line(error)


@pytest.mark.parametrize(
    "operation",
    [
        failing,
        lambda channels: (),
        giving(None),
        giving(3),
        giving(("conv",)),
        lambda channels, stride, size: Layer("relu", channels, channels, size),
    ],
)
def test_an_operation_that_gives_no_layers_is_named(monkeypatch, operation) -> None:
    monkeypatch.setitem(PRIMITIVES, "odd", operation)
    with pytest.raises(FaultyPlugin) as error:
        graphs(cells("none", "odd"))
    assert "operation 'odd' (hwnas.space.layers.PRIMITIVES)" in one_line(error)


def test_layers_that_make_no_sense_are_refused_in_a_line(monkeypatch) -> None:
    monkeypatch.setitem(PRIMITIVES, "odd", lambda *at: (Layer("conv", None, None, at[2]),))
    with pytest.raises(InputError) as error:
        graphs(cells("none", "odd"))
    assert "space 'faulty'" in one_line(error)


@pytest.mark.parametrize("build", [failing, giving(None), giving((None,)), giving("graph")])
def test_a_build_that_gives_no_graph_is_named(build) -> None:
    with pytest.raises(FaultyPlugin) as error:
        graphs(replace(SPACE, build=build))
    assert "space 'strangers-chain' (hwnas.spaces)" in one_line(error)


@pytest.mark.parametrize(
    "rule",
    [
        failing,
        giving(None),
        giving([0] * 7),
        giving(np.zeros(6, dtype=int)),
        giving(np.zeros((7, 1), dtype=int)),
        giving(np.zeros(7)),
        giving(np.full(7, -1)),
        giving(np.full(7, 9)),
    ],
)
def test_a_rule_that_gives_no_choices_is_named(rule) -> None:
    with pytest.raises(FaultyPlugin) as error:
        derive(replace(SPACE, rule=rule), SPACE.mask / 1.0)
    assert "space 'strangers-chain' (hwnas.spaces): rule" in one_line(error)


@pytest.mark.parametrize("left", [(), (0,), (3, 0), (4,), (1.5,), None])
def test_what_remains_of_a_decision_is_one_operation_or_more_and_no_more_than_there_are(
    left,
) -> None:
    one = Decision(name="d", operations=("a", "b", "c"), remaining=left, group="g")
    with pytest.raises(InputError, match=r"space 'faulty'.*d: remaining"):
        Space(name="faulty", rule=strongest, decisions=(one,))
    with pytest.raises(InputError, match=r"space 'faulty'.*survivors"):
        cells("none", "skip_connect", "conv_3x3", survivors={"normal": left})


def test_cells_without_survivors_and_spaces_without_decisions_are_refused() -> None:
    with pytest.raises(InputError, match="survivors: none for the cells 'normal'"):
        cells("none", "skip_connect", survivors={})
    with pytest.raises(InputError, match="it decides nothing"):
        Space(name="faulty", rule=strongest)


def test_the_space_behind_an_entry_point_may_be_made_by_either_function(monkeypatch) -> None:
    macro = Macro(
        name="entry",
        stem=Stem(width=8, stride=1),
        stages=(Stage(width=8, depth=2, blocks=("separable_k3", "plain_k3", "none")),),
        head=Head(width=0),
    )
    point = EntryPoint("entry", "somewhere:SPACE", SPACES.group)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])
    for made in (chain_space, known_space):
        monkeypatch.setattr(EntryPoint, "load", lambda self, made=made: made(macro))
        assert SPACES["entry"].macro == macro
        SPACES.pop("entry")


# Metrics


@pytest.fixture
def search(typed, tmp_path):
    """Search with changed settings: (exit code, standard error)."""

    def run(code: int, **changes) -> str:
        data = tiny.images(tmp_path / "images.npz")
        settings = {"space": "nasbench201", "alpha_step": {"samples": 6, "every": 1}} | changes
        (tmp_path / "c.toml").write_bytes(dump(tiny.config(data, **settings)))
        words = ("search", "--config", "c.toml", "--out", "run", "--quiet")
        said = typed(*words, code=code)[1]
        assert "Traceback" not in said and len(said.splitlines()) == 1, said
        assert (tmp_path / "run").exists() == (code == 3)
        return said

    return run


@pytest.mark.parametrize("value", [None, 3.0, [1.0], "text", "2-D", "nan", "inf", "negative"])
def test_a_metric_that_gives_no_costs_is_named(value) -> None:
    shapes = {
        "2-D": lambda n: np.ones((n, 1)),
        "nan": lambda n: np.full(n, np.nan),
        "inf": lambda n: np.full(n, np.inf),
        "negative": lambda n: np.full(n, -1.0),
    }
    known = isinstance(value, str) and value in shapes
    of = (lambda choices: shapes[value](len(choices))) if known else giving(value)
    metric = CostMetric(
        name="odd",
        unit="u",
        predict=lambda asked: Predicted(of=of, origin="counted", source="nowhere"),
    )
    found = predicted(metric, None)
    with pytest.raises(FaultyPlugin) as error:
        found.of(np.zeros((5, 6), dtype=int))
    assert "metric 'odd' (hwnas.metrics)" in one_line(error)


@pytest.mark.parametrize("predict", [failing, giving(None), giving(3.0)])
def test_a_metric_that_predicts_nothing_ends_a_search_before_it_begins(
    announced, search, predict
) -> None:
    announced(METRICS, CostMetric(name="odd", unit="u", predict=predict))
    assert "metric 'odd' (hwnas.metrics)" in search(2, objectives=[{"metric": "odd"}])


# Algorithms


def begun(kind: type[Ageing]):
    def start(config, objectives, rng):
        fresh = ALGORITHM.start(config, objectives, rng)
        return kind(config=fresh.config, population=fresh.population, values=fresh.values)

    return replace(ALGORITHM, start=start)


ASKED = {
    "None": None,
    "list": [[0] * 6],
    "1-D": np.zeros(6, dtype=int),
    "floats": np.zeros((4, 6)),
    "narrow": np.zeros((4, 5), dtype=int),
    "nothing": np.zeros((0, 6), dtype=int),
    "below": np.full((4, 6), -1),
    "above": np.full((4, 6), 5),
}


@pytest.mark.parametrize("what", ASKED)
def test_what_an_algorithm_asks_for_is_looked_at(what) -> None:
    odd = type("Odd", (), {"ask": giving(ASKED[what])})()
    with pytest.raises(FaultyPlugin) as error:
        ask("ageing", odd, SPACES["nasbench201"], 4, np.random.default_rng(0))
    assert "search algorithm 'ageing' (hwnas.algorithms): ask gave" in one_line(error)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("ask", failing),
        ("ask", giving(np.full((6, 6), -1))),
        ("tell", giving(None)),
        ("tell", failing),
        ("finalists", giving(None)),
        ("finalists", giving([(np.zeros(6, dtype=int), None)])),
    ],
)
def test_a_search_is_stopped_in_one_line_and_goes_on_once_the_package_is_mended(
    announced, search, typed, monkeypatch, part, value
) -> None:
    faulty = type("Faulty", (Ageing,), {part: lambda self, *args: value(*args)})
    announced(ALGORITHMS, begun(faulty))
    said = search(3, algorithm="ageing", stages=[{"cells": 3, "epochs": 2}])
    assert f"search algorithm 'ageing' (hwnas.algorithms): {part}" in said
    assert "go on with: hwnas resume run" in said
    monkeypatch.setattr(faulty, part, getattr(Ageing, part))
    typed("resume", "run", "--quiet")
    assert json.loads(typed("show", "run", "--json")[0])["front"]


@pytest.mark.parametrize(
    "start",
    [
        failing,
        giving(None),
        lambda *args: type(
            "Texts", (Ageing,), {"to_arrays": giving({"words": np.array(["a", "b"])})}
        )(config=args[0], population=np.zeros((0, 6), dtype=int), values=np.zeros((0, 2))),
    ],
)
def test_an_algorithm_that_can_not_begin_is_named(announced, search, start) -> None:
    announced(ALGORITHMS, replace(ALGORITHM, start=start))
    assert "search algorithm 'ageing' (hwnas.algorithms)" in search(2, algorithm="ageing")


def test_a_state_that_becomes_text_stops_the_search(announced, search) -> None:
    def to_arrays(self):
        return {"words": np.array(["a"])} if len(self.population) else Ageing.to_arrays(self)

    announced(ALGORITHMS, begun(type("Faulty", (Ageing,), {"to_arrays": to_arrays})))
    said = search(3, algorithm="ageing", stages=[{"cells": 3, "epochs": 2}])
    assert "search algorithm 'ageing' (hwnas.algorithms): to_arrays gave" in said


# Back ends


@pytest.mark.parametrize("back_end", [failing, giving(None), giving("text"), giving([1.0])])
def test_a_back_end_that_gives_no_outcomes_is_named(monkeypatch, typed, back_end) -> None:
    point = EntryPoint("odd", "somewhere:odd", backends.GROUP)
    load = EntryPoint.load
    monkeypatch.setattr(EntryPoint, "load", lambda s: back_end if s == point else load(s))
    monkeypatch.setattr(backends, "entry_points", lambda group: [point])
    words = ("profile", "DARTS_V2", "--channels", "4", "--cells", "3", "--backend", "odd")
    said = typed(*words, code=2)[1]
    assert "back end 'odd' (hwnas.profilers)" in said and "Traceback" not in said


def test_a_single_measurement_is_no_list() -> None:
    device = Device(name="cpu", kind="cpu", description="here")
    subject, options = backends.Subject(name="x", shape=(1, 3, 8, 8)), backends.Options()
    one = counted(MACS, 5, count_receipt("odd", device, options, subject.shape))
    with pytest.raises(FaultyPlugin, match="odd: it gave Measurement; it must give a list"):
        checked("odd", giving(one))(subject, device, options)
    assert checked("odd", giving((one,)))(subject, device, options) == [one]


# Formats

WORDS = ("export", "DARTS_V2", "--untrained", "--channels", "4", "--cells", "3", "--image", "3,8,8")


@pytest.mark.parametrize(
    "changes",
    [
        {"write": failing},
        {"write": giving("text")},
        {"write": giving(None)},
        {"check": failing},
    ],
)
def test_a_format_that_gives_no_bytes_is_named_and_nothing_is_kept(
    announced, typed, tmp_path, changes
) -> None:
    announced(FORMATS, replace(FORMAT, **changes))
    said = typed(*WORDS, "--formats", "onnx,operators", code=2)[1]
    assert "format 'operators' (hwnas.formats)" in said and len(said.splitlines()) == 1
    assert not list(tmp_path.rglob("*.onnx"))


@pytest.mark.parametrize(
    "file", [*OTHERS, *(one.file for one in FORMATS.values()), "MODEL.ONNX", "../a", "", "a/b"]
)
def test_a_format_writes_a_file_of_its_own(announced, file) -> None:
    announced(FORMATS, replace(FORMAT, file=file))
    with pytest.raises(InputError, match=r"format 'operators' \(hwnas\.formats\): file"):
        FORMATS["operators"]
    with pytest.raises(InputError, match="format 'operators'"):
        FORMATS["operators"] = replace(FORMAT, file=file)
