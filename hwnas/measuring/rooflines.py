"""What an estimate from a data sheet is worth."""

from __future__ import annotations

ROOFLINE_FACTOR = 5.0
"""Of 12 published latency columns of devices with peaks (devices/known-*.json), the median network
is within this factor of its roofline in 11: 0.29 to 4.8 times. On a Xeon the cells of
NAS-Bench-201 take 8.5 times as long (`python -m benchmarks.rooflines`)."""
ROOFLINE_WORDS = "from data-sheet peaks: for ranking; a fifth to five times the truth"
