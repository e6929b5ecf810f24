from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profilers.device import Attached, Device, attached, check_name, load, match
from profilers.errors import InputError
from profilers.host import Host

HOST = Host(cpu="Intel(R) Core(TM) i7", cores=4, memory_mib=16000, system="Linux x86_64")
GOOD = """
name = "board"
aliases = ["the-board"]
kind = "edge_gpu"
description = "a board"
memory_mib = 4096
[peak]
fp32_gmacs_per_s = 118
[bandwidth]
memory_gb_per_s = 25.6
[match]
cuda_name_regex = "Tegra X1|Nano"
[sources]
memory_mib = "the maker, 2019"
"""


def written(tmp_path, text):
    path = tmp_path / "board.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_device_is_read_with_its_figures_and_sources(tmp_path):
    device = load(written(tmp_path, GOOD))
    assert (device.name, device.kind, device.aliases) == ("board", "edge_gpu", ("the-board",))
    assert (device.memory_mib, device.fp32_gmacs_per_s, device.fp16_gmacs_per_s) == (
        4096,
        118,
        None,
    )
    assert device.sources == (("memory_mib", "the maker, 2019"),)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "memory_mib = 4096",
            "memory_mb = 4096",
            "unknown key 'memory_mb'; did you mean 'memory_mib'",
        ),
        (
            "fp32_gmacs_per_s = 118",
            "fp23_gmacs_per_s = 118",
            "unknown key 'peak.fp23_gmacs_per_s'; did you mean",
        ),
        (
            "fp32_gmacs_per_s = 118",
            "fp32_gmacs_per_s = -1",
            "'fp32_gmacs_per_s' must be a positive number",
        ),
        ("memory_mib = 4096", "memory_mib = nan", "'memory_mib' must be a positive number"),
        ("memory_mib = 4096", "memory_mib = true", "'memory_mib' must be a positive number"),
        (
            'kind = "edge_gpu"',
            'kind = "edge-gpus"',
            "unknown kind 'edge-gpus'; did you mean 'edge_gpu'",
        ),
        ('name = "board"', "", "'name' is missing"),
        ('name = "board"', "name = 3", "'name' must be a text"),
        ('["the-board"]', "[1]", "'aliases' must be a list of texts"),
        ("[peak]\nfp32_gmacs_per_s = 118", "peak = 1", "'peak' must be a table"),
        ('"Tegra X1|Nano"', '"(a+)+b"', "too complex"),
        ('"Tegra X1|Nano"', '".*.*.*.*x"', "too complex"),
        ('name = "board"', 'name = "../../board"', "'name' must be 1 to 80 letters, digits"),
        (
            'description = "a board"',
            'description = "a \\u001b[31mboard"',
            "'description' holds characters",
        ),
        ('["the-board"]', '["\\u202edraob"]', "'aliases' holds characters that are not to be seen"),
        ('"the maker, 2019"', '"a\\u0007b"', "'sources.memory_mib' holds characters"),
        (
            '"the maker, 2019"',
            f'"{"x" * 1001}"',
            "'sources.memory_mib' has 1001 characters, of at most 1000",
        ),
        ('"Tegra X1|Nano"', '"[a"', "no regular expression"),
        ('name = "board"', "name = ", "not valid TOML"),
    ],
)
def test_a_bad_file_is_refused_by_one_line_that_names_it_and_the_key(tmp_path, old, new, says):
    path = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".hidden",
        "a/b",
        "a\\b",
        "/a",
        "~",
        "a b",
        "-a",
        "a..b",
        "nul",
        "CON.x",
        "com1",
        "é",
        "a\n",
        "x" * 81,
    ],
)
def test_a_name_that_could_be_more_than_a_part_of_a_file_name_is_refused(name):
    with pytest.raises(InputError, match=r"^here must be 1 to 80 letters, digits"):
        check_name(name, "here")


@pytest.mark.parametrize("name", ["1080ti", "a100-80gb", "rtx_3090.v2", "x" * 80, "console"])
def test_usual_names_are_taken(name):
    check_name(name, "here")


def test_an_absent_file_or_one_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        load(tmp_path / "x.toml")


@given(st.text(max_size=200))
def test_any_text_gives_a_device_or_our_own_error(tmp_path_factory, text):
    path = written(tmp_path_factory.mktemp("d"), text)
    with pytest.raises(InputError):
        load(path)


def test_a_target_matches_the_cuda_device_with_its_name_at_its_index():
    device = Device(name="board", kind="gpu", description="d", cuda_name_regex="nano")
    assert match(device, Attached(host=HOST, cuda=("Other", "Jetson Nano"))) == "cuda:1"
    assert match(device, Attached(host=HOST)) is None


def test_a_target_matches_the_cpu_by_its_model_name():
    assert (
        match(
            Device(name="i7", kind="cpu", description="d", cpu_model_regex="core.*i7"),
            Attached(host=HOST),
        )
        == "cpu"
    )
    assert (
        match(
            Device(name="i9", kind="cpu", description="d", cpu_model_regex="i9"),
            Attached(host=HOST),
        )
        is None
    )


def test_a_target_without_a_rule_is_never_attached():
    assert match(Device(name="x", kind="cpu", description="d"), Attached(host=HOST)) is None


def test_what_is_attached_names_this_machines_cpu():
    here = attached()
    assert here.host.cores >= 1
    assert re.search(r"\[[0-9a-f]{8}\]$", here.host.fingerprint)
