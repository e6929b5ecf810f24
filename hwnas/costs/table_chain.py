"""The chain of blocks that a latency table is about, kept in its provenance.

A chain of somebody's own is known by the name in its file, and another file may have the same name.
So a table holds the whole chain: it can be asked without the file, and is not taken for another's.
"""

from __future__ import annotations

from typing import Any, Literal

from hwnas.space import SHIPPED
from hwnas.space.chain import known_space
from hwnas.space.macro_toml import macro_of, table_of
from hwnas.space.space import SPACES, Space
from profilers.table import Table

KEY = "macro"


def chain_kept(space: Space) -> dict[str, Any]:
    """What the provenance of a table of this space says of its chain; nothing of other spaces."""
    return {} if space.macro is None else {KEY: table_of(space.macro)}


def same_chain(table: Table, space: Space) -> bool:
    """Whether a table is about this chain; one that doesn't say (older ones) is by its name."""
    kept = table.provenance.get(KEY)
    return kept is None or chain_kept(space).get(KEY) == kept


def learn_chain(table: Table, source: str) -> None:
    """Make the chain that a table is about known by its name, where no space of that name is.

    Raises InputError for one that can't be built.
    """
    kept = table.provenance.get(KEY)
    if kept is not None and table.space not in SPACES:
        known_space(macro_of(kept, f"{source}: provenance"))


def space_word(space: Space) -> str:
    """How a space is typed; the file of a chain of somebody's own is not known here."""
    by_name = space.macro is None or space.name in SHIPPED or SPACES.announces(space.name)
    return space.name if by_name else "FILE.toml"


def parts_of(table: Table) -> Literal["cells", "blocks", "cells or blocks"]:
    """What the depth of a table's networks counts."""
    if table.space in SPACES:
        return SPACES[table.space].parts
    return "blocks" if KEY in table.provenance else "cells or blocks"
