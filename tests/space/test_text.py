"""Genotypes as text: every published form reads, nothing is ever evaluated."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.space.genotype import Genotype
from hwnas.space.published import PUBLISHED
from hwnas.space.text import MAX_CHARACTERS, format_text, parse
from profilers.errors import InputError
from tests.space.strategies import any_genotype, genotypes

TABLE = Path(__file__).parents[2] / "../shared/data/nasbench201.csv.gz"

DARTS_V2 = """Genotype(
  normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1),
          ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)],
  normal_concat=[2, 3, 4, 5],
  reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1),
          ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)],
  reduce_concat=[2, 3, 4, 5])"""


def test_a_published_name_reads_as_its_cell() -> None:
    assert parse(" PDARTS\n") == PUBLISHED["PDARTS"]


def test_published_namedtuple_text_reads_as_the_cell_of_that_name() -> None:
    assert parse(DARTS_V2) == PUBLISHED["DARTS_V2"]
    assert parse(DARTS_V2.replace("[2, 3, 4, 5]", "range(2, 6)")) == PUBLISHED["DARTS_V2"]
    assert parse(DARTS_V2.replace("[2, 3, 4, 5]", "list(range(2, 6))")) == PUBLISHED["DARTS_V2"]


@given(any_genotype)
@settings(max_examples=60, deadline=None)
def test_json_text_reads_back(genotype: Genotype) -> None:
    assert parse(json.dumps(genotype.to_dict())) == genotype


@given(genotypes("darts"))
@settings(max_examples=40, deadline=None)
def test_darts_text_reads_back(genotype: Genotype) -> None:
    assert parse(format_text(genotype)) == genotype


@given(genotypes("nasbench201"))
@settings(max_examples=40, deadline=None)
def test_architecture_strings_read_back(genotype: Genotype) -> None:
    text = format_text(genotype)
    assert parse(text) == genotype
    assert parse(json.dumps({"space": "nasbench201", "arch_str": text})) == genotype


@given(genotypes("tnd"))
@settings(max_examples=40, deadline=None)
def test_tnd_text_reads_back_as_the_same_cells(genotype: Genotype) -> None:
    # Published text does not name its space: a cell that DARTS can write as well is read as DARTS.
    again = parse(format_text(genotype))
    assert (again.normal, again.reduce) == (genotype.normal, genotype.reduce)
    assert again.space in {"tnd", "darts"}


def test_the_published_form_has_pairs_only_where_every_node_has_two_inputs() -> None:
    assert "normal=[('sep_conv_3x3', 0)" in format_text(PUBLISHED["DARTS_V2"])
    assert "normal=[[('sep_conv_3x3', 0)" in format_text(PUBLISHED["TND_CIFAR10"])
    assert parse(format_text(PUBLISHED["TND_CIFAR10"])) == PUBLISHED["TND_CIFAR10"]


def test_every_string_of_the_published_benchmark_reads_back() -> None:
    if not TABLE.exists():
        pytest.skip("the published NAS-Bench-201 table is not beside this checkout")
    with gzip.open(TABLE, "rt") as file:
        texts = [row["arch_str"] for row in csv.DictReader(file)]
    assert len({parse(text).key for text in texts}) == len(texts) == 15_625
    assert all(format_text(parse(text)) == text for text in texts[::97])


PAIR = "('skip_connect', 0)"
HOSTILE = {
    "nested brackets": "[" * 19_000,
    "nested json": '{"space": ' * 1_900,
    "a json list nested inside a cell": '{"space": "darts", "normal": '
    + "[" * 900
    + "]" * 900
    + "}",
    "nested calls": "Genotype(normal=" * 1_000,
    "nested signs": "Genotype(normal=" + "-" * 19_000 + "1)",
    "a long sum": "Genotype(normal=" + "1+" * 9_000 + "1, reduce=1)",
    "a huge number": '{"space": "darts", "normal": ' + "9" * 19_000 + "}",
    "too long": "x" * (MAX_CHARACTERS + 1),
    "nothing": "",
    "a zero byte": "Genotype(normal=\0)",
    "a lone surrogate": "Genotype(normal='\udc80')",
    "an escape": "Genotype(normal='\\d', reduce=[])",
    "an import": "Genotype(normal=__import__('os').system('touch hacked'), reduce=[])",
    "a call": "Genotype(normal=print(1), reduce=[])",
    "a huge range": "Genotype(normal=range(10**9), reduce=[])",
    "a huge power": "Genotype(normal=9**9**9**9, reduce=[])",
    "a repeated list": f"Genotype(normal=[{PAIR}]*10**9, reduce=[])",
    "a comprehension": "Genotype(normal=[x for x in ()], reduce=[])",
    "an attribute": "Genotype(normal=().__class__, reduce=[])",
    "a format string": "Genotype(normal=f'{1}', reduce=[])",
    "unpacked keywords": "Genotype(**{'normal': []})",
    "a second statement": "Genotype(normal=[], reduce=[]); import os",
    "positional fields": "Genotype([], [])",
    "an unknown field": "Genotype(normal=[], reduce=[], evil=[])",
    "another concatenation": f"Genotype(normal=[{PAIR}]*8, normal_concat=[4, 5], reduce=[])",
    "three pairs": f"Genotype(normal=[{PAIR}, {PAIR}, {PAIR}], reduce=[])",
    "an unknown name": "DARTS_V3",
    "json that is a list inside an object": '{"space": ["darts"]}',
    "json without a space": "{}",
    "json of an unknown space": '{"space": "dart"}',
    "json with an unknown key": '{"space": "darts", "normal": [], "reduce": [], "op": 1}',
    "json with a boolean source": '{"space": "darts", "normal": [[["skip_connect", true]]], "reduce": []}',
    "json with a text source": '{"space": "darts", "normal": [[["skip_connect", "0"]]], "reduce": []}',
    "json with a null cell": '{"space": "darts", "normal": null, "reduce": []}',
    "json with a null node": '{"space": "darts", "normal": [null], "reduce": []}',
    "json of a benchmark cell without its string": '{"space": "nasbench201"}',
    "an architecture string with another op": "|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "an architecture string with a gap": "|none~0|+|none~0|none~1|",
    "an architecture string out of order": "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|",
    "an architecture string that repeats itself": "|none~0" * 2_000 + "|",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_in_one_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert not list(tmp_path.iterdir())


@given(
    st.text(max_size=200)
    | st.text("Genotype(normal=[]'_0123~|+{\":,}", max_size=200).map("Genotype(".__add__)
)
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        parse(text)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("PROXYLESS", ["PROXYLESS_CPU", "PROXYLESS_GPU", "PROXYLESS_MOBILE"]),
        ("proxyless", ["PROXYLESS_CPU", "PROXYLESS_GPU", "PROXYLESS_MOBILE"]),
        ("mobilenet-v2", ["MOBILENET_V2", "MOBILENET_V3_LARGE", "MOBILENET_V3_SMALL"]),
        ("resnet", ["RESNET8", "RESNET20"]),
    ],
)
def test_the_names_that_are_nearest_are_listed_first(typed: str, first: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        parse(typed)
    assert f"'? (choices: {', '.join(first)}, " in str(caught.value)
    assert f"did you mean '{first[0][:9]}" in str(caught.value)


def test_names_are_read_in_any_case() -> None:
    assert parse("mobilenet_v2_0.35") == parse("MOBILENET_V2_0.35")
    assert parse("Darts_v2") == parse("DARTS_V2")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "MOBILENET_V2_0.9",
            "; did you mean 'MOBILENET_V2'? (choices: MOBILENET_V2, MOBILENET_V2_0.35, MOBILENET_V2_0.5, MOBILENET_V2_0.75,"
            " MOBILENET_V2_1.4)",
        ),
        ("mnasnet_a1_2", "(choices: MNASNET_A1, MNASNET_A1_0.5, MNASNET_A1_0.75, MNASNET_A1_1.4)"),
        ("FBNET_C_0.5", "FBNET_C has one width: leave _0.5 out"),
        ("RESNET8_2", "RESNET8 has one width: leave _2 out"),
        ("DARTS_V2_0.5", "DARTS_V2 is built of cells, of any width: leave _0.5 out"),
        ("MOBILNET_V2_0.35", "did you mean 'MOBILENET_V2_0.35'"),
    ],
)
def test_a_width_that_a_network_has_not_is_answered_with_those_that_it_has(name, said) -> None:
    with pytest.raises(InputError) as caught:
        parse(name)
    assert said in str(caught.value)
