"""A file format that nobody here has thought of, in one file, is exported beside the others, and
checked."""

from __future__ import annotations

import json
from pathlib import Path

import onnx

from hwnas.export.formats import FORMATS, Format, NotTheSame
from tests.strangers.format import FORMAT

WORDS = (
    "export",
    "DARTS_V2",
    "--untrained",
    "--channels",
    "4",
    "--cells",
    "3",
    "--image",
    "3,8,8",
    "--json",
)


def test_it_is_written_and_named_beside_the_others(typed, announced) -> None:
    announced(FORMATS, FORMAT)
    (record,) = json.loads(typed(*WORDS, "--formats", "onnx,operators")[0])
    assert list(record["files"]) == ["onnx", "operators"]
    listed = Path(record["files"]["operators"]).read_text().splitlines()
    graph = onnx.load(record["files"]["onnx"]).graph
    assert [line.split()[0] for line in listed] == [node.op_type for node in graph.node]


def test_a_file_that_fails_its_check_is_not_kept(typed, announced, tmp_path) -> None:
    def refuse(exporting, content) -> None:
        raise NotTheSame("operators.txt: not today")

    announced(
        FORMATS,
        Format(
            name="operators", file="operators.txt", write=FORMAT.write, check=refuse, runs_on=""
        ),
    )
    _, said = typed(*WORDS, "--formats", "onnx,operators", code=2)
    assert "not today" in said
    assert not list(tmp_path.rglob("operators.txt"))
