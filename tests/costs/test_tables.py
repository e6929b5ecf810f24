from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwnas.catalog import find_device
from hwnas.costs.table_words import search_words
from hwnas.costs.tables import (
    calibration,
    default_path,
    family_of,
    find_table,
    own_table,
    predictor,
    tables,
    user_folder,
    why_not_found,
)
from hwnas.space import SPACES
from hwnas.space.family import family
from profilers.device import Device, load
from profilers.errors import InputError
from profilers.fit import Fitted, Form
from profilers.host import host
from profilers.table import NetworkSize, Table, save

DARTS = SPACES["darts"]
NETWORK = NetworkSize(channels=16, cells=8, classes=10, image=(3, 32, 32))
FITTED = Fitted(
    form=Form(design="eager", loss="squares", ridge=0.1, nodes=False),
    constant=7.0,
    coefficients={},
    smallest=0.1,
)
TABLE = Table(
    device="1080ti",
    space="darts",
    batch=1,
    network=NETWORK,
    fitted=FITTED,
    agreement={},
    provenance={},
)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    user_folder().mkdir(parents=True)
    return user_folder()


def device(name: str) -> Device:
    return load(find_device(name))


def test_without_a_table_the_roofline_answers_and_says_so() -> None:
    found = predictor(device("1080ti"), family_of(DARTS, NETWORK))
    assert (found.origin, found.source) == ("estimated", "roofline of 1080ti")
    assert found.predict(np.ones((3, 28), dtype=np.int64)).shape == (3,)


def test_a_table_of_these_networks_wins(own_folder: Path) -> None:
    save(TABLE, own_folder / "1080ti.darts.json")
    found = predictor(device("1080ti"), family_of(DARTS, NETWORK))
    assert (found.origin, found.source) == ("table", f"table {own_folder / '1080ti.darts.json'}")
    assert found.predict(np.zeros((1, 28), dtype=np.int64)).tolist() == [7.0]
    assert tables("1080ti") == (own_folder / "1080ti.darts.json",)
    assert find_table("1080ti.darts") == own_folder / "1080ti.darts.json"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (replace(TABLE, network=None), "it does not say which networks were measured"),
        (replace(TABLE, batch=8), "a search asks about batches of one image, not of 8"),
        (replace(TABLE, device="cpu"), "cpu is another machine elsewhere"),
        (TABLE, "name it with --table "),
    ],
)
def test_a_table_that_no_search_finds_says_why(tmp_path: Path, table: Table, reason: str) -> None:
    path = tmp_path / "t.json"
    save(table, path)
    assert why_not_found(table.device, table, path).startswith(reason)
    words = search_words(table, path, "my board.toml")
    assert words.startswith(
        "hwnas search --target 'my board.toml' --space darts --channels 16 --cells"
    )
    assert words.endswith(f"--table {path}") == (
        "--table" in why_not_found(table.device, table, path)
    )


def test_a_table_in_its_place_is_found(own_folder: Path) -> None:
    for table in (TABLE, replace(TABLE, device="my board", batch=None)):
        path = default_path(table.device, family_of(DARTS, NETWORK))
        save(table, path)
        assert why_not_found(table.device, table, path) == ""
        assert path in tables(table.device)
    cpu = replace(TABLE, device="cpu", provenance={"receipt": {"host": host().fingerprint}})
    save(cpu, default_path("cpu", family_of(DARTS, NETWORK)))
    assert why_not_found("cpu", cpu, default_path("cpu", family_of(DARTS, NETWORK))) == ""


@pytest.mark.parametrize(
    "other",
    [
        replace(TABLE, network=replace(NETWORK, cells=20)),
        replace(TABLE, network=replace(NETWORK, channels=36)),
        replace(TABLE, network=replace(NETWORK, image=(3, 64, 64))),
        replace(TABLE, batch=32),
        replace(TABLE, device="2080ti"),
        replace(TABLE, network=None),
    ],
)
def test_a_table_of_other_networks_or_devices_is_passed_over(
    own_folder: Path, other: Table
) -> None:
    save(other, own_folder / "1080ti.darts.json")
    assert predictor(device("1080ti"), family_of(DARTS, NETWORK)).origin == "estimated"


def test_the_number_of_classes_does_not_matter(own_folder: Path) -> None:
    save(TABLE, own_folder / "1080ti.darts.json")
    assert (
        predictor(device("1080ti"), family_of(DARTS, replace(NETWORK, classes=100))).origin
        == "table"
    )


def test_a_table_that_is_named_must_fit(own_folder: Path) -> None:
    path = own_folder / "mine.json"
    save(replace(TABLE, batch=32), path)
    with pytest.raises(
        InputError, match=r"a table of darts networks \(8 cells, 16 channels.* at batch 32"
    ):
        predictor(device("1080ti"), family_of(DARTS, NETWORK), table=str(path))
    assert (
        predictor(device("1080ti"), family_of(DARTS, NETWORK), batch=32, table=str(path)).origin
        == "table"
    )


