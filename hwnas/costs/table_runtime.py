"""Which runtime a latency table was measured in: a table of one says nothing about another."""

from __future__ import annotations

from profilers.table import Table

USUAL = ("", "onnxruntime", "torch")
"""What tables are of where nobody asked for a runtime: which of the two depends on the target."""
PRECISIONS = ("fp16", "bf16", "int8")
"""What may be asked for beside float32."""


def runtime_words(backend: str | None, precision: str = "fp32") -> str:
    """A back end that was asked for and its precision in one word or two, such as "openvino",
    "openvino int8" and "int8"; empty for the target's usual one in float32."""
    words = (backend or "", "" if precision == "fp32" else precision)
    return " ".join(word for word in words if word)


def runtime_of(table: Table) -> str:
    """What a table was measured in, as ``runtime_words``; empty where it does not say."""
    receipt = table.provenance.get("receipt", {})
    precision = str(receipt.get("dtype") or "fp32").replace("float32", "fp32")
    return runtime_words(str(receipt.get("backend") or ""), precision)


def in_runtime(table: Table, runtime: str) -> bool:
    """Whether a table was measured in what is asked for; one that does not say is of the usual."""
    (asked, precision), (backend, measured_precision) = _parts(runtime), _parts(runtime_of(table))
    if precision != measured_precision:
        return False
    if not asked:
        return backend in USUAL
    return backend == asked or (not backend and asked in USUAL)


def runtime_options(runtime: str) -> str:
    """The options of the command line that ask for a runtime, with a blank before them."""
    backend, precision = _parts(runtime)
    given = f" --backend {backend}" if backend else ""
    return given + (f" --precision {precision}" if precision else "")


def _parts(runtime: str) -> tuple[str, str]:
    """A back end, empty for the target's usual one, and a precision, empty for float32."""
    *before, last = runtime.split(" ")
    return (" ".join(before), last) if last in PRECISIONS else (runtime, "")
