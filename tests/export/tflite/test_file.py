"""The bytes of a .tflite file: by the schema, aligned, and of use to a program that knows nothing
of hwnas."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hwnas.export.tflite.file import ALIGNED, METADATA, OPTIONS, SIGNATURE, tflite_bytes
from hwnas.export.tflite.format import written
from hwnas.export.tflite.int8 import quantised
from hwnas.space.layers import Layer, conv_bn
from tests.export.networks import images

from .small import headed, needs_litert, tensors_of

pytestmark = needs_litert
LAYERS = (*conv_bn(3, 6, (9, 8), 2), Layer("max_pool", 6, 6, (5, 4), kernel=(3, 3), stride=(2, 2)))


@pytest.fixture(params=["fp32", "int8"])
def content(request) -> bytes:
    graph, module = headed(LAYERS)
    model = written(graph, tensors_of(module, LAYERS))
    if request.param == "int8":
        model = quantised(model, [images(4, (3, 9, 8))])
    return tflite_bytes(model, {METADATA: json.dumps({"key": "abc"})})


def test_constants_begin_where_the_schema_asks_for_and_say_what_the_file_is(
    content: bytes,
) -> None:
    from ai_edge_litert import schema_py_generated as schema

    assert content[4:8] == b"TFL3"
    model = schema.Model.GetRootAs(content, 0)
    whole = np.frombuffer(content, np.uint8)
    for number in range(model.BuffersLength()):
        buffer = model.Buffers(number)
        if buffer.DataLength():
            at = buffer.DataAsNumpy().__array_interface__["data"][0]
            assert (at - whole.__array_interface__["data"][0]) % ALIGNED == 0
    entry = model.Metadata(0)
    assert entry.Name() == METADATA.encode()
    text = bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    assert json.loads(text) == {"key": "abc"}


def test_every_operator_that_is_written_is_one_of_the_schema() -> None:
    from ai_edge_litert import schema_py_generated as schema

    for kind, options in OPTIONS.items():
        assert hasattr(schema.BuiltinOperator, kind)
        assert not options or hasattr(schema.BuiltinOptions, options)


PROGRAM = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
ready = Interpreter(model_path=sys.argv[1])
run = ready.get_signature_runner(sys.argv[2])
(given,) = run.get_input_details().values()
for batch in (1, 3):
    found = run(image=np.zeros((batch, 9, 8, 3), given["dtype"]))
    assert found["logits"].shape == (batch, 5), found["logits"].shape
assert not {"torch", "onnx", "hwnas"} & set(sys.modules)
"""


def test_a_program_without_hwnas_opens_it_by_its_signature_for_any_batch(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    subprocess.run([sys.executable, "-c", PROGRAM, str(path), SIGNATURE], check=True)
