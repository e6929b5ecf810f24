"""What another machine sends back."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.fuzz.parser import Parser, Read
from profilers.answers import Kind, read_answers
from profilers.bounded import Ended
from profilers.remote import Transport, unpack


def remote_parsers() -> list[Parser]:
    """Answers of every kind."""
    return [
        Parser(name=f"remote {kind}", seeds=[answer], read=_of_remote(kind))
        for kind, answer in _answers().items()
    ]


def _of_remote(kind: Kind) -> Read:
    there = Transport(command=("there",))

    def call(data: bytes) -> object:
        ended = Ended(how="ended", returncode=0, output=data, errors=data)
        facts, answers = unpack(there, ended)
        return read_answers(facts, answers, 1, kind, "there")

    return call


def _answers() -> dict[Kind, bytes]:
    """What another machine sends back, one answer of each kind."""
    numbers = dict.fromkeys(
        ("min", "p10", "median", "p90", "p99", "iqr", "value", "low", "high", "noise"), 0.002
    )
    summary = {**numbers, "n": 8, "statistic": "median", "noisy": False}
    series = {"own": [0.002] * 8, "wall": [0.002] * 8, "reference": [0.001] * 8}
    facts = {"versions": {"onnxruntime": "1.20.0", "numpy": "2.0.0"}, "host": "a board, 4 cores"}
    answers: dict[Kind, dict[str, Any]] = {
        "latency": {**series, "summary": summary, "wall_summary": summary},
        "memory": {"memory_mib": 12.5, "before_mib": 40.0},
        "operations": {"operations": [["conv_1", "Conv", 0.001], ["relu_1", "Relu", 0.0001]]},
    }
    return {
        kind: json.dumps({"facts": facts, "answers": [{"model": 0, **answer}]}).encode()
        for kind, answer in answers.items()
    }
