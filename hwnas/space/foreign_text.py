"""Genotypes in the forms of other projects: NNI's and ConfigSpace's dictionaries, NASLib's numbers,
lines of a log.

What a form leaves open is not guessed: two projects number the same operations in different orders.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from hwnas.space.cell_text import published_cell
from hwnas.space.genotype import Edge, Genotype
from hwnas.space.namedtuple_text import CALL, FIELDS, from_fields
from hwnas.space.space import CellKind
from profilers.errors import InputError

LONGEST_CALL = 20_000
KINDS: tuple[CellKind, CellKind] = ("normal", "reduce")
_ARCH_STR = re.compile(r"\|[a-z0-9_]{1,40}~0\|(?:\+(?:\|[a-z0-9_]{1,40}~[0-9]){1,8}\|){2}")
_OPERATIONS = ("max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5",
               "dil_conv_3x3", "dil_conv_5x5")  # fmt: skip
PAIRS: Mapping[str, tuple[str, ...]] = {"naslib": _OPERATIONS, "bananas": ("none", *_OPERATIONS)}
"""Operations by number in pairs of (source, operation): automl/NASLib, naszilla/bananas."""
BY_SOURCE = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
BY_NODE = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
INDICES: Mapping[str, tuple[tuple[str, ...], tuple[tuple[int, int], ...]]] = {
    "naslib": (
        ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"),
        BY_SOURCE,
    ),
    "nas-bench-201": (
        ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
        BY_NODE,
    ),
}
"""Operations and edges (source, node) by number: automl/NASLib, D-X-Y/NAS-Bench-201."""
_WHOSE = re.compile(r"(naslib|bananas|nas-?bench-?201)\s*:\s*(?=[(\[])", re.IGNORECASE)


def last_genotype(text: str) -> str:
    """The last ``Genotype(...)`` or architecture string in a text such as a log; the text itself
    where none is found, without the quotes around it."""
    while len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    at = text.rfind(CALL)
    if at >= 0:
        return _call(text[at : at + LONGEST_CALL]) or text
    if text.startswith(("|", "{")):
        return text
    found = _ARCH_STR.findall(text)
    return found[-1] if found else text


def _call(text: str) -> str:
    """The text up to the bracket that ends the call with which it begins; empty without one."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character in ")]}":
            return text[: at + 1]
    return ""


def from_dictionary(data: Mapping[str, Any]) -> Genotype | None:
    """The genotype of a dictionary that names no space; None for one that is none of these.

    The fields of a namedtuple; NNI's ``normal/op_2_0`` and ``normal/input_2_0``; NAS-Bench-301's
    ``...:edge_normal_0`` and ``...:inputs_node_normal_3`` (ConfigSpace). Raises InputError.
    """
    if set(FIELDS[::2]) <= set(data):
        return from_fields(data)
    short = {re.split(r":|_COLON_", str(key))[-1]: value for key, value in data.items()}
    if "normal/op_2_0" in short:
        return _darts(*(_nni(short, kind) for kind in KINDS))
    if "edge_normal_0" in short:
        return _darts(*(_edges(short, kind) for kind in KINDS))
    return None


def _darts(normal: Any, reduce: Any) -> Genotype:
    return Genotype("darts", published_cell(normal, "normal"), published_cell(reduce, "reduce"))


def _nni(data: Mapping[str, Any], kind: CellKind) -> list[list[list[Any]]]:
    return [
        [
            [_said(data, f"{kind}/op_{node}_{edge}"), _one(data, f"{kind}/input_{node}_{edge}")]
            for edge in range(2)
        ]
        for node in range(2, 6)
    ]


def _one(data: Mapping[str, Any], key: str) -> Any:
    """A number, which some versions write as a list of one."""
    value = _said(data, key)
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def _edges(data: Mapping[str, Any], kind: CellKind) -> list[list[list[Any]]]:
    """Edges are numbered through all nodes: two of the first, three of the next, and so on."""
    nodes = []
    for node, start in zip(range(2, 6), accumulate((2, 3, 4), initial=0), strict=True):
        sources = "0_1" if node == 2 else _said(data, f"inputs_node_{kind}_{node}")
        if not isinstance(sources, str) or not re.fullmatch("[0-4]_[0-4]", sources):
            raise InputError(
                f"genotype: inputs_node_{kind}_{node} must be two numbers such as 0_1, not"
                f" {str(sources)[:40]!r}"
            )
        numbers = [int(one) for one in sources.split("_")]
        nodes.append([[_said(data, f"edge_{kind}_{start + one}"), one] for one in numbers])
    return nodes


def _said(data: Mapping[str, Any], key: str) -> Any:
    if key not in data:
        raise InputError(f"genotype: the key {key!r} is missing")
    return data[key]


def from_numbers(text: str) -> Genotype | None:
    """The genotype of a tuple of numbers, with the name of who numbered them in front; None for
    what is no such tuple.

    Raises InputError where the name is missing: it says which are possible.
    """
    whose = _WHOSE.match(text)
    try:
        numbers = ast.literal_eval(text[whose.end() :] if whose else text)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    name = re.sub("nas-?bench-?201", "nas-bench-201", whose[1].lower()) if whose else None
    if _is_row(numbers, 6):
        operations, edges = INDICES[_known(name, INDICES, "operations of a NAS-Bench-201 cell")]
        return _indexed(numbers, operations, edges)
    if (
        isinstance(numbers, list | tuple)
        and len(numbers) == 2
        and all(isinstance(cell, list | tuple) and len(cell) == 8 for cell in numbers)
        and all(_is_row(pair, 2) for cell in numbers for pair in cell)
    ):
        named = PAIRS[_known(name, PAIRS, "pairs of (source, operation) of DARTS cells")]
        cells = [
            [[_numbered(named, operation), source] for source, operation in cell]
            for cell in numbers
        ]
        return _darts(*cells)
    return None


def _is_row(value: Any, length: int) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == length
        and all(type(number) is int and 0 <= number < 64 for number in value)
    )


def _known(name: str | None, names: Mapping[str, Any], what: str) -> str:
    if name in names:
        return str(name)
    first, second = (f"{known}:" for known in names)
    raise InputError(
        f"genotype: these numbers stand for {what}, and projects number them differently: write"
        f" {first} or {second} in front of them, or give the operations by name"
    )


def _indexed(
    numbers: Sequence[int], operations: tuple[str, ...], edges: Sequence[tuple[int, int]]
) -> Genotype:
    nodes: list[list[Edge]] = [[], [], []]
    for (source, node), number in zip(edges, numbers, strict=True):
        nodes[node - 1].append(Edge(_numbered(operations, number), source))
    return Genotype("nasbench201", tuple(map(tuple, nodes)))


def _numbered(operations: Sequence[str], number: int) -> str:
    if number >= len(operations):
        raise InputError(
            f"genotype: operation {number}, but there are {len(operations)}, numbered from 0"
        )
    return operations[number]
