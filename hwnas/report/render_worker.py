"""The process that draws: one JSON line in, one out, until its input ends; see
hwnas.report.render."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any


def main() -> None:
    """Answer each request with {"value": text, bytes in base64} or {"error": text}."""
    import vl_convert

    does: dict[str, Any] = {
        "vegalite_to_png": vl_convert.vegalite_to_png,
        "vegalite_to_svg": vl_convert.vegalite_to_svg,
        "svg_to_png": vl_convert.svg_to_png,
        "javascript_bundle": vl_convert.javascript_bundle,
    }
    answers = sys.stdout  # of a pipe: the process that asked reads them
    for line in sys.stdin:
        request = json.loads(line)
        try:
            value = does[request["what"]](request["of"], **request["options"])
            content = value if isinstance(value, bytes) else value.encode()
            answer = {"value": base64.b64encode(content).decode()}
        except Exception as error:  # vl-convert has no type of its own for what it refuses
            answer = {"error": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
