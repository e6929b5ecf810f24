"""Which runtime a latency table was measured in: a table of one says nothing about another."""

from __future__ import annotations

from profilers.table import Table


def runtime_words(backend: str | None, precision: str = "fp32") -> str:
    """A back end that was asked for and its precision in one word or two, such as "openvino" and
    "openvino int8"; empty for the target's usual one in float32."""
    if precision == "fp32":
        return backend or ""
    return f"{backend or 'onnxruntime'} {precision}"


def runtime_of(table: Table) -> str:
    """What a table was measured in, as ``runtime_words``; empty where it does not say."""
    receipt = table.provenance.get("receipt", {})
    precision = str(receipt.get("dtype") or "fp32").replace("float32", "fp32")
    return runtime_words(str(receipt.get("backend") or ""), precision)


USUAL = ("", "onnxruntime", "torch")
"""What tables are of where nobody asked for a runtime."""


def in_runtime(table: Table, runtime: str) -> bool:
    """Whether a table was measured in what is asked for; one that does not say is of the usual."""
    measured_in = runtime_of(table)
    if runtime in USUAL:
        return measured_in in (USUAL if not runtime else ("", runtime))
    return measured_in == runtime


def runtime_options(runtime: str) -> str:
    """The options of the command line that ask for a runtime, with a blank before them."""
    backend, _, precision = runtime.partition(" ")
    given = f" --backend {backend}" if backend else ""
    return given + (f" --precision {precision}" if precision else "")
