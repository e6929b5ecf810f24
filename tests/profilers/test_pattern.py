"""A search with a pattern that is allowed ends within a known number of steps."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.catalog import devices
from profilers.device import load
from profilers.pattern import LONGEST_TEXT, MOST_STEPS, found_in, refused, steps


@pytest.mark.parametrize(
    "pattern",
    [
        ".?" * 60 + "!!",
        "(.|.)" * 40,
        "(a|a)" * 19,
        "(a|)" * 30 + "!",
        "(a+)+!",
        "(a|aa)+!",
        "(a*)*",
        "(a+){9}",
        "(?:a?) *",
        "(?x)(a+)#\n+!",
        "(?i)a",
        r"(a)\1",
        "(?P<x>a)(?P=x)",
        "(?<=a)b",
        ".*.*.*.*!",
        ".*.*.*" + "a?" * 9,
        "a" * 201,
        "[a",
        "(" * 100,
        "*",
    ],
)
def test_what_could_run_away_or_is_no_pattern_is_refused(pattern):
    assert refused(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("GTX 1080 Ti", "NVIDIA GeForce gtx 1080 ti", True),
        ("RTX 3090(?! Ti)", "RTX 3090 Ti", False),
        ("RTX 3090(?! Ti)", "RTX 3090", True),
        (r"A100.*80GB", "NVIDIA A100-SXM4-80GB", True),
        (r"Xeon.*Gold.*61\d\d", "Intel(R) Xeon(R) Gold 6148 CPU", True),
        ("H100 (80GB HBM3|SXM)", "NVIDIA H100 80GB HBM3", True),
        ("", "anything", False),
        ("z$", "a" * LONGEST_TEXT + "z", False),
    ],
)
def test_usual_patterns_are_allowed_and_mean_what_re_says(pattern, text, matches):
    assert not refused(pattern)
    assert found_in(pattern, text) == matches


def test_the_patterns_of_every_device_that_ships_are_allowed():
    for entry in devices():
        device = load(entry.path)  # refuses what is not
        assert device.cuda_name_regex or device.cpu_model_regex or device.name


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["a?", ".?", "a*", ".*", "[ab]+", "(a|a)", "(a|)", "a", "(?!b)"]),
        max_size=40,
    )
)
def test_the_bound_of_an_allowed_pattern_holds(parts):
    pattern = "".join(parts) + "!"
    if refused(pattern):
        return
    assert steps(pattern) <= MOST_STEPS
    assert not found_in(pattern, "a" * LONGEST_TEXT)  # returns: an exponential one would not
    assert found_in(pattern.replace("(?!b)", ""), "a" * 50 + "!") == bool(
        re.search(pattern.replace("(?!b)", ""), "a" * 50 + "!")
    )
