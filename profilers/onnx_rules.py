"""What is known of ONNX operators: which compute nothing that counts, which multiply, which inputs
are weights.

All lists are positive: an operator that stands in none of them is named, never taken for 0.
"""

from __future__ import annotations

from onnx import NodeProto

from profilers.onnx_free import FREE
from profilers.onnx_walk import STANDARD

RUNTIME = "com.microsoft"

CONVOLUTIONS = {
    "Conv": (0, 1),
    "ConvInteger": (0, 1),
    "QLinearConv": (0, 3),
    "ConvTranspose": (0, 1),
    "FusedConv": (0, 1),
}
"""Operator -> positions of its two operands."""
PRODUCTS = {
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
    "Gemm": (0, 1),
    "FusedMatMul": (0, 1),
    "FusedGemm": (0, 1),
    "QGemm": (0, 3),
    "MatMulIntegerToFloat": (0, 1),
    "DynamicQuantizeMatMul": (0, 1),
}
CONTROL = ("If", "Loop", "Scan")
"""They run graphs of their own."""

RUNTIME_FREE = frozenset(
    (
        *("BiasGelu", "DequantizeLinear", "FastGelu", "Gelu", "QLinearAdd", "QLinearAveragePool"),
        *("QLinearConcat", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul"),
        *(
            "QLinearReduceMean",
            "QLinearSigmoid",
            "QLinearSoftmax",
            "QLinearWhere",
            "QuantizeLinear",
        ),
        *("QuickGelu", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"),
    )
)
"""The same of ONNX Runtime's own operators, as its quantiser and its optimiser write them."""

WEIGHTS: dict[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "FusedConv": (1, 2),
    "ConvTranspose": (1, 2),
    "DeformConv": (1, 3),
    "CausalConvWithState": (1, 2),
    "ConvInteger": (1,),
    "QLinearConv": (3, 8),
    "MatMul": (0, 1),
    "FusedMatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "MatMulIntegerToFloat": (0, 1, 6),
    "DynamicQuantizeMatMul": (0, 1, 4),
    "QLinearMatMul": (0, 3),
    "Gemm": (0, 1, 2),
    "FusedGemm": (0, 1, 2),
    "QGemm": (0, 3, 6),
    "PRelu": (1,),
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "RMSNormalization": (1,),
    "LSTM": (1, 2, 3, 7),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
}
"""Inputs that are parameters whatever their type is: quantised ones, and biases in int32."""
SETTINGS: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (3, 4),  # running statistics, which torch keeps as buffers
    "LSTM": (4, 5, 6),
    "GRU": (4, 5),
    "RNN": (4, 5),
    "ConvInteger": (2, 3),
    "MatMulInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "DynamicQuantizeMatMul": (2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QLinearMul": (1, 2, 4, 5, 6, 7),
    "QLinearAveragePool": (1, 2, 3, 4),
    "QLinearGlobalAveragePool": (1, 2, 3, 4),
    "QLinearLeakyRelu": (1, 2, 3, 4),
    "QLinearReduceMean": (1, 2, 3, 4),
    "QLinearSigmoid": (1, 2, 3, 4),
    "QLinearSoftmax": (1, 2, 3, 4),
    "QLinearWhere": (0, 2, 3, 5, 6, 7, 8),
    "Attention": (3,),
    "Clip": (1, 2),
    "Dropout": (1, 2),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (2, 3, 4),
    "OneHot": (0, 1, 2),
    "Pad": (1, 2, 3),
    "Pow": (1,),
    "Range": (0, 1, 2),
    "Resize": (1, 2, 3),
    "RotaryEmbedding": (1, 2),
    "STFT": (1, 2, 3),
    "Upsample": (1,),
    "ConstantOfShape": (0,),
}
"""Inputs that say how to compute: scales, zero points, limits, exponents, fill values.

Never parameters.
"""
CARRIERS = frozenset(
    (
        *(
            "Identity",
            "Cast",
            "CastLike",
            "Reshape",
            "Transpose",
            "Squeeze",
            "Unsqueeze",
            "Flatten",
            "Expand",
        ),
        *(
            "Slice",
            "Split",
            "Tile",
            "QuantizeLinear",
            "DequantizeLinear",
            "Dropout",
            "Concat",
            "Gather",
        ),
    )
)
"""What comes out of them is their first input (all inputs of Concat) in another form, so a
weight stays one."""


def is_standard(node: NodeProto) -> bool:
    """Whether ONNX itself defines the operator."""
    return node.domain in STANDARD


def is_ruled(node: NodeProto) -> bool:
    """Whether the lists above are about this operator: another domain may use the same name for
    another one."""
    if is_standard(node):
        return True
    known = node.op_type in RUNTIME_FREE or node.op_type in WEIGHTS
    return node.domain == RUNTIME and known and node.op_type not in CONTROL


def is_free(node: NodeProto) -> bool:
    """Whether the operator is known to have no multiply-accumulate."""
    if is_standard(node):
        return node.op_type in FREE
    return node.domain == RUNTIME and node.op_type in RUNTIME_FREE


def is_setting(node: NodeProto, position: int) -> bool:
    """Whether an input says how to compute.

    QLinearConcat has triples of data, scale and zero point.
    """
    if node.op_type == "QLinearConcat":
        return position < 2 or position % 3 != 2
    return position in SETTINGS.get(node.op_type, ())
