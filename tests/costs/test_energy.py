"""Tables of energies: read as mJ, found for --objective energy, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwnas.catalog import find_device
from hwnas.costs.energy import energy_table
from hwnas.costs.known_devices import known_devices
from hwnas.costs.latency_csv import Measured, read_measured
from hwnas.costs.latency_fit import fit_measured
from hwnas.costs.tables import BENCHMARK, default_path, family_of, own_table
from hwnas.space import SPACES
from profilers.device import load as load_device
from profilers.errors import InputError
from profilers.table import load, save

SPACE = SPACES["nasbench201"]
NETWORK = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|none~1|skip_connect~2|"


def test_joules_are_read_as_millijoules(tmp_path: Path) -> None:
    path = tmp_path / "energy.csv"
    path.write_text(f"arch,energy_J\n{NETWORK},0.025\n")
    read = read_measured(path, SPACE, None, "energy_J", None, metric="energy")
    assert read.latency_ms.tolist() == [25.0] and read.unit == "J"
    with pytest.raises(InputError, match="unknown unit 'ms' of energy"):
        read_measured(path, SPACE, None, "energy_J", "ms", metric="energy")


def test_an_energy_table_answers_for_energy_and_not_for_latency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    device, of = load_device(find_device("jetson-tx2")), family_of(SPACE, BENCHMARK)
    with pytest.raises(InputError, match=r"no energy table.*devices fit --metric energy"):
        energy_table(device, of, None)
    known = known_devices(SPACE)
    assert known is not None
    some = slice(0, 60)
    measured = Measured(
        texts=("",) * 60,
        choices=known.choices[some],
        latency_ms=known.energy_mj["edgegpu_1"][some],
        blank=0,
    )
    table = fit_measured(SPACE, measured, device.name, 1, {}, network=BENCHMARK, metric="energy")
    path = default_path(device.name, of, metric="energy")
    path.parent.mkdir(parents=True)
    save(table, path)
    assert load(path).metric == "energy"
    found, where = energy_table(device, of, None)
    assert where == path and own_table(device, of) is None
    rest = known.choices[60:200]
    off = np.abs(found.predict(rest) / known.energy_mj["edgegpu_1"][60:200] - 1)
    assert np.median(off) < 0.15


@pytest.mark.parametrize("name", ["nasbench201", "fbnet"])
def test_known_devices_are_a_thousand_networks_of_their_space(name: str) -> None:
    known = known_devices(SPACES[name])
    assert known is not None and len(known.choices) == 1000
    assert len(np.unique(known.choices, axis=0)) == 1000
    assert set(known.latency_ms) <= set(known.device)
    for values in known.latency_ms.values():
        assert (values[np.isfinite(values)] > 0).all()
    assert known_devices(SPACES["darts"]) is None
