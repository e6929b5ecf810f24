"""The head of a generated model.py: what the network is, and its genotype in a form to paste."""

from __future__ import annotations

from collections.abc import Mapping
from pprint import pformat
from textwrap import wrap
from typing import Any

from hwnas.export.interface import Interface
from hwnas.export.python_parts import HEADER
from hwnas.space.genotype import Architecture
from hwnas.space.published import name_of
from hwnas.space.space import SPACES
from hwnas.space.text import format_text

Pixels = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel, of pixels in 0..1."""


def header_text(
    architecture: Architecture,
    classes: tuple[str, ...],
    image: tuple[int, int, int],
    normalise: Pixels | None,
    smaller: str,
    interface: Interface,
    usage: Mapping[str, Any],
) -> str:
    """The docstring, the imports and the constants of a model.py. ``image``: (channels, height,
    width)."""
    genotype = architecture.genotype
    name, parts = name_of(genotype), SPACES[genotype.space].parts
    mean, std = normalise or ((0.0,) * image[0], (1.0,) * image[0])
    fed = "uint8, 0..255" if interface.raw else "float32, (pixel / 255 - MEAN) / STD"
    shape = (*image[1:], image[0]) if interface.channels_last else image
    return HEADER.format(
        key=f"{name} ({genotype.key})" if name else genotype.key,
        genotype=_pasted(format_text(genotype)),
        shape_text=f"{architecture.cells} {parts}, {architecture.channels} initial channels",
        count=len(classes),
        shape=f"(n, {shape[0]}, {shape[1]}, {shape[2]})",
        axes="height, width, channels" if interface.channels_last else "channels, height, width",
        output=interface.output,
        usage=pformat(usage, width=96, sort_dicts=False),
        fed=fed,
        smaller=f"\n{_capital(smaller)}.\n" if smaller else "",
        image=shape,
        classes=_wrapped(classes),
        mean=mean,
        std=std,
    )


def _pasted(text: str) -> str:
    """A genotype over several lines that is still read as one: broken behind commas only."""
    spaced = text.replace(",", ", ") if text.startswith("{") else text
    return "\n".join(wrap(spaced, 110, break_long_words=False, break_on_hyphens=False))


def _capital(sentence: str) -> str:
    """A sentence on lines of its own, with a capital."""
    return "\n".join(wrap(sentence[:1].upper() + sentence[1:], 96, break_long_words=False))


def _wrapped(classes: tuple[str, ...]) -> str:
    """A tuple display, over several lines where one is too short."""
    text = repr(classes)
    return text if len(text) < 90 else "(\n" + "".join(f"    {name!r},\n" for name in classes) + ")"
