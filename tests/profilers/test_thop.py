from __future__ import annotations

from torch import nn

from profilers.thop import count_with_thop


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.AvgPool2d(2), nn.Flatten()
    )


def test_the_difference_is_explained_class_by_class():
    found = count_with_thop(network(), (1, 3, 6, 6))
    # A 4 x 4 map of 4 channels: thop adds two operations per value for BatchNorm, one per output
    # for pooling.
    assert found.ours.macs == 4 * 16 * 27
    assert found.macs - found.ours.macs == sum(k.thop - k.ours for k in found.by_kind)
    assert {k.kind for k in found.by_kind} == {"BatchNorm2d", "AvgPool2d"}
    assert "BatchNorm2d +" in found.explain()
    assert found.params == found.ours.params


def test_what_thop_takes_for_zero_is_reported():
    class Mine(nn.Conv2d):
        pass

    found = count_with_thop(nn.Sequential(Mine(2, 2, 1)), (1, 2, 3, 3))
    assert found.uncounted == ("Mine",)
    assert (found.macs, found.ours.macs) == (0, 36)
    assert "Mine -36" in found.explain()


def test_agreement_is_said_too():
    assert (
        count_with_thop(nn.Conv2d(2, 2, 1, bias=False), (1, 2, 3, 3))
        .explain()
        .endswith("counts the same")
    )


def test_the_distribution_that_ran_is_named_with_its_version():
    name, _, version = count_with_thop(nn.Linear(2, 2), (1, 2)).distribution.partition(" ")
    assert "thop" in name
    assert version[0].isdigit()
