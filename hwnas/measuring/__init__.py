"""Our networks on a device: bench, calibration, the attached target, estimates without it."""
