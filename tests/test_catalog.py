from __future__ import annotations

from pathlib import Path

import pytest

from hwnas import catalog
from profilers.errors import InputError, nearest


def test_every_device_file_is_listed_by_its_stem():
    files = {path.stem for path in (Path(__file__).parents[1] / "devices").glob("*.toml")}
    assert {entry.name for entry in catalog.devices()} == files
    assert "1080ti" in files


@pytest.mark.parametrize(
    "word", ["1080ti", "1080Ti", "1080-ti", "GTX 1080 Ti", "geforce_gtx_1080_ti"]
)
def test_a_device_is_found_by_any_usual_spelling(word):
    assert catalog.find_device(word).name == "1080ti.toml"


@pytest.mark.parametrize("entry", catalog.devices(), ids=lambda entry: entry.name)
def test_every_alias_leads_to_its_own_device(entry):
    for alias in entry.aliases:
        assert catalog.find_device(alias) == entry.path


def test_a_device_is_found_by_path(tmp_path):
    file = tmp_path / "my-board.toml"
    file.write_text('name = "my-board"')
    assert catalog.find_device(str(file)) == file


def test_a_misspelt_device_gets_the_nearest_name():
    with pytest.raises(
        InputError, match=r"unknown device '1080tj'; did you mean '1080ti'\? \(choices: .*h200"
    ):
        catalog.find_device("1080tj")


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"config file nowhere/x\.toml: not found"):
        catalog.find_config("nowhere/x.toml")


def test_a_stray_file_cannot_take_the_place_of_a_device(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cpu").write_text("")
    assert catalog.find_device("cpu").name == "cpu.toml"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name = \nx = 1", "not valid TOML: .*line 1"),
        (b"\xff\xfe", "not a text file"),
        (b"#" * 1_000_001, "larger than"),
    ],
)
def test_a_broken_file_is_named_with_the_reason(tmp_path, content, message):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=rf"broken\.toml: {message}"):
        catalog.read_toml(file)


def test_in_a_wheel_the_data_is_inside_the_package(tmp_path, monkeypatch):
    data = tmp_path / "hwnas" / "_data" / "devices"
    data.mkdir(parents=True)
    (data / "only.toml").write_text('name = "only"\naliases = ["just"]')
    monkeypatch.setattr(catalog, "__file__", str(tmp_path / "hwnas" / "catalog.py"))
    assert catalog.devices() == (
        catalog.Entry(name="only", aliases=("just",), path=data / "only.toml"),
    )


def test_nearest_is_silent_without_choices_and_modest_without_likeness():
    assert nearest("x", []) == ""
    assert nearest("zzz", ["1080ti"]) == " (choices: 1080ti)"
    assert nearest("Jetson_Nano", ["jetson-nano", "h200"]).startswith(
        "; did you mean 'jetson-nano'?"
    )


def test_a_path_that_is_longer_than_a_name_may_be_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match=r"can't be looked at \(File name too long\)$"):
        catalog.find_config("x" * 5000 + ".toml")
