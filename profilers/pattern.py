"""Regular expressions from device files, limited so that a search ends within a known number of
steps.

Python's `re` tries every way to match in turn: `.?` sixty times takes 2^60 steps. A pattern is
allowed where the number of ways, counted from what it is written with, stays small on the longest
name that is ever searched in.
"""

from __future__ import annotations

import math
import re

LONGEST_PATTERN = 200
LONGEST_TEXT = 100
"""Characters of a device's name that are looked at."""
MOST_STEPS = 2e7
"""About a third of a second."""
MOST_REPETITIONS = 3


def steps(pattern: str) -> float:
    """An upper bound of the steps of one search, for a pattern that repeats no group.

    Every `*`, `+` and `{` may stop after each of the n characters and every start is tried: n^(r +
    1) / (r + 1)! ways. Every `?` and `|` at most doubles them. Characters that are escaped or stand
    in a class are counted as well.
    """
    repetitions, choices = len(re.findall(r"[*+{]", pattern)), len(re.findall(r"[?|]", pattern))
    starts_and_stops = math.pow(LONGEST_TEXT, repetitions + 1) / math.factorial(repetitions + 1)
    return starts_and_stops * math.pow(2, choices)


def refused(pattern: str) -> str:
    """Why a pattern is not taken, in words; empty where it is."""
    if len(pattern) > LONGEST_PATTERN:
        return f"is too complex: {len(pattern)} characters, of at most {LONGEST_PATTERN}"
    if len(re.findall(r"[*+{]", pattern)) > MOST_REPETITIONS or re.search(r"\)\s*[*+{?]", pattern):
        return f"is too complex: at most {MOST_REPETITIONS} repetitions, none of a group"
    if steps(pattern) > MOST_STEPS:
        return "is too complex: too many of *, +, ? and | together, a search would take too long"
    if re.search(r"\(\?(?![:=!])|\\[1-9]", pattern):
        return (
            "is too complex: no references to groups and no flags; of (?...) only (?:...), (?=...)"
            " and (?!...)"
        )
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}"
    return ""


def found_in(pattern: str, text: str) -> bool:
    """Whether an allowed pattern matches anywhere in the first 100 characters of a text,
    regardless of case."""
    return bool(pattern) and re.search(pattern, text[:LONGEST_TEXT], re.IGNORECASE) is not None
