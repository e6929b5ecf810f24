"""Settings that fit the images."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hwnas.config import resolve, with_epochs
from hwnas.search.fitting import (
    CHAIN_STEPS,
    JUDGED,
    MOST_EPOCHS,
    PART_STEPS,
    SHARES,
    SIDES,
    SMALL_SIDE,
    WHOLE_STEPS,
    chain_fit,
    elastic_fit,
    side_of,
)

IMAGES = st.integers(1, 200_000)
BASE = {"objectives": [{"metric": "params"}]}


@given(IMAGES, st.integers(1, 4000), st.booleans())
def test_what_fits_is_a_config(images: int, side: int, resizable: bool) -> None:
    chain = resolve({**BASE, **chain_fit(images, side, resizable).settings})
    weights = {"space": "efficientnet-lite0-elastic", "weights_from": "efficientnet-lite0"}
    larger = max(side, SMALL_SIDE)
    elastic = resolve({**BASE, **weights, **elastic_fit(images, larger, resizable).settings})
    for config in (chain, elastic):
        assert SHARES[0] <= config.data.policy_share <= SHARES[1]
        assert (config.data.image_size is None) == (not resizable or config.space == "mobile-small")


@given(st.integers(400, 60_000))
def test_the_steps_are_those_wanted_to_half_an_epoch(images: int) -> None:
    for fit, wanted in (
        (elastic_fit(images, 96, True), (WHOLE_STEPS, PART_STEPS)),
        (chain_fit(images, 32, True), CHAIN_STEPS),
    ):
        for stage, steps in zip(fit.settings["stages"], wanted, strict=False):
            off = abs(stage["epochs"] * fit.steps - steps)
            assert off <= fit.steps / 2 or stage["epochs"] in (1, MOST_EPOCHS)


def test_on_flowers_the_whole_network_has_two_epochs_and_its_parts_two() -> None:
    found = elastic_fit(2_934, 128, True).settings
    assert [stage["epochs"] for stage in found["stages"]] == [2, 2, 1]
    assert found["alpha_step"]["images"] == JUDGED
    assert found["data"]["image_size"] == SIDES[0]


@given(IMAGES, st.integers(1, 60))
def test_the_line_says_the_epochs_that_were_asked_for(images: int, epochs: int) -> None:
    parts = {"space": "efficientnet-lite0-elastic", "weights_from": "efficientnet-lite0"}
    for fit, base in ((elastic_fit, parts), (chain_fit, {})):
        given = resolve({**BASE, **base, **fit(images, 96, True).settings})
        changed = [stage.epochs for stage in with_epochs(given, epochs).stages]
        said = fit(images, 96, True, epochs)
        assert [stage["epochs"] for stage in said.settings["stages"]] == changed
        assert f"+ {epochs} epochs of" in said.words


@given(st.integers(1, 4000))
def test_images_are_read_at_no_more_than_their_side(side: int) -> None:
    assert side_of(side) <= side and side_of(side) in (*SIDES, side)
