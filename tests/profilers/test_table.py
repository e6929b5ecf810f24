from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profilers.errors import InputError
from profilers.fit import Fitted, Form
from profilers.gaussian_process import Process
from profilers.table import NetworkSize, Operations, Table, load, save

PROCESS = Process(
    points=np.array([[0.0, 1.0]]),
    weights=np.array([0.25]),
    scale=np.array([1.0, 2.0]),
    length=0.5,
    noise=0.1,
)
FITTED = Fitted(
    form=Form(design="eager", loss="squares", ridge=0.1, nodes=True, view="both"),
    constant=1.5,
    coefficients={"normal/none": 2.0},
    smallest=0.75,
    process=PROCESS,
)
TABLE = Table(
    device="cpu",
    space="darts",
    batch=4,
    network=NetworkSize(channels=16, cells=8, classes=10, image=(3, 32, 32)),
    fitted=FITTED,
    agreement={"held_out": {"networks": 40, "mape_percent": 2.5}},
    provenance={"time": "2026-01-01T00:00:00+00:00"},
    operations=Operations(fixed=0.0, edges=((0.0, 1.0), (2.0,))),
    measured=({"op": "skip_connect", "latency_ms": 0.1},),
)


def written(tmp_path: Path) -> dict[str, Any]:
    save(TABLE, tmp_path / "table.json")
    data: dict[str, Any] = json.loads((tmp_path / "table.json").read_text())
    return data


def test_a_table_survives_its_file(tmp_path: Path) -> None:
    save(TABLE, tmp_path / "table.json")
    found = load(tmp_path / "table.json")
    assert found.fitted.process is not None
    assert np.array_equal(found.fitted.process.points, PROCESS.points)
    plain = {name: value for name, value in vars(found).items() if name != "fitted"}
    assert plain == {name: value for name, value in vars(TABLE).items() if name != "fitted"}
    assert (found.fitted.form, found.fitted.coefficients) == (FITTED.form, FITTED.coefficients)
    assert [path.name for path in tmp_path.iterdir()] == ["table.json"]


def test_the_file_says_its_unit_and_metric(tmp_path: Path) -> None:
    data = written(tmp_path)
    assert (data["unit"], data["metric"], data["device"]) == ("ms", "latency", "cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "something else"}, "not a latency table"),
        ({"model": {}}, "key 'loss' is missing"),
        ({"model": {**vars(FITTED.form), "loss": "cubes"}}, "model.loss is 'cubes'"),
        ({"operations": {"fixed": 0, "edges": [["x"]]}}, "expected a finite number, not 'x'"),
        ({"operations": {"fixed": True, "edges": []}}, "expected a finite number"),
        ({"network": {"channels": 1}}, "key 'image' is missing"),
        ({"agreement": 3}, "not iterable"),
        ({"metric": {}}, "not a table of latencies in ms"),
        ({"unit": [3, 3]}, "not a table of latencies in ms"),
        ({"provenance": {"receipt": "cpu"}}, "provenance.receipt: expected an object"),
        ({"provenance": {"receipt": None}}, "provenance.receipt: expected an object"),
    ],
)
def test_a_spoilt_file_is_refused_with_its_fault(tmp_path: Path, change: Any, message: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({**written(tmp_path), **change}))
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_process_whose_parts_do_not_fit_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path)
    data["model"]["process"]["weights"] = [1.0, 2.0]
    (tmp_path / "table.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="do not fit together"):
        load(tmp_path / "table.json")


def test_files_that_are_no_json_or_absent_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    for name, message in (("bad.json", "not valid JSON"), ("none.json", "cannot be read")):
        with pytest.raises(InputError, match=message):
            load(tmp_path / name)
    with pytest.raises(InputError, match="cannot be written"):
        save(TABLE, tmp_path / "no" / "folder.json")
