"""What `derive` says of a network that was chosen for one target and is used on another."""

from __future__ import annotations

from dataclasses import replace

from hwnas.cli.derive import price_words
from hwnas.search.derive import Price

PRICE = Price(chosen_for="board", used_on="phone", accuracy=0.9, value=0.75, best=0.5)


def test_a_network_that_was_chosen_for_another_target_is_compared_with_the_targets_own() -> None:
    costs = "on phone, the middle network of board's front costs 0.75 ms. "
    assert price_words(PRICE, "ms") == (
        f"{costs}The cheapest network of phone's own front that is as accurate costs 0.5 ms:"
        " the first costs 1.50 times as much"
    )
    assert price_words(replace(PRICE, best=0.75), "ms") == (
        f"{costs}No network of phone's own front that is as accurate costs less"
    )
    assert price_words(replace(PRICE, best=None), "ms") == (
        f"{costs}No network of phone's own front is as accurate"
    )
