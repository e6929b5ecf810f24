"""What is written beside exported files for people who have nothing but them: a JSON for each, a
program for each, and a card for all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwnas.export.examples import EXAMPLES, example_name, example_text
from hwnas.export.interface import Interface
from hwnas.export.preprocess_text import PREPROCESS
from hwnas.export.usage import usage
from hwnas.training.checkpoint import WEIGHTS
from hwnas.training.weights import Weights
from profilers.errors import visible

CARD = "model-card.md"
PREPROCESSING = "preprocess.py"


@dataclass(frozen=True, kw_only=True)
class FormatFiles:
    """The files of one format, the first is the one that is opened, and what runs them."""

    name: str
    files: tuple[str, ...]
    runs_on: str


def interface_of(name: str, interface: Interface) -> Interface:
    """What the files of the format ``name`` take: TFLite has channels last whatever is asked."""
    return replace(interface, channels_last=True) if name.startswith("tflite") else interface


def json_of(name: str) -> str:
    """The JSON beside a file."""
    return f"{name}.json"


def files_beside(
    weights: Weights,
    interface: Interface,
    formats: Sequence[FormatFiles],
    notes: Mapping[str, Any],
) -> dict[str, bytes]:
    """The JSON and the example of each format, preprocess.py and the card, by file name.

    ``notes``: what is known of the network, such as its parameters and its accuracy. Images that
    no photo becomes (neither grey nor RGB, or not square) have no examples.
    """
    found: dict[str, str] = {}
    for one in formats:
        said = usage(weights, interface_of(one.name, interface))
        runs = one.name in EXAMPLES and said["photo"] is not None
        files = list(one.files) + ([WEIGHTS] if one.name == "python" else [])
        content = {
            "schema": said.pop("schema"),
            "file": files[0],
            "files": files,
            "format": one.name,
            "runs_on": one.runs_on,
            "preprocess": PREPROCESSING if runs else None,
            "example": example_name(one.name) if runs else None,
            "key": weights.architecture.genotype.key,
            **said,
            "notes": dict(notes),
        }
        found[json_of(files[0])] = json.dumps(content, indent=1) + "\n"
        if runs:
            found[example_name(one.name)] = example_text(one.name, files[0], files[-1])
            found[PREPROCESSING] = PREPROCESS
    found[CARD] = card(weights, interface, formats, notes)
    return {name: text.encode() for name, text in found.items()}


def card(
    weights: Weights,
    interface: Interface,
    formats: Sequence[FormatFiles],
    notes: Mapping[str, Any],
) -> str:
    """The text of model-card.md."""
    said = usage(weights, interface)
    taken, photo, given = said["input"], said["photo"], said["output"]
    lines = [
        f"# {weights.architecture.genotype.key}",
        "",
        f"{_origin(notes)} A JSON beside each file says the same for programs.",
        "",
        *(f"- {name}: {_note(value)}" for name, value in notes.items()),
        "",
        f"## Classes: {len(weights.classes)}, in the order of the outputs",
        "",
        *(f"{number}. {_text(name)}" for number, name in enumerate(weights.classes)),
        "",
        "## What goes in, what comes out",
        "",
        f"- `{taken['name']}`: {taken['type']}, {taken['layout']}, shape"
        f" {_shape(taken['shape'])}, {taken['colour'] or 'of its own channels'}: {taken['values']}"
        + (". TFLite files take NHWC." if taken["layout"] == "NCHW" else ""),
        f"- mean {taken['mean']}, deviation {taken['std']}, of pixels in 0..1"
        + (", applied inside" if taken["normalised_inside"] else ""),
        f"- `{given['name']}`: float32, shape {_shape(given['shape'])}"
        + ("" if given["softmax_inside"] else "; a softmax makes probabilities of them"),
        "",
        "## From a photo to pixels",
        "",
        *(_photo(photo) if photo else ["The network's images are no photos."]),
        "",
        "## Files",
        "",
        "| file | runs on | example |",
        "|---|---|---|",
    ]
    for one in formats:
        example = example_name(one.name) if photo and one.name in EXAMPLES else ""
        lines.append(f"| {', '.join(f'`{file}`' for file in one.files)} | {one.runs_on} |")
        lines[-1] += f" {f'`{example}`' if example else ''} |"
    runs = "`python EXAMPLE photo.jpg` runs one; its first lines say what it needs.\n"
    lines += [
        "",
        *([runs] if photo else []),
        "These files were written last. Those of earlier exports say in the JSON beside them what"
        " they are. `best.safetensors`, `training.safetensors` and `training.json` belong to `hwnas"
        " train`.",
    ]
    return "\n".join(lines) + "\n"


def _origin(notes: Mapping[str, Any]) -> str:
    """Whether a search found the network, or its genotype was given."""
    if "run" in notes:
        return "A network that hwnas found."
    if "known_as" in notes:
        return f"The published network {_text(notes['known_as'])}, written by hwnas."
    return "A network whose genotype was given to hwnas, which wrote it."


def _photo(rule: Mapping[str, Any]) -> list[str]:
    resize, crop, average = rule["resize"], rule["crop"], rule["average"]
    least = rule["jpeg"]["decoded_smaller_to_sides_of_at_least"]
    steps = [
        f"{', '.join(rule['formats'])}: {rule['pages']}. A JPEG may be decoded smaller, to sides of"
        f" at least {least}.",
        f"16 bits: {rule['sixteen_bits']}. Transparent pixels are {rule['transparent']}.",
        f"The picture is {rule['orientation']}.",
        f"Cut out {rule['square']}, and resize it to {resize['side']} pixels: {resize['filter']},"
        " with antialias (Pillow's resize).",
    ]
    if crop["side"] != resize["side"]:
        steps.append(f"Of that take the middle {crop['side']} x {crop['side']} pixels.")
    if average:
        steps.append(f"Average it down to {average['side']} pixels ({average['rule']}).")
    return [f"{number}. {step}" for number, step in enumerate(steps, start=1)]


def _note(value: Any) -> str:
    """A value that is known of a network, with its unit and where it is from."""
    if not isinstance(value, Mapping):
        return _text(value)
    known = value.get("value")
    if isinstance(known, int | float):
        known = f"{known:,}" if isinstance(known, int) else f"{known:.4g}"
    parts = [known, value.get("unit"), f"on {value['data']}" if "data" in value else None]
    words = " ".join(_text(part) for part in parts if part is not None)
    return f"{words}, {_text(value['origin'])}" if "origin" in value else words


def _shape(shape: Sequence[int | None]) -> str:
    return f"({', '.join('n' if side is None else str(side) for side in shape)})"


def _text(value: object) -> str:
    """A text from outside, which is neither a line's end nor markup here."""
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in visible(str(value)))
