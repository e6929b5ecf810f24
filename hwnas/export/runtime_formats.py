"""Files of OpenVINO (.xml and .bin) and ncnn (.param and .bin), each run in its runtime before it
is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto
from torch import Tensor, nn

from hwnas.export.usage import METADATA
from hwnas.export.verify import exact_logits
from hwnas.space.graph import IMAGE
from profilers import parity
from profilers.answers import Answer
from profilers.errors import InputError
from profilers.isolate import ask
from profilers.ncnn_convert import NotConverted, convert
from profilers.parity import Expected
from profilers.runtimes import check_runtime

Files = Mapping[str, bytes]
IMAGES = 32
LIMIT_S = 120.0


def openvino_files(model: bytes, name: str, *, fp16: bool = False, notes: str = "") -> Files:
    """The IR of the ONNX file, ``name`` .xml and .bin, batch size open; ``fp16`` halves the
    weights' size. ``notes``: how it is used, kept in its rt_info as hwnas/usage."""
    check_runtime("openvino", "fp32", elsewhere=False)
    from profilers.session_openvino import silent_openvino

    openvino = silent_openvino()
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        source = Path(folder) / "model.onnx"
        source.write_bytes(model)
        file = Path(folder) / f"{name}.xml"
        network = openvino.Core().read_model(str(source))
        if notes:
            network.set_rt_info(notes, ["hwnas", METADATA])
        openvino.save_model(network, str(file), compress_to_fp16=fp16)
        return {
            f"{name}{suffix}": file.with_suffix(suffix).read_bytes() for suffix in (".xml", ".bin")
        }


def ncnn_files(
    model: ModelProto, name: str, image: tuple[int, ...], *, fp16: bool = False
) -> Files:
    """``name`` .param and .bin, for one image at a time.

    Raises InputError for uint8 pixels, which ncnn does not take, and for what pnnx can't convert.
    """
    check_runtime("ncnn", "fp32", elsewhere=False)
    try:
        param, weights = convert(model, {model.graph.input[0].name: (1, *image)}, fp16=fp16)
    except NotConverted as error:
        raise InputError(f"format 'ncnn': {error}; leave it out of --formats") from None
    return {f"{name}.param": param, f"{name}.bin": weights}


def problem_of(
    files: Files,
    network: nn.Module,
    images: Sequence[Tensor],
    runtime: str,
    stored: str,
    own_max: float | None = None,
) -> str:
    """Run the files on test images; why their logits are not the network's, empty where they are.

    ``stored``: the precision of the weights, in which the runtime computes too, but OpenVINO, which
    computes in float32. ``own_max``: the error that is usual in it, None where torch says that.
    The runtime has a process of its own: one that crashes or hangs ends no export.
    """
    given = np.concatenate([batch.numpy() for batch in images])[:IMAGES][:, None]
    expected = Expected(
        inputs=(given,),
        outputs=(exact_logits(network, images, IMAGES).numpy()[:, None],),
        source="torch in float64",
        own_max=parity.rounding_error(network, given, stored) if own_max is None else own_max,
    )
    with tempfile.TemporaryDirectory(prefix="hwnas-") as folder:
        paths = [Path(folder) / name for name in files]
        for path in paths:
            path.write_bytes(files[path.name])
        model: Answer = {
            "path": str(paths[0]),
            "weights": str(paths[1]) if len(paths) > 1 else "",
            "shapes": {IMAGE: list(given.shape[1:])},
            "expected": str(expected.write(Path(folder) / "expected.npz")),
        }
        request: Answer = {
            "runtime": runtime,
            "precision": "fp32" if runtime == "openvino" else stored,
            "measure": "parity",
            "models": [model],
        }
        answer = ask(request, LIMIT_S)
    if "parity" not in answer:
        return f"{answer.get('failure', 'crash')}: {answer.get('detail', '')}"
    return parity.problem(answer["parity"], expected, stored)
