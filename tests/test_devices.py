"""One test swept over every device file: the schema that devices/README.md states."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from hwnas import catalog
from profilers.device import Attached, Device, _with_board, load, match
from profilers.host import Host

TABLES = {
    "peak": {"fp32_gmacs_per_s", "fp16_gmacs_per_s"},
    "bandwidth": {"memory_gb_per_s"},
    "match": {"cuda_name_regex", "cpu_model_regex"},
}
KINDS = {"gpu", "cpu", "edge_gpu", "edge_cpu"}


def figures(table: dict[str, Any]) -> dict[str, float]:
    numbers = {"memory_mib": table["memory_mib"]} if "memory_mib" in table else {}
    return numbers | table.get("peak", {}) | table.get("bandwidth", {})


@pytest.fixture(params=catalog.devices(), ids=lambda entry: entry.name)
def device(request) -> tuple[catalog.Entry, dict[str, Any]]:
    return request.param, catalog.read_toml(request.param.path)


def test_a_device_is_named_after_its_file_and_has_known_keys_only(device):
    entry, table = device
    assert table["name"] == entry.path.stem
    assert table["kind"] in KINDS
    assert table["description"]
    assert set(table) <= {
        "name",
        "aliases",
        "kind",
        "description",
        "memory_mib",
        "sources",
        *TABLES,
    }
    for name, keys in TABLES.items():
        assert set(table.get(name, {})) <= keys


def test_every_figure_is_positive_and_has_a_source_with_a_year(device):
    _, table = device
    sources = table.get("sources", {})
    assert set(sources) == set(figures(table))
    assert all(value > 0 for value in figures(table).values())
    assert all(re.search(r"\b20[12]\d\b", source) for source in sources.values())


def test_every_match_rule_is_a_regular_expression(device):
    _, table = device
    for rule in table.get("match", {}).values():
        re.compile(rule)


def test_figures_that_are_products_in_their_source_are_those_products(device):
    _, table = device
    source = table.get("sources", {}).get("fp32_gmacs_per_s", "")
    product = re.match(r"(\d+) (?:big )?cores x ([\d.]+) GHz[^x;]* x (\d+)", source)
    if product:
        cores, clock_ghz, macs = (float(factor) for factor in product.groups())
        assert table["peak"]["fp32_gmacs_per_s"] == pytest.approx(
            cores * clock_ghz * macs, rel=0.01
        )
    else:
        assert not table.get("peak") or "TFLOPS / 2" in source


def test_no_two_devices_share_a_spelling():
    spelt = {
        e.name: {catalog._fold(word) for word in (e.name, *e.aliases)} for e in catalog.devices()
    }
    for (one, words), (other, others) in combinations(spelt.items(), 2):
        assert not words & others, (one, other)


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("NVIDIA GeForce GTX 1080 Ti", "1080ti"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-40GB", "a100"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("Tesla T4", "t4"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("NVIDIA GH200 480GB", None),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H100 NVL", "h100-nvl"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L40", None),
        ("NVIDIA B200", "b200"),
        ("NVIDIA GB200", None),
        ("NVIDIA GeForce RTX 5090", "rtx-5090"),
        ("NVIDIA GeForce RTX 5090 D", None),
        ("Orin", None),
        ("Orin (NVIDIA Jetson Orin Nano Developer Kit)", "jetson-orin-nano"),
        ("Orin (NVIDIA Orin NX Developer Kit)", "jetson-orin-nx"),
        ("Orin (NVIDIA Jetson AGX Orin Developer Kit)", "jetson-agx-orin"),
    ],
)
def test_a_reported_gpu_name_matches_one_device(reported, name):
    rules = {
        e.name: catalog.read_toml(e.path).get("match", {}).get("cuda_name_regex")
        for e in catalog.devices()
    }
    matching = [
        device
        for device, rule in rules.items()
        if rule and re.search(rule, reported, re.IGNORECASE)
    ]
    assert matching == ([name] if name else [])


@pytest.mark.parametrize(
    "slice_", ["NVIDIA A100-SXM4-80GB MIG 3g.40gb", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"]
)
def test_a_slice_of_a_card_is_not_the_card(slice_: str) -> None:
    here = Attached(
        host=Host(cpu="made up", cores=1, memory_mib=1, system="made up"), cuda=(slice_,)
    )
    whole = [load(entry.path) for entry in catalog.devices()]
    assert [device.name for device in whole if device.cuda_name_regex and match(device, here)] == []
    own = Device(name="slice", kind="gpu", description="d", cuda_name_regex="MIG [13]g")
    assert match(own, here) == "cuda:0"


def test_a_board_tells_which_orin_it_is(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"NVIDIA Jetson AGX Orin Developer Kit\0")
    assert _with_board("Orin", tmp_path / "model") == "Orin (NVIDIA Jetson AGX Orin Developer Kit)"
    assert _with_board("Orin", tmp_path / "none") == "Orin"
    assert _with_board("NVIDIA H200", tmp_path / "model") == "NVIDIA H200"
