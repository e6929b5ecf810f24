"""Samples, mutants and projections of every space; its exact size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwnas.space import SPACES
from hwnas.space.encoding import (
    derive,
    distinct_rows,
    every,
    likeliest,
    mutate,
    one_hot,
    project,
    sample,
    size_derived,
    size_sampled,
    to_choices,
    to_genotype,
)
from hwnas.space.genotype import Edge, Genotype
from profilers.errors import InputError
from tests.space.strategies import any_genotype, names

seeds = st.integers(0, 2**32 - 1)


def half_mask(name: str, seed: int) -> np.ndarray:
    """Some operations of each edge, at least one."""
    space, rng = SPACES[name], np.random.default_rng(seed)
    mask = space.mask & (rng.random(space.mask.shape) < 0.4)
    mask[np.arange(len(mask)), sample(space, rng)] = True
    return mask


@given(names, seeds)
@settings(max_examples=40, deadline=None)
def test_a_sample_holds_one_survivor_per_edge(name: str, seed: int) -> None:
    space, mask = SPACES[name], half_mask(name, seed)
    choices = sample(space, np.random.default_rng(seed), mask)
    assert choices.shape == (len(space.decisions),)
    assert mask[np.arange(len(choices)), choices].all()


def test_samples_are_uniform_over_the_survivors() -> None:
    space, rng = SPACES["tnd"], np.random.default_rng(0)
    drawn = np.array([sample(space, rng) for _ in range(4000)])
    for row, slot in enumerate(space.slots):
        counts = np.bincount(drawn[:, row], minlength=len(slot.ops))
        # Five standard deviations of a binomial count.
        assert np.abs(counts - 4000 / len(slot.ops)).max() < 5 * np.sqrt(4000 / len(slot.ops))


@given(names, seeds)
@settings(max_examples=40, deadline=None)
def test_a_mutant_differs_on_exactly_one_edge_and_stays_among_the_survivors(
    name: str, seed: int
) -> None:
    space, mask, rng = SPACES[name], half_mask(name, seed), np.random.default_rng(seed)
    choices = sample(space, rng, mask)
    before = choices.copy()
    mutant = mutate(space, choices, rng, mask)
    assert (choices == before).all()
    assert (mutant != choices).sum() == (1 if (mask.sum(axis=1) > 1).any() else 0)
    assert mask[np.arange(len(mutant)), mutant].all()


def test_a_space_with_one_survivor_per_edge_has_no_mutants() -> None:
    space = SPACES["darts"]
    choices = sample(space, np.random.default_rng(0))
    only = one_hot(space, choices).astype(bool)
    assert (mutate(space, choices, np.random.default_rng(1), only) == choices).all()


@given(any_genotype)
@settings(max_examples=60, deadline=None)
def test_a_genotype_and_its_choices_say_the_same(genotype: Genotype) -> None:
    space = SPACES[genotype.space]
    choices = to_choices(genotype)
    assert to_genotype(space, choices) == genotype
    assert (one_hot(space, choices).argmax(axis=1) == choices).all()


def test_edges_that_are_not_written_are_none() -> None:
    empty = Genotype("darts", ((Edge("sep_conv_5x5", 1),), (), (), ()), ((), (), (), ()))
    choices = to_choices(empty)
    assert [SPACES["darts"].slots[0].ops[choice] for choice in choices[:3]] == [
        "none",
        "sep_conv_5x5",
        "none",
    ]
    assert choices[2:].sum() == 0


def test_choices_of_an_edge_that_the_space_lacks_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    space = SPACES["darts"]
    fewer = replace(space, slots=space.slots[:1] + space.slots[2:])
    genotype = Genotype("darts", ((Edge("skip_connect", 1),), (), (), ()), ((), (), (), ()))
    monkeypatch.setitem(SPACES, "darts", fewer)
    with pytest.raises(InputError, match="no edge for"):
        to_choices(genotype)


@given(names, seeds)
@settings(max_examples=60, deadline=None)
def test_a_projection_obeys_the_rule_and_obeys_it_again_unchanged(name: str, seed: int) -> None:
    space, rng = SPACES[name], np.random.default_rng(seed)
    probabilities = np.where(space.mask, rng.random(space.mask.shape), 0.0)
    once = project(space, sample(space, rng), probabilities)
    assert (project(space, once, probabilities) == once).all()
    # What the rule reads off a one-hot of the projection is the projection: it obeys the rule.
    assert (space.rule(space, one_hot(space, once)) == once).all()


@given(names, seeds)
@settings(max_examples=40, deadline=None)
def test_a_derived_genotype_is_projected_to_itself_whatever_the_probabilities(
    name: str, seed: int
) -> None:
    space, rng = SPACES[name], np.random.default_rng(seed)
    derived = to_choices(derive(space, np.where(space.mask, rng.random(space.mask.shape), 0.0)))
    other = np.where(space.mask, rng.random(space.mask.shape), 0.0)
    assert (project(space, derived, other) == derived).all()


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_a_projection_keeps_drawn_operations_before_it_adds_others(seed: int) -> None:
    space, rng = SPACES["darts"], np.random.default_rng(seed)
    choices = sample(space, rng)
    projected = project(space, choices, np.where(space.mask, rng.random(space.mask.shape), 0.0))
    for kind in space.cells:
        for node in range(2, 6):
            rows = [row for row in space.rows(kind) if space.slots[row].node == node]
            real = sum(int(choices[row]) != 0 for row in rows)
            kept = sum(int(choices[row]) == int(projected[row]) != 0 for row in rows)
            skips = kind == "normal" and 3 in choices[list(space.rows("normal"))]
            # A drawn skip_connect may fall to the limit of two; nothing else that was drawn may.
            assert kept == min(real, 2) or skips


@given(names, seeds)
@settings(max_examples=25, deadline=None)
def test_the_likeliest_are_different_and_legal_and_begin_with_the_derived(
    name: str, seed: int
) -> None:
    space, rng = SPACES[name], np.random.default_rng(seed)
    strength = np.where(space.mask, rng.dirichlet(np.ones(space.width), len(space.decisions)), 0.0)
    found = likeliest(space, strength, 8)
    assert len(found) == len({one.tobytes() for one in found}) == 8
    for one in found:
        assert np.array_equal(project(space, one, strength), one)
    assert np.array_equal(found[0], project(space, strength.argmax(axis=1), strength))


@given(seeds, st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_the_likeliest_are_those_of_all_where_all_can_be_counted(seed: int, count: int) -> None:
    space, rng = SPACES["nasbench201"], np.random.default_rng(seed)
    strength = rng.dirichlet(np.ones(5), 6)
    strength[0, 1] = 0.0  # may not be chosen
    every = np.array(list(itertools.product(range(5), repeat=6)))
    product = strength[np.arange(6), every].prod(axis=1)
    best = every[np.argsort(-product, kind="stable")[:count]]
    assert np.array_equal(likeliest(space, strength, count), best)
    assert len(likeliest(space, np.eye(5)[best[0]], count)) == 1


def test_the_sampled_spaces_have_their_published_sizes() -> None:
    assert size_sampled(SPACES["darts"]) == 8**28
    assert size_sampled(SPACES["tnd"]) == 10**14 * 6**14
    assert size_sampled(SPACES["nasbench201"]) == 15_625


def test_masks_shrink_the_sampled_space() -> None:
    space = SPACES["darts"]
    mask = space.mask & (np.arange(8) < 5)
    assert size_sampled(space, mask) == 5**28


def test_the_derived_spaces_are_counted_exactly() -> None:
    # Per node two of its n inputs with one of 7 operations each (Liu et al.: prod_k (k+1)k/2 * 7^2
    # per cell).
    cell = 1 * 3 * 6 * 10 * 7**8
    assert size_derived(SPACES["darts"]) == cell**2
    # TND: 10^n - 1 (6^n - 1) ways for a node with n inputs not to lose all of them.
    assert size_derived(SPACES["tnd"]) == (99 * 999 * 9999 * 99999) * (35 * 215 * 1295 * 7775)
    assert size_derived(SPACES["nasbench201"]) == 15_625


def test_every_choice_of_a_mask_is_listed_once_with_the_last_edge_fastest() -> None:
    mask = np.array([[True, False, True], [True, True, True], [False, True, False]])
    found = every(mask)
    assert found.tolist() == [list(one) for one in itertools.product((0, 2), (0, 1, 2), (1,))]
    assert distinct_rows(found).tolist() == list(range(6))
    assert distinct_rows(np.concatenate([found[[4, 4, 1]], found])).tolist() == [0, 2, 3, 5, 6, 8]
