"""``Genotype(normal=..., normal_concat=..., reduce=..., reduce_concat=...)``, the namedtuple of
DARTS that most searchers of cells print."""

from __future__ import annotations

import ast
import reprlib
from collections.abc import Mapping
from typing import Any

from hwnas.space.cell_text import published_cell
from hwnas.space.genotype import Genotype
from hwnas.space.space import SPACES
from profilers.errors import InputError, nearest

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
CALL = "Genotype("
JOINED = [2, 3, 4, 5]
_ARRAYS = frozenset(("array", "asarray", "list", "tuple"))
_NUMBERS = frozenset(("int", "int_", "intp", "str", "str_", "float"))


def from_namedtuple(text: str) -> Genotype:
    """Read the text of a call; nothing is called. Raises InputError."""
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError("expected Genotype(normal=..., normal_concat=..., ...)")
        given: dict[str | None, Any] = dict(
            zip([*FIELDS, *map(str, range(5, 64))], map(_literal, call.args), strict=False)
        )
        given |= {keyword.arg: _literal(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise InputError(f"genotype: not a readable Genotype(...) ({reason[:80]})") from None
    if None in given:
        raise InputError("genotype: not a readable Genotype(...) (** stands in it)")
    return from_fields({str(name): value for name, value in given.items()})


def from_fields(given: Mapping[str, Any]) -> Genotype:
    """The genotype of the namedtuple's fields, as it is read from text or from JSON.

    Further fields may stand there where they hold nothing. Raises InputError.
    """
    for name, value in given.items():
        if name not in FIELDS and value not in (None, [], {}):
            raise InputError(
                f"genotype: the field {name[:40]!r} of Genotype(...) is not known here"
                f"{nearest(name, FIELDS)}"
            )
    for kind in ("normal", "reduce"):
        if kind not in given:
            raise InputError(f"genotype: Genotype(...) has no field {kind!r}")
        concat = given.get(f"{kind}_concat", JOINED)
        if not isinstance(concat, list | tuple) or list(concat) != JOINED:
            raise InputError(
                f"genotype: {kind}_concat is {reprlib.repr(concat)}: a cell of this space joins"
                " all its four nodes, range(2, 6)"
            )
    return _first_that_fits(given["normal"], given["reduce"])


def _first_that_fits(normal: Any, reduce: Any) -> Genotype:
    """DARTS operations where they suffice, else the TND space; published text does not name its
    space."""
    cells = published_cell(normal, "normal"), published_cell(reduce, "reduce")
    try:
        return Genotype("darts", *cells)
    except InputError as darts_says:
        foreign = {edge.op for cell in cells for node in cell for edge in node} - set(
            SPACES["darts"].ops("normal")
        )
        if not foreign & (set(SPACES["tnd"].ops("normal")) | set(SPACES["tnd"].ops("reduce"))):
            raise darts_says from None
        return Genotype("tnd", *cells)


def _literal(node: ast.expr) -> Any:
    """A literal whose numbers and lists may be NumPy's, and ``range(a, b)``: what is printed.

    Raises ValueError for everything else.
    """
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(part) for part in node.elts]
    if isinstance(node, ast.Call):
        return _called(node)
    if isinstance(node, ast.Constant | ast.UnaryOp):
        return ast.literal_eval(node)
    raise ValueError(f"{_words(node)} is neither text, a number nor a list")


def _called(node: ast.Call) -> Any:
    name = _name(node.func)
    known = [keyword for keyword in node.keywords if keyword.arg != "dtype"]
    if not known and name == "range":
        arguments = [_literal(argument) for argument in node.args]
        small = all(type(bound) is int and 0 <= bound <= 64 for bound in arguments)
        if 1 <= len(arguments) <= 2 and small:
            return list(range(*arguments))
        raise ValueError("of ranges only range(2, 6) is known")
    if not known and len(node.args) == 1:
        value = _literal(node.args[0])
        number = name.rstrip("0123456789") in ("int", "uint", "float") or name in _NUMBERS
        if (name in _ARRAYS and isinstance(value, list)) or (
            number and isinstance(value, int | float | str)
        ):
            return value
    raise ValueError(f"{_words(node.func)}(...) is not known")


def _name(node: ast.expr) -> str:
    """``int64`` of ``int64``, ``np.int64`` and ``numpy.int64``; nothing of what else is called."""
    if isinstance(node, ast.Name):
        return node.id
    module = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id
    return node.attr if module in ("np", "numpy") and isinstance(node, ast.Attribute) else ""


def _words(node: ast.expr) -> str:
    return ast.unparse(node)[:40]
