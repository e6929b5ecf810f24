"""Pictures come from a process of their own, whose end is no end of anything else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hwnas import config as configs
from hwnas.report import render
from hwnas.report.events import EVENTS, write_events
from hwnas.runs.directory import open_run
from tests.search import tiny

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"/>'


@pytest.fixture
def dead():
    """The process that draws has been killed; the next test begins with a new one."""
    render.svg_to_png(SVG)
    render._process().kill()
    yield
    render._end(render._process())
    render._process.cache_clear()


def _size(png: bytes) -> tuple[int, int]:
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_a_drawing_has_its_size_times_the_scale():
    assert _size(render.svg_to_png(SVG)) == (3, 2)
    assert _size(render.svg_to_png(SVG, scale=4)) == (12, 8)


def test_what_is_no_drawing_is_refused_and_the_next_one_drawn():
    with pytest.raises(ValueError):
        render.svg_to_png("no drawing")
    assert _size(render.svg_to_png(SVG)) == (3, 2)


def test_the_end_of_the_process_is_told_in_a_line_and_it_is_not_started_again(dead):
    for _ in range(2):
        with pytest.raises(render.RendererEnded, match="ended with signal SIGKILL; where"):
            render.svg_to_png(SVG)


def test_events_are_written_without_pictures_where_none_can_be_drawn(dead, run):
    write_events(open_run(run))
    content = (run / EVENTS).read_bytes()
    assert b"search/loss" in content and b"PNG" not in content


@pytest.mark.slow
@pytest.mark.parametrize("kib", [1_500_000, 3_000_000, 8_000_000])
def test_a_search_under_a_limit_of_address_space_ends_well(kib, tmp_path):
    config = tiny.config(tiny.images(tmp_path / "images.npz"))
    (tmp_path / "tiny.toml").write_bytes(configs.dump(config))
    words = "search --config tiny.toml --quiet --out run"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -v {kib}; exec {sys.executable} -m hwnas {words}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "front.json").exists()
