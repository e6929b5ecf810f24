"""What stands in the drawing of a cell or of a network, before it has a place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from hwnas.space.build import architecture_graph
from hwnas.space.encoding import to_choices
from hwnas.space.genotype import Architecture, Cell, Genotype
from hwnas.space.size import Task
from hwnas.space.space import NONE, SPACES, Decision, Space

HEIGHT = {"state": 28.0, "op": 24.0, "lane": 0.0}


NETWORK = "network"
"""The picture of a genotype that has no cells."""


TIMES, MINUS = "\u00d7", "\u2212"
Kind = Literal["state", "op", "lane"]


@dataclass(eq=False, kw_only=True)
class Item:
    """One box, or one lane past other boxes, with its neighbours in the layers beside it."""

    kind: Kind
    label: str
    op: str
    state: int
    layer: int
    width: float
    before: list[Item] = field(default_factory=list)
    after: list[Item] = field(default_factory=list)
    y: float = 0.0

    @property
    def height(self) -> float:
        """In pixels."""
        return HEIGHT[self.kind]


def op_label(op: str) -> str:
    """What a box says: underscores become spaces, ``3x3`` gets its sign, ``skip_connect`` is
    short."""
    words = op.removeprefix("nor_").replace("_", " ").replace("skip connect", "skip")
    return re.sub(r"(?<=\d)x(?=\d)", TIMES, words)[:40]


def option_label(decision: Decision, option: str) -> str:
    """What an option of a decision is called beside those of others: ``side 0.5`` and ``width
    0.5`` are not the same."""
    return f"{decision.name} {option}" if decision.of_size else op_label(option)


def state_names(space: str) -> tuple[str, ...]:
    """The states of a cell in the order in which edges count them, output last."""
    found = SPACES[space]
    pair = (f"c k{MINUS}2", f"c k{MINUS}1")
    inputs = pair if found.inputs == 2 else ("in", *(f"in {i}" for i in range(1, found.inputs)))
    inner = tuple(str(node) for node in range(found.nodes))
    return (*inputs, *inner[:-1], "out") if found.last_node_is_output else (*inputs, *inner, "c k")


def cell_items(space: Space, cell: Cell) -> list[Item]:
    """The boxes of one cell."""
    names = state_names(space.name)
    states = [
        Item(kind="state", label=names[i], op="", state=i, layer=0, width=state_width(names[i]))
        for i in range(space.inputs)
    ]
    users: list[tuple[Item, int]] = []
    for number, edges in enumerate(cell, start=space.inputs):
        real = [edge for edge in edges if edge.op != NONE]
        layer = 1 + max((states[edge.source].layer for edge in real), default=0)
        node = Item(
            kind="state",
            label=names[number],
            op="",
            state=number,
            layer=layer + 1,
            width=state_width(names[number]),
        )
        for edge in real:
            label = op_label(edge.op)
            op = Item(
                kind="op",
                label=label,
                op=edge.op,
                state=edge.source,
                layer=layer,
                width=7.0 * len(label) + 18.0,
                after=[node],
            )
            node.before.append(op)
            users.append((op, edge.source))
        states.append(node)
    if len(names) > len(states):
        last = max(state.layer for state in states)
        output = Item(
            kind="state",
            label=names[-1],
            op="",
            state=len(states),
            layer=last + 1,
            width=state_width(names[-1]),
        )
        users += [(output, number) for number in range(space.inputs, len(states))]
        states.append(output)
    items = [*states, *(user for user, _ in users if user.kind == "op")]
    for number, state in enumerate(states):
        items += _lanes(state, [user for user, source in users if source == number])
    return items


def network_items(genotype: Genotype) -> list[Item]:
    """All nodes of a discrete network; how wide it is does not change the drawing."""
    space = SPACES[genotype.space]
    choices = to_choices(genotype)
    graph = architecture_graph(
        Architecture(genotype, channels=8, cells=space.depth or 3),
        Task(classes=2, image=(3, 64, 64)),
    )
    items: dict[str, Item] = {}
    users: dict[str, list[Item]] = {}
    for number, node in enumerate(graph):
        layer = 1 + max((items[source].layer for source in node.inputs), default=-1)
        if node.row is None:
            label = {"sum": "+", "concat": "join"}.get(node.join, node.name.replace(".", " "))
            item = Item(
                kind="state",
                label=label,
                op="",
                state=number,
                layer=layer,
                width=state_width(label),
            )
        else:
            op = space.decisions[node.row].operations[choices[node.row]]
            label = op_label(op)
            item = Item(
                kind="op",
                label=label,
                op=op,
                state=number,
                layer=layer,
                width=7.0 * len(label) + 18.0,
            )
        items[node.name] = item
        for source in node.inputs:
            users.setdefault(source, []).append(item)
    lanes = [lane for name, item in items.items() for lane in _lanes(item, users.get(name, []))]
    return [*items.values(), *lanes]


def _lanes(state: Item, users: Sequence[Item]) -> list[Item]:
    """Join ``state`` to its users, by one lane that goes as far as the farthest of them needs."""
    chain = [state]
    for layer in range(state.layer + 1, max((user.layer for user in users), default=0)):
        lane = Item(kind="lane", label="", op="", state=state.state, layer=layer, width=0.0)
        _join(chain[-1], lane)
        chain.append(lane)
    for user in users:
        _join(chain[user.layer - state.layer - 1], user)
    return chain[1:]


def _join(first: Item, second: Item) -> None:
    first.after.append(second)
    second.before.append(first)


def state_width(label: str) -> float:
    """Pixels that the box of a state takes for its label."""
    return 28.0 if len(label) <= 2 else 8.0 * len(label) + 8.0
