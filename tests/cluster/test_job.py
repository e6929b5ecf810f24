"""Tasks without Ray: in turn, refused where they fit nowhere, GPUs where there are some."""

from __future__ import annotations

import pytest

from hwnas.cluster.job import Cluster, Job, Needs, check_room, gpus_for, here, total
from profilers.errors import InputError


def half(number: int) -> float:
    return 1 / (number - 3)


def test_tasks_run_here_one_after_the_other_and_one_that_fails_costs_itself_alone() -> None:
    ended = list(
        here().run([Job(name=str(number), function=half, argument=number) for number in (1, 3, 5)])
    )
    assert [one.job.name for one in ended] == ["1", "3", "5"]
    assert [one.result for one in ended] == [-0.5, None, 0.5]
    assert [type(one.error) for one in ended] == [type(None), ZeroDivisionError, type(None)]


def test_nothing_is_begun_before_its_turn() -> None:
    begun: list[int] = []
    ended = here().run(
        [
            Job(name="a", function=begun.append, argument=1),
            Job(name="b", function=begun.append, argument=2),
        ]
    )
    next(ended)
    assert begun == [1]


NODES = {"big": {"CPU": 8.0}, "small": {"CPU": 2.0, "GPU": 1.0, "device:a": 1.0}}


@pytest.mark.parametrize(
    "needs",
    [
        Needs(),
        Needs(cpus=8),
        Needs(cpus=2, gpus=1),
        Needs(cpus=0, gpus=0, resources={"device:a": 1}),
        Needs(cpus=1, gpus=0.25, resources={"device:a": 1}),
    ],
)
def test_a_task_that_fits_on_one_node_is_taken(needs: Needs) -> None:
    check_room(Job(name="t", function=half, argument=1, needs=needs), NODES)


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (Needs(cpus=9), "no node has 9 CPU "),
        (Needs(cpus=1, gpus=2), "no node has 2 GPU "),
        (Needs(cpus=8, gpus=1), "no node has 8 CPU and 1 GPU "),  # each there, never together
        (Needs(cpus=0, gpus=0, resources={"device:b": 1}), "no node has 1 device:b "),
    ],
)
def test_a_task_that_would_wait_for_ever_is_refused_with_what_is_lacking(
    needs: Needs, said: str
) -> None:
    with pytest.raises(InputError, match=f"^t: {said}"):
        check_room(Job(name="t", function=half, argument=1, needs=needs), NODES)


def test_a_task_takes_a_gpu_where_there_are_some_unless_told_otherwise() -> None:
    bare, rich = Cluster(run=here().run), Cluster(run=here().run, nodes=NODES)
    assert total(NODES, "GPU") == 1
    assert [gpus_for(one, "auto", None) for one in (bare, rich)] == [0, 1]
    assert [gpus_for(one, "cuda", None) for one in (bare, rich)] == [1, 1]
    assert gpus_for(rich, "cpu", 0.5) == 0
    assert gpus_for(rich, "auto", 0.5) == 0.5
