"""Amounts as users write them."""

import pytest

from hwnas.costs.amounts import parse_quantity
from profilers.errors import InputError


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("1.5M", "parameters", 1.5e6),
        ("500k", "parameters", 5e5),
        ("3e6", "MAC", 3e6),
        (" 0.3 G ", "FLOP", 3e8),
        ("2ms", "ms", 2.0),
        (".5s", "ms", 500.0),
        ("250us", "ms", 0.25),
        ("1GiB", "MiB", 1024.0),
        ("7mJ", "mJ", 7.0),
        ("2.3k", "parameters", 2300.0),
        ("200KiB", "MiB", 200 / 1024),
    ],
)
def test_amounts_are_read_in_the_unit_of_the_metric(text: str, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "hint"),
    [
        ("2", "ms", "write 2ms"),
        ("2ms", "parameters", "not in parameters"),
        ("1.5M", "ms", "not in ms"),
        ("fast", "ms", "not an amount"),
        ("-1M", "parameters", "not an amount"),
        ("0k", "parameters", "above 0"),
        ("1e999999999k", "parameters", "above 0"),
        ("1e-31844674407370955161 s", "ms", "above 0"),
    ],
)
def test_a_wrong_amount_is_refused_with_the_units_to_use(text: str, unit: str, hint: str) -> None:
    with pytest.raises(InputError, match=hint) as caught:
        parse_quantity(text, unit)
    assert str(caught.value).startswith("target-value: ") and "\n" not in str(caught.value)
