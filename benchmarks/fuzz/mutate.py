"""Valid inputs changed: bytes, and values of JSON."""

from __future__ import annotations

import json
import random
from typing import Any

HOSTILE = (
    b"[" * 50_000, b"{" * 50_000, b"(" * 5_000, b'{"a":' * 5_000, b"9" * 400, b"-1", b"0", b"1e999", b"nan",
    b"NaN", b"Infinity", b"-Infinity", b"null", b"true", b'""', b"../../etc/passwd", b"/dev/zero", b"\x00", b"\xff\xfe",
    b"\x1b[31m", b"\n", b"\r\n", b"|", b"~", b"+", b"none", b"skip_connect", b"'", b'"', b",", b"=",
    b"18446744073709551616",
    b"__import__('os').system('true')", b"\xe2\x80\xae", b"1" * 5_000, b"a" * 100_000,
)  # fmt: skip


def mutated(draw: random.Random, seeds: list[bytes]) -> bytes:
    """One valid input with one to six changes."""
    data = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        at = draw.randrange(len(data) + 1)
        length = min(len(data) - at, draw.choice((1, 1, 2, 8, 64, 1024)))
        kind = draw.randrange(9)
        if kind > 6:
            data = bytearray(restructured(draw, bytes(data)))
        elif kind == 0 and data:
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = data[at : at + length]
        elif kind == 3:
            data[at : at + length] = draw.choice(HOSTILE)
        elif kind == 4:
            data[at:at] = draw.choice(HOSTILE)
        elif kind == 5:
            other = draw.choice(seeds)
            start = draw.randrange(len(other) + 1)
            data[at : at + length] = other[start : start + length]
        else:
            del data[at:]
    return bytes(data)


VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 0.5, 2**31, 2**63, 10**400, 1e308, -1e308, 5e-324, "", "a", "x" * 30_000,
    "..", "\u2028", "\ud800", "\x1b[31m", [], {}, [[]], [None], {"a": None}, [0] * 1_000,
)  # fmt: skip


def restructured(draw: random.Random, data: bytes) -> bytes:
    """JSON, or a line of it, with one value replaced, left out, doubled or under another name."""
    lines = data.splitlines(keepends=True) or [b""]
    at = 0 if data.startswith((b"{\n", b"[\n")) else draw.randrange(len(lines))
    whole = data.startswith((b"{\n", b"[\n"))
    try:
        value = json.loads(data if whole else lines[at])
    except (ValueError, RecursionError):
        return data
    places: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        keys = part.keys() if isinstance(part, dict) else range(len(part))
        for key in keys:
            places.append((part, key))
            if isinstance(part[key], dict | list):
                walk(part[key])

    if isinstance(value, dict | list):
        walk(value)
    if not places:
        return data
    (part, key), kind = draw.choice(places), draw.randrange(5)
    if kind == 0:
        del part[key]
    elif kind == 1:
        other, name = draw.choice(places)
        part[key] = json.loads(json.dumps(other[name]))
    elif kind == 2 and isinstance(part, list):
        part.append(part[key])
    elif kind == 2:
        part[draw.choice(("a", "..", "params", "\u202e"))] = part.pop(key)
    else:
        part[key] = draw.choice(VALUES)
    written = json.dumps(value).encode()
    return written if whole else b"".join([*lines[:at], written + b"\n", *lines[at + 1 :]])