def test_a_csv_of_the_benchmark_is_about_the_benchmarks_networks(own_folder: Path) -> None:
    table = replace(TABLE, space="nasbench201", network=None, batch=None)
    save(table, own_folder / "1080ti.nasbench201.json")
    space = SPACES["nasbench201"]
    assert (
        predictor(
            device("1080ti"),
            family_of(space, NetworkSize(channels=16, cells=15, classes=10, image=(3, 32, 32))),
        ).origin
        == "table"
    )
    assert (
        predictor(
            device("1080ti"),
            family_of(space, NetworkSize(channels=8, cells=15, classes=10, image=(3, 32, 32))),
        ).origin
        == "estimated"
    )


def test_cpu_is_another_machine_elsewhere(own_folder: Path) -> None:
    save(
        replace(TABLE, device="cpu", provenance={"receipt": {"host": "mars"}}),
        own_folder / "cpu.darts.json",
    )
    with pytest.raises(
        InputError, match="hwnas devices calibrate --target cpu --space darts --channels 16"
    ):
        predictor(device("cpu"), family_of(DARTS, NETWORK))
    here = {"receipt": {"host": host().fingerprint}}
    save(replace(TABLE, device="cpu", provenance=here), own_folder / "cpu.darts.json")
    assert predictor(device("cpu"), family_of(DARTS, NETWORK)).origin == "table"
    assert predictor(device("cpu"), family_of(DARTS, NETWORK), table="cpu.darts").origin == "table"


def test_the_command_that_is_named_makes_the_table_that_is_missing(own_folder: Path) -> None:
    network = NetworkSize(channels=8, cells=5, classes=10, image=(1, 8, 8))
    command = calibration(device("cpu"), family_of(SPACES["tnd"], network))
    size = "--channels 8 --cells 5 --image 1x8x8"
    assert command == f"hwnas devices calibrate --target cpu --space tnd {size}"
    with pytest.raises(InputError, match=size):
        predictor(device("cpu"), family_of(SPACES["tnd"], network))
    assert own_table(device("cpu"), family_of(SPACES["tnd"], network)) is None
    path = default_path("cpu", family_of(SPACES["tnd"], network))
    here = {"receipt": {"host": host().fingerprint}}
    save(replace(TABLE, device="cpu", space="tnd", network=network, provenance=here), path)
    assert own_table(device("cpu"), family_of(SPACES["tnd"], network)) == path


def test_tables_of_several_sizes_live_side_by_side(own_folder: Path) -> None:
    small = replace(NETWORK, channels=8)
    for network in (NETWORK, small):
        save(replace(TABLE, network=network), default_path("1080ti", family_of(DARTS, network)))
    assert (
        own_table(device("1080ti"), family_of(DARTS, small))
        == own_folder / "1080ti.darts.c8-n8-3x32x32.json"
    )
    assert (
        find_table("1080ti.darts.c8-n8-3x32x32") == own_folder / "1080ti.darts.c8-n8-3x32x32.json"
    )
    with pytest.raises(InputError, match="which one"):
        find_table("1080ti.darts")


def test_networks_with_the_imagenet_stem_have_no_tables(own_folder: Path) -> None:
    of = family_of(DARTS, NETWORK)
    with pytest.raises(InputError, match="tables are of networks with the CIFAR stem"):
        predictor(device("cpu"), replace(of, size=replace(of.size, stem="imagenet")))


def test_an_unknown_table_is_refused_with_the_nearest(own_folder: Path) -> None:
    save(TABLE, own_folder / "1080ti.darts.json")
    with pytest.raises(InputError, match=r"did you mean '1080ti.darts'"):
        find_table("1080ti.dart")
    with pytest.raises(InputError, match="not found"):
        find_table("./nowhere.json")


def test_a_table_of_other_networks_is_refused_by_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    save(TABLE, path)
    about = TABLE.network
    assert about is not None
    of = family(
        SPACES["darts"],
        channels=about.channels,
        cells=about.cells + 1,
        classes=about.classes + 1,
        image=(1 if about.image[0] != 1 else 3, *about.image[1:]),
        stem="imagenet",
    )
    with pytest.raises(InputError) as error:
        predictor(load(find_device("1080ti")), of, batch=2, table=str(path))
    told = str(error.value).rpartition(": it has ")[2]
    assert f"cells {about.cells}, not {about.cells + 1}" in told
    assert "image channels " in told and "batch 1, not 2" in told
    assert "stem cifar, not imagenet" in told
    assert "pixels" not in told and "classes" not in told


def test_the_search_that_is_printed_names_images_other_than_the_default(tmp_path: Path) -> None:
    for image, words in (
        ((1, 8, 8), []),
        ((3, 32, 32), ["--data", "cifar10", "--download"]),
        ((3, 96, 96), ["--data", "PHOTOS", "--image-size", "96"]),
    ):
        network = NetworkSize(channels=4, cells=3, classes=3, image=image)
        path = tmp_path / "t.json"
        save(replace(TABLE, network=network), path)
        typed = shlex.split(search_words(replace(TABLE, network=network), path, "cpu"))
        at = typed.index("latency") + 1
        assert typed[at : at + len(words)] == words
