"""Cases of ONNX files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.cases.case import Case

WEIGHT = np.random.default_rng(0).normal(size=(6, 3, 3, 3)).astype(np.float32)
PARAMS, MACS = "162", "64,800"  # 6 x 3 x 3 x 3, and as often as there are pixels: 20 x 20
FLOAT, BYTE = TensorProto.FLOAT, TensorProto.UINT8
CONV = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)
COUNT = ("--backend", "counts")
NAMED = "not counted: "


def stored(**arrays: object) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()]


def written(
    nodes: Sequence[onnx.NodeProto],
    weights: Sequence[onnx.TensorProto] = (),
    inputs: Mapping[str, tuple[int, Sequence[int | str]]] | None = None,
    output: onnx.ValueInfoProto | None = None,
    functions: Sequence[onnx.FunctionProto] = (),
) -> Callable[[Path], None]:
    """Write m.onnx: the nodes, what is stored, the inputs (type and sizes) by name, one output."""
    given = inputs or {"x": (FLOAT, ["N", 3, 20, 20])}
    arguments = [
        helper.make_tensor_value_info(name, kind, sizes) for name, (kind, sizes) in given.items()
    ]
    result = output or helper.make_tensor_value_info("y", FLOAT, ["N", 6, 20, 20])
    graph = helper.make_graph(list(nodes), "g", arguments, [result], list(weights))
    versions = [helper.make_opsetid("", 19), helper.make_opsetid("own", 1)]
    model = helper.make_model(
        graph, opset_imports=versions, ir_version=9, functions=list(functions)
    )
    return lambda folder: onnx.save(model, str(folder / "m.onnx")) or None


def constant(**value: object) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["w"], **value)


def floats() -> Callable[[Path], None]:
    first = helper.make_node("Constant", [], ["flat"], value_floats=WEIGHT.ravel().tolist())
    sizes = helper.make_node("Constant", [], ["sizes"], value_ints=list(WEIGHT.shape))
    return written([first, sizes, helper.make_node("Reshape", ["flat", "sizes"], ["w"]), CONV])


def sparse() -> Callable[[Path], None]:
    values = numpy_helper.from_array(WEIGHT.ravel(), "w")
    places = numpy_helper.from_array(np.arange(WEIGHT.size), "i")
    return written(
        [constant(sparse_value=helper.make_sparse_tensor(values, places, WEIGHT.shape)), CONV]
    )


def quantised(weight: np.dtype | type, per_channel: bool = False) -> Callable[[Path], None]:
    """QLinearConv as a quantiser writes it."""
    scale = np.full(6 if per_channel else (), 0.1, np.float32)
    zero = np.zeros(6 if per_channel else (), weight)
    numbers = stored(
        xs=np.float32(0.1), xz=np.uint8(128), w=(10 * WEIGHT).astype(weight), ws=scale, wz=zero
    ) + stored(ys=np.float32(0.1), yz=np.uint8(128))
    node = helper.make_node(
        "QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"], pads=[1] * 4
    )
    output = helper.make_tensor_value_info("y", BYTE, ["N", 6, 20, 20])
    return written([node], numbers, {"x": (BYTE, ["N", 3, 20, 20])}, output)


def dequantised() -> Callable[[Path], None]:
    """A weight in bytes, with a scale and a zero point for every output channel."""
    numbers = stored(
        q=(10 * WEIGHT).astype(np.uint8), s=np.full(6, 0.1, "f"), z=np.zeros(6, np.uint8)
    )
    return written(
        [helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=0), CONV], numbers
    )


def without_shape() -> Callable[[Path], None]:
    output = helper.make_tensor_value_info("y", FLOAT, None)
    return written([CONV], stored(w=WEIGHT), {"x": (FLOAT, [1, 3, 20, 20])}, output)


def deformed() -> Callable[[Path], None]:
    node = helper.make_node("DeformConv", ["x", "w", "o"], ["y"], pads=[1] * 4)
    inputs = {"x": (FLOAT, [1, 3, 20, 20]), "o": (FLOAT, [1, 18, 20, 20])}
    return written([node], stored(w=WEIGHT), inputs)


def branch(name: str, nodes: Sequence[onnx.NodeProto]) -> onnx.GraphProto:
    return helper.make_graph(
        list(nodes), name, [], [helper.make_tensor_value_info(name, FLOAT, None)]
    )


def branches(other: onnx.NodeProto) -> Callable[[Path], None]:
    """A convolution in one branch, something else in the other."""
    yes = branch("t", [helper.make_node("Conv", ["x", "w"], ["t"], pads=[1] * 4)])
    node = helper.make_node("If", ["c"], ["y"], then_branch=yes, else_branch=branch("e", [other]))
    inputs: dict[str, tuple[int, Sequence[int | str]]] = {
        "x": (FLOAT, [1, 3, 20, 20]),
        "c": (TensorProto.BOOL, []),
    }
    return written([node], stored(w=WEIGHT, two=np.ones((6, 3, 1, 1), "f")), inputs)


def loop() -> Callable[[Path], None]:
    """A convolution in a loop whose end an input decides."""
    weight = constant(value=numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32)))
    body = helper.make_graph(
        [
            weight,
            helper.make_node("Identity", ["c"], ["c2"]),
            helper.make_node("Conv", ["v", "w"], ["v2"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, [1, 3, 20, 20]),
        ],
        [
            helper.make_tensor_value_info("c2", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v2", FLOAT, [1, 3, 20, 20]),
        ],
    )
    inputs = {"x": (FLOAT, [1, 3, 20, 20]), "n": (TensorProto.INT64, [])}
    return written([helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)], (), inputs)


def function(calls: int = 1) -> Callable[[Path], None]:
    """A function of the model's own, which keeps its weight in a Constant."""
    body = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(WEIGHT[:3])),
        helper.make_node("Conv", ["a", "w"], ["b"], pads=[1] * 4),
    ]
    own = helper.make_function("own", "Block", ["a"], ["b"], body, [helper.make_opsetid("", 19)])
    names = ["x", *(f"t{i}" for i in range(calls - 1)), "y"]
    nodes = [
        helper.make_node("Block", [names[i]], [names[i + 1]], domain="own")
        for i in range(len(names) - 1)
    ]
    return written(nodes, functions=[own])


