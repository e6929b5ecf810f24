"""Genotypes as text: our JSON, published DARTS namedtuples, NAS-Bench-201 strings, published
names, and what hwnas.space.foreign_text reads.

Text comes from outside: nothing is evaluated, and size and depth are bounded.
"""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from difflib import SequenceMatcher, get_close_matches
from typing import Any

from hwnas.space.cell_text import cell_of
from hwnas.space.foreign_text import from_dictionary, from_numbers, last_genotype
from hwnas.space.genotype import Edge, Genotype, arch_string
from hwnas.space.namedtuple_text import CALL, from_namedtuple
from hwnas.space.published import CELLS, PUBLISHED
from hwnas.space.space import SPACES
from profilers.errors import InputError, nearest

MAX_CHARACTERS = 20_000
MAX_DEPTH = 16
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def parse(text: str) -> Genotype:
    """Read a genotype in any known form.

    Raises InputError with one line that says what is wrong.
    """
    text = last_genotype(text.strip())
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"genotype: {len(text)} characters, at most {MAX_CHARACTERS} are read")
    # Before any parser sees it: their own limits differ between Python versions, and some end the
    # process.
    if _depth(text) > MAX_DEPTH or "\\" in text:
        raise InputError(f"genotype: brackets nested deeper than {MAX_DEPTH}, or a backslash")
    if text.startswith("{"):
        data = _json(text)
        found = from_dictionary(data) if "space" not in data else None
        return from_dict(data) if found is None else found
    if text.startswith("|"):
        return _from_arch_string(text)
    if text.startswith(CALL):
        return from_namedtuple(text)
    if text.upper() in PUBLISHED:
        return PUBLISHED[text.upper()]
    numbered = from_numbers(text)
    if numbered is not None:
        return numbered
    if _NAME.fullmatch(text):
        raise InputError(f"genotype: no published network is called {text!r}{_meant(text)}")
    raise InputError(
        f"genotype: expected JSON, Genotype(...), |op~0|+... or a name, not {text[:40]!r}"
    )


_AT_A_WIDTH = re.compile(r"(.+)_([0-9]{1,9}(?:\.[0-9]{1,9})?)")


def _meant(text: str) -> str:
    """What a name that is none may stand for: another width of its network, or the nearest."""
    names = [name for name in PUBLISHED if "." not in name]
    parts = _AT_A_WIDTH.fullmatch(text.upper())
    if parts is not None and parts[1] in names and text.upper() not in PUBLISHED:
        own = parts[1]
        if own in CELLS:
            return f": {own} is built of cells, of any width: leave _{parts[2]} out"
        widths = [name for name in PUBLISHED if name.startswith(f"{own}_") and "." in name]
        if not widths:
            return f": {own} has one width: leave _{parts[2]} out"
        known = {own: 1.0} | {name: float(name.rpartition("_")[2]) for name in widths}
        close = min(known, key=lambda name: abs(known[name] - float(parts[2])))
        return f"; did you mean '{close}'? (choices: {', '.join(known)})"
    # Of a network at several widths the nearest, and else its name alone.
    typed = text.upper().replace("-", "_")
    likely = get_close_matches(typed, PUBLISHED, n=1)
    return nearest(text, sorted({*likely, *names}, key=lambda name: _distance(typed, name)))


def _distance(typed: str, name: str) -> tuple[bool, float, str]:
    """Sorts names: those that begin as was typed, then the most alike."""
    alike = SequenceMatcher(None, typed, name).ratio()
    return (not name.startswith(typed), -alike, name)


def _depth(text: str) -> int:
    """How deep brackets nest, quoted ones included."""
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def format_text(genotype: Genotype) -> str:
    """The published form: an architecture string, else namedtuple text.

    DARTS pairs where every node has two inputs; lists per node where the in-degree varies, because
    the flat form cannot say which node an edge belongs to.
    """
    if SPACES[genotype.space].written == "arch_str":
        return arch_string(genotype)
    if genotype.operations:
        return json.dumps(genotype.to_dict(), separators=(",", ":"))
    flat = all(len(node) == 2 for cell in (genotype.normal, genotype.reduce) for node in cell)
    parts = []
    for kind in ("normal", "reduce"):
        nodes = [[(edge.op, edge.source) for edge in node] for node in getattr(genotype, kind)]
        written = [pair for node in nodes for pair in node] if flat else nodes
        parts.append(f"{kind}={written!r}, {kind}_concat=range(2, 6)")
    return f"Genotype({', '.join(parts)})"


def from_dict(data: Any) -> Genotype:
    """Read the JSON form: {space, normal, reduce} or {space, arch_str}. Raises InputError."""
    if not isinstance(data, dict) or not isinstance(data.get("space"), str):
        raise InputError("genotype: expected an object with the key 'space'")
    name = data["space"]
    if name not in SPACES:
        raise InputError(
            f"genotype: unknown space {name!r}{nearest(name, SPACES.names())} (a space of one's own"
            " table is known to its runs: give a run and a key)"
        )
    if not SPACES[name].slots:
        return _from_operations(name, data)
    legal = (
        {"space", "arch_str"}
        if SPACES[name].written == "arch_str"
        else {"space", "normal", "reduce"}
    )
    for key in data:
        if key not in legal:
            raise InputError(
                f"genotype of {name}: unknown key {str(key)[:40]!r}{nearest(str(key), legal)}"
            )
    if SPACES[name].written == "arch_str":
        if not isinstance(data.get("arch_str"), str):
            raise InputError(f"genotype of {name}: expected the key 'arch_str'")
        return _from_arch_string(data["arch_str"], name)
    return Genotype(
        name, cell_of(data.get("normal"), "normal"), cell_of(data.get("reduce"), "reduce")
    )


def _from_operations(name: str, data: dict[str, Any]) -> Genotype:
    """{space, operations: {decision: operation}}, in any order."""
    given = data.get("operations")
    names = [decision.name for decision in SPACES[name].decisions]
    if set(data) != {"space", "operations"} or not isinstance(given, dict):
        raise InputError(f"genotype of {name}: expected the keys 'space' and 'operations'")
    for key in given:
        if key not in names:
            raise InputError(
                f"genotype of {name}: no decision {str(key)[:40]!r}{nearest(str(key), names)}"
            )
    missing = next((one for one in names if not isinstance(given.get(one), str)), None)
    if missing is not None:
        raise InputError(f"genotype of {name}: no operation for {missing!r}")
    return Genotype(name, operations=tuple(given[one] for one in names))


def _json(text: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(text)
        return data
    except (ValueError, RecursionError) as error:
        with suppress(SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            written = ast.literal_eval(text)  # as Python prints a dictionary
            if isinstance(written, dict):
                return written
        raise InputError(f"genotype: not valid JSON ({str(error)[:80]})") from None


_NODE = re.compile(r"\|(?:[a-z0-9_]{1,40}~[0-9]{1,3}\|)+")


def _from_arch_string(text: str, space: str = "nasbench201") -> Genotype:
    nodes = text.strip().split("+")
    if not all(_NODE.fullmatch(node) for node in nodes):
        raise InputError(f"genotype: expected |op~0|+|op~0|op~1|+..., not {text[:60]!r}")
    pairs = [[part.rsplit("~", 1) for part in node.strip("|").split("|")] for node in nodes]
    return Genotype(
        space, tuple(tuple(Edge(op, int(source)) for op, source in node) for node in pairs)
    )
