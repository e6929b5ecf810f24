"""Cases of latency tables and the CSV files they are fitted from."""

from __future__ import annotations

from .case import Case

CASES: tuple[Case, ...] = ()
