"""The head of a generated model.py: what the network is, and its genotype in a form to paste."""

from __future__ import annotations

from textwrap import wrap

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
    raw: bool,
    smaller: str,
) -> str:
    """The docstring, the imports and the constants of a model.py."""
    genotype = architecture.genotype
    name, parts = name_of(genotype), SPACES[genotype.space].parts
    mean, std = normalise or ((0.0,) * image[0], (1.0,) * image[0])
    fed = "uint8, 0..255" if raw else "float32, (pixel / 255 - MEAN) / STD"
    return HEADER.format(
        key=f"{name} ({genotype.key})" if name else genotype.key,
        genotype=_pasted(format_text(genotype)),
        shape_text=f"{architecture.cells} {parts}, {architecture.channels} initial channels",
        count=len(classes),
        shape=f"(n, {image[0]}, {image[1]}, {image[2]})",
        fed=fed,
        smaller=f"\n{_capital(smaller)}.\n" if smaller else "",
        image=image,
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
