"""What ``hwnas train`` prints at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwnas.cli.train_output import print_trained
from tests.runs.made import finished_run, trained


def test_the_table_says_who_was_trained_for_longer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished_run(tmp_path / "run")
    records = [trained(run, "models", number, 70 + number, epochs=9) for number in range(2)]
    print_trained(run, records)
    assert "epochs" not in capsys.readouterr().out
    print_trained(run, [trained(run, "models", 2, 90, epochs=2)])
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if line.lstrip().startswith("network"))
    assert "epochs" in head.split()
    row = next(line for line in lines if "0.9000" in line)
    assert row.split()[head.split().index("epochs")] == "2"
