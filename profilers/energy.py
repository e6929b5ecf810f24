"""Measure the energy of one inference: windows that begin and end with an update of the sensor.

A sensor's value moves in steps of 1 to 100 ms, so a window runs the network again and again until
it is at least 2 s long and holds at least 20 updates. An idle window stands before and after; the
reference network takes turns with the one that is measured, so that what drifts, drifts for both.
Gross is everything that the sensor counted; net is what was more than idle.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from profilers.energy_sensors import NoSensor, Sensor

LEAST_S = 2.0
LEAST_UPDATES = 20
LONGEST_S = 60.0
COOL_DOWN_S = 2.0
TURNS = 3
_POLL_S = 0.002
_METER_S = 0.1  # after which the same reading of a meter is another one


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What time is it, and how to let it pass."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True)
class Window:
    """Joules, seconds, runs and updates between two updates of a sensor."""

    joules: float
    seconds: float
    runs: int
    updates: int

    @property
    def watts(self) -> float:
        """Mean power."""
        return self.joules / self.seconds


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Of one inference, in mJ. ``net``: above idle; ``low``, ``high``: the turns' smallest and
    largest gross; ``reference_mj``: the reference's gross; ``covers``: what the sensor sees."""

    gross_mj: float
    net_mj: float
    low_mj: float
    high_mj: float
    reference_mj: float
    idle_watts: float
    sensor: str
    covers: str


def measure_energy(
    run: Callable[[], object],
    reference: Callable[[], object],
    sensor: Sensor,
    clock: Clock | None = None,
) -> Energy:
    """The energy of ``run``, one inference that has ended when it returns.

    Raises NoSensor where the sensor does not move often enough to tell.
    """
    clock = clock or Clock()
    before = window(None, sensor, clock)
    own: list[Window] = []
    theirs: list[Window] = []
    for _ in range(TURNS):
        theirs.append(window(reference, sensor, clock))
        clock.sleep(COOL_DOWN_S)
        own.append(window(run, sensor, clock))
        clock.sleep(COOL_DOWN_S)
    after = window(None, sensor, clock)
    idle = (before.joules + after.joules) / (before.seconds + after.seconds)
    each = [1e3 * one.joules / one.runs for one in own]
    net = [1e3 * (one.joules - idle * one.seconds) / one.runs for one in own]
    return Energy(
        gross_mj=float(np.median(each)),
        net_mj=float(np.median(net)),
        low_mj=min(each),
        high_mj=max(each),
        reference_mj=float(np.median([1e3 * one.joules / one.runs for one in theirs])),
        idle_watts=idle,
        sensor=sensor.name,
        covers=sensor.covers,
    )


def window(run: Callable[[], object] | None, sensor: Sensor, clock: Clock) -> Window:
    """One window of runs, or of idling where ``run`` is None. Raises NoSensor."""
    begun = clock.now()
    last, at = sensor.read(), begun
    first: tuple[float, float, int] | None = None  # joules, time, runs at the first update
    runs, updates, joules = 0, 0, 0.0
    while True:
        if run is None:
            clock.sleep(_POLL_S)
        else:
            run()
            runs += 1
        value, now = sensor.read(), clock.now()
        # A meter may well read the same again; a counter that does, has not been updated.
        if value != last or (not sensor.counts and now - at >= _METER_S):
            # A counter's own difference; of a meter the mean of two readings, times what passed.
            joules += value - last if sensor.counts else (value + last) / 2 * (now - at)
            last, at = value, now
            if first is None:
                first = (joules, now, runs)
            else:
                updates += 1
            seconds = now - first[1]
            if seconds >= LEAST_S and updates >= LEAST_UPDATES and (run is None or runs > first[2]):
                return Window(
                    joules=joules - first[0], seconds=seconds, runs=runs - first[2], updates=updates
                )
        if now - begun > LONGEST_S:
            raise NoSensor(
                f"{sensor.name}: {updates} updates in {LONGEST_S:.0f} s, at least"
                f" {LEAST_UPDATES} are needed; it is too slow to tell the energy of a network"
            )
