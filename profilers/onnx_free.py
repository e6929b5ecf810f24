"""The ONNX operators that compute nothing that counts, by what they do."""

from __future__ import annotations

_ELEMENTWISE = (
    *(
        "Abs",
        "Acos",
        "Acosh",
        "Add",
        "And",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "BitShift",
        "BitwiseAnd",
    ),
    *(
        "BitwiseNot",
        "BitwiseOr",
        "BitwiseXor",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Cosh",
        "Div",
        "Elu",
        "Equal",
    ),
    *(
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "HardSwish",
        "IsInf",
    ),
    *(
        "IsNaN",
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Mean",
        "Min",
        "Mish",
        "Mod",
        "Mul",
        "Neg",
    ),
    *(
        "Not",
        "Or",
        "PRelu",
        "Pow",
        "Reciprocal",
        "Relu",
        "RotaryEmbedding",
        "Round",
        "Selu",
        "Shrink",
    ),
    *(
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Sum",
        "SwiGLU",
        "Swish",
    ),
    *("Tan", "Tanh", "ThresholdedRelu", "Where", "Xor", "Dropout", "Cast", "CastLike", "BitCast"),
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"),
)


_NORMALISED = (
    *(
        "BatchNormalization",
        "GroupNormalization",
        "InstanceNormalization",
        "LayerNormalization",
        "LRN",
    ),
    *(
        "LpNormalization",
        "MeanVarianceNormalization",
        "RMSNormalization",
        "Softmax",
        "LogSoftmax",
        "Hardmax",
    ),
)


_POOLED = (
    *(
        "AveragePool",
        "GlobalAveragePool",
        "GlobalLpPool",
        "GlobalMaxPool",
        "LpPool",
        "MaxPool",
        "MaxRoiPool",
    ),
    *(
        "MaxUnpool",
        "Resize",
        "Upsample",
        "ArgMax",
        "ArgMin",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
    ),
    *("ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
    *(
        "ReduceSumSquare",
        "CumSum",
        "CumProd",
        "NegativeLogLikelihoodLoss",
        "SoftmaxCrossEntropyLoss",
    ),
)


_MOVED = (
    *("Bernoulli", "CenterCropPad", "Compress", "Concat", "ConcatFromSequence", "Constant"),
    *(
        "ConstantOfShape",
        "DepthToSpace",
        "Expand",
        "EyeLike",
        "Flatten",
        "Gather",
        "GatherElements",
    ),
    *("GatherND", "Identity", "Multinomial", "NonZero", "OneHot", "Optional", "OptionalGetElement"),
    *(
        "OptionalHasElement",
        "Pad",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    ),
    *(
        "Range",
        "Reshape",
        "ReverseSequence",
        "Scatter",
        "ScatterElements",
        "ScatterND",
        "SequenceAt",
    ),
    *(
        "SequenceConstruct",
        "SequenceEmpty",
        "SequenceErase",
        "SequenceInsert",
        "SequenceLength",
        "Shape",
    ),
    *(
        "Size",
        "Slice",
        "SpaceToDepth",
        "Split",
        "SplitToSequence",
        "Squeeze",
        "StringConcat",
        "StringSplit",
    ),
    *(
        "StringNormalizer",
        "RegexFullMatch",
        "TensorScatter",
        "Tile",
        "TopK",
        "Transpose",
        "Trilu",
        "Unique",
    ),
    *("Unsqueeze", "BlackmanWindow", "HammingWindow", "HannWindow"),
)


FREE = frozenset((*_ELEMENTWISE, *_NORMALISED, *_POOLED, *_MOVED))
"""Standard operators without a multiply-accumulate, as `counts.py` defines one."""
