"""The one reader of what a measuring process answers, on this machine or on another.

An answer is JSON that somebody else wrote: a remote host may send anything. What is read is checked
for its type, its range and its length, and only what is known is kept; the first thing that is
wrong is one line of InputError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from profilers.errors import InputError, visible

Answer = dict[str, Any]
Kind = Literal["latency", "memory", "operations"]

FAILURES = ("crash", "timeout", "out of memory", "not finite", "refused")
MOST = 1e12
"""More than any duration in seconds, ratio of durations, or memory in MiB that was measured."""
MOST_SAMPLES = 10_000_000
MOST_NODES = 100_000
_LONGEST_TEXT = 300
_MOST_VERSIONS, _MOST_PROVIDERS = 20, 20
_SUMMARY = ("min", "p10", "median", "p90", "p99", "iqr", "value", "low", "high", "noise")


def read_answers(
    facts: object, answers: object, models: int, kind: Kind, source: str = "the measuring process"
) -> tuple[Answer, list[Answer]]:
    """Facts and one answer per model, with known keys only.

    An answer is a failure (`failure`, `detail`), or what `worker.py` gives for the `kind` of
    measurement. Raises InputError in a line that names the `source` and the key.
    """
    try:
        return _read(facts, answers, models, kind)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _read(facts: object, answers: object, models: int, kind: Kind) -> tuple[Answer, list[Answer]]:
    known = _facts(_table(facts, "facts"))
    if (
        not isinstance(answers, Sequence)
        or isinstance(answers, (str, bytes))
        or len(answers) != models
    ):
        raise InputError(f"the answer holds no list of {models} answers")
    read: Mapping[Kind, Callable[[Mapping[str, object], str], Answer]] = {
        "latency": _latency,
        "memory": _memory,
        "operations": _operations,
    }
    found = []
    for index, answer in enumerate(answers):
        name = f"answers[{index}]"
        table = _table(answer, name)
        if _whole(table.get("model"), f"{name}.model", 0) != index:
            raise InputError(f"{name}.model: expected {index}")
        one = _failure(table, name) if "failure" in table else read[kind](table, name)
        found.append({"model": index, **one})
    return known, found


def _facts(table: Mapping[str, object]) -> Answer:
    versions = _table(table.get("versions", {}), "facts.versions")
    if len(versions) > _MOST_VERSIONS:
        raise InputError(f"facts.versions: more than {_MOST_VERSIONS} of them")
    return {
        "versions": {
            _short(key): _text(value, "facts.versions") for key, value in versions.items()
        },
        "host": _text(table.get("host", ""), "facts.host"),
    }


def _failure(table: Mapping[str, object], name: str) -> Answer:
    if table["failure"] not in FAILURES:
        raise InputError(f"{name}.failure: none of {', '.join(FAILURES)}")
    return {"failure": table["failure"], "detail": _text(table.get("detail", ""), f"{name}.detail")}


def _latency(table: Mapping[str, object], name: str) -> Answer:
    own, wall, reference = (
        _numbers(table.get(key), f"{name}.{key}") for key in ("own", "wall", "reference")
    )
    if not wall or len(own) != len(wall):
        raise InputError(
            f"{name}: own and wall must be two lists of the same length, not {len(own)},"
            f" {len(wall)}"
        )
    summaries = {
        key: _summary(table.get(key), f"{name}.{key}") for key in ("summary", "wall_summary")
    }
    if summaries["wall_summary"]["n"] != len(wall):
        raise InputError(f"{name}.wall_summary.n: expected {len(wall)}, the number of runs")
    return {
        "own": own,
        "wall": wall,
        "reference": reference,
        **summaries,
        **({"parity": _parity(table["parity"], f"{name}.parity")} if "parity" in table else {}),
        **({"load_s": _number(table["load_s"], f"{name}.load_s")} if "load_s" in table else {}),
        **({"nodes": _nodes(table["nodes"], f"{name}.nodes")} if "nodes" in table else {}),
    }


def _nodes(value: object, name: str) -> Answer:
    """How many nodes each provider took."""
    table = _table(value, name)
    if len(table) > _MOST_PROVIDERS:
        raise InputError(f"{name}: more than {_MOST_PROVIDERS} providers")
    return {_short(key): _whole(count, name, 0) for key, count in table.items()}


def _parity(value: object, name: str) -> Answer:
    """Errors of the outputs; see `opened.py`."""
    table = _table(value, name)
    return {key: _number(table.get(key), f"{name}.{key}") for key in ("rms", "max", "largest")}


def _memory(table: Mapping[str, object], name: str) -> Answer:
    return {"memory_mib": _number(table.get("memory_mib"), f"{name}.memory_mib")}


def _operations(table: Mapping[str, object], name: str) -> Answer:
    nodes = table.get("operations")
    if not isinstance(nodes, list) or len(nodes) > MOST_NODES:
        raise InputError(f"{name}.operations: expected a list of at most {MOST_NODES:,}")
    found = []
    for number, node in enumerate(nodes):
        where = f"{name}.operations[{number}]"
        if not isinstance(node, list) or len(node) != 3:
            raise InputError(f"{where}: expected a name, a kind and seconds")
        found.append([_text(node[0], where), _text(node[1], where), _number(node[2], where)])
    return {"operations": found}


def _summary(value: object, name: str) -> Answer:
    table = _table(value, name)
    found: Answer = {key: _number(table.get(key), f"{name}.{key}") for key in _SUMMARY}
    for low, high in (("low", "value"), ("value", "high"), ("min", "median"), ("median", "p99")):
        if found[low] > found[high]:
            raise InputError(f"{name}: {low} is more than {high}")
    noisy = table.get("noisy")
    if not isinstance(noisy, bool):
        raise InputError(f"{name}.noisy: expected true or false")
    n = _whole(table.get("n"), f"{name}.n", 1)
    return {
        **found,
        "n": n,
        "noisy": noisy,
        "statistic": _text(table.get("statistic"), f"{name}.statistic"),
    }


def _table(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InputError(f"{name}: expected an object, not {_quoted(value)}")
    return value


def _numbers(value: object, name: str) -> list[float]:
    if not isinstance(value, list) or len(value) > MOST_SAMPLES:
        raise InputError(
            f"{name}: expected a list of at most {MOST_SAMPLES:,} numbers, not {_quoted(value)}"
        )
    return [_number(one, name) for one in value]


def _number(value: object, name: str) -> float:
    # bool is an int in Python, but no number of JSON.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MOST:
        raise InputError(f"{name}: expected a number within 0..{MOST:g}, not {_quoted(value)}")
    return float(value)


def _whole(value: object, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        raise InputError(f"{name}: expected a whole number from {least}, not {_quoted(value)}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name}: expected a text, not {_quoted(value)}")
    return _short(value)


def _short(text: str) -> str:
    """What may be shown: at most 300 characters, none that a terminal obeys."""
    return visible(text[:_LONGEST_TEXT])[:_LONGEST_TEXT]


def _quoted(value: object) -> str:
    """A value that is wrong, for a message."""
    if isinstance(value, str):
        return f"'{_short(value)[:60]}'"
    if (
        value is None
        or isinstance(value, (bool, float))
        or (isinstance(value, int) and abs(value) < 10**18)
    ):
        return "null" if value is None else str(value)
    return {dict: "an object", list: "a list", int: "a number of many digits"}.get(
        type(value), "that"
    )
