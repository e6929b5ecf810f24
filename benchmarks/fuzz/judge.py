"""Whether a parser deals with an input as promised."""

from __future__ import annotations

import random
import resource
import time
import traceback
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.mutate import mutated
from benchmarks.fuzz.parser import Parser
from benchmarks.fuzz.parsers import parsers
from profilers.errors import InputError

SECONDS, MIB = 1.0, 512


@dataclass(kw_only=True)
class Failure:
    """An input that was not dealt with as promised."""

    parser: str
    what: str
    input: str


def attack(parser: Parser, data: bytes) -> tuple[str, Failure | None]:
    """ "valid" or "refused", and what was wrong with that."""
    began = time.process_time()
    outcome, what = "valid", ""
    try:
        parser.read(data)
    except InputError as error:
        outcome, text = "refused", str(error)
        if not text or any(unicodedata.category(character)[0] == "C" for character in text):
            what = f"message {text[:200]!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        what = "".join(traceback.format_exception(error)[-3:])
    spent = time.process_time() - began
    if not what and spent > SECONDS:
        what = f"{spent:.1f} s"
    return outcome, Failure(parser=parser.name, what=what, input=data[:300].hex()) if what else None


def fuzz(
    count: int, seed: int, folder: Path, only: str = ""
) -> tuple[dict[str, Counter[str]], list[Failure]]:
    """``count`` inputs in all, the parsers whose names hold ``only`` in turn."""
    draw, known = random.Random(seed), [parser for parser in parsers(folder) if only in parser.name]
    if not known:
        raise SystemExit(f"no parser's name holds {only!r}")
    for parser in known:
        for (
            data
        ) in parser.seeds:  # what is valid must be taken, or the mutations would prove nothing
            parser.read(data)
    outcomes, failures = {parser.name: Counter[str]() for parser in known}, list[Failure]()
    for number in range(count):
        parser = known[number % len(known)]
        outcome, failure = attack(parser, mutated(draw, parser.seeds))
        outcomes[parser.name][outcome] += 1
        if failure:
            failures.append(failure)
    return outcomes, failures


def limit_memory() -> None:
    """From now on the process may grow by 512 MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + MIB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
