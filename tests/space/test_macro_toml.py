"""A table of a macro architecture reads back as it was written, and what is wrong in one is
named by its key."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings

from hwnas.space import SPACES
from hwnas.space.chain import known_space
from hwnas.space.known_macros import KNOWN_MACROS, MOBILENET_V3_SMALL
from hwnas.space.macro import Macro, SqueezeExciteRule, Stage, Stem
from hwnas.space.macro_toml import macro_of, table_of
from hwnas.space.mobile import SEARCHED
from profilers.errors import InputError
from tests.space.test_chain import macros

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = """
name = "mine"
multipliers = [1, 0.5]
[stem]
width = 8
[[stages]]
width = 8
depth = 2
blocks = ["k3_e3_se", "none"]
squeeze_excite = { ratio = 0.5, of = "input" }
[head]
width = 64
activation = "hard_swish"
"""


def table() -> dict[str, Any]:
    return tomllib.loads(TEXT)


def test_a_table_is_the_value_that_it_says() -> None:
    macro = macro_of(table())
    assert (macro.name, macro.stem, macro.multipliers) == ("mine", Stem(width=8), (1.0, 0.5))
    assert macro.stages == (
        Stage(
            width=8,
            depth=2,
            blocks=("k3_e3_se", "none"),
            squeeze_excite=SqueezeExciteRule(ratio=0.5, of="input"),
        ),
    )
    assert (macro.head.width, macro.head.activation) == (64, "hard_swish")


@pytest.mark.parametrize("macro", [*SEARCHED, *KNOWN_MACROS], ids=lambda macro: macro.name)
def test_a_macro_reads_back_from_toml_as_it_was_written(macro: Macro) -> None:
    assert macro_of(tomllib.loads(tomli_w.dumps(table_of(macro)))) == macro


@given(macros())
@settings(max_examples=30, deadline=None)
def test_any_macro_reads_back_as_it_was_written(macro: Macro) -> None:
    assert macro_of(table_of(macro)) == macro


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["nam"], "x", "macro: unknown key 'nam'; did you mean 'name'"),
        (["name"], 3, r"macro\.name: must be a text, not 3"),
        (["stem", "widht"], 8, r"macro\.stem: unknown key 'widht'; did you mean 'width'"),
        (["stem", "width"], 8.5, r"macro\.stem\.width: must be a whole number, not 8\.5"),
        (["stem", "width"], True, r"macro\.stem\.width: must be a whole number, not True"),
        (["stem"], 5, r"macro\.stem: must be a table, not 5"),
        (["stem", "activation"], "rlu", r"macro\.stem\.activation: unknown 'rlu'; did you mean 'relu'"),
        (["stages"], {}, r"macro\.stages: must be a list"),
        (["stages", 0, "blocks"], "k3_e3", r"macro\.stages\[0\]\.blocks: must be a list"),
        (["stages", 0, "blocks", 1], 7, r"macro\.stages\[0\]\.blocks\[1\]: must be a text, not 7"),
        (["stages", 0, "blocks", 1], "skip", r"stages\[0\]\.blocks: unknown block 'skip'"),
        (["stages", 0, "projection"], 1, r"stages\[0\]\.projection: must be true or false, not 1"),
        (["stages", 0, "squeeze_excite", "of"], "both", r"squeeze_excite\.of: unknown 'both' \(choices: hidden, input"),
        (["stages", 0, "after"], "softmax", r"stages\[0\]\.after: unknown 'softmax'"),
        (["multipliers", 0], "wide", r"macro\.multipliers\[0\]: must be a number, not 'wide'"),
        (["multipliers", 0], float("inf"), r"macro\.multipliers\[0\]: must be a number, not inf"),
        (["multipliers", 0], 10**400, r"macro\.multipliers\[0\]: must be a number, not 1000"),
        (["divisor"], 0, r"macro mine: divisor must be within 1\.\.64, not 0"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_by_key(path: list[Any], value: Any, words: str) -> None:
    wrong = copy.deepcopy(table())
    inner: Any = wrong
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(InputError, match=words) as caught:
        macro_of(wrong)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [None, 3, "x", [], [[]]])
def test_what_is_no_table_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="macro: must be a table"):
        macro_of(value)


def test_a_missing_key_is_named() -> None:
    wrong = table()
    del wrong["stages"][0]["depth"]
    with pytest.raises(InputError, match=r"macro\.stages\[0\]: the key 'depth' is missing"):
        macro_of(wrong)


def test_two_macros_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwnas.space.chain.SPACES", dict(SPACES))
    first = known_space(macro_of(table()))
    assert known_space(macro_of(table())) is first
    other = {**table(), "divisor": 4}
    with pytest.raises(InputError, match="another space is called 'mine' here"):
        known_space(macro_of(other))
    with pytest.raises(InputError, match="another space is called 'mobile' here"):
        known_space(macro_of({**table(), "name": "mobile"}))
    assert known_space(MOBILENET_V3_SMALL) is SPACES["mobilenet-v3-small"]
