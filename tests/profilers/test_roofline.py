from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from profilers.roofline import COSTS, Kernel, Peaks, device_us, issue_us, latency_ms, together

PEAKS = Peaks(gmacs_per_s=1000.0, gb_per_s=100.0)
GPU = COSTS["eager_gpu"]
# 1,000 MMAC on data that fit in no time: 1000e6 / (1000e3 MAC/us x 0.7) = 1428.6 us.
BUSY = Kernel(kind="linear", macs=1_000_000_000, reads=10, writes=10, outputs=10, channels=1)
# 75 MB at 75 % of 100 GB/s: 1000 us.
COPY = Kernel(
    kind="elementwise", macs=0, reads=9_375_000, writes=9_375_000, outputs=9_375_000, channels=1
)


def test_arithmetic_bounds_a_busy_kernel_and_traffic_a_copy() -> None:
    assert device_us(BUSY, PEAKS, GPU) == pytest.approx(2 + 1e9 / (1e6 * 0.7))
    assert device_us(COPY, PEAKS, GPU) == pytest.approx(2 + 1000.0)


def test_a_pool_reads_its_window() -> None:
    pool = replace(COPY, kind="pool", window=9)
    # Nine reads and a write where the copy has one and one.
    assert device_us(pool, PEAKS, GPU) - 2 == pytest.approx(5 * (device_us(COPY, PEAKS, GPU) - 2))


def test_a_convolution_of_half_a_tile_costs_a_whole_one() -> None:
    whole = Kernel(kind="conv", macs=128 * 32 * 100, reads=1, writes=1, outputs=128, channels=32)
    half = Kernel(kind="conv", macs=128 * 16 * 100, reads=1, writes=1, outputs=128, channels=16)
    assert device_us(half, PEAKS, GPU) == pytest.approx(device_us(whole, PEAKS, GPU))


def test_groups_are_computed_like_convolutions_of_their_own() -> None:
    one = Kernel(kind="conv", macs=128 * 16 * 100, reads=1, writes=1, outputs=128, channels=16)
    four = Kernel(
        kind="conv", macs=4 * one.macs, reads=4, writes=4, outputs=128, channels=4 * 16, groups=4
    )
    alone = replace(four, groups=1)
    # Four half-filled tiles on five cores beside two full ones: a wave each, of tiles as large.
    assert device_us(four, PEAKS, GPU) == pytest.approx(device_us(one, PEAKS, GPU))
    assert device_us(alone, PEAKS, GPU) == pytest.approx(device_us(four, PEAKS, GPU))
    many = replace(four, macs=10 * four.macs, outputs=1280)
    assert device_us(many, PEAKS, GPU) - 2 == pytest.approx(8 * (device_us(one, PEAKS, GPU) - 2))


def test_the_last_wave_takes_as_long_as_a_full_one() -> None:
    cores = round(PEAKS.gmacs_per_s / 1.5 / 128)  # 5

    def tiles(number: int) -> float:
        return device_us(
            Kernel(
                kind="conv",
                macs=number * 128 * 32 * 1000,
                reads=1,
                writes=1,
                outputs=number * 128,
                channels=32,
            ),
            PEAKS,
            GPU,
        )

    assert tiles(1) == pytest.approx(tiles(cores))
    assert tiles(cores + 1) - 2 == pytest.approx(2 * (tiles(cores) - 2))


def test_issuing_hides_behind_the_device_or_the_device_behind_issuing() -> None:
    assert latency_ms([COPY] * 3, PEAKS, "eager_gpu") == pytest.approx(3 * 1.002)
    small = Kernel(kind="elementwise", macs=0, reads=10, writes=10, outputs=10, channels=1)
    assert latency_ms([small] * 3, PEAKS, "eager_gpu") == pytest.approx(
        3 * GPU.issue_us["elementwise"] / 1000
    )


def test_a_cpu_does_one_after_the_other() -> None:
    cpu = COSTS["graph_cpu"]
    both = issue_us(COPY, cpu) + device_us(COPY, PEAKS, cpu)
    assert latency_ms([COPY], PEAKS, "graph_cpu") == pytest.approx(both / 1000)


def test_a_compiled_graph_has_no_batch_norm() -> None:
    norm = replace(COPY, kind="batch_norm")
    assert latency_ms([norm], PEAKS, "graph_gpu") == 0
    assert latency_ms([norm], PEAKS, "eager_gpu") > 0


def test_many_networks_are_put_together_at_once() -> None:
    issue, device = np.array([1.0, 5.0]), np.array([3.0, 2.0])
    assert together(issue, device, GPU).tolist() == [3.0, 5.0]
    assert together(issue, device, COSTS["graph_cpu"]).tolist() == [4.0, 7.0]


def test_a_device_with_higher_peaks_is_never_slower() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        macs, reads, writes, outputs = (int(value) for value in rng.integers(1, 10**7, 4))
        kernel = Kernel(
            kind="depthwise",
            macs=macs,
            reads=reads,
            writes=writes,
            outputs=outputs,
            channels=int(rng.integers(1, 64)),
            window=9,
        )
        slow, fast = (
            device_us(kernel, Peaks(gmacs_per_s=g, gb_per_s=b), GPU)
            for g, b in ((500, 50), (600, 80))
        )
        assert fast <= slow
