"""Whatever a measuring process answers becomes a measurement, a failure, or one line of error."""

from __future__ import annotations

import copy
import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profilers.answers import MOST, read_answers
from profilers.bounded import Ended
from profilers.errors import InputError
from profilers.measurement import Failure, Measurement
from profilers.memory import onnx_memory
from profilers.onnx_check import OnnxModel
from profilers.onnx_latency import OnnxOptions, measure_latency
from profilers.onnx_operations import onnx_operations
from profilers.remote import Transport, unpack
from tests.profilers.test_elsewhere import ANSWERS, FACTS

OPTIONS = OnnxOptions(store=None)
FAILED = {"failure": "crash", "detail": "SIGSEGV"}
THERE = Transport(command=("ssh", "board"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / "m.onnx"
    path.write_bytes(b"")
    return OnnxModel(
        path=path, inputs=(("x", (1, 2)),), nodes=1, params=1, opset=17, dtype="float32"
    )


def outcome_of(model, kind, text):
    """What one line from the other machine becomes, all the way to a value."""

    def run(request, limit_s):
        facts, answers = unpack(THERE, Ended(how="ended", returncode=0, output=text, errors=b""))
        return read_answers(facts, answers, 1, kind, "ssh board")

    measures = {
        "latency": lambda: measure_latency([model], OPTIONS, run=run)[0],
        "memory": lambda: onnx_memory(model, OPTIONS, run=run),
        "operations": lambda: onnx_operations(model, OPTIONS, run=run),
    }
    return measures[kind]()


def message(kind, **changed) -> dict:
    return copy.deepcopy({"facts": FACTS, "answers": [{"model": 0, **ANSWERS[kind]}]} | changed)


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_a_whole_answer_is_a_measurement_and_a_failure_is_one(model, kind):
    found = outcome_of(model, kind, json.dumps(message(kind)).encode())
    if kind == "operations":
        assert [(one.name, one.kind, one.us) for one in found] == [("a node", "Conv", 500_000.0)]
    else:
        assert isinstance(found, Measurement) and found.receipt.host == "a board"
    failed = outcome_of(
        model, kind, json.dumps(message(kind, answers=[{"model": 0, **FAILED}])).encode()
    )
    assert isinstance(failed, Failure) and (failed.reason, failed.detail) == ("crash", "SIGSEGV")


WRONG = (
    None, True, -1, 0, 1, 2, 10**400, -1e308, 1e308, math.nan, math.inf, "", "a", "\ud800", "\u202e\x1b[31m", "0.1",
    [], [None], [[]], [0.1] * 3, {}, {"model": 0}, [1, 2, 3],
)  # fmt: skip


def mutated(kind: str, seed: int) -> bytes:
    """A whole answer in which a few places, chosen by the seed, hold something else or nothing."""
    draw = random.Random(seed)
    root = {"root": message(kind)}
    for _ in range(draw.randint(1, 3)):
        at, key = root, "root"
        while isinstance(at[key], (dict, list)) and at[key] and draw.random() < 0.85:
            at = at[key]
            key = draw.choice(sorted(at) if isinstance(at, dict) else range(len(at)))
        if draw.random() < 0.15 and at is not root:
            del at[key]
        else:
            at[key] = copy.deepcopy(draw.choice(WRONG))
    text = json.dumps(root["root"]).encode()
    return text[: draw.randrange(len(text))] if draw.random() < 0.1 else text


@settings(max_examples=100, deadline=None, derandomize=True)
@given(kind=st.sampled_from(sorted(ANSWERS)), seed=st.integers(0, 2**32))
def test_a_mutated_answer_is_a_value_or_one_line(model, kind, seed):
    text = mutated(kind, seed)
    try:
        found = outcome_of(model, kind, text)
    except InputError as error:
        assert str(error).startswith("ssh board: ")
        assert str(error).isprintable() and len(str(error)) < 600
        return
    if isinstance(found, Failure):
        assert found.detail.isprintable()
    elif isinstance(found, Measurement):
        assert all(
            math.isfinite(value) for value in (found.low, found.value, found.high, *found.samples)
        )
        assert 0 <= found.low <= found.value <= found.high
        assert found.receipt.host.isprintable()
        json.dumps(found.to_dict(), allow_nan=False)
    else:
        assert all(one.name.isprintable() and math.isfinite(one.us) for one in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no measurement came back: exit code 0"),
        (b"null", "no measurement came back"),
        (b"[" * 100_000, "no measurement came back"),
        (b'{"answers": ' + b"9" * 5000 + b"}", "no measurement came back"),
        (b"\xff\xfe", "no measurement came back"),
        (b'{"error": "\\u001b[31m"}', r"ssh board: \\x1b\[31m"),
        (b'{"answers": [{"model": 0}]}', "facts: expected an object, not null"),
        (b'{"facts": {}, "answers": {"a": 1}}', "the answer holds no list of 1 answers"),
        (b'{"facts": {}, "answers": [{"model": 1}]}', r"answers\[0\].model: expected 0"),
        (b'{"facts": {}, "answers": [{"model": 0, "failure": "tired"}]}', "failure: none of crash, timeout"),
        (b'{"facts": {"host": 3}, "answers": [{"model": 0}]}', "facts.host: expected a text, not 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_answer_is_named(model, text, says):
    with pytest.raises(InputError, match=says) as caught:
        outcome_of(model, "memory", text)
    assert "\n" not in str(caught.value)


def test_numbers_end_where_no_measurement_has_been():
    for value in (-1e-9, 2 * MOST, 10**400, math.nan, math.inf, True, "1"):
        with pytest.raises(InputError, match="memory_mib: expected a number within"):
            read_answers({}, [{"model": 0, "memory_mib": value}], 1, "memory")


def test_an_interval_that_is_none_and_series_of_two_lengths_are_refused():
    for key, value, says in (
        ("own", [0.25], "two lists of the same length, not 1, 2"),
        ("summary", {**ANSWERS["latency"]["summary"], "low": 0.5}, "low is more than value"),
        (
            "wall_summary",
            {**ANSWERS["latency"]["summary"], "n": 3},
            "n: expected 2, the number of runs",
        ),
    ):
        with pytest.raises(InputError, match=says):
            read_answers({}, [{"model": 0, **ANSWERS["latency"], key: value}], 1, "latency")


def test_another_machine_cannot_change_what_this_one_remembers_of_its_own_speed(model, tmp_path):
    from profilers.host import host

    answer = {"model": 0, **ANSWERS["latency"], "reference": [1e-6, 1e-6]}
    facts = {"host": host().fingerprint, "versions": {"onnxruntime": "1"}}
    store = tmp_path / "speed.json"
    measure_latency(
        [model], OnnxOptions(store=store), run=lambda request, limit_s: (facts, [answer])
    )
    assert all(key.startswith("elsewhere: ") for key in json.loads(store.read_text()))
