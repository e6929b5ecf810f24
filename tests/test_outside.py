"""What comes from outside is read as it was meant, or refused in one line: over any valid or
damaged file."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwnas.costs.latency_csv import read_measured
from hwnas.report.load import load_run
from hwnas.runs.checkpoint import load_checkpoint, save_checkpoint
from hwnas.runs.choice import Choice, choose
from hwnas.runs.directory import Run
from hwnas.runs.schema import to_json
from hwnas.runs.summary import read_front, write_front
from hwnas.training.archive import read_npz
from profilers.answers import Kind, read_answers
from profilers.errors import InputError
from tests.outside import (
    SPACE,
    CsvFile,
    answers,
    array_headers,
    checkpoints,
    csv_files,
    laid,
    run_directories,
)
from tests.runs.made import finished_run

SLOW = settings(max_examples=100, deadline=None)
QUICK = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def in_one_line(error: InputError) -> bool:
    return str(error).isprintable() and bool(str(error))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return finished_run(tmp_path_factory.mktemp("runs") / "run")


@QUICK
@given(csv_files())
def test_a_table_in_any_dialect_says_the_same_numbers(content: CsvFile) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(content.content)
        found = read_measured(path, SPACE, None, None, "ms")
    assert found.texts == content.cells and found.blank == content.blank
    assert found.latency_ms.tolist() == list(content.latencies_ms)


@QUICK
@given(checkpoints())
def test_a_checkpoint_is_read_as_it_was_saved(
    run: Run, saved: tuple[dict[str, NDArray[Any]], dict[str, Any]]
) -> None:
    save_checkpoint(run, *saved)
    found = load_checkpoint(run)
    assert found is not None and found[1] == saved[1] and found[0].keys() == saved[0].keys()
    for name, array in saved[0].items():
        assert found[0][name].dtype == array.dtype and np.array_equal(found[0][name], array)


@pytest.mark.slow
@SLOW
@given(checkpoints(), st.integers(0, 2**31), st.integers(1, 255))
def test_a_checkpoint_with_a_changed_byte_is_not_taken_for_another(
    run: Run, saved: tuple[dict[str, NDArray[Any]], dict[str, Any]], at: int, change: int
) -> None:
    for path in run.checkpoint_path.parent.glob("*.safetensors"):
        path.unlink()
    save_checkpoint(run, *saved)
    content = bytearray(run.checkpoint_path.read_bytes())
    content[at % len(content)] ^= change
    run.checkpoint_path.write_bytes(content)
    try:
        found = load_checkpoint(run)
    except InputError as error:
        assert in_one_line(error)
        return
    # A byte that says nothing, such as a blank in the header.
    assert found is not None and found[1] == saved[1] and found[0].keys() == saved[0].keys()


@QUICK
@given(st.sampled_from(["latency", "memory", "operations"]), st.data())
def test_an_answer_of_another_machine_is_read_as_it_was_meant(
    kind: Kind, data: st.DataObject
) -> None:
    sent = json.loads(json.dumps(data.draw(answers(kind))))
    facts, (answer,) = read_answers(sent["facts"], sent["answers"], 1, kind)
    assert len(facts["versions"]) <= len(sent["facts"]["versions"])
    for name, value in sent["answers"][0].items():
        if kind != "operations" and name in answer:
            assert answer[name] == value


@pytest.mark.slow
@SLOW
@given(st.sampled_from(["x_train", "y_train", "x_test", "y_test"]), array_headers())
def test_a_header_of_an_array_is_read_or_refused_in_a_line(name: str, header: bytes) -> None:
    usual = {
        "x_train": np.zeros((6, 8, 8), np.uint8),
        "y_train": np.arange(6) % 2,
        "x_test": np.zeros((6, 8, 8), np.uint8),
        "y_test": np.arange(6) % 2,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        with zipfile.ZipFile(path, "w") as file:
            for other, array in usual.items():
                content = io.BytesIO()
                np.lib.format.write_array(content, array)
                file.writestr(f"{other}.npy", header if other == name else content.getvalue())
        try:
            found = read_npz(path)
        except InputError as error:
            assert in_one_line(error) and "x.npz" in str(error)
        else:
            assert found[name].nbytes <= 16


@pytest.mark.slow
@SLOW
@given(run_directories())
def test_a_front_that_is_accepted_is_written_and_reported_as_it_is(
    content: dict[str, bytes],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = laid(Path(folder) / "run", content)
        found = read_front(run)
        write_front(run, found)
        assert to_json(read_front(run)) == to_json(found)
        load_run(run.path)
        assert choose(run, Choice()).members
