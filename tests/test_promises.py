"""What SECURITY.md promises of the source itself: nothing is unpickled or evaluated, files of a
run have one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPENING = (
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "unlink",
    "touch",
    "rename",
    "symlink_to",
)
LOOKING = ("exists", "is_file")
# What opens no file of a run: pages of the package itself, the machine, a probe of a shared folder,
# a temporary folder of its own.
ELSEWHERE = {
    "hwnas/report/page.py": ("read_text",),
    # Of the user's own photos.
    "hwnas/report/photos.py": ("is_file", "is_dir"),
    "hwnas/search/photos.py": ("is_file", "is_dir"),
    "hwnas/runs/environment.py": ("read_text",),
    "hwnas/export/runtime_formats.py": ("read_bytes", "write_bytes"),
    "hwnas/export/scoring.py": ("write_bytes",),
    "hwnas/cluster/farm.py": ("read_bytes", "write_bytes"),
    "hwnas/measuring/tflite_files.py": ("write_bytes",),
    "hwnas/cluster/ray_cluster.py": ("open", "read_text", "write_text", "unlink", "os.open"),
    "hwnas/cluster/searches.py": ("read_bytes", "exists"),
    "hwnas/runs/atomic.py": ("os.open",),
}
ROOMS = ("runs", "export", "report", "measuring", "search", "cluster")
OF_TRAINING = ("checkpoint", "curves", "finalists", "loop", "planning", "train", "weights")


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_nothing_is_unpickled_or_evaluated() -> None:
    for path in [*(ROOT / "hwnas").rglob("*.py"), *(ROOT / "profilers").rglob("*.py")]:
        for name, call in calls(path):
            where = f"{path}:{call.lineno}: {name}"
            assert name not in (
                "eval",
                "pickle.load",
                "pickle.loads",
                "joblib.load",
            ), where
            if name == "torch.load":  # weights of others, by torch's reader that runs nothing
                assert path.name == "reading.py", where
                given = {one.arg: ast.unparse(one.value) for one in call.keywords}
                assert given["weights_only"] == "True", where
            if name == "np.load":
                assert {one.arg: ast.unparse(one.value) for one in call.keywords}[
                    "allow_pickle"
                ] == "False", where
            if (
                name == "exec"
            ):  # the model.py that an export has just written from a genotype of its own parser
                assert path.name == "plain_formats.py", where


def test_files_of_a_run_are_opened_in_one_way() -> None:
    paths = [path for room in ROOMS for path in (ROOT / "hwnas" / room).rglob("*.py")]
    paths += [ROOT / "hwnas" / "training" / f"{name}.py" for name in OF_TRAINING]
    assert {path.parts[len(ROOT.parts) + 1] for path in paths} == {*ROOMS, "training"}
    for path in paths:
        allowed = ELSEWHERE.get(str(path.relative_to(ROOT)), ())
        for name, call in calls(path):
            word = name if name.startswith("os.") else name.rpartition(".")[2]
            if name.startswith("files.") or word in allowed:
                continue
            where = f"{path}:{call.lineno}: {name} in place of hwnas.files"
            assert word not in (*OPENING, *LOOKING, "os.open", "os.replace") and name != "open", (
                where
            )
