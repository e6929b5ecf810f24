"""Which networks of a front a paired test tells apart, and the letters that say so in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def beaten(
    accuracy: Mapping[str, float],
    costs: Mapping[str, Sequence[float]],
    alike: Sequence[Sequence[str]],
) -> dict[str, str]:
    """Networks that a cheaper one is told apart from and better than, on the images that are
    printed from, and which: other images chose the front. ``costs``: those of the objectives."""
    together = {frozenset(pair) for group in alike for pair in combinations(group, 2)}
    found = {}
    for key in accuracy:
        better = [
            other
            for other in accuracy
            if accuracy[other] > accuracy[key]
            and all(one <= mine for one, mine in zip(costs[other], costs[key], strict=True))
            and frozenset((key, other)) not in together
        ]
        if better:
            found[key] = max(better, key=lambda other: accuracy[other])
    return found


def beaten_lines(worse: Mapping[str, str]) -> list[str]:
    """What is said of ``beaten``."""
    return [
        f"note: {key} is less accurate than {other}, which costs no more, by more than chance on"
        " these images"
        for key, other in worse.items()
    ]


def alike_line(images: int | None, choosing: int | None) -> str:
    """What the letters mean, and which images the accuracies are of."""
    of = "the images" if images is None else f"the {images:,} images"
    line = (
        f"alike: two networks that share a letter are not told apart by a paired test on {of} that"
        " their accuracies are of"
    )
    if choosing is None:
        return line
    return f"{line}; the front was chosen on {choosing:,} other images"