def transposed() -> Callable[[Path], None]:
    """12 weights, a place of the input meets 12 of them each: 4 places, 48 MACs."""
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    return written(
        [node], stored(w=np.ones((1, 3, 2, 2), np.float32)), {"x": (FLOAT, [1, 1, 2, 2])}
    )


def profiled(
    name: str,
    make: Callable[[Path], None],
    *says: str,
    never: Sequence[str] = (),
    options: Sequence[str] = COUNT,
    code: int = 0,
) -> Case:
    return Case(
        name=name,
        make=make,
        command=("profile", "m.onnx", *options),
        code=code,
        says=says,
        never=("Traceback", *never),
    )


WITH_CONV = helper.make_node("Conv", ["x", "w"], ["e"], pads=[1] * 4)
WITH_ONE = helper.make_node("Conv", ["x", "two"], ["e"])
MEASURED = ("--budget", "0.05")

CASES: tuple[Case, ...] = (
    profiled(
        "C11 a weight in a Constant node",
        written([constant(value=stored(w=WEIGHT)[0]), CONV]),
        PARAMS,
        MACS,
    ),
    profiled("C11 a weight in value_floats", floats(), PARAMS, MACS),
    profiled("C11 a weight in sparse_value", sparse(), PARAMS, MACS),
    profiled(
        "C12 weights in unsigned bytes", quantised(np.uint8), f" {PARAMS} ", MACS, never=(NAMED,)
    ),
    profiled("C12 weights in signed bytes", quantised(np.int8), f" {PARAMS} ", MACS),
    profiled(
        "C12 a scale per channel is no parameter", quantised(np.int8, True), f" {PARAMS} ", MACS
    ),
    profiled("C12 a weight behind DequantizeLinear", dequantised(), f" {PARAMS} ", MACS),
    profiled(
        "C13 an output without a shape", without_shape(), PARAMS, MACS, "measured", options=MEASURED
    ),
    profiled(
        "C14 DeformConv is named",
        deformed(),
        PARAMS,
        "at least",
        f"macs (counts): {NAMED}DeformConv",
        never=("params (counts)",),
    ),
    profiled(
        "C14 the same convolution in both branches", branches(WITH_CONV), MACS, never=(NAMED,)
    ),
    profiled("C14 branches that differ", branches(WITH_ONE), "7,200 .. 64,800", "branches differ"),
    profiled(
        "C14 a loop that an input ends",
        loop(),
        " 9 ",
        "at least",
        f"{NAMED}Loop",
        never=("params (counts)",),
    ),
    profiled("C14 a function with its weight inside", function(), " 81 ", "32,400", never=(NAMED,)),
    profiled("C14 a function that is called twice", function(2), " 81 ", MACS, never=(NAMED,)),
    profiled("P03 ConvTranspose counts by its input", transposed(), " 12 ", " 48 "),
    profiled(
        "P03 an open batch",
        written([CONV], stored(w=WEIGHT)),
        "259,200",
        options=(*COUNT, "--batch", "4"),
    ),
    profiled(
        "--image sets the sizes that are open",
        written([CONV], stored(w=WEIGHT), {"x": (FLOAT, ["N", 3, "H", "W"])}),
        "16,200",
        options=(*COUNT, "--image", "10"),
    ),
    profiled(
        "--image is refused where no size is open",
        written([CONV], stored(w=WEIGHT)),
        "m.onnx: no input takes images of 10x10 (--image): 'x' is (N, 3, 20, 20)",
        options=(*COUNT, "--image", "10"),
        code=2,
    ),
    *(
        profiled(
            f"{option} is refused for an ONNX file",
            written([CONV], stored(w=WEIGHT)),
            f"{option}: m.onnx: an ONNX file",
            options=(*COUNT, option, value),
            code=2,
        )
        for option, value in (
            ("--channels", "8"),
            ("--cells", "4"),
            ("--classes", "10"),
        )
    ),
    profiled(
        "--dtype is refused for an ONNX file where what runs it has no such precision",
        written([CONV], stored(w=WEIGHT)),
        "back end 'onnxruntime' has no precision 'fp16'",
        options=("--dtype", "fp16"),
        code=2,
    ),
)
