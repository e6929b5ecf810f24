"""What a file of `hwnas export` says of the network that it holds."""

from __future__ import annotations

import json
from pathlib import Path


def network_parameters(path: Path) -> int | None:
    """The parameters of the network that an ONNX file holds, as the network is trained.

    None where the file does not say so. The file itself has fewer: BatchNorm is folded.
    """
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
        said = {one.key: one.value for one in model.metadata_props}
        value = json.loads(said["params"])["value"]
    except Exception:  # not ours, or damaged: whoever reads the network says so
        return None
    return value if isinstance(value, int) else None
