"""Genotypes as other projects write them are the same genotypes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.space.genotype import Genotype, arch_string
from hwnas.space.published import PUBLISHED
from hwnas.space.text import format_text, parse
from profilers.errors import InputError
from tests.space.strategies import genotypes

DARTS = PUBLISHED["DARTS_V2"]
TEXT = format_text(DARTS)
NUMPY = TEXT
for number in range(5):
    NUMPY = NUMPY.replace(f"', {number})", f"', np.int64({number}))")
CONCAT = "range(2, 6)"


@pytest.mark.parametrize(
    "text",
    [
        NUMPY,
        NUMPY.replace("np.int64", "numpy.int32").replace(CONCAT, "[np.int64(2), 3, 4, 5]"),
        TEXT.replace(CONCAT, "(2, 3, 4, 5)"),
        TEXT.replace(CONCAT, "np.array([2, 3, 4, 5])"),
        TEXT.replace(CONCAT, "array([2, 3, 4, 5], dtype=int64)"),
        TEXT.replace(CONCAT, "list(range(2, 6))"),
        TEXT.replace("normal=", "").replace("normal_concat=", "").replace("reduce=", ""),
        TEXT[:-1] + ", connectN=None, connects=[])",
        TEXT.replace(", 0)", ", 0, 0.25)"),
        f"2024-02-03 09:10:11,456 genotype = {TEXT}\n2024-02-03 09:11:40,001 train 000 2.1",
        f"A = {format_text(PUBLISHED['DARTS_V1'])}\nB = {TEXT}  # the last one",
        f'"{TEXT}"',
        f"'\"{TEXT}\"'",
        f"genotype: {TEXT}",
    ],
)
def test_what_searchers_print_is_read(text: str) -> None:
    assert parse(text) == DARTS


def _fields(genotype: Genotype) -> dict[str, object]:
    cells = {"normal": genotype.normal, "reduce": genotype.reduce}
    edges = {
        kind: [[edge.op, edge.source] for node in cell for edge in node]
        for kind, cell in cells.items()
    }
    return {**edges, "normal_concat": [2, 3, 4, 5], "reduce_concat": [2, 3, 4, 5]}


def _nni(genotype: Genotype, listed: bool) -> dict[str, object]:
    return {
        key: value
        for kind, cell in (("normal", genotype.normal), ("reduce", genotype.reduce))
        for number, node in enumerate(cell, start=2)
        for edge, one in enumerate(node)
        for key, value in (
            (f"{kind}/op_{number}_{edge}", one.op),
            (f"{kind}/input_{number}_{edge}", [one.source] if listed else one.source),
        )
    }


def _config_space(genotype: Genotype, front: str) -> dict[str, str]:
    """Edge number: those of all nodes before, of which node n has n, then the source."""
    found = {}
    for kind, cell in (("normal", genotype.normal), ("reduce", genotype.reduce)):
        for number, node in enumerate(cell, start=2):
            before = sum(range(2, number))
            for edge in node:
                found[f"{front}edge_{kind}_{before + edge.source}"] = edge.op
            sources = "_".join(str(edge.source) for edge in node)
            if number > 2:
                found[f"{front}inputs_node_{kind}_{number}"] = sources
    return found


def test_dictionaries_of_other_projects_are_read_as_json_and_as_python_prints_them() -> None:
    for data in (
        _fields(DARTS),
        _nni(DARTS, listed=False),
        _nni(DARTS, listed=True),
        _config_space(DARTS, ""),
        _config_space(DARTS, "NetworkSelectorDatasetInfo:darts:"),
        _config_space(DARTS, "NetworkSelectorDatasetInfo_COLON_darts_COLON_"),
    ):
        assert parse(json.dumps(data)) == parse(repr(data)) == DARTS


def test_an_edge_of_none_is_left_out() -> None:
    first = f"('{DARTS.normal[0][0].op}', 0)"
    assert TEXT.startswith(f"Genotype(normal=[{first}")
    found = parse(TEXT.replace(first, "('none', 0)", 1))
    assert found.normal == (DARTS.normal[0][1:], *DARTS.normal[1:])
    assert found.reduce == DARTS.reduce


INDEXED = {
    # Edges by source, then by node, and operations in the two orders of the two projects.
    "NASLib: (4, 0, 3, 1, 4, 3)": "|avg_pool_3x3~0|+|skip_connect~0|none~1|"
    "+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|",
    "NAS-Bench-201: [4, 0, 3, 1, 4, 3]": "|avg_pool_3x3~0|+|none~0|nor_conv_3x3~1|"
    "+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|",
}


@pytest.mark.parametrize("text", INDEXED)
def test_numbers_are_read_in_the_order_of_whoever_is_named(text: str) -> None:
    assert arch_string(parse(text)) == INDEXED[text]
    assert parse(f"2024 arch {INDEXED[text]} accuracy 93.1") == parse(text)


def test_pairs_are_read_in_the_order_of_whoever_is_named() -> None:
    operations = ["max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5"]
    operations += ["dil_conv_3x3", "dil_conv_5x5"]
    for name, first in (("NASLib", 0), ("bananas", 1)):
        cells = tuple(
            tuple((e.source, first + operations.index(e.op)) for node in cell for e in node)
            for cell in (DARTS.normal, DARTS.reduce)
        )
        assert parse(f"{name}: {cells}") == DARTS
        with pytest.raises(InputError, match="write naslib: or bananas: in front of them"):
            parse(str(cells))


REFUSED = {
    "(4, 0, 3, 1, 4, 3)": "write naslib: or nas-bench-201: in front of them",
    "NASLib: (4, 0, 3, 1, 4, 9)": "operation 9, but there are 5, numbered from 0",
    TEXT.replace(CONCAT, "range(3, 6)"): "normal_concat is [3, 4, 5]: a cell of this space joins",
    TEXT[:-1] + ", connectN=3)": "the field 'connectN' of Genotype(...) is not known here",
    TEXT.replace("reduce=", "reduced="): "the field 'reduced' of Genotype(...) is not known here;"
    " did you mean 'reduce'?",
    TEXT.partition(", reduce=")[0] + ")": "Genotype(...) has no field 'reduce'",
    TEXT.replace("'dil_conv_3x3'", "'noise'"): "unknown operation 'noise' (choices: max_pool_3x3",
    NUMPY.replace("np.int64", "os.system"): "os.system(...) is not known",
    json.dumps({"normal/op_2_0": "skip_connect"}): "the key 'normal/input_2_0' is missing",
    json.dumps({"edge_normal_0": "a", "edge_normal_1": "b"}): "'inputs_node_normal_3' is missing",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_wrong_is_named(text: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(text)
    assert REFUSED[text] in str(refused.value)
    assert "0x" not in str(refused.value)


@given(genotypes("darts"), st.sampled_from(["", "2024 genotype = ", '"', "arch: "]))
@settings(max_examples=20, deadline=None)
def test_a_genotype_is_the_same_with_words_around_it(genotype: Genotype, before: str) -> None:
    after = before if before == '"' else "\n2024 next line (1, 2)"
    assert parse(before + format_text(genotype) + after) == genotype
