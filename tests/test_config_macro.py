"""A search in a macro architecture of one's own: its config names a file, and keeps the whole
table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hwnas.config import dump, resolve, validate
from hwnas.export.images import untrained
from hwnas.space import SPACES
from hwnas.space.chain import known_space
from hwnas.space.encoding import sample, to_genotype
from hwnas.space.genotype import sized
from hwnas.space.macro_toml import macro_of
from hwnas.space.text import format_text, parse
from hwnas.training.weights import Weights, load_weights, weights_bytes
from profilers.errors import InputError
from tests.space.test_macro_toml import TEXT, table, tomllib


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A config and its macro beside it; what a test makes known is forgotten after it."""
    before = set(SPACES)
    (tmp_path / "mine.toml").write_text(TEXT)
    (tmp_path / "c.toml").write_text('macro = "mine.toml"\nobjectives = [{ metric = "params" }]\n')
    yield tmp_path
    for name in set(SPACES) - before:
        del SPACES[name]


def test_the_file_stands_beside_the_config_and_its_table_is_kept(folder: Path) -> None:
    config = resolve({}, str(folder / "c.toml"))
    assert (config.space, config.channels, config.evaluation.cells) == ("mine", 8, 2)
    assert [stage.cells for stage in config.stages] == [2, 2, 2]
    assert config.macro is not None and macro_of(config.macro) == macro_of(table())
    kept = tomllib.loads(dump(config).decode())
    assert validate(kept, "config.toml") == config


def test_a_space_may_be_typed_as_the_file_of_a_macro(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = resolve({}, str(folder / "c.toml"))
    (folder / "other").mkdir()
    monkeypatch.chdir(folder / "other")  # what is typed is looked for where it was typed
    typed = resolve({"space": "../mine.toml", "objectives": [{"metric": "params"}]})
    assert typed.macro == named.macro and typed.space == "mine"
    assert resolve({"space": "../mine.toml"}, str(folder / "c.toml")) == named
    with pytest.raises(InputError, match="absent"):
        resolve({"space": "absent.toml"})


def test_a_space_that_is_typed_wins_over_the_chain_of_the_file(folder: Path) -> None:
    """As every flag does; the name of the file's own chain leaves it as it is."""
    file = str(folder / "c.toml")
    typed = resolve({"space": "mobile-small"}, file)
    assert (typed.space, typed.macro) == ("mobile-small", None)
    assert typed.evaluation.cells == SPACES["mobile-small"].depth
    assert [objective.metric for objective in typed.objectives] == ["params"]
    assert resolve({"space": "mine"}, file) == resolve({}, file)


def test_a_kept_config_makes_its_genotypes_readable(folder: Path) -> None:
    config = resolve({}, str(folder / "c.toml"))
    text = format_text(
        to_genotype(SPACES["mine"], sample(SPACES["mine"], np.random.default_rng(0)))
    )
    del SPACES["mine"]
    with pytest.raises(InputError, match="unknown space 'mine'"):
        parse(text)
    validate(tomllib.loads(dump(config).decode()), "config.toml")
    assert format_text(parse(text)) == text


def test_a_table_may_stand_in_the_config_itself(folder: Path) -> None:
    assert resolve({"macro": table(), "algorithm": "tndnas"}).space == "mine"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"macro": {**table(), "divisr": 4}},
            "macro: unknown key 'divisr'; did you mean 'divisor'",
        ),
        (
            {"space": "mobile", "algorithm": "ndarts"},
            "space: ndarts mixes all networks, and those of mobile",
        ),
        ({"space": "mobile", "weights": "mixture"}, "space: weights = 'mixture' mixes"),
        ({"macro": "nowhere.toml"}, "nowhere.toml"),
        ({"macro": 3}, "macro: must be a table, not 3"),
        ({"macro": table(), "space": "tnd"}, "space: 'tnd', but the macro is called 'mine'"),
        ({"macro": table(), "evaluation": {"cells": 5}}, "a network of mine has 2 blocks"),
        ({"macro": table(), "evaluation": {"stem": "imagenet"}}, "has the stem of its table"),
        (
            {"space": "mobile", "stages": [{"cells": 3, "epochs": 1}]},
            "a network of mobile has 17 blocks",
        ),
    ],
)
def test_what_does_not_fit_is_refused(folder: Path, given: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        resolve({"algorithm": "tndnas", **given})


def test_a_file_that_is_wrong_is_named(folder: Path) -> None:
    (folder / "mine.toml").write_text(TEXT.replace("depth", "dept"))
    with pytest.raises(
        InputError,
        match=r"mine\.toml: macro\.stages\[0\]: unknown key 'dept'; did you mean 'depth'",
    ):
        resolve({}, str(folder / "c.toml"))


def test_a_weights_file_brings_its_table_along(folder: Path) -> None:
    resolve({}, str(folder / "c.toml"))
    space = SPACES["mine"]
    genotype = to_genotype(space, sample(space, np.random.default_rng(0)))
    blank = Weights(
        tensors={},
        architecture=sized(genotype),
        classes=("a", "b"),
        image=(1, 8, 8),
        stem="cifar",
        mean=(0.5,),
        std=(0.25,),
        notes={},
    )
    (folder / "weights.safetensors").write_bytes(weights_bytes(untrained(blank)))
    del SPACES["mine"]
    assert load_weights(folder / "weights.safetensors").architecture == sized(genotype)
    SPACES["mine"] = known_space(macro_of({**table(), "name": "other"}))
    with pytest.raises(
        InputError, match=r"weights\.safetensors: .*another space is called 'mine' here"
    ):
        load_weights(folder / "weights.safetensors")


def test_a_file_whose_name_is_taken_is_named(folder: Path) -> None:
    file = folder / "mine.toml"
    file.write_text(TEXT.replace('"mine"', '"mobile"'))
    for config in ({"space": str(file)}, {"macro": str(file)}):
        with pytest.raises(InputError) as caught:
            resolve(config)
        assert f"{file}: macro: name: another space is called 'mobile' here" in str(caught.value)
        assert str(caught.value).count(str(file)) == 1
