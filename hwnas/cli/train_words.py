"""What is typed for a training, as values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from profilers.errors import InputError
from profilers.limits import check_numbers

if TYPE_CHECKING:
    from hwnas.training.recipe import Recipe


def recipe_of(name: str, **changes: Any) -> Recipe:
    """The preset of that name, with what is not None in place of its own."""
    from hwnas.training.recipe import recipe_named

    return replace(
        recipe_named(name), **{key: value for key, value in changes.items() if value is not None}
    )


def numbers_of(name: str, text: str | None) -> list[int | None]:
    """``"16,24"`` -> [16, 24]; nothing -> [None], the network's own."""
    if text is None:
        return [None]
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"{name}: expected whole numbers such as 16,24, not {text[:60]!r}"
        ) from None
    for number in numbers:
        check_numbers("--", **{name: number})
    return [*numbers]
