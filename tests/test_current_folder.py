"""Nothing that lies in the current folder is executed, by a command or by the processes that it
starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import hwnas
from profilers.children import child_environment, python_command

ROOT = Path(hwnas.__file__).parent.parent
SMALL = ("--channels", "4", "--cells", "3", "--image", "16", "--budget", "0.02")
TINY = """
algorithm = "tndnas"
channels = 4
finalists_per_policy = 2
exponents = [0.0, -0.1]
[[objectives]]
metric = "params"
[[stages]]
cells = 3
epochs = 2
[alpha_step]
samples = 2
every = 40
[evaluation]
channels = 4
cells = 3
"""
SWEEP = TINY + "[sweep]\nseed = [0, 1]\n"


@pytest.fixture
def stranger(tmp_path):
    """A folder with a module under every name that anything imports; each leaves a mark when it
    is run."""
    folder = tmp_path / "stranger"
    folder.mkdir()
    trap = f"open({str(tmp_path / 'mark')!r}, 'a').write(__name__ + '\\n')\n"
    names = {*sys.stdlib_module_names, *packages_distributions(), "hwnas", "profilers", "worker"}
    for name in (*names, "sitecustomize", "usercustomize"):
        if name.isidentifier():
            (folder / f"{name}.py").write_text(trap)
    for name in ("hwnas", "profilers", "numpy"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(trap)
    return folder


def run(folder: Path, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    cache = str(folder.parent / "cache")
    env = {**os.environ, "XDG_CACHE_HOME": cache, "XDG_DATA_HOME": cache, "OMP_NUM_THREADS": "1"}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, cwd=folder, env={**env, **environment}, capture_output=True, text=True, check=False
    )
    mark = folder.parent / "mark"
    assert not mark.exists(), f"{command}: ran {mark.read_text().split()[:5]}"
    return done


def entry(tmp_path: Path) -> list[str]:
    """The script that pip installs, or one with the same lines where hwnas is not installed."""
    installed = Path(sys.executable).parent / "hwnas"
    if installed.is_file():
        return [str(installed)]
    script = tmp_path / "bin" / "hwnas"
    script.parent.mkdir(exist_ok=True)
    lines = (
        "import sys",
        f"sys.path.append({str(ROOT)!r})",
        "from hwnas.cli import main",
        "main()",
    )
    script.write_text("\n".join(lines))
    return [sys.executable, str(script)]


def test_a_measurement_runs_nothing_of_the_current_folder(stranger, tmp_path):
    done = run(stranger, [*entry(tmp_path), "profile", "DARTS_V2", *SMALL, "--json"])
    assert done.returncode == 0 and '"origin": "measured"' in done.stdout, done.stderr


@pytest.mark.parametrize("path", ["{}", ":{}", "{}:", "::{}::", "{}:/no/such/folder"])
def test_a_child_finds_what_pythonpath_names_and_not_what_an_empty_entry_means(
    stranger, tmp_path, monkeypatch, path
):
    # `pip install --target FOLDER` with `PYTHONPATH=$PYTHONPATH:FOLDER`, which begins with an empty
    # entry.
    target = tmp_path / "target"
    target.mkdir()
    (target / "installed_there.py").write_text("where = 'target'")
    monkeypatch.setenv("PYTHONPATH", path.format(target))
    monkeypatch.chdir(stranger)
    code = (
        "import json, installed_there, profilers; print(installed_there.where, profilers.__file__)"
    )
    done = subprocess.run(
        python_command(code),
        env=child_environment({}, str(ROOT)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["target", str(ROOT / "profilers" / "__init__.py")]
    assert not (tmp_path / "mark").exists()


SPAWNS = """
import multiprocessing, os, sys, tempfile
from profilers.children import working_in

def work(folder):
    os.chdir(folder)
    import colorsys  # not yet imported: looked for by this process itself
    print(os.path.basename(os.getcwd()))

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        with working_in(empty) as folder:
            process = multiprocessing.get_context("spawn").Process(target=work, args=(folder,))
            process.start()
        process.join()
        print(os.path.basename(os.getcwd()))
    sys.exit(process.exitcode)
"""


def test_a_spawned_process_starts_without_the_current_folder_and_then_works_in_it(
    stranger, tmp_path
):
    (tmp_path / "elsewhere").mkdir()
    script = tmp_path / "elsewhere" / "script.py"
    script.write_text(SPAWNS)
    done = run(stranger, [sys.executable, str(script)], PYTHONPATH=str(ROOT))
    assert (done.returncode, done.stdout.split()) == (0, ["stranger"] * 2), done.stderr


@pytest.mark.slow
def test_no_command_runs_anything_of_the_current_folder(stranger, tmp_path):
    (stranger / "tiny.toml").write_text(TINY)
    (stranger / "sweep.toml").write_text(SWEEP)
    arch = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    other = arch.replace("skip_connect", "nor_conv_1x1")
    rows = [f"{a},{1 + n % 7}" for n, a in enumerate([arch, other] * 12)]
    (stranger / "t.csv").write_text("\n".join(["arch,latency", *rows]))
    hwnas_ = entry(tmp_path)
    there = ("--run-with", "sh -c", "--remote-python", sys.executable)
    # What torch.compile tries in a child of its own.
    compiled = [("train", "run", "--knee", "--epochs", "1", "--compile", "--fresh", "-q")]
    for words in (
        ("--version",),
        ("search", "--config", "tiny.toml", "--data", "digits", "--out", "run", "-q"),
        ("search", "--config", "tiny.toml", "--out", "two", "--processes", "2", "-q"),
        ("plan", "tiny.toml", "-q"),
        ("show", "run"),
        ("resume", "run"),
        ("train", "run", "--knee", "--epochs", "1", "-q"),
        ("export", "run", "--out", "files", "-q"),
        ("report", "run"),
        ("profile", "run", *SMALL[-2:]),
        ("profile", "DARTS_V2", *SMALL, *there, "--target", "raspberry-pi-4", "--per-op"),
        ("profile", "DARTS_V2", *SMALL, "--backend", "torch", "--backend", "thop"),
        ("devices", "list"),
        ("devices", "here"),
        ("devices", "show", "cpu"),
        ("devices", "fit", "--csv", "t.csv", "--device", "board", "--out", "t.json"),
        ("devices", "predict", "t.json", "--csv", "t.csv", "--out", "p.csv"),
        ("sweep", "sweep.toml", "-q"),
        ("doctor",),
        ("doctor", "run"),
        *(compiled if shutil.which("c++") else ()),
    ):
        done = run(stranger, [*hwnas_, *words])
        assert done.returncode == 0, (words, done.stdout[-500:], done.stderr[-500:])
