from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hwnas.training import data
from hwnas.training.augment import Augment
from hwnas.training.dataset import Dataset, generator, halves


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return data.load("digits")


def all_of(dataset, split, *args, **options):
    x, y, _ = zip(*data.batches(dataset, split, *args, **options), strict=True)
    return torch.cat(x), torch.cat(y)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60), st.integers(0, 2**32))
def test_halves_are_disjoint_and_exact_also_within_each_class(labels, seed):
    labels = torch.tensor(labels)
    one, other = halves(labels, seed)
    assert sorted([*one.tolist(), *other.tolist()]) == list(range(len(labels)))
    assert len(one) - len(other) == len(labels) % 2
    difference = torch.bincount(labels[one], minlength=5) - torch.bincount(
        labels[other], minlength=5
    )
    assert difference.abs().max() <= 1


def test_another_seed_halves_otherwise_and_the_test_set_stays(digits):
    other = data.load("digits", seed=1)
    assert not torch.equal(digits.split["weights"], other.split["weights"])
    assert torch.equal(digits.test_labels, other.test_labels)


def test_one_pass_shows_every_image_of_the_split_once(digits):
    x, _ = all_of(digits, "policy", 100, (0, 1))
    assert len(x) == data.size(digits, "policy") == 719
    in_order, _ = all_of(digits, "policy", 100)
    assert torch.equal(x.flatten(1).sum(1).sort().values, in_order.flatten(1).sum(1).sort().values)


def test_a_resumed_pass_continues_with_the_batches_of_the_whole_one(digits):
    options = {"seed": (3, 1, 4), "augment": digits.augment}
    whole = list(data.batches(digits, "weights", 64, **options))
    rest = list(data.batches(digits, "weights", 64, start=7, **options))
    assert len(whole) == 12 == data.batch_count(digits, "weights", 64)
    for batch, again in zip(whole[7:], rest, strict=True):
        assert torch.equal(batch.x, again.x)
        assert torch.equal(batch.y, again.y)


def test_batches_leave_the_global_generator_alone(digits):
    before = torch.get_rng_state()
    list(islice(data.batches(digits, "weights", 64, (0,), augment=digits.augment), 2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("other", [(0, 1), (1, 0), (0, 0, 0)])
def test_every_word_of_the_seed_counts(digits, other):
    first = next(data.batches(digits, "train", 200, (0, 0)))
    assert not torch.equal(first.x, next(data.batches(digits, "train", 200, other)).x)


def test_seeds_of_other_length_or_grouping_are_other_seeds():
    seeds = [(0,), (0, 0), (0, 0, 0), (2**32, 1), (0, 1, 1), (0, 1), (1, 0), (2**32,)]
    assert len(
        {int(torch.randint(2**62, (1,), generator=generator(*seed))) for seed in seeds}
    ) == len(seeds)


def test_labels_follow_their_images(digits):
    x, y, _ = next(data.batches(digits, "test", 359, (5,)))
    known = {
        tuple(image.flatten().tolist()): int(label)
        for image, label in zip(*all_of(digits, "test", 359), strict=True)
    }
    assert [known[tuple(image.flatten().tolist())] for image in x] == y.tolist()


def test_training_images_are_normalised(digits):
    x, _ = all_of(digits, "train", 500)
    assert x.dtype == torch.float32
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std(unbiased=False).item() == pytest.approx(1, abs=1e-5)


def test_cutout_leaves_the_mean_colour_as_public_darts_code_does(digits):
    """It comes after normalisation there: black, an extreme of normalised images, would disturb
    them more."""
    whole = next(iter(data.batches(digits, "weights", 64, (5,))))
    holed = next(iter(data.batches(digits, "weights", 64, (5,), augment=Augment(cutout=4))))
    hidden = holed.x != whole.x
    assert torch.equal(holed.x[hidden], torch.zeros(int(hidden.sum())))
    assert hidden.flatten(1).any(1).all() and hidden.flatten(1).sum(1).max() <= 16


def test_the_last_short_batch_can_be_dropped(digits):
    assert [len(b.y) for b in data.batches(digits, "test", 100)] == [100, 100, 100, 59]
    assert [len(b.y) for b in data.batches(digits, "test", 100, drop_last=True)] == [100, 100, 100]
    assert data.batch_count(digits, "test", 100, drop_last=True) == 3


def test_a_sample_holds_different_images_and_at_most_all(digits):
    assert len(data.sample(digits, "policy", 50, (1,)).x.flatten(1).unique(dim=0)) == 50
    assert len(data.sample(digits, "policy", 5000, (1,)).y) == 719


def test_augmentation_without_a_seed_is_refused(digits):
    with pytest.raises(ValueError, match="needs a seed"):
        next(data.batches(digits, "train", 8, augment=Augment(crop_padding=1)))


def test_the_digest_notices_one_pixel_and_the_split(digits):
    changed = digits.train.clone()
    changed[0, 0, 0, 0] += 1
    digests = {
        data.digest(digits),
        data.digest(replace(digits, train=changed)),
        data.digest(data.load("digits", seed=1)),
    }
    assert len(digests) == 3
    assert data.digest(digits) == data.digest(data.load("digits"))


def test_a_data_set_moves_to_a_device_and_gives_the_same_batches(digits):
    moved = data.to_device(digits, "cpu")
    options = {"seed": (0,), "augment": digits.augment}
    assert torch.equal(
        next(data.batches(moved, "weights", 32, **options)).x,
        next(data.batches(digits, "weights", 32, **options)).x,
    )


@given(
    st.integers(1, 300), st.integers(1, 70), st.none() | st.integers(1, 400), st.integers(0, 2**32)
)
def test_equal_batches_show_every_image_once_and_none_is_under_half_the_size(
    count, size, part, seed
):
    x = torch.arange(count, dtype=torch.int32).view(torch.uint8).view(-1, 1, 2, 2)
    labels = torch.arange(count)
    dataset = Dataset(
        name="numbers",
        classes=tuple(map(str, range(count))),
        image=(1, 2, 2),
        train=x,
        train_labels=labels,
        test=x,
        test_labels=labels,
        mean=(0.0,),
        std=(1.0,),
        split={"policy": labels},
    )
    found = list(data.equal_batches(dataset, "policy", size, (seed,), part))
    shown = [int(y) for batch in found for y in batch.y]
    wanted = min(count, part or count)
    assert len(set(shown)) == len(shown) == wanted
    assert part is not None or sorted(shown) == list(range(count))
    sizes = [len(batch.y) for batch in found]
    assert max(sizes) <= size and max(sizes) - min(sizes) <= 1
    assert len(sizes) == 1 or min(sizes) >= size / 2
    assert len(sizes) == -(-wanted // size), "as few batches as hold them"


def test_equal_batches_hold_all_classes_though_images_lie_class_by_class(digits):
    assert digits.train_labels.tolist() == sorted(digits.train_labels.tolist())
    for batch in data.equal_batches(digits, "policy", 256, (0,)):
        assert torch.bincount(batch.y, minlength=10).min() > 0
