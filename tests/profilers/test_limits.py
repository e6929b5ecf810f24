"""Numbers have an end at every door, and the line names what was given."""

from __future__ import annotations

import math

import pytest

from profilers.backends import Options
from profilers.errors import InputError
from profilers.limits import LIMITS, MOST_NUMBERS, check_input, check_numbers
from profilers.onnx_latency import OnnxOptions
from profilers.timing import Protocol
from profilers.torch_latency import TorchOptions


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_both_ends_of_a_range_are_allowed_and_nothing_beyond(name):
    low, high = LIMITS[name]
    check_numbers(**{name: low})
    check_numbers(**{name: high})
    check_numbers(**{name: None})
    for value in (low - 1, high + 1, math.nan, math.inf, 10**400):
        with pytest.raises(InputError, match=f"--{name} must be within "):
            check_numbers("--", **{name: value})


@pytest.mark.parametrize("options", [Options, OnnxOptions, TorchOptions])
def test_every_way_to_measure_refuses_a_million_threads_and_a_budget_without_end(options):
    with pytest.raises(InputError, match="threads must be within"):
        options(threads=1_000_000)
    with pytest.raises(InputError, match="budget must be within"):
        options(protocol=Protocol(budget_s=math.inf))


def test_an_input_may_have_so_many_numbers_in_all():
    check_input("x", (1, 1024, 1024, 1024))
    with pytest.raises(
        InputError, match=f"x: an input of {2 * MOST_NUMBERS:,} numbers, of at most"
    ):
        check_input("x", (2, 1024, 1024, 1024))
