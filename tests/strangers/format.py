"""A format that no one here has thought of: the network's ONNX operators as a list, one a line,
for a bus driver."""

from __future__ import annotations

from hwnas.export.formats import Exporting, Format, NotTheSame


def write(exporting: Exporting) -> bytes:
    lines = [f"{node.op_type} {' '.join(node.output)}" for node in exporting.model.graph.node]
    return ("\n".join(lines) + "\n").encode()


def check(exporting: Exporting, content: bytes) -> None:
    if len(content.splitlines()) != len(exporting.model.graph.node):
        raise NotTheSame("operators.txt: a line for each operator is needed")


FORMAT = Format(
    name="operators", file="operators.txt", write=write, check=check, runs_on="a made-up bus"
)
