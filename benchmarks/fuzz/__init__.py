"""Mutated files and texts for every parser: each must give a valid object, or our own error in one
line.

    OMP_NUM_THREADS=1 python -m benchmarks.fuzz --inputs 100000 --out benchmarks/results/fuzz.json

An input is a valid one whose bytes were flipped, cut, doubled, swapped for hostile ones (deep
brackets, huge numbers, NaN, control characters, paths out of the folder, terminal escapes), or
pieced together from two. What counts as a failure: any exception but InputError, a message of
several lines or with control characters, more than a second of CPU time, more than 512 MiB of
memory. The memory is a limit of the process (RLIMIT_AS). Each family of parsers has a file here.
"""

from benchmarks.fuzz.judge import attack, fuzz
from benchmarks.fuzz.parsers import parsers

__all__ = ["attack", "fuzz", "parsers"]
