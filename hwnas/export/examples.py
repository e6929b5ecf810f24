"""An example for each format: a program of some twenty lines that classifies photos without
hwnas.

It needs the format's runtime, Pillow and numpy, preprocess.py and the JSON beside it, and runs from
any folder.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Example:
    """What differs between the programs: `install` for pip, the lines that import, and those that
    define `run(images)`; `{weights}` stands for the second file of a format."""

    install: str
    imports: str
    body: str


TEMPLATE = '''"""The likeliest classes of photos, by {file} alone. Needs: pip install {install}

python {name} photo.jpg ...
"""

import sys
from pathlib import Path

{imports}
from preprocess import best, image_array, load_usage

FOLDER = Path(__file__).resolve().parent
USAGE = load_usage("{file}")
{body}


if len(sys.argv) < 2:
    sys.exit(__doc__)
for photo in sys.argv[1:]:
    try:
        images = image_array(photo, USAGE)
    except OSError as error:
        sys.exit(f"{{photo}}: {{error}}")
    found = best(run(images), USAGE)
    print(f"{{photo}}: " + ", ".join(f"{{name}} {{share:.4f}}" for name, share in found))
'''

_ONNX = Example(
    install="onnxruntime pillow",
    imports="import onnxruntime",
    body="""session = onnxruntime.InferenceSession(
    str(FOLDER / "{file}"), providers=["CPUExecutionProvider"]
)


def run(images):
    return session.run(None, {{USAGE["input"]["name"]: images}})[0]""",
)
_OPENVINO = Example(
    install="openvino pillow",
    imports="import openvino",
    body="""network = openvino.Core().compile_model(
    str(FOLDER / "{file}"), "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}}
)


def run(images):
    return network([images])[0]""",
)
_NCNN = Example(
    install="ncnn pillow",
    imports="import ncnn\nimport numpy as np",
    body="""net = ncnn.Net()
net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
net.load_param(str(FOLDER / "{file}"))
net.load_model(str(FOLDER / "{weights}"))


def run(images):
    extractor = net.create_extractor()
    extractor.input(net.input_names()[0], ncnn.Mat(images[0]).clone())
    return np.array(extractor.extract(net.output_names()[0])[1])""",
)
_LITERT = Example(
    install="ai-edge-litert pillow",
    imports="import numpy as np\nfrom ai_edge_litert.interpreter import Interpreter",
    body="""ready = Interpreter(model_path=str(FOLDER / "{file}"))
ready.allocate_tensors()
taken, given = ready.get_input_details()[0], ready.get_output_details()[0]


def run(images):
    scale, zero = taken["quantization"]
    if scale and images.dtype == np.float32:  # an INT8 file stores what comes in
        ends = np.iinfo(taken["dtype"])
        images = np.clip(np.rint(images / scale) + zero, ends.min, ends.max)
    ready.set_tensor(taken["index"], images.astype(taken["dtype"]))
    ready.invoke()
    values, (scale, zero) = ready.get_tensor(given["index"]), given["quantization"]
    return (values.astype(np.float32) - zero) * scale if scale else values""",
)
EXAMPLES = {
    "onnx": _ONNX,
    "int8": _ONNX,
    "pt2": Example(
        install="torch pillow",
        imports="import torch",
        body="""network = torch.export.load(FOLDER / "{file}").module()


def run(images):
    with torch.inference_mode():
        return network(torch.from_numpy(images)).numpy()""",
    ),
    "python": Example(
        install="torch numpy pillow",
        imports="import model\nimport torch",
        body="""network = model.load(str(FOLDER / "{weights}"))


def run(images):
    with torch.inference_mode():
        return network(torch.from_numpy(images)).numpy()""",
    ),
    "openvino": _OPENVINO,
    "openvino-fp16": _OPENVINO,
    "ncnn": _NCNN,
    "ncnn-fp16": _NCNN,
    "tflite": _LITERT,
    "tflite-int8": _LITERT,
}
"""By format."""


def example_name(name: str) -> str:
    """What the program of the format ``name`` is called."""
    return f"example_{name.replace('-', '_')}.py"


def example_text(name: str, file: str, weights: str) -> str:
    """The program of the format ``name``, whose files are ``file`` and ``weights``."""
    example = EXAMPLES[name]
    return TEMPLATE.format(
        name=example_name(name),
        file=file,
        install=example.install,
        imports=example.imports,
        body=example.body.format(file=file, weights=weights),
    )
