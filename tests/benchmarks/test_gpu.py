"""What a few minutes on a GPU are spent on: rehearsed here on the pretended one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import doctor, page, place, sizes, steps
from benchmarks.gpu.__main__ import PARTS, _one
from benchmarks.gpu.book import Book, Skip, close, needs, read, work
from benchmarks.gpu.place import here
from hwnas.config import Config


def _book(folder: Path, seconds: float = 60.0) -> Book:
    return Book(
        path=folder / "part.json", facts={"place": "here"}, until=time.monotonic() + seconds
    )


def test_the_sizes_that_a_bare_machine_takes_are_those_of_the_configs() -> None:
    whole = Config().model_dump()
    for table, values in sizes.DEFAULTS.items():
        assert values == {key: whole[table][key] for key in values}


def test_a_record_is_on_disk_as_soon_as_it_is_known_and_is_not_made_again(tmp_path: Path) -> None:
    made: list[int] = []
    for _ in range(2):
        book = _book(tmp_path)
        work(book, "one", lambda: {"made": made.append(1)})
        assert [one["state"] for one in read(book.path)["records"]] == ["done"]
        close(book)
    assert made == [1] and read(tmp_path / "part.json")["complete"]


def test_what_takes_its_process_with_it_is_tried_once_more_and_not_for_ever(tmp_path: Path) -> None:
    def dies() -> dict[str, Any]:
        made.append(1)
        raise KeyboardInterrupt  # nothing is written after it, as after a kill

    made: list[int] = []
    for _ in range(3):
        try:
            work(_book(tmp_path), "one", dies)
        except KeyboardInterrupt:
            assert read(tmp_path / "part.json")["records"][0]["state"] == "begun"
    assert len(made) == 2


def test_where_no_time_is_left_the_part_is_not_complete_and_the_next_call_goes_on(
    tmp_path: Path,
) -> None:
    late = _book(tmp_path, seconds=-1)
    assert work(late, "one", lambda: {}) is None
    close(late)
    assert not read(late.path)["complete"]
    book = _book(tmp_path)
    work(book, "one", lambda: {})
    close(book)
    assert read(book.path)["complete"]


def test_a_missing_package_is_a_line_and_no_failure(tmp_path: Path) -> None:
    record = work(_book(tmp_path), "one", lambda: needs("a_package_of_nobody") or {})
    assert record is not None and record["state"] == "skipped"
    assert "a_package_of_nobody" in record["reason"]
    with pytest.raises(Skip):
        needs("a_package_of_nobody")


def test_a_part_runs_without_a_gpu_and_every_result_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_hwnas_doctor", dict)  # which measures for seconds
    _one("doctor", tmp_path, 60.0)
    records = read(tmp_path / "doctor.json")["records"]
    with here() as found:
        if not found.tiny:
            pytest.skip("there is a GPU")
        assert all(one["tiny"] and one["place"] == found.name for one in records)
    written = page.write(tmp_path, list(PARTS), ["a note"]).read_text()
    assert "no time on this page is a GPU's" in written and "a note" in written
    assert json.loads((tmp_path / "gpu.json").read_text())["parts"]["doctor"]["complete"]


def test_every_named_config_with_a_data_set_of_pictures_is_among_the_kinds_of_steps() -> None:
    with here() as found:
        for kind in steps.KINDS:
            assert sizes.read(kind.config, found).steps() > 0
            assert kind.stage < len(sizes.read(kind.config, found).settings.stages)
    assert {kind.role for kind in steps.KINDS} >= {"weight", "alpha", "cifar", "imagenet", "watch"}


def test_a_step_of_seconds_is_timed_a_few_times_and_a_quick_one_thirty_times() -> None:
    assert place._affordable(0.01, 30, 5) == (30, 5)
    assert place._affordable(2.0, 30, 5) == (5, 1)
    assert place._affordable(60.0, 30, 5) == (3, 1)


def test_a_trace_is_read_as_kernels_launches_waits_copies_and_a_busy_share() -> None:
    found = [
        place.Event(name="void cudnn::kernel", on_device=True, seconds=0.2),
        place.Event(name="void at::kernel", on_device=True, seconds=0.1),
        place.Event(name="Memcpy HtoD (Pageable -> Device)", on_device=True, seconds=0.1),
        place.Event(name="cudaLaunchKernel", on_device=False, seconds=0.01),
        place.Event(name="cudaLaunchKernel", on_device=False, seconds=0.01),
        place.Event(name="cudaStreamSynchronize", on_device=False, seconds=0.3),
        place.Event(
            name="cudaDeviceSynchronize", on_device=False, seconds=0.3
        ),  # our own, at the end
    ]
    assert place.shares(found, 1.0, 1) == {
        "kernels": 2.0,
        "launches": 2.0,
        "synchronisations": 1.0,
        "copies": 1.0,
        "busy_share": pytest.approx(0.4),
    }


def test_events_come_from_a_profile_as_torch_makes_it() -> None:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as seen:
        torch.ones(3) + 1
    found = place.events(seen)
    assert any(one.name == "aten::add" and not one.on_device and one.seconds > 0 for one in found)


def test_every_part_is_there_on_a_bare_machine() -> None:
    """With torch, numpy, onnx, onnxruntime and safetensors: what else is installed is hidden."""
    parts = ("agree", "doctor", "kinds", "latency", "layouts", "page", "processes", "steps")
    hidden = ("pydantic", "pymoo", "tomli_w", "typer", "rich", "sklearn", "thop", "torchvision")
    code = "\n".join(
        [
            "import sys",
            *(f"sys.modules[{name!r}] = None" for name in hidden),
            *(f"import benchmarks.gpu.{part}" for part in parts),
        ]
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
