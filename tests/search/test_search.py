"""A whole search: the same seed gives the same run, a stopped one ends as if it had not been
stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from hwnas.costs.counts import count
from hwnas.runs import directory as runs
from hwnas.runs.checkpoint import load_checkpoint
from hwnas.runs.trials import read_trials
from hwnas.search.bilevel import ndarts
from hwnas.search.plan import SearchPlan, plan
from hwnas.search.progress import SearchProgress
from hwnas.search.rehearsal import _fewer
from hwnas.search.scoring_images import scoring_images
from hwnas.search.search import resume, search, summary
from hwnas.search.state import State
from hwnas.search.steps import path_of_batch
from hwnas.space.genotype import Architecture
from hwnas.space.space import SPACES
from hwnas.space.text import from_dict
from hwnas.training.augment import Augment
from profilers.errors import InputError
from tests.search import tiny


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.images(tmp_path_factory.mktemp("data") / "tiny.npz")


def result(path: Path) -> dict[str, Any]:
    found = json.loads((path / "front.json").read_text())
    del found["seconds"]
    return found


def test_the_same_seed_gives_the_same_trials_and_front(data: Path, tmp_path: Path) -> None:
    config = tiny.config(data)
    for name in ("a", "b"):
        search(config, tmp_path / name)
    assert (tmp_path / "a/trials.jsonl").read_bytes() == (tmp_path / "b/trials.jsonl").read_bytes()
    assert result(tmp_path / "a") == result(tmp_path / "b")
    search(tiny.config(data, seed=1), tmp_path / "c")
    assert (tmp_path / "a/trials.jsonl").read_bytes() != (tmp_path / "c/trials.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("stop_after", "changes"),
    [
        (2, {}),
        *(pytest.param(epochs, {}, marks=pytest.mark.slow) for epochs in (1, 3, 4)),
        *(pytest.param(epochs, tiny.COVER, marks=pytest.mark.slow) for epochs in (3, 4, 5)),
    ],
)
def test_a_stopped_search_ends_like_an_uninterrupted_one(
    data: Path, tmp_path: Path, stop_after: int, changes: dict[str, Any]
) -> None:
    config, epochs = tiny.config(data, **changes), 0

    def interrupt(progress: SearchProgress) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == stop_after:
            raise KeyboardInterrupt

    search(config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        search(config, tmp_path / "stopped", interrupt)
    resume(tmp_path / "stopped")
    assert (tmp_path / "stopped/trials.jsonl").read_bytes() == (
        tmp_path / "whole/trials.jsonl"
    ).read_bytes()
    assert (tmp_path / "stopped/history.jsonl").read_bytes() == (
        tmp_path / "whole/history.jsonl"
    ).read_bytes()
    assert result(tmp_path / "stopped") == result(tmp_path / "whole")
    weights = [load_checkpoint(runs.open_run(tmp_path / name)) for name in ("stopped", "whole")]
    assert weights[0] is not None and weights[1] is not None
    for name, array in weights[0][0].items():
        np.testing.assert_array_equal(array, weights[1][0][name], err_msg=name)


def test_the_summary_keeps_its_contract(data: Path, tmp_path: Path) -> None:
    found = summary(search(tiny.config(data), tmp_path / "run"))
    assert {
        "space",
        "algorithm",
        "seed",
        "evaluations",
        "hypervolume",
        "bounds",
        "baseline",
        "front",
    } <= set(found)
    assert set(found["bounds"]) == set(found["reference_point"]) == {"accuracy", "params"}
    assert set(found["baseline"]) == {"random_hypervolume", "random_evaluations", "random"}
    # 2 stages; 1 frozen epoch of 2 in the first: 3 epochs of 3 alpha steps of 4 samples each.
    assert found["evaluations"] == 3 * 3 * 4
    assert found["scored_images"] == 48
    assert all(
        len(column) == found["baseline"]["random_evaluations"]
        for column in found["baseline"]["random"].values()
    )
    assert found["baseline"]["random_evaluations"] == len(found["front"]) + len(found["dominated"])
    costs = [member["costs"]["params"]["value"] for member in found["front"]]
    accuracies = [member["accuracy"]["value"] for member in found["front"]]
    assert costs == sorted(costs) and accuracies == sorted(accuracies)
    for member in found["front"]:
        assert member["accuracy"]["origin"] == "shared weights (validation)"
        genotype = from_dict(member["genotype"])
        assert genotype.key == member["key"]
        built = count(
            Architecture(genotype, channels=member["channels"], cells=member["cells"]), 3, (1, 8, 8)
        )
        assert (member["costs"]["params"]["value"], member["costs"]["macs"]["value"]) == built
        assert all(len(node) == 2 for node in genotype.normal + genotype.reduce)


def test_every_evaluated_genotype_is_written_down(data: Path, tmp_path: Path) -> None:
    run = search(tiny.config(data), tmp_path / "run")
    trials = read_trials(run)
    assert [trial.number for trial in trials] == list(range(36))
    assert all(0 <= trial.accuracy <= 1 and trial.costs["params"] > 0 for trial in trials)


@pytest.mark.slow
@pytest.mark.parametrize("space", ["tnd", "nasbench201"])
def test_other_spaces_search_too(data: Path, tmp_path: Path, space: str) -> None:
    stages = [{"cells": 3, "epochs": 1}]
    found = summary(search(tiny.config(data, space=space, stages=stages), tmp_path / "run"))
    assert found["space"] == space and found["front"]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["random", "nsga2"])
def test_baselines_make_as_many_evaluations_and_resume_exactly(
    data: Path, tmp_path: Path, algorithm: str
) -> None:
    config, epochs = tiny.config(data, algorithm=algorithm), 0

    def interrupt(progress: SearchProgress) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == 3:
            raise KeyboardInterrupt

    whole = summary(search(config, tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        search(config, tmp_path / "stopped", interrupt)
    resume(tmp_path / "stopped")
    assert whole["evaluations"] == 36 and whole["front"]
    assert (tmp_path / "stopped/trials.jsonl").read_bytes() == (
        tmp_path / "whole/trials.jsonl"
    ).read_bytes()
    assert result(tmp_path / "stopped") == result(tmp_path / "whole")


# the whole DARTS space; tests/search/bilevel/test_ndarts.py has the same law in a smaller one
@pytest.mark.slow
@pytest.mark.parametrize("weights", ["sgd", "sgd+es"])
def test_the_accuracy_only_mode_searches_and_resumes_exactly(
    data: Path, tmp_path: Path, weights: str
) -> None:
    stages = [{"cells": 3, "epochs": 3}]
    own = {"weights": weights, "weight_steps": 2, "population": 2, "samples_per_epoch": 32}
    config = tiny.config(
        data, algorithm="ndarts", objectives=[], exponents=[0.0], stages=stages, ndarts=own
    )
    epochs = 0

    def interrupt(progress: SearchProgress) -> None:
        nonlocal epochs
        epochs += 1
        if epochs == 2:
            raise KeyboardInterrupt

    whole = summary(search(config, tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        search(config, tmp_path / "stopped", interrupt)
    resume(tmp_path / "stopped")
    assert len(whole["front"]) == 1 and set(whole["bounds"]) == {"accuracy"}
    assert (tmp_path / "stopped/trials.jsonl").read_bytes() == (
        tmp_path / "whole/trials.jsonl"
    ).read_bytes()
    assert result(tmp_path / "stopped") == result(tmp_path / "whole")


def test_the_mixture_mode_searches_too(data: Path, tmp_path: Path) -> None:
    stages = [{"cells": 3, "epochs": 1}]
    found = summary(search(tiny.config(data, weights="mixture", stages=stages), tmp_path / "run"))
    assert found["front"]


def test_a_target_marks_the_members_that_meet_it(data: Path, tmp_path: Path) -> None:
    objectives = [{"metric": "params", "target": "9k"}]
    found = summary(search(tiny.config(data, objectives=objectives), tmp_path / "run"))
    met = [m for m in found["front"] if m["costs"]["params"]["value"] <= 9000]
    assert [m["key"] for m in found["front"] if m["within_target"]] == [m["key"] for m in met]
    best_first = sorted(met, key=lambda m: -m["accuracy"]["value"])
    assert found["within_target"] == [m["key"] for m in best_first]
    assert found["targets"] == {"params": 9000}


def test_a_target_that_nothing_meets_is_refused_before_anything_is_written(
    data: Path, tmp_path: Path
) -> None:
    config = tiny.config(data, objectives=[{"metric": "params", "target": "100"}])
    with pytest.raises(InputError, match="can't be met, this space reaches"):
        search(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_half_of_the_policies_pursue_a_target(data: Path) -> None:
    planned = plan(
        tiny.config(
            data, objectives=[{"metric": "params", "target": "6k"}], exponents=[0, -0.1, -0.2, -0.4]
        )
    )
    assert [mine[0].form for mine in planned.objectives] == [
        "power",
        "absolute",
        "power",
        "absolute",
    ]


def test_an_existing_directory_is_left_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/mine.txt").write_text("keep")
    with pytest.raises(InputError, match="already exists"):
        search(tiny.config(data), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_resume_refuses_other_images(data: Path, tmp_path: Path) -> None:
    moved = tiny.images(tmp_path / "moved.npz")

    def interrupt(progress: SearchProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(tiny.config(moved), tmp_path / "run", interrupt)
    tiny.images(moved, count=90)
    with pytest.raises(
        InputError,
        match="not the images of its search: 90 training images, then 96; 90",
    ):
        resume(tmp_path / "run")


def test_a_run_in_use_is_refused(data: Path, tmp_path: Path) -> None:
    run = search(tiny.config(data), tmp_path / "run")
    run.front_path.unlink()
    with runs.lock(run), pytest.raises(InputError, match="in use by another process"):
        resume(tmp_path / "run")


@pytest.mark.slow
def test_finalists_by_regression_come_with_what_it_predicts(data: Path, tmp_path: Path) -> None:
    config = tiny.config(data, finalists_by="regression")
    found = summary(search(config, tmp_path / "run"))
    members = [*found["front"], *found["dominated"]]
    assert members and all(0 < member["accuracy"]["regression"] < 1 for member in members)
    plain = summary(search(tiny.config(data), tmp_path / "plain"))
    assert not any("regression" in member["accuracy"] for member in plain["front"])
    # Trained alike, and the same networks evaluated: only the finalists differ.
    trials = [(tmp_path / name / "trials.jsonl").read_bytes() for name in ("run", "plain")]
    assert trials[0] == trials[1]


@pytest.mark.slow
def test_what_synflow_helped_to_choose_is_named_beside_the_front(
    data: Path, tmp_path: Path
) -> None:
    changes = {
        "space": "nasbench201",
        "stages": [{"cells": 3, "epochs": 2}],
        "finalists_synflow": True,
    }
    config = tiny.config(data, finalists_by="regression", **changes)
    found = summary(search(config, tmp_path / "run"))
    members = {member["key"]: member for member in [*found["front"], *found["dominated"]]}

    def dominates(one: dict[str, Any], other: dict[str, Any]) -> bool:
        mine, its = (
            (-member["accuracy"]["believed"], member["costs"]["params"]["value"])
            for member in (one, other)
        )
        return mine != its and mine[0] <= its[0] and mine[1] <= its[1]

    for key, member in members.items():
        beaten = any(dominates(other, member) for other in members.values())
        assert (key in found["believed"]) == (not beaten)
    costs = [members[key]["costs"]["params"]["value"] for key in found["believed"]]
    assert costs == sorted(costs)
    assert summary(search(tiny.config(data), tmp_path / "plain"))["believed"] == []
    alone = tiny.config(
        data, **{**changes, "algorithm": "ndarts", "objectives": [], "finalists_per_policy": 3}
    )
    found = summary(search(alone, tmp_path / "alone"))
    most = max(
        [*found["front"], *found["dominated"]],
        key=lambda one: float(one["accuracy"]["log_synflow"]),
    )
    assert found["believed"] == [most["key"]]


def test_uniform_paths_do_not_follow_the_policies(data: Path) -> None:
    class Sure:
        """A searcher that would train one path for ever."""

        def mixture(self) -> np.ndarray:
            return self.mask() / 1.0

        def mask(self) -> np.ndarray:
            mask = SPACES["darts"].mask.copy()
            mask[:, 1] = False
            return mask

        def paths(self, count: int, rng: np.random.Generator) -> np.ndarray:
            return np.full((count, len(SPACES["darts"].slots)), 2)

    config = tiny.config(data)
    uniform = tiny.config(data, weight_step={"batch_size": 16, "paths": "uniform"})
    at = State(searcher=Sure(), shared=None)
    own = np.stack([path_of_batch(config, at, step) for step in range(40)])
    drawn = np.stack([path_of_batch(uniform, at, step) for step in range(40)])
    assert (own == 2).all()
    assert not (drawn == 1).any() and len(np.unique(drawn, axis=0)) == 40
    assert (path_of_batch(uniform, at, 7) == drawn[7]).all()


def blank(planned: SearchPlan) -> SearchPlan:
    """The same images, but for an augmentation that leaves nothing of them."""
    augment = Augment(cutout=4 * planned.dataset.image[1])
    return replace(planned, dataset=replace(planned.dataset, augment=augment))


@pytest.mark.slow
def test_samples_are_judged_on_images_augmented_like_those_that_train_where_the_config_says_so(
    data: Path, tmp_path: Path
) -> None:
    step = {"samples": 24, "every": 3, "images": 48}
    most = {}
    for augment in (False, True):
        config, run = (
            tiny.config(data, alpha_step={**step, "augment": augment}),
            tmp_path / str(augment),
        )
        search(config, run, lambda progress: None, blank(plan(config)))
        seen: dict[tuple[int, ...], set[float]] = {}
        for line in (run / "trials.jsonl").read_text().splitlines():
            row = json.loads(line)
            seen.setdefault((row["stage"], row["epoch"], row["step"]), set()).add(row["accuracy"])
        most[augment] = max(len(together) for together in seen.values())
    # A blank image is the same whatever its label: a network says one class for all of them.
    assert most[True] <= 3 < most[False]


@pytest.mark.slow
def test_the_alpha_step_of_a_mixture_sees_images_augmented_like_those_that_train(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest: list[float] = []
    step = ndarts.alpha_step

    def spied(searcher: Any, shared: Any, train: Any, valid: Any, lr: float) -> Any:
        largest.append(float(valid.x.abs().max()))
        return step(searcher, shared, train, valid, lr)

    monkeypatch.setattr(ndarts, "alpha_step", spied)
    own = {"algorithm": "ndarts", "objectives": [], "weights": "mixture"}
    config = tiny.config(data, **own, ndarts={"weight_steps": 1, "hypergradient": "first_order"})
    search(config, tmp_path / "run", lambda progress: None, blank(plan(config)))
    assert largest and max(largest) == 0.0


@pytest.mark.slow
def test_finalists_are_scored_on_as_many_images_as_the_config_says(
    data: Path, tmp_path: Path
) -> None:
    found = {
        count: summary(search(tiny.config(data, scoring_images=count), tmp_path / str(count)))
        for count in (None, 20, 1000)
    }
    assert [found[count]["scored_images"] for count in found] == [48, 20, 48]
    shares = [member["accuracy"]["value"] * 20 for member in found[20]["front"]]
    assert shares == pytest.approx(np.round(shares))


@pytest.mark.slow
def test_rows_files_and_names_in_another_order_give_the_same_trials_and_front(
    tmp_path: Path,
) -> None:
    """The same pixels: an archive, with its rows shuffled, and folders under names of two kinds."""
    tiny.images(tmp_path / "sorted.npz", count=60)
    held = dict(np.load(tmp_path / "sorted.npz"))
    rng = np.random.default_rng(1)
    for part in ("train", "test"):
        by_class = np.argsort(held[f"y_{part}"], kind="stable")
        for name in ("x", "y"):
            held[f"{name}_{part}"] = held[f"{name}_{part}"][by_class]
    np.savez(tmp_path / "sorted.npz", **held)
    for part in ("train", "test"):
        order = rng.permutation(60)
        for kind in ("sorted", "random"):
            for number, row in enumerate(order):
                name = f"{row:03}" if kind == "sorted" else f"{number:03}"
                file = tmp_path / kind / part / str(held[f"y_{part}"][row]) / f"{name}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(held[f"x_{part}"][row, :, :, 0]).save(file)
        held[f"x_{part}"], held[f"y_{part}"] = held[f"x_{part}"][order], held[f"y_{part}"][order]
    np.savez(tmp_path / "random.npz", **held)
    found = {}
    for source in ("sorted.npz", "random.npz", "sorted", "random"):
        stages = [{"cells": 3, "epochs": 2, "frozen_epochs": 1}]
        run = search(tiny.config(tmp_path / source, stages=stages), tmp_path / f"run-{source}")
        front = summary(run)
        found[source] = (read_trials(run), front["front"], front["hypervolume"], front["baseline"])
    assert all(one == found["sorted.npz"] for one in found.values())


def test_finalists_are_scored_on_batches_of_all_classes(data: Path, tmp_path: Path) -> None:
    for images in (None, 40):
        planned = plan(tiny.config(data, scoring_images=images))
        (batch,) = scoring_images(planned.config, planned.dataset).to_print()
        assert len(batch.y) == (images or 48)
        assert torch.bincount(batch.y, minlength=3).min() > 0
    (again,) = scoring_images(planned.config, planned.dataset).to_print()
    assert torch.equal(batch.y, again.y)


def test_what_is_rehearsed_on_has_all_classes(data: Path) -> None:
    dataset = plan(tiny.config(data)).dataset
    some = _fewer(dataset, 12)
    assert len(some.split["weights"]) == 12 == len(set(some.split["weights"].tolist()))
    assert set(dataset.train_labels[some.split["weights"]].tolist()) == {0, 1, 2}
