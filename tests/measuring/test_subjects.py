"""What `hwnas profile` takes, and what it says of files that it does not read."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from hwnas.cli.subject_options import subject_size
from hwnas.export.python_parts import HEADER
from hwnas.measuring.profile import default_backends, per_operation, refuse_tflite
from hwnas.measuring.subjects import Shape, build, resolve
from profilers.device import Device
from profilers.errors import InputError
from profilers.subject import Options, needs_module, needs_onnx

UNSAID = dict.fromkeys(
    ("--channels", "--cells", "--classes", "--stem", "--image", "--shape", "--precision")
)
OPTIONS = {**UNSAID, "--batch": 1, "--channels-last": False, "--cuda-graph": False}
BOARD = Device(name="board", kind="edge_cpu", description="elsewhere")


def test_a_tflite_file_is_for_litert_alone(tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    found = resolve(str(file), Shape())
    assert default_backends(found, Options()) == ("litert",)
    subject = build(found[0], 1, tmp_path)
    for needs, wanted in ((needs_onnx, "litert alone reads"), (needs_module, "not a TFLite file")):
        with pytest.raises(InputError, match=wanted):
            needs(subject)
    with pytest.raises(InputError, match="--per-op"):
        per_operation(found, BOARD, Options())
    with pytest.raises(InputError, match="board is not attached here, and nothing is estimated"):
        refuse_tflite(found, BOARD, Options(place=""))


@pytest.mark.parametrize(
    ("option", "value"),
    [("--channels", 4), ("--image", "32"), ("--shape", ["x=1,3"]), ("--precision", "int8"),
     ("--channels-last", True), ("--batch", 2)],
)  # fmt: skip
def test_what_a_tflite_file_says_itself_can_not_be_said_beside_it(
    option: str, value: object
) -> None:
    assert subject_size("model.tflite", OPTIONS)[1] == ()
    with pytest.raises(InputError, match=f"^{option}: model.tflite: a TFLite file"):
        subject_size("model.tflite", {**OPTIONS, option: value})


@pytest.mark.parametrize(
    ("name", "owner", "backend"),
    [("a.xml", "OpenVINO", "openvino"), ("a.param", "ncnn", "ncnn"), ("a.bin", "ncnn", "ncnn")],
)
def test_other_runtimes_own_files_are_refused_with_what_to_give(
    name: str, owner: str, backend: str, tmp_path: Path
) -> None:
    for file in (name, "a.param" if name == "a.bin" else name):
        (tmp_path / file).write_bytes(b"\xff")
    with pytest.raises(
        InputError, match=rf"no files of {owner}.* \.onnx file .*--backend {backend}"
    ):
        resolve(str(tmp_path / name), Shape())


def test_the_code_of_an_exported_network_is_no_genotype_of_another_size(tmp_path: Path) -> None:
    genotype = "DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0)])"
    code = tmp_path / "model.py"
    code.write_text(HEADER.format_map(defaultdict(str, genotype=genotype)))
    with pytest.raises(InputError, match=r"not of which size.*\.onnx file"):
        resolve(str(code), Shape())
    code.write_text(genotype)  # a file of genotypes is read
    with pytest.raises(InputError) as caught:
        resolve(str(code), Shape())
    assert "size" not in str(caught.value)


def test_a_folder_of_exported_files_is_told_from_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.toml in it"):
        subject_size(str(tmp_path), OPTIONS)
    (tmp_path / "model.onnx").touch()
    with pytest.raises(
        InputError, match=r"not a run directory; give a file in it, such as .*model\.onnx"
    ):
        subject_size(str(tmp_path), OPTIONS)
