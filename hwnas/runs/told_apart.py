"""Which networks of a front a paired test tells apart, and the letters that say so in a table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from hwnas.runs.paired import paired_difference
from hwnas.runs.right_images import Bools

Groups = list[list[int]]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def groups(right: Bools) -> Groups:
    """The largest groups of networks of which no two are told apart, by their first members.

    ``right``: (networks, images), whether each network gets each of the same images right. Two are
    told apart where the exact McNemar test finds a difference at 5 %, pair by pair: of many pairs
    that are equal in truth, one in twenty is.

    Every pair that is not told apart shares a group, and no pair that is does (Piepho, Journal of
    Computational and Graphical Statistics, 2004: insert and absorb).
    """
    found = [set(range(len(right)))]
    for one, other in combinations(range(len(right)), 2):
        if paired_difference(right[one], right[other]).outcome == "open":
            continue
        parts = [
            group - {left} if {one, other} <= group else group
            for group in found
            for left in ((one, other) if {one, other} <= group else (one,))
        ]
        found = [
            part
            for place, part in enumerate(parts)
            if not any(
                part < more or (part == more and earlier < place)
                for earlier, more in enumerate(parts)
            )
        ]
    return sorted(sorted(group) for group in found)


def letters(alike: Sequence[Sequence[str]]) -> dict[str, str]:
    """Of each key its letters, one for each group that it is in: keys that share none are told
    apart."""
    found: dict[str, str] = {}
    for number, group in enumerate(alike):
        for key in group:
            found[key] = found.get(key, "") + letter(number)
    return found


def letter(number: int) -> str:
    """The letter of a group; of more groups than letters there are, with a number."""
    more, place = divmod(number, len(LETTERS))
    return LETTERS[place] + (str(more) if more else "")


def alike_line(images: int | None, choosing: int | None) -> str:
    """What the letters mean, and which images the accuracies are of."""
    of = "the images" if images is None else f"the {images:,} images"
    line = (
        f"alike: networks that share a letter are not told apart by a paired test on {of} that"
        " their accuracies are of"
    )
    return line if choosing is None else f"{line}; {choosing:,} others chose the front"
